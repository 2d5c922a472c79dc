"""The live audit of automated matches, and the drift of feeds, as screens and commands show them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.contracts.matching import CertificateKind


class AuditState(StrEnum):
    """What the live audit says of a certificate's promise.

    ``ok``: nothing speaks against it. ``watch``: precision has fallen from the certified level but is
    not shown to be below the promise. ``alarm``: it is, and the certificate is suspended.
    """

    OK = "ok"
    WATCH = "watch"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class FeedAudit:
    """The audits of one feed: how many, and how many found the automated answer wrong."""

    feed: str
    audits: int
    wrong: int


@dataclass(frozen=True, slots=True)
class AnswerAudit:
    """The audits of one kind of answer under one promise for both: how many, and how many were wrong."""

    kind: CertificateKind
    audits: int
    wrong: int


@dataclass(frozen=True, slots=True)
class AuditPoint:
    """Running precision with its band after so many audits."""

    audits: int
    precision: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LiveAudit:
    """The audits of one certificate since it was made.

    ``release_id`` is the release whose certificate is the reference, from ``accepted`` labels with
    ``errors`` wrong ones; ``certified_level`` is the exact lower bound of the precision there.
    ``low`` and ``high`` bound the average precision at every audit at once, with ``confidence``.
    ``fallen_since`` is the audit from which precision has most likely fallen (1 = the first), with
    ``since_audits`` and ``since_wrong`` from there on. ``below`` and ``fallen`` are the evidence
    (e-values) that precision is below the promise, and that it has fallen to below it. ``points``
    are thinned out for drawing. ``answers`` are the audits by kind of answer where one promise is for
    both; neither is promised separately.
    """

    kind: CertificateKind
    release_id: str
    opened_at: str
    precision: float
    accepted: int
    errors: int
    certified_level: float
    state: AuditState
    suspended_at: str | None
    audits: int
    wrong: int
    estimate: float | None
    low: float
    high: float
    confidence: float
    fallen_since: int | None
    since_audits: int
    since_wrong: int
    below: float
    fallen: float
    advice: str
    feeds: tuple[FeedAudit, ...] = ()
    points: tuple[AuditPoint, ...] = ()
    answers: tuple[AnswerAudit, ...] = ()


class DriftMeasure(StrEnum):
    """What is compared between a feed and the feeds before it."""

    UNKNOWN_BRANDS = "unknown_brands"
    SIMILARITY = "similarity"
    CONFIDENCE = "confidence"


class DriftState(StrEnum):
    """``steady``, ``drifted``, or ``too_few`` listings to say."""

    STEADY = "steady"
    DRIFTED = "drifted"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """One measure of a feed against the feeds before it.

    ``value`` and ``before`` are the mean (the share of listings for unknown brands) here and before,
    ``distance`` is the largest difference of the two distribution functions (of the shares for unknown
    brands). ``p_value`` is of a permutation test, None without anything to compare with.
    """

    measure: DriftMeasure
    state: DriftState
    value: float | None
    before: float | None
    distance: float | None
    p_value: float | None
    words: str


@dataclass(frozen=True, slots=True)
class FeedDrift:
    """How a feed differs from the catalogue and from the feeds before it, on a sample of listings."""

    feed: str
    listings: int
    before: int
    state: DriftState
    findings: tuple[DriftFinding, ...]
    words: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """``alcove audit``."""

    workspace: str
    champion: str | None
    audits: tuple[LiveAudit, ...]
    drift: tuple[FeedDrift, ...]
    next_step: str
