"""No statement that a screen waits for may look at every row: checked on the query plans."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from engine.contracts import WAITING_ORDERS, QueueOrder, Route
from engine.store import Store
from tests.engine.store_samples import add_items, add_listings, decide, matched_store, place


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "shop") as opened:
        yield opened


@pytest.mark.parametrize("order", WAITING_ORDERS)
@pytest.mark.parametrize("feeds", [1, 3])
def test_that_the_queue_reads_its_index_in_order_without_sorting(
    store: Store, order: QueueOrder, feeds: int
) -> None:
    with store.writing() as uow:
        add_items(uow)
        for n in range(feeds):
            place(uow, add_listings(uow, 3, f"feed {n}"))
    plans = explained(store, lambda uow: uow.listings.waiting(order, 10))
    head = plans[0]
    assert any("USING" in line and f"ix_listing_route_{order.value}" in line for line in head), head
    assert not [line for line in head if "TEMP B-TREE" in line or line.startswith("SCAN listing_route")], head


def test_that_counts_pages_and_draws_use_indexes(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        uow.draws.add(ids[:2], 0.5, "policy", "r0001", None)
        decide(uow, ids[3])
    reads = (
        lambda uow: uow.listings.counts(),
        lambda uow: uow.listings.page(2, 10, feed_id=1),
        lambda uow: uow.listings.page(2, 10, route=Route.REVIEW),
        lambda uow: uow.listings.page(2, 10, unmatched_only=True),
        lambda uow: uow.listings.placements(2, 10, route=Route.REVIEW, feed_id=1),
        lambda uow: uow.listings.identical_waiting("key"),
        lambda uow: uow.listings.snoozed_count(),
        lambda uow: uow.listings.get_many([1, 2, 3]),
        lambda uow: uow.listings.ids_by_external(["a", "b"]),
        lambda uow: uow.items.ids_by_external(["a", "b"]),
        lambda uow: uow.items.search("4006381333931"),
        lambda uow: uow.items.search("sony"),
        lambda uow: uow.draws.open(),
        lambda uow: uow.overlaps.asked_of("bob", 10),
        lambda uow: uow.overlaps.asked_on(1, "bob"),
        lambda uow: uow.overlaps.last_draw(),
        lambda uow: uow.overlaps.drawable(5, 10),
        lambda uow: uow.opinions.last("given"),
        lambda uow: uow.opinions.given_by(1, "bob"),
        lambda uow: uow.opinions.disagreement_on(1),
        lambda uow: uow.decisions.in_force_for(1),
        lambda uow: uow.decisions.last_undoable("ann"),
        lambda uow: uow.decisions.last_redoable("ann"),
        lambda uow: uow.decisions.counts(),
        lambda uow: uow.decisions.history("sony", reviewer="ann"),
        lambda uow: uow.decisions.history(before_id=100),
        lambda uow: uow.memory.recall(["a", "b"]),
        lambda uow: uow.memory.first_repeats(["a", "b"], 3),
        lambda uow: uow.aliases.for_items([1, 2]),
    )
    small = ("feed", "route_count", "json_each", "(subquery", "anon", "item_search", "decision_s")
    small = (*small, "draw USING INDEX ix_draw_open", "overlap USING INDEX ix_overlap_open", "gold_event")
    small = (*small, "opinion_state USING INDEX ix_opinion_state_differs")
    for number, read in enumerate(reads):
        for plan in explained(store, read):
            scans = [line for line in plan if line.startswith("SCAN ")]
            full = [line for line in scans if not line.removeprefix("SCAN ").startswith(small)]
            assert not full, (number, plan)


def explained(store: Store, read: object) -> list[list[str]]:
    """The query plans of the statements that a read runs, in order; feeds' names are not counted."""
    plans: list[list[str]] = []
    with store.reading() as uow:
        connection = uow.items._connection
        statements: list[tuple[str, object]] = []

        def note(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
            statements.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        read(uow)  # type: ignore[operator]
        event.remove(connection, "before_cursor_execute", note)
        for statement, parameters in statements:
            if statement == "SELECT id FROM feed ORDER BY id":
                continue
            rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
            plans.append([row[3] for row in rows])
    assert plans
    return plans
