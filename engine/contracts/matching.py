"""Matching: candidates, evidence, routes, and the certificate that allows automation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
    ONE_CONFIRMATION = "one_confirmation"
    CONTRADICTED = "contradicted"
    WITHDRAWN = "withdrawn"


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
class Remembered:
    """What the confirmations of a listing's very text say of it.

    ``item_id``: the item they agree on, None where they contradict each other; ``settles``: whether
    that is enough to settle the listing, or it rests on one confirmation that has settled enough.
    """

    item_id: int | None
    settles: bool


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
    """What is certified: automatic matches, or automatic "not in catalogue"."""

    MATCH = "match"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The promise: precision >= ``precision`` with confidence 1 - ``delta`` at ``threshold``.

    ``threshold`` is None when nothing could be certified; then ``labels_missing`` says how many more
    random decisions are expected to be needed. ``accepted`` and ``errors`` are the certification
    labels at or above the threshold and the wrong ones among them; ``lower_bound`` is the exact
    one-sided lower confidence bound of the precision there. ``delta_spent`` is the
    chance that this certificate or one before it on some of the same labels is wrong, at most.
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
