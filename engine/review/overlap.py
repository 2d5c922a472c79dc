"""Overlap: a share of the decisions is asked again of another reviewer, blind.

Every decision that answers is drawn with the same probability, ``overlap_share``, by a coin that its
number and the workspace's seed fix: neither the verdict nor the reviewer has a part in it, a decision
is never drawn twice, and raising the share later draws from the earlier decisions too. What was drawn
is asked of anybody who has never seen the listing. Gold decisions are asked of everybody else.

An entry for a second opinion looks like an audit in every respect, so that nobody can tell when they
are compared with a colleague.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.contracts import Candidate, QueueEntry, ReviewCard
from engine.review.blind import blind_entry

if TYPE_CHECKING:
    from engine.store import Asked, UnitOfWork

POLICY = "coin-1"
_PAGE = 5000


def coin(seed: int, decision_id: int) -> float:
    """A uniform number in [0, 1) for a decision, fixed by the seed and its number."""
    text = f"overlap\x1f{seed}\x1f{decision_id}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") / 2.0**64


def due_draws(uow: UnitOfWork, share: float, seed: int) -> list[tuple[int, int]]:
    """The decisions (with listings) whose coin says that they are to be asked again and that are not yet.

    Decisions before the last draw had their coin tossed then; only a share that rose tosses it again.

    Args:
        uow: of the workspace.
        share: ``overlap_share``, in [0, 1].
        seed: of the workspace.
    """
    if share <= 0.0:
        return []
    last = uow.overlaps.last_draw()
    after = last[0] if last is not None and last[1] >= share else 0
    due: list[tuple[int, int]] = []
    while page := uow.overlaps.drawable(after, _PAGE):
        due += [(decision, listing) for decision, listing in page if coin(seed, decision) < share]
        after = page[-1][0]
    return due


def mix(
    uow: UnitOfWork,
    entries: Sequence[QueueEntry],
    *,
    reviewer: str,
    limit: int,
    feed_id: int | None,
    skip: Collection[int],
    overlap_share: float,
    gold_share: float,
) -> list[QueueEntry]:
    """A page of the queue with the reviewer's second opinions between its entries.

    One decision brings ``overlap_share`` second opinions, so they are ``s / (1 + s)`` of the answers.
    Where they stand follows from how many answers were ever given: no state is kept, and a restart
    goes on where it stood. Second opinions fill the page where the queue itself runs dry.

    Args:
        uow: of the workspace.
        entries: the page without second opinions.
        reviewer: who asks; nobody is asked about a listing they have seen.
        limit: how many entries at most.
        feed_id: only listings of this feed, or None.
        skip: listings to leave out.
        overlap_share: as set; at 0 nothing is asked again, not even what was drawn before.
        gold_share: as set; the share of the page for gold decisions while some wait for the reviewer.
    """
    left_out = {*skip, *(entry.listing_id for entry in entries)}
    wanted = limit + len(skip)
    drawn = uow.overlaps.asked_of(reviewer, wanted, feed_id) if overlap_share > 0.0 else []
    gold = uow.overlaps.gold_for(reviewer, wanted, feed_id) if gold_share > 0.0 else []
    overlaps = [asked for asked in drawn if asked.listing_id not in left_out]
    left_out.update(asked.listing_id for asked in overlaps)
    certain = [asked for asked in gold if asked.listing_id not in left_out]
    if not overlaps and not certain:
        return list(entries[:limit])
    every = overlap_share / (1.0 + overlap_share) if overlaps else 0.0
    often = gold_share if certain else 0.0
    place = uow.opinions.answers() + len(skip)
    rest = list(entries)
    chosen: list[QueueEntry | Asked] = []
    while len(chosen) < limit and (rest or overlaps or certain):
        if certain and (_falls(place, often) or not (rest or overlaps)):
            chosen.append(certain.pop(0))
        elif overlaps and (_falls(place, every) or not rest):
            chosen.append(overlaps.pop(0))
        elif rest:
            chosen.append(rest.pop(0))
        place += 1
    asked = [one for one in chosen if not isinstance(one, QueueEntry)]
    listings = uow.listings.get_many(one.listing_id for one in asked)
    feeds = uow.feeds.names()
    return [
        one
        if isinstance(one, QueueEntry)
        else blind_entry(listing := listings[one.listing_id], feeds.get(listing.feed_id, ""), about=one.about)
        for one in chosen
    ]


def entry_about(uow: UnitOfWork, listing_id: int, about: int) -> QueueEntry:
    """A listing as an entry that asks for a second opinion about a decision.

    Raises:
        NotInWorkspaceError: there is no such listing.
    """
    listing = uow.listings.get(listing_id)
    return blind_entry(listing, uow.feeds.names().get(listing.feed_id, ""), about=about)


def without_evidence(card: ReviewCard) -> ReviewCard:
    """A card that tells nothing of the first verdict: candidates by title, their figures left out.

    The decision may have made the listing an alias of its item, and then every figure would tell.
    """
    views = sorted(card.candidates, key=lambda view: (view.item.title.casefold(), view.item.id))
    blank = [replace(view, candidate=Candidate(view.item.id, 0.0, 0.0, 0.0)) for view in views]
    return replace(card, candidates=tuple(blank), identical_pending=0)


def _falls(place: int, share: float) -> bool:
    """Whether the place is one of those that a share of all places, spread evenly, falls on."""
    return math.floor((place + 1) * share) > math.floor(place * share)
