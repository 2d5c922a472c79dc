"""What the owner reads of segments and of costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share that audits say something about, always with its interval.

    ``share`` is None where too few ``audits`` were made to name one, or where its interval says next to
    nothing; ``said`` are the words in every case. ``low`` and ``high`` bound it with the report's level
    of confidence; ``method`` is ``exact`` (Clopper-Pearson), ``weighted`` (Fay-Feuer) or ``none``.
    """

    share: float | None
    low: float
    high: float
    audits: int
    method: str
    said: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Listings with something in common.

    ``automated_of_right`` is the share of the listings whose best candidate is right that are automated
    as a match, ``precision`` the share of right ones among the listings automated as a match; under one
    promise for both kinds of answers both are of the answer given, "not in catalogue" included. Both are
    estimated from audits. ``starved``: automated significantly less than the workspace.
    ``below_promise``: the precision's interval lies below what the certificate promises.
    """

    name: str
    listings: int
    automation_rate: float
    coverage: float
    automated_of_right: Estimate
    precision: Estimate
    starved: bool
    below_promise: bool


@dataclass(frozen=True, slots=True)
class SegmentGrouping:
    """Segments by one trait, largest first or in their own order. ``distinct`` counts them all.

    Where there are more than are shown, the last segment is everything else together.
    """

    key: str
    title: str
    distinct: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """Who gets automated. ``promise`` is the certified precision, None without a certificate.

    ``level`` is the confidence of every interval; ``audits`` are the answered draws it all rests on.
    ``together``: the promise, and every precision here, is of matches and "not in catalogue" together.
    """

    release: str | None
    promise: float | None
    level: float
    audits: int
    workspace: Segment
    groupings: tuple[SegmentGrouping, ...]
    together: bool = False


@dataclass(frozen=True, slots=True)
class CostPoint:
    """What listings cost at one threshold, per 1,000 of them; None as threshold automates nothing.

    ``automated`` is the share of listings at or above it.
    """

    threshold: float | None
    automated: float
    cost: float


@dataclass(frozen=True, slots=True)
class CostReport:
    """Expected costs by threshold, in the owner's own unit of money.

    ``wrong``, ``review`` and ``missed`` are the costs of one wrong automation, of one review, and of a
    right match that waits for a person instead of going out by itself; None where not entered.
    ``optimal`` is the cheapest point, beside ``certified`` (the threshold in force), never in its place.
    ``saving`` is per 1,000 listings, optimal against certified (against reviewing everything without a
    certificate), with a bootstrap interval. All None, and no curve, where audits or costs are too few.
    """

    wrong: float | None
    review: float | None
    missed: float | None
    audits: int
    level: float
    curve: tuple[CostPoint, ...]
    certified: CostPoint | None
    optimal: CostPoint | None
    saving: float | None
    saving_low: float | None
    saving_high: float | None
    sentence: str
