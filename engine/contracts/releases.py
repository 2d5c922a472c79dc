"""Releases, training runs, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.contracts.matching import Certificate


class RunState(StrEnum):
    """Where a training run stands."""

    PREPARED = "prepared"
    RUNNING = "running"
    CANCELLED = "cancelled"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One execution of the trainer. ``folder`` is absolute; ``release_id`` once it was built."""

    id: str
    recipe: str
    seed: int
    device: str
    state: RunState
    pairs: int
    created_at: str
    folder: str
    message: str = ""
    release_id: str | None = None


class ReleaseManifest(BaseModel):
    """``manifest.json`` of a release folder. ``files`` maps every file to its sha256.

    ``zone_floor`` is the least confidence of the zone most random draws are made in, ``zone_of`` whether
    that of the best candidate is meant or that of the answer (see :mod:`engine.contracts.together`).
    ``trained_share`` is the share of trained weights in an encoder that the run averaged with its start,
    tried after the gate had refused the trained one (origin ``averaged``); None where it did not.
    ``text_recipe``, ``neighbours`` and ``lexical_neighbours`` are the settings its evidence was made with,
    which it keeps until it is certified again: a certificate holds for nothing else. None in a release
    that was made before they were written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    id: str
    created_at: str
    parent: str | None = None
    run_id: str | None = None
    origin: Literal["base", "training", "averaged", "refit", "reindex"] = "base"
    encoder_sha256: str
    encoder_variant: str
    dimension: int
    catalogue_revision: int = 0
    text_recipe: dict[str, str | int | bool | list[str]] = Field(default_factory=dict)
    neighbours: int | None = None
    lexical_neighbours: int | None = None
    matcher: str = "none"
    evidence_columns: list[str] = Field(default_factory=list)
    decisions: int = 0
    aliases: int = 0
    zone_floor: float | None = None
    zone_of: Literal["match", "both"] = "match"
    trained_share: float | None = None
    files: dict[str, str] = Field(default_factory=dict)

    @property
    def fold_run(self) -> str | None:
        """The run whose folds tell of this release's encoder; those of an averaged one beside it do not."""
        return self.run_id if self.trained_share is None else None


@dataclass(frozen=True, slots=True)
class MatcherGraphs:
    """A matcher as ONNX graphs; None where too little was decided to fit that one.

    ``pair`` orders a listing's candidates, ``confidence`` says whether the best of them is right,
    ``none`` whether no item is.
    """

    pair: bytes
    confidence: bytes | None
    none: bytes | None


@dataclass(frozen=True, slots=True)
class ReleaseSummary:
    """A release as a list shows it.

    ``certificate`` is for matches, or for both kinds of answers; then ``none_certificate`` is None.
    ``trained_share`` as in :class:`ReleaseManifest`.
    """

    id: str
    created_at: str
    parent: str | None
    run_id: str | None
    origin: str
    is_champion: bool
    matcher: str
    decisions: int
    certificate: Certificate | None
    none_certificate: Certificate | None
    gate: Gate | None = None
    trained_share: float | None = None

    @property
    def is_trained(self) -> bool:
        """Whether a training run made it, and not a refit of another release."""
        return self.origin in ("training", "averaged")


@dataclass(frozen=True, slots=True)
class Flip:
    """A listing whose automated answer differs between two releases."""

    listing_id: int
    listing_external_id: str
    listing_title: str
    before: str
    after: str
    before_item: str
    after_item: str
    contradicts_decision: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a challenger may be promoted, and why."""

    passed: bool
    reasons: tuple[str, ...]
    champion_coverage: float
    challenger_coverage: float
    difference_low: float
    difference_high: float
    contradictions: int


@dataclass(frozen=True, slots=True)
class ReleaseEvaluation:
    """A release measured through the production path on held-out decisions and on the open feed.

    ``coverage_at`` maps precision in percent to oracle coverage on the held-out decisions,
    ``similarity_coverage_at`` the same by similarity alone. ``encoder_coverage`` is what the trainer
    measured of each file of the encoder (``fp32``, ``int8``, ``fp16``) on the run's own validation pairs;
    runs validate on different pairs, so it compares files of one encoder, not releases.
    """

    release_id: str
    labels: int
    coverage_at: dict[int, float]
    similarity_coverage_at: dict[int, float]
    aurc: float
    similarity_aurc: float
    best_right: float
    certified_coverage: float
    automation_rate: float
    encoder_coverage: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FeedCoverage:
    """Shares of the held-out listings of some feeds that each release covers at the required precision."""

    feeds: tuple[str, ...]
    labels: int
    champion: float
    challenger: float


@dataclass(frozen=True, slots=True)
class SegmentCoverage:
    """Shares of one segment's listings that each release automates, of the answers the promise is about."""

    name: str
    listings: int
    champion: float
    challenger: float

    @property
    def lost(self) -> float:
        """What the challenger automates less than the champion, as a share; negative where it gains."""
        return self.champion - self.challenger

    def falls_beyond(self, tolerance: float) -> bool:
        """Whether it loses more than ``tolerance``, a share of the segment's listings."""
        # A fall of just the tolerance is within it, whatever .4 - .3 is to a computer.
        return self.lost > tolerance + 1e-9


@dataclass(frozen=True, slots=True)
class Comparison:
    """Challenger against champion: both evaluations, the gate, every flip.

    ``feeds`` holds the newest feed, then all earlier ones together; nothing where held-out decisions are of
    one feed. ``segments`` holds those with enough listings, what loses most first; ``max_segment_drop`` is
    the share of its listings that the gate lets a segment lose.
    """

    champion: ReleaseEvaluation
    challenger: ReleaseEvaluation
    gate: Gate
    flips: tuple[Flip, ...] = field(default=())
    flips_total: int = 0
    feeds: tuple[FeedCoverage, ...] = ()
    segments: tuple[SegmentCoverage, ...] = ()
    max_segment_drop: float = 0.0
