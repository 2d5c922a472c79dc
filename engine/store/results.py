"""What the repositories answer with, beside the DTOs of :mod:`engine.contracts`."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contracts.decisions import Verdict
from engine.contracts.matching import Placement, Route, RouteReason


@dataclass(frozen=True, slots=True)
class UpsertCounts:
    """What an upsert did, in records."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: UpsertCounts) -> UpsertCounts:
        return UpsertCounts(
            self.added + other.added, self.updated + other.updated, self.unchanged + other.unchanged
        )


@dataclass(frozen=True, slots=True)
class StoredPlacement(Placement):
    """A placement as the store keeps it.

    ``route`` and ``reason`` are the effective ones (a decision in force settles a listing);
    ``machine_route`` and ``machine_reason`` are what matching under ``release_id`` said. Those three
    are None for a listing that was decided without being matched.
    """

    release_id: str | None = None
    machine_route: Route | None = None
    machine_reason: RouteReason | None = None


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A listing waiting for a decision."""

    listing_id: int
    external_id: str
    title: str
    feed_id: int
    feed: str
    reason: RouteReason
    item_id: int | None
    confidence: float
    none_confidence: float
    margin: float
    priority: float


@dataclass(frozen=True, slots=True)
class RouteCounts:
    """Listings by route. ``memory`` and ``decided`` are parts of ``settled``."""

    total: int = 0
    unmatched: int = 0
    automated: int = 0
    review: int = 0
    settled: int = 0
    automated_match: int = 0
    automated_none: int = 0
    memory: int = 0
    decided: int = 0


@dataclass(frozen=True, slots=True)
class DecisionCounts:
    """Decisions in force by stream."""

    total: int = 0
    random: int = 0
    learning: int = 0
    manual: int = 0


@dataclass(frozen=True, slots=True)
class Draw:
    """A listing drawn for the random stream, with the probability it was drawn with."""

    id: int
    listing_id: int
    probability: float
    policy: str
    release_id: str | None
    zone_min_confidence: float | None
    drawn_at: str


@dataclass(frozen=True, slots=True)
class Alias:
    """A confirmed listing that stands for its item."""

    item_id: int
    listing_id: int
    decision_id: int
    text_key: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A decision about which another reviewer is asked; ``overlap_id`` is None for gold decisions."""

    about: int
    listing_id: int
    overlap_id: int | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A second opinion and the decision it is about, as (verdict, item).

    ``adjudicated`` is the answer in force that settled their disagreement, by ``adjudicator``.
    """

    decision_id: int
    first: str
    first_answer: tuple[Verdict, int | None]
    second: str
    second_answer: tuple[Verdict, int | None]
    gold: bool
    adjudicator: str | None = None
    adjudicated: tuple[Verdict, int | None] | None = None
