"""The queue: the next listings to ask about, and everything to show for one of them.

Two streams share the queue. The learning stream comes in the order asked for; the random stream's
open draws are served in between, in the order they were drawn, and blind. The mixing is error
diffusion over what was decided last, so it needs no state of its own, goes on where it stood after a
restart, and never falls into step with a habit of the reviewer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from engine.contracts import (
    CandidateView,
    Listing,
    PastMatch,
    QueueEntry,
    QueueOrder,
    ReviewCard,
    Route,
    RouteReason,
    Stream,
)
from engine.review.blind import blind_entry
from engine.review.priorities import gain_priorities

if TYPE_CHECKING:
    from engine.store import Draw, QueueRow, StoredPlacement, UnitOfWork

__all__ = ["SHARE_UNTIL_CERTIFIED", "card", "entry_for", "gain_priorities", "queue_page", "share_of_random"]

#: Share of the random stream, at least, once there is a matcher and until the first certificate:
#: only random decisions bring the certificate, and nothing is automated before it.
SHARE_UNTIL_CERTIFIED = 0.6
#: Share of the gain order that is drawn from all that wait. What is asked near the threshold alone is no
#: fair sample of what lies above it, and the certificate starts testing where the learning stream's errors
#: say: measured in docs/ablation.md.
EXPLORED = 0.25
#: Fractional parts of its multiples are spread evenly and fall into step with no share.
_GOLDEN = (5**0.5 - 1) / 2
#: Past matches shown for each candidate.
PAST_MATCHES = 3
#: Least decisions looked back at to know which stream is due, and most that it takes.
_LEAST_WINDOW, _MOST_WINDOW = 20, 100
_ROUNDING = 1e-9


def share_of_random(random_share: float, *, has_certificate: bool, has_matcher: bool) -> float:
    """The share of the queue that is random now.

    The set share once certified, at least :data:`SHARE_UNTIL_CERTIFIED` before; the set share also
    while there is no matcher, because decisions must teach one before any could certify. A set share
    of 0 stays 0: the owner has switched the random stream off.

    Args:
        random_share: the workspace's setting, in [0, 1].
        has_certificate: whether the champion has a threshold.
        has_matcher: whether the champion has a matcher.
    """
    if has_certificate or not has_matcher or random_share <= 0.0:
        return random_share
    return max(random_share, SHARE_UNTIL_CERTIFIED)


def queue_page(
    uow: UnitOfWork,
    *,
    order: QueueOrder,
    limit: int,
    feed_id: int | None,
    skip: Collection[int] = (),
    random_share: float,
    has_certificate: bool,
) -> list[QueueEntry]:
    """The next ``limit`` listings to ask about, learning and random stream interleaved.

    No listing occurs twice, and one with an open draw only as that draw. Where one stream runs dry
    the other fills the page. The cost does not depend on the number of listings.

    Args:
        uow: of the workspace.
        order: of the learning stream.
        limit: how many entries.
        feed_id: only listings of this feed, or None.
        skip: listings to leave out (those on screen or put off for this sitting); a few hundred.
        random_share: as set, in [0, 1]; see :func:`share_of_random` for what is made of it.
        has_certificate: whether the champion has a threshold.
    """
    if limit <= 0:
        return []
    left_out = set(skip)
    share = share_of_random(random_share, has_certificate=has_certificate, has_matcher=_has_matcher(uow))
    draws = [
        draw for draw in uow.draws.open(feed_id, limit + len(left_out)) if draw.listing_id not in left_out
    ]
    rows = uow.listings.waiting(order, limit, feed_id, sorted(left_out))
    if order == QueueOrder.GAIN:
        anywhere = uow.listings.waiting(QueueOrder.RANDOM, limit, feed_id, sorted(left_out))
        rows = _explored(rows, anywhere, uow.decisions.counts().learning)
    learning = _learning_entries(uow, rows)
    audits = _audit_entries(uow, draws[:limit])
    due = _due_for_random(uow, share)
    page: list[QueueEntry] = []
    seen: set[int] = set()
    while len(page) < limit:
        due += share
        audit_first = due >= 1.0 - _ROUNDING
        entry = _next_unseen((audits, learning) if audit_first else (learning, audits), seen)
        if entry is None:
            break
        if entry.stream == Stream.RANDOM:
            due -= 1.0
        # A stream that has run dry must not come in a burst when it flows again.
        due = min(max(due, -1.0), 1.0)
        page.append(entry)
    return page


def entry_for(uow: UnitOfWork, listing_id: int) -> QueueEntry:
    """Any listing as a queue entry, waiting or not; blind if it is to be judged as a draw.

    Raises:
        NotInWorkspaceError: there is no such listing.
    """
    listing = uow.listings.get(listing_id)
    placement = uow.listings.placement(listing_id)
    feed = uow.feeds.names().get(listing.feed_id, "")
    draw = uow.draws.open_for(listing_id)
    decision = uow.decisions.in_force_for(listing_id)
    if draw is not None and decision is None:
        return blind_entry(listing, feed, draw_id=draw.id)
    stream = decision.stream if decision is not None else _stream_of(placement)
    return QueueEntry(
        listing_id=listing.id,
        external_id=listing.external_id,
        title=listing.title,
        feed=feed,
        reason=placement.reason if placement is not None else RouteReason.CHANGED,
        confidence=placement.confidence if placement is not None else 0.0,
        margin=placement.margin if placement is not None else 0.0,
        stream=stream.value,
        draw_id=decision.draw_id if decision is not None else None,
        blind=False,
    )


def card(uow: UnitOfWork, entry: QueueEntry, *, shown: int) -> ReviewCard:
    """Everything to show for one entry, its first ``shown`` candidates best first.

    Candidates keep their order and numbers on a blind entry too, because scripts read cards as well:
    whoever draws one must hide both (``entry.blind``). Identical listings are not counted for a blind
    entry, because its answer is not applied to others.

    Args:
        uow: of the workspace.
        entry: from :func:`queue_page` or :func:`entry_for`.
        shown: how many candidates.

    Raises:
        NotInWorkspaceError: there is no such listing.
    """
    listing = uow.listings.get(entry.listing_id)
    placement = uow.listings.placement(entry.listing_id)
    candidates = placement.candidates[:shown] if placement is not None else ()
    items = uow.items.get_many(candidate.item_id for candidate in candidates)
    identical = 0
    if not entry.blind:
        same = uow.listings.identical_waiting(uow.listings.text_key(listing.id))
        identical = sum(other != listing.id for other in same)
    return ReviewCard(
        entry=entry,
        listing=listing,
        candidates=tuple(CandidateView(c, items[c.item_id]) for c in candidates if c.item_id in items),
        past_matches=_past_matches(uow, listing.id, list(items)),
        identical_pending=identical,
        release_id=placement.release_id if placement is not None else None,
    )


def _next_unseen(streams: tuple[Iterator[QueueEntry], ...], seen: set[int]) -> QueueEntry | None:
    for stream in streams:
        for entry in stream:
            if entry.listing_id not in seen:
                seen.add(entry.listing_id)
                return entry
    return None


def _due_for_random(uow: UnitOfWork, share: float) -> float:
    """How far the random stream is behind its share after the last decisions, in entries, -1 to 1.

    The window together with the next entry is a multiple of the share's denominator, so that any
    window holds exactly its share and nothing is lost to rounding at the window's edge.
    """
    period = Fraction(share).limit_denominator(_MOST_WINDOW).denominator
    window = period * -(-_LEAST_WINDOW // period)
    due = 0.0
    for entry in reversed(uow.decisions.history(limit=window - 1)):
        decision = entry.decision
        if decision.undone or decision.stream == Stream.MANUAL:
            continue
        due += share - (decision.stream == Stream.RANDOM)
        due = min(max(due, -1.0), 1.0)
    return due


def _has_matcher(uow: UnitOfWork) -> bool:
    champion = uow.releases.champion()
    return champion is not None and uow.releases.get(champion).matcher != "none"


def _explored(rows: list[QueueRow], anywhere: list[QueueRow], place: int) -> list[QueueRow]:
    """The gain order with :data:`EXPLORED` of its places given to listings drawn from all that wait.

    Which places follows from how many decisions of the stream are in force: a page of one explores too, and
    undo gives the same page back.
    """
    ordered, drawn = iter(rows), iter(anywhere)
    mixed: dict[int, QueueRow] = {}
    for number in range(place, place + len(rows)):
        explores = (number * _GOLDEN) % 1.0 < EXPLORED
        row = next((one for one in (drawn if explores else ordered) if one.listing_id not in mixed), None)
        if row is not None:
            mixed[row.listing_id] = row
    # Where the drawn ones were the ordered ones, the rest follows.
    for row in ordered:
        mixed.setdefault(row.listing_id, row)
    return list(mixed.values())


def _learning_entries(uow: UnitOfWork, rows: list[QueueRow]) -> Iterator[QueueEntry]:
    for row in rows:
        if row.reason == RouteReason.SNOOZED:
            # "Unsure" on a draw leaves the listing in the queue, and it stays a draw: its final answer
            # certifies and does not teach, so it must be asked blind again.
            decision = uow.decisions.in_force_for(row.listing_id)
            if decision is not None and decision.draw_id is not None:
                yield blind_entry(row, row.feed, draw_id=decision.draw_id)
                continue
        yield QueueEntry(
            listing_id=row.listing_id,
            external_id=row.external_id,
            title=row.title,
            feed=row.feed,
            reason=row.reason,
            confidence=row.confidence,
            margin=row.margin,
            stream=Stream.LEARNING.value,
            draw_id=None,
            blind=False,
        )


def _audit_entries(uow: UnitOfWork, draws: list[Draw]) -> Iterator[QueueEntry]:
    if not draws:
        return
    listings: Mapping[int, Listing] = uow.listings.get_many(draw.listing_id for draw in draws)
    feeds = uow.feeds.names()
    for draw in draws:
        listing = listings[draw.listing_id]
        yield blind_entry(listing, feeds.get(listing.feed_id, ""), draw_id=draw.id)


def _stream_of(placement: StoredPlacement | None) -> Stream:
    """How a decision on a listing that was not drawn came to be: from the queue, or looked up."""
    waits = placement is not None and placement.machine_route == Route.REVIEW
    return Stream.LEARNING if waits else Stream.MANUAL


def _past_matches(uow: UnitOfWork, listing_id: int, item_ids: list[int]) -> dict[int, tuple[PastMatch, ...]]:
    """What the candidates have matched before, newest first, without the listing itself."""
    chosen: dict[int, list[tuple[int, int]]] = {}
    for alias in uow.aliases.for_items(item_ids):
        known = chosen.setdefault(alias.item_id, [])
        if alias.listing_id != listing_id and len(known) < PAST_MATCHES:
            known.append((alias.listing_id, alias.decision_id))
    listings = uow.listings.get_many(listing for known in chosen.values() for listing, _ in known)
    past: dict[int, tuple[PastMatch, ...]] = {}
    for item_id, known in chosen.items():
        matches = []
        for matched_id, decision_id in known:
            decision = uow.decisions.get(decision_id)
            matches.append(PastMatch(listings[matched_id].title, decision.reviewer, decision.decided_at))
        if matches:
            past[item_id] = tuple(matches)
    return past
