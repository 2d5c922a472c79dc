"""A small workspace over a real SQLite file: items, listings matched to them, and a scripted reviewer."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from engine.contracts import (
    Candidate,
    Decision,
    Item,
    Listing,
    Placement,
    QueueEntry,
    QueueOrder,
    Route,
    RouteReason,
    Stream,
    Verdict,
)
from engine.intake.record_text import text_key
from engine.review.decisions import decide
from engine.review.queue import queue_page
from engine.store import Store, UnitOfWork

NOW = "2026-03-02T09:00:00.000+00:00"
RELEASE = "r0001"
REVIEWER = "ada"


class SmallWorkspace:
    """``items`` items and ``listings`` listings; listing i shows three candidates, best is item i."""

    def __init__(self, folder: Path, listings: int = 40, items: int = 50, titles: Sequence[str] = ()) -> None:
        named = tuple(titles) or tuple(f"acme kettle no {i}" for i in range(1, listings + 1))
        # Made once for each shape and copied: most tests want the same one.
        shutil.copytree(_made(items, named), folder)
        self.store = Store.open(folder)

    def place(self, routes: dict[int, tuple[Route, float]], reason: RouteReason | None = None) -> None:
        """Match listings again: number to route and confidence."""
        with self.store.writing() as uow:
            place(uow, routes, reason)

    @contextmanager
    def writing(self) -> Iterator[UnitOfWork]:
        with self.store.writing() as uow:
            yield uow

    @contextmanager
    def reading(self) -> Iterator[UnitOfWork]:
        with self.store.reading() as uow:
            yield uow

    def decide(
        self,
        listing_id: int,
        verdict: Verdict = Verdict.MATCH,
        item_id: int | None = None,
        *,
        draw_id: int | None = None,
        rejected: Sequence[int] = (),
        also_right: Sequence[int] = (),
        reviewer: str = REVIEWER,
        note: str = "",
        stream: Stream | None = None,
    ) -> Decision:
        """One decision in one transaction; a match without an item takes the best candidate."""
        if verdict == Verdict.MATCH and item_id is None:
            item_id = listing_id
        with self.writing() as uow:
            return decide(
                uow,
                listing_id=listing_id,
                verdict=verdict,
                item_id=item_id,
                reviewer=reviewer,
                draw_id=draw_id,
                rejected=rejected,
                also_right=also_right,
                note=note,
                stream=stream,
                champion=RELEASE,
                now=NOW,
            )

    def draw(self, *listing_ids: int) -> list[int]:
        """Draw listings for the random stream."""
        with self.writing() as uow:
            return uow.draws.add(listing_ids, 0.25, "test", RELEASE, None)

    def queue(
        self,
        limit: int = 10,
        *,
        share: float = 0.2,
        certified: bool = True,
        skip: Sequence[int] = (),
        order=None,
    ) -> list[QueueEntry]:
        with self.reading() as uow:
            return queue_page(
                uow,
                order=order or QueueOrder.GAIN,
                limit=limit,
                feed_id=None,
                skip=skip,
                random_share=share,
                has_certificate=certified,
            )

    def learning_ids(self, count: int) -> list[int]:
        """Listings of the learning stream (the reserve for draws is not among them)."""
        with self.reading() as uow:
            rows = uow.listings.waiting(QueueOrder.OLDEST, count)
        assert len(rows) == count, "the workspace is too small for this test"
        return [row.listing_id for row in rows]


def candidates_of(listing_id: int, confidence: float = 0.5) -> tuple[Candidate, ...]:
    """Item i, i + 1 and i + 2, with evidence that is different for each."""
    return tuple(
        Candidate(listing_id + k, confidence / (k + 1), 0.9 - k / 10, 0.8 - k / 10, via_alias=k == 1)
        for k in range(3)
    )


def place(uow: UnitOfWork, routes: dict[int, tuple[Route, float]], reason: RouteReason | None = None) -> None:
    """Save placements: number to route and confidence."""
    reasons = {
        Route.REVIEW: RouteReason.NO_CERTIFICATE,
        Route.AUTOMATED: RouteReason.ABOVE_THRESHOLD,
        Route.SETTLED: RouteReason.MEMORY,
    }
    placements = [
        Placement(i, route, reason or reasons[route], i, confidence, 0.1, 0.2, candidates_of(i, confidence))
        for i, (route, confidence) in routes.items()
    ]
    uow.listings.save_placements(RELEASE, placements, [p.confidence for p in placements])


@cache
def _made(items: int, titles: tuple[str, ...]) -> Path:
    parent = Path(tempfile.mkdtemp(prefix="alcove-small-"))
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    with closing(Store.create(parent / "ws")) as store, store.writing() as uow:
        catalogue = [Item(0, f"P{i}", f"Acme kettle {i} steel", brand="Acme") for i in range(1, items + 1)]
        uow.items.upsert(catalogue, [text_key(item) for item in catalogue])
        feed = uow.feeds.ensure("monday")
        records = [Listing(0, f"L{i}", title) for i, title in enumerate(titles, start=1)]
        uow.listings.upsert(feed, records, [text_key(record) for record in records])
        place(uow, {i: (Route.REVIEW, 0.4 + i / 1000) for i in range(1, len(titles) + 1)})
    return parent / "ws"
