"""Who gets automated: the listings by brand, category, feed, popularity and form, with what audits say.

Counts come grouped from the store; audits are few and are weighed here. An audit that says "unsure" or
"bad listing" counts as wrong, as for the certificate: an automated answer there helped nobody. Where one
promise covers both kinds of answers, so does the precision that is said here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.contracts import CertificateKind, Segment, SegmentGrouping, SegmentReport
from engine.reporting.weighted import LEAST_AUDITS, LEVEL, Interval, Reach, estimate, share_interval
from engine.store.segments import ReserveCounts, SegmentCounts, SegmentKey, form_of

if TYPE_CHECKING:
    from engine.store import UnitOfWork

#: Brands, categories and feeds shown; the rest is one segment.
MOST_SEGMENTS = 20
#: A segment with fewer open listings than this is not called starved.
LEAST_LISTINGS = 50
#: Automated less than the workspace by at least this share of the listings, or it is no matter.
LEAST_GAP = 0.05
#: Probability that a report calls anything starved, or below the promise, by chance alone.
FALSE_FLAGS = 0.1
OTHERS = "all others"
NOTHING_CERTIFIED = "nothing certified"
_DECILES = 10

#: Brands and categories are kept as Python's strings: numpy's own would drop what they end in (NUL).
_Names = npt.NDArray[np.object_]
_Numbers = npt.NDArray[np.int64]


class _Group(NamedTuple):
    """One segment before the audits are read: its name, its counts, and which audits are its own."""

    name: str
    counts: SegmentCounts
    audits: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Audits:
    """The audits as arrays, [n] each: the traits of their listings, and what was found.

    ``reach`` is the inclusion probability from which audits are used where the segment's listings are
    meant, ``accepted_reach`` where those that are automated are.
    """

    brand: _Names
    category: _Names
    feed: _Numbers
    shared: _Numbers
    pack: _Numbers
    model_code: _Numbers
    reach: float
    accepted_reach: float
    inclusion: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    accepted: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.right)


def segment_report(uow: UnitOfWork, *, most: int = MOST_SEGMENTS) -> SegmentReport:
    """The segments of a workspace under its champion; a workspace without listings has none.

    Args:
        uow: of the workspace, reading.
        most: how many brands, categories and feeds are shown by name.
    """
    champion = uow.releases.champion()
    certificate = uow.releases.get(champion).certificate if champion else None
    threshold = certificate.threshold if certificate else None
    promise = certificate.precision if certificate and threshold is not None else None
    certified = threshold is not None
    together = certificate is not None and certificate.kind is CertificateKind.BOTH
    audits = _audits(uow, threshold, together=together)

    def counts(key: SegmentKey, most: int | None = None) -> list[SegmentCounts]:
        return uow.segments.counts(
            key,
            threshold,
            most,
            reach=audits.reach,
            accepted_reach=audits.accepted_reach,
            together=together,
        )

    forms = counts("form")
    groupings = [
        ("brand", "Brand", *_named(uow, audits.brand, "brand", forms, counts("brand", most))),
        ("category", "Category", *_named(uow, audits.category, "category", forms, counts("category", most))),
        ("feed", "Feed", *_feeds(uow, audits.feed, forms, most)),
        ("popularity", "Listings that share the item", *_popularity(audits.shared, counts("popularity"))),
        ("pack", "Pack or single", *_forms(audits.pack, forms, 1, ("single", "pack"))),
        ("model_code", "Model code in the title", *_forms(audits.model_code, forms, 2, ("without", "with"))),
    ]
    all_counts = _sum(forms)
    whole = _segment(
        _Group("all listings", all_counts, np.ones(len(audits), dtype=bool)), audits, certified=certified
    )
    groups = [group for _, _, _, some in groupings for group in some]
    starved = _starved([group.counts for group in groups], all_counts)
    below = _below_promise(groups, audits, promise)
    flags = iter(zip(starved, below, strict=True))
    made = []
    for key, title, distinct, some in groupings:
        segments = []
        for group in some:
            is_starved, is_below = next(flags)
            segments.append(
                replace(
                    _segment(group, audits, certified=certified), starved=is_starved, below_promise=is_below
                )
            )
        made.append(SegmentGrouping(key, title, distinct, tuple(segments)))
    return SegmentReport(
        release=champion,
        promise=promise,
        level=LEVEL,
        audits=len(audits),
        workspace=whole,
        groupings=tuple(made),
        together=together,
    )


def _audits(uow: UnitOfWork, threshold: float | None, *, together: bool) -> _Audits:
    rows = uow.segments.audits()
    judged = [row.judged(together=together) for row in rows]
    confidence = np.asarray([sure for sure, _ in judged], dtype=np.float64)
    inclusion = np.asarray([row.inclusion for row in rows], dtype=np.float64)
    reach = Reach(*uow.segments.reserve(together=together), confidence, inclusion)
    return _Audits(
        brand=np.asarray([row.brand for row in rows], dtype=object),
        category=np.asarray([row.category for row in rows], dtype=object),
        feed=np.asarray([row.feed for row in rows], dtype=np.int64),
        shared=np.asarray([row.shared for row in rows], dtype=np.int64),
        pack=np.asarray([row.pack for row in rows], dtype=np.int64),
        model_code=np.asarray([row.model_code for row in rows], dtype=np.int64),
        reach=reach.above(-np.inf).level,
        accepted_reach=0.0 if threshold is None else reach.above(threshold).level,
        inclusion=inclusion,
        right=np.asarray([right for _, right in judged], dtype=bool),
        accepted=confidence >= (np.inf if threshold is None else threshold),
    )


# -- groupings ---------------------------------------------------------------------------------------


def _named(
    uow: UnitOfWork,
    of_audits: _Names,
    key: Literal["brand", "category"],
    forms: Sequence[SegmentCounts],
    largest: Sequence[SegmentCounts],
) -> tuple[int, list[_Group]]:
    """The largest brands or categories by name, and the others together."""
    spelled = uow.segments.spellings(key, [counts.first_listing for counts in largest])
    groups = [
        _Group(
            spelled.get(counts.first_listing, "") or f"(no {key})",
            counts,
            of_audits == counts.key,
        )
        for counts in largest
    ]
    distinct = uow.segments.distinct(key)
    return distinct, [*groups, *_rest(_sum(forms), groups, distinct)]


def _feeds(
    uow: UnitOfWork, of_audits: _Numbers, forms: Sequence[SegmentCounts], most: int
) -> tuple[int, list[_Group]]:
    names = {feed.id: feed.name for feed in uow.feeds.all()}
    by_feed: dict[int, SegmentCounts] = {}
    for counts in forms:
        feed = form_of(int(counts.key))[0]
        by_feed[feed] = by_feed[feed] + counts if feed in by_feed else counts
    ordered = sorted(by_feed.items(), key=lambda one: (-one[1].listings, one[0]))
    groups = [
        _Group(names.get(feed, str(feed)), counts, of_audits == feed) for feed, counts in ordered[:most]
    ]
    return len(ordered), [*groups, *_rest(_sum(forms), groups, len(ordered))]


def _rest(whole: SegmentCounts, groups: Sequence[_Group], distinct: int) -> list[_Group]:
    """What the groups leave of all listings, as one group. Its rarest listing is taken for all's rarest."""
    if distinct <= len(groups):
        return []
    shown = _sum([group.counts for group in groups])
    counts = SegmentCounts(
        key=OTHERS,
        listings=whole.listings - shown.listings,
        alone=whole.alone - shown.alone,
        automated_matches=whole.automated_matches - shown.automated_matches,
        open=whole.open - shown.open,
        reserve=_less(whole.reserve, shown.reserve),
        accepted=_less(whole.accepted, shown.accepted),
        first_listing=0,
    )
    audits = ~np.logical_or.reduce([group.audits for group in groups])
    return [_Group(f"{OTHERS} ({distinct - len(groups):,})", counts, audits)]


def _less(whole: ReserveCounts, part: ReserveCounts) -> ReserveCounts:
    return ReserveCounts(whole.listings - part.listings, whole.reached - part.reached, whole.least_inclusion)


def _popularity(of_audits: _Numbers, sizes: Sequence[SegmentCounts]) -> tuple[int, list[_Group]]:
    """Tenths of the listings by how many listings share their item; equal numbers stay together."""
    sizes = sorted(sizes, key=lambda counts: int(counts.key))
    without = [counts for counts in sizes if counts.key == 0]
    sizes = [counts for counts in sizes if counts.key != 0]
    total = sum(counts.listings for counts in sizes)
    tenths: dict[int, list[SegmentCounts]] = {}
    passed = 0
    for counts in sizes:
        # A number of sharers belongs to the tenth in which the middle one of its listings lies.
        middle = passed + counts.listings / 2
        tenths.setdefault(min(_DECILES - 1, int(_DECILES * middle / total)), []).append(counts)
        passed += counts.listings
    groups = []
    for some in tenths.values():
        low, high = int(some[0].key), int(some[-1].key)
        name = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        groups.append(_Group(name, _sum(some), (low <= of_audits) & (of_audits <= high)))
    if without:
        groups.append(_Group("no item", without[0], of_audits == 0))
    return len(groups), groups


def _forms(
    of_audits: _Numbers, forms: Sequence[SegmentCounts], part: int, names: tuple[str, str]
) -> tuple[int, list[_Group]]:
    groups = []
    for value, name in enumerate(names):
        some = [counts for counts in forms if form_of(int(counts.key))[part] == value]
        if some:
            groups.append(_Group(name, _sum(some), of_audits == value))
    return len(groups), groups


def _sum(counts: Sequence[SegmentCounts]) -> SegmentCounts:
    nothing = ReserveCounts(0, 0, None)
    total = SegmentCounts("", 0, 0, 0, 0, nothing, nothing, 2**62)
    for one in counts:
        total = total + one
    return total


# -- what is said of a segment -----------------------------------------------------------------------


def _segment(group: _Group, audits: _Audits, *, certified: bool) -> Segment:
    counts = group.counts
    of_right = group.audits & audits.right & (audits.inclusion >= audits.reach)
    accepted = group.audits & audits.accepted & (audits.inclusion >= audits.accepted_reach)
    precision = estimate(_precision(group, audits, LEVEL), int(accepted.sum()))
    return Segment(
        name=group.name,
        listings=counts.listings,
        automation_rate=counts.alone / counts.listings if counts.listings else 0.0,
        coverage=counts.automated_matches / counts.listings if counts.listings else 0.0,
        automated_of_right=estimate(_automated_of_right(group, audits), int(of_right.sum())),
        precision=precision if certified else replace(precision, said=NOTHING_CERTIFIED),
        starved=False,
        below_promise=False,
    )


def _precision(group: _Group, audits: _Audits, level: float) -> Interval:
    mine = group.audits & audits.accepted & (audits.inclusion >= audits.accepted_reach)
    part = group.counts.accepted
    return share_interval(
        audits.right[mine],
        audits.inclusion[mine],
        level=level,
        least_inclusion=part.least_inclusion,
        unreached=1 - part.reached / part.listings if part.listings else 0.0,
    )


def _automated_of_right(group: _Group, audits: _Audits) -> Interval:
    """Share of the right that are automated; what could not be drawn may be right and left out, or not."""
    used = group.audits & (audits.inclusion >= audits.reach)
    mine = used & audits.right
    part = group.counts.reserve
    plain = share_interval(
        audits.accepted[mine], audits.inclusion[mine], level=LEVEL, least_inclusion=part.least_inclusion
    )
    missing = part.listings - part.reached
    if not missing or plain.method == "none":
        return plain
    weight = 1 / audits.inclusion
    answered = float(weight[used].sum())
    right = part.reached * float(weight[mine].sum()) / answered
    low, high = plain.low * right / (right + missing), (plain.high * right + missing) / (right + missing)
    return Interval(plain.share, low, high, plain.method)


def _starved(groups: Sequence[SegmentCounts], whole: SegmentCounts) -> list[bool]:
    """Which groups are automated less than chance allows, by a step-down test over all of them.

    Among the listings that the machine placed and no person decided: how likely would so few of the
    group's be settled alone if they were dealt at random (hypergeometric)? Holm's correction keeps the
    chance of any false flag in the report at most :data:`FALSE_FLAGS`.
    """
    from scipy.stats import hypergeom  # deferred: slow to import

    tested = [i for i, one in enumerate(groups) if one.open >= LEAST_LISTINGS]
    p_values = {
        i: float(hypergeom.cdf(groups[i].alone, whole.open, whole.alone, groups[i].open)) for i in tested
    }
    flags = [False] * len(groups)
    for rank, i in enumerate(sorted(tested, key=lambda i: p_values[i])):
        if p_values[i] > FALSE_FLAGS / (len(tested) - rank):
            break
        gap = whole.alone / whole.open - groups[i].alone / groups[i].open
        flags[i] = gap >= LEAST_GAP
    return flags


def _below_promise(groups: Sequence[_Group], audits: _Audits, promise: float | None) -> list[bool]:
    """Groups whose interval of precision, corrected for their number, lies below the promise."""
    if promise is None:
        return [False] * len(groups)
    used = audits.accepted & (audits.inclusion >= audits.accepted_reach)
    judged = [int((group.audits & used).sum()) >= LEAST_AUDITS for group in groups]
    level = 1 - 2 * FALSE_FLAGS / max(1, sum(judged))
    return [
        enough and _precision(group, audits, max(LEVEL, level)).high < promise
        for group, enough in zip(groups, judged, strict=True)
    ]
