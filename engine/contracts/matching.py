"""Matching: candidates, evidence, routes, and the certificate that allows automation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from engine.contracts.records import Item, Listing


class Route(StrEnum):
    """Where a listing goes. ``None`` in the store means "not matched yet"."""

    AUTOMATED = "automated"
    REVIEW = "review"
    SETTLED = "settled"


class RouteReason(StrEnum):
    """Why a listing has its route; screens word it."""

    ABOVE_THRESHOLD = "above_threshold"
    NOT_IN_CATALOGUE = "not_in_catalogue"
    BELOW_THRESHOLD = "below_threshold"
    NO_CERTIFICATE = "no_certificate"
    NO_MATCHER = "no_matcher"
    TIE = "tie"
    NO_CANDIDATES = "no_candidates"
    MEMORY = "memory"
    DECIDED = "decided"
    CHANGED = "changed"
    AUDIT = "audit"
    SNOOZED = "snoozed"
    SUSPENDED = "suspended"
    UNCONFIRMED = "unconfirmed"
    RECHECK = "recheck"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item proposed for a listing. ``item_id`` is the workspace's number.

    ``confidence`` is the matcher's probability in [0, 1] (the similarity, clipped to [0, 1], while
    there is no matcher yet); ``similarity`` and ``lexical`` are cosines; ``via_alias`` says that a
    confirmed listing of the item, not its own text, was the nearest.
    """

    item_id: int
    confidence: float
    similarity: float
    lexical: float
    via_alias: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """The result of matching one listing under one release."""

    listing_id: int
    route: Route
    reason: RouteReason
    item_id: int | None
    confidence: float
    none_confidence: float
    margin: float
    candidates: tuple[Candidate, ...]


class CertificateKind(StrEnum):
    """What is certified: automatic matches, automatic "not in catalogue", or both with one promise."""

    MATCH = "match"
    NONE = "none"
    BOTH = "both"


class Promise(StrEnum):
    """What a certificate promises precision of: each kind of answer by itself, or both together."""

    EACH = "each"
    TOGETHER = "together"

    @property
    def kinds(self) -> tuple[CertificateKind, ...]:
        """The kinds of certificates that are made under it."""
        if self is Promise.TOGETHER:
            return (CertificateKind.BOTH,)
        return CertificateKind.MATCH, CertificateKind.NONE


@dataclass(frozen=True, slots=True)
class CertificatePart:
    """One kind of answer under a promise for both: what the labels say of it. Nothing of it is promised.

    ``share`` is its share of what the certificate accepts; ``labels`` are the random decisions at or
    above the threshold that speak for it, ``errors`` the wrong ones among them. ``precision`` is
    estimated from them (None where they are too few to name one), ``low`` and ``high`` bound it with
    confidence ``level``; ``said`` are the words in every case.
    """

    share: float
    labels: int
    errors: int
    precision: float | None
    low: float
    high: float
    level: float
    said: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What ``more`` random decisions are expected to certify. It is no promise.

    ``coverage`` is the expected certified coverage (0 where there would be no certificate), ``low`` and
    ``high`` hold 80 % of what may come, ``chance`` is the probability of any certificate.
    """

    more: int
    coverage: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True, slots=True)
class SegmentCertificate:
    """What was certified of one segment by itself, with an equal part of delta.

    ``threshold`` is the loosest that passed and ``tested_from`` the strictest, None where none did;
    ``coverage`` is the share of the segment's listings at or above it. ``reserve`` listings of the
    segment could be drawn, ``labels`` were.
    """

    segment: str
    reserve: int
    labels: int
    delta: float
    threshold: float | None
    tested_from: float | None
    coverage: float

    def holds_at(self, threshold: float | None) -> bool:
        """Whether the segment by itself bears a threshold, say that of the whole."""
        if threshold is None or self.threshold is None or self.tested_from is None:
            return False
        return self.threshold <= threshold <= self.tested_from


@dataclass(frozen=True, slots=True)
class Certificate:
    """The promise: precision >= ``precision`` with confidence 1 - ``delta`` at ``threshold``.

    ``threshold`` is None when nothing could be certified; then ``labels_missing`` says how many more
    random decisions are expected to be needed. ``accepted`` and ``errors`` are the certification
    labels at or above the threshold and the wrong ones among them; ``lower_bound`` is the exact
    one-sided lower confidence bound of the precision there. ``delta_spent`` is the
    chance that this certificate or one before it on some of the same labels is wrong, at most.
    ``match_part`` and ``none_part`` say how a certificate for both is made up; None for the others.
    ``forecasts`` say what further random decisions are expected to certify, ``segments`` what was
    certified of segments by themselves.
    """

    kind: CertificateKind
    precision: float
    delta: float
    threshold: float | None
    labels: int
    accepted: int
    errors: int
    p_value: float | None
    lower_bound: float | None
    expected_coverage: float
    labels_missing: int | None
    delta_spent: float
    note: str = ""
    match_part: CertificatePart | None = None
    none_part: CertificatePart | None = None
    forecasts: tuple[Forecast, ...] = ()
    segments: tuple[SegmentCertificate, ...] = ()

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Certificate:
        """A certificate from what ``dataclasses.asdict`` made of it."""
        parts = {
            name: CertificatePart(**fields[name])
            for name in ("match_part", "none_part")
            if fields.get(name) is not None
        }
        lists = {
            "forecasts": tuple(Forecast(**one) for one in fields.get("forecasts", ())),
            "segments": tuple(SegmentCertificate(**one) for one in fields.get("segments", ())),
        }
        return cls(**{**fields, **parts, **lists, "kind": CertificateKind(fields["kind"])})


@dataclass(frozen=True, slots=True)
class CandidateView:
    """A candidate with the item it proposes, for a screen."""

    candidate: Candidate
    item: Item


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One listing waiting for a decision. ``draw_id`` is set for listings of the random stream.

    ``about`` is set where a second opinion is asked for: the number of the decision it is compared with.
    """

    listing_id: int
    external_id: str
    title: str
    feed: str
    reason: RouteReason
    confidence: float
    margin: float
    stream: str
    draw_id: int | None
    blind: bool
    about: int | None = None


@dataclass(frozen=True, slots=True)
class PastMatch:
    """A listing that was confirmed for an item before (an alias)."""

    listing_title: str
    reviewer: str
    decided_at: str


@dataclass(frozen=True, slots=True)
class ReviewCard:
    """Everything the review screen shows for one listing."""

    entry: QueueEntry
    listing: Listing
    candidates: tuple[CandidateView, ...]
    past_matches: dict[int, tuple[PastMatch, ...]]
    identical_pending: int
    release_id: str | None
