"""Small catalogues, feeds and placements for the store's tests, and how to count what is stored."""

from __future__ import annotations

from collections.abc import Sequence

from engine.contracts import (
    Candidate,
    Decision,
    Item,
    Listing,
    Placement,
    Route,
    RouteReason,
    Stream,
    Verdict,
)
from engine.store import Store, UnitOfWork
from engine.store.packing import in_reserve

CANDIDATES = (Candidate(1, 0.7, 0.61, 0.52), Candidate(2, 0.3, 0.4, 0.1, True), Candidate(3, 0.1, 0.2, 0.05))


def add_items(uow: UnitOfWork, count: int = 5) -> None:
    """Items i1, i2, ... with numbers 1, 2, ..."""
    items = [Item(0, f"i{n}", f"Sony WH-{n}000 headphones", brand="Sony") for n in range(1, count + 1)]
    uow.items.upsert(items, [f"item-{n}" for n in range(1, count + 1)])


def learnable_ids(feed_id: int, count: int) -> list[str]:
    """External ids that the reserve leaves to the learning stream."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        number += 1
        if not in_reserve(feed_id, f"l{number}"):
            found.append(f"l{number}")
    return found


def add_listings(
    uow: UnitOfWork, count: int, feed: str = "monday", text_keys: Sequence[str] | None = None
) -> list[int]:
    """Listings of a feed that are not in the reserve; returns their numbers in order."""
    feed_id = uow.feeds.ensure(feed)
    names = learnable_ids(feed_id, count)
    listings = [Listing(0, name, f"sony headphones {name}") for name in names]
    uow.listings.upsert(feed_id, listings, text_keys or [f"text-{name}" for name in names])
    known = uow.listings.ids_by_external(names, feed_id)
    return [known[name][0] for name in names]


def place(
    uow: UnitOfWork,
    ids: Sequence[int],
    route: Route = Route.REVIEW,
    reason: RouteReason = RouteReason.BELOW_THRESHOLD,
    *,
    confidences: Sequence[float] | None = None,
    priorities: Sequence[float] | None = None,
    items: Sequence[int | None] | None = None,
    candidates: tuple[Candidate, ...] = CANDIDATES,
    release_id: str = "r0001",
) -> list[Placement]:
    """Save placements of listings and return them."""
    placements = [
        Placement(
            listing_id=id_,
            route=route,
            reason=reason,
            item_id=items[n] if items else 1,
            confidence=confidences[n] if confidences else 0.7,
            none_confidence=0.2,
            margin=0.4,
            candidates=candidates,
        )
        for n, id_ in enumerate(ids)
    ]
    uow.listings.save_placements(release_id, placements, priorities or [1.0] * len(placements))
    return placements


def decide(
    uow: UnitOfWork,
    listing_id: int,
    verdict: Verdict = Verdict.MATCH,
    item_id: int | None = 1,
    *,
    reviewer: str = "ann",
    stream: Stream = Stream.LEARNING,
    draw_id: int | None = None,
    note: str = "",
    candidates: tuple[Candidate, ...] = CANDIDATES,
) -> Decision:
    """Add a decision."""
    return uow.decisions.add(
        Decision(
            id=0,
            listing_id=listing_id,
            verdict=verdict,
            item_id=item_id if verdict in (Verdict.MATCH, Verdict.VARIANT) else None,
            reviewer=reviewer,
            decided_at="",
            stream=stream,
            release_id="r0001",
            draw_id=draw_id,
            note=note,
        ),
        candidates,
    )


def matched_store(store: Store, count: int = 6) -> list[int]:
    """Five items and ``count`` listings waiting for review, in that order of priority."""
    with store.writing() as uow:
        add_items(uow)
        ids = add_listings(uow, count)
        place(uow, ids, priorities=[float(count - n) for n in range(count)])
    return ids


def counted_anew(uow: UnitOfWork) -> dict[tuple[str, str], int]:
    """Listings by route and reason, counted from the placements instead of the kept counts."""
    found: dict[tuple[str, str], int] = {}
    after = 0
    while page := uow.listings.placements(after, 3):
        for placed in page:
            key = (placed.route.value, placed.reason.value)
            found[key] = found.get(key, 0) + 1
        after = page[-1].listing_id
    return found
