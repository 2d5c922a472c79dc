"""Draws of the random stream, and aliases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.contracts import Listing, QueueOrder, Stream, Verdict
from engine.errors import NotInWorkspaceError, StaleChangeError
from engine.store import Store, UnitOfWork
from tests.engine.store_samples import decide, matched_store, place


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "shop") as opened:
        yield opened


def queue(uow: UnitOfWork) -> list[int]:
    return [row.listing_id for row in uow.listings.waiting(QueueOrder.GAIN, 100)]


# Draws


def test_that_a_drawn_listing_leaves_the_learning_stream_until_it_is_answered(store: Store) -> None:
    ids = matched_store(store, 3)
    with store.writing() as uow:
        (number,) = uow.draws.add([ids[0]], 0.25, "zone-1", "r0001", 0.5)
        (draw,) = uow.draws.open()
        assert (draw.id, draw.listing_id, draw.probability, draw.policy) == (number, ids[0], 0.25, "zone-1")
        assert (draw.release_id, draw.zone_min_confidence) == ("r0001", 0.5)
        assert draw == uow.draws.get(number) == uow.draws.open_for(ids[0])
        assert queue(uow) == ids[1:]
        made = decide(uow, ids[0], stream=Stream.RANDOM, draw_id=number)
        assert made.draw_probability == 0.25
        assert uow.draws.open() == []
        assert uow.draws.by_decision(made.id) == draw
        assert uow.draws.get_many([number, 99]) == {number: draw}
        assert uow.draws.page() == [draw]
        assert uow.draws.count() == 1


def test_that_undoing_the_answer_opens_the_draw_again_and_redoing_answers_it(store: Store) -> None:
    ids = matched_store(store, 2)
    with store.writing() as uow:
        (number,) = uow.draws.add([ids[0]], 0.25, "zone-1", "r0001", None)
        made = decide(uow, ids[0], stream=Stream.RANDOM, draw_id=number)
        uow.decisions.undo(made.id)
        assert [draw.id for draw in uow.draws.open()] == [number]
        assert queue(uow) == ids[1:]
        uow.decisions.redo(made.id)
        assert uow.draws.open() == []
        again = decide(uow, ids[0], Verdict.NONE, stream=Stream.RANDOM, draw_id=number)
        assert uow.draws.by_decision(again.id) is not None
        assert uow.draws.by_decision(made.id) is None
        uow.decisions.undo(again.id)
        assert uow.draws.by_decision(made.id) is not None
        assert uow.draws.open() == []


def test_that_a_draw_is_answered_once_and_on_its_own_listing(store: Store) -> None:
    ids = matched_store(store, 3)
    with store.writing() as uow:
        (number,) = uow.draws.add([ids[0]], 0.25, "zone-1", "r0001", None)
    for wrong in (number, 99):
        with pytest.raises(StaleChangeError, match="does not wait"), store.writing() as uow:
            decide(uow, ids[1], stream=Stream.RANDOM, draw_id=wrong)
    with store.writing() as uow:
        assert uow.decisions.counts().total == 0
        with pytest.raises(StaleChangeError, match="already"):
            uow.draws.add([ids[0]], 0.25, "zone-1", "r0001", None)
        with pytest.raises(StaleChangeError, match="already"):
            uow.draws.add([ids[1], ids[1]], 0.25, "zone-1", "r0001", None)
        with pytest.raises(NotInWorkspaceError):
            uow.draws.add([4711], 0.25, "zone-1", "r0001", None)
        with pytest.raises(NotInWorkspaceError):
            uow.draws.get(4711)
        assert uow.draws.add([], 0.25, "zone-1", "r0001", None) == []


def test_that_open_draws_leave_out_what_cannot_be_shown(store: Store) -> None:
    ids = matched_store(store, 4)
    with store.writing() as uow:
        feed_id = uow.feeds.ensure("monday")
        numbers = uow.draws.add(ids, 0.25, "zone-1", "r0001", None)
        decide(uow, ids[0], stream=Stream.MANUAL)
        uow.listings.snooze([ids[1]], until_recalled=True)
        old = uow.listings.get(ids[2])
        uow.listings.upsert(feed_id, [Listing(0, old.external_id, "new")], ["new"])
        assert [draw.id for draw in uow.draws.open()] == [numbers[3]]
        assert [draw.id for draw in uow.draws.open(include_snoozed=True)] == [numbers[1], numbers[3]]
        assert uow.draws.open(feed_id=uow.feeds.ensure("other")) == []
        assert len(uow.draws.open(limit=0)) == 0


def test_that_a_changed_listing_can_be_drawn_again_and_the_old_draw_is_kept(store: Store) -> None:
    ids = matched_store(store, 2)
    with store.writing() as uow:
        (number,) = uow.draws.add([ids[0]], 0.25, "zone-1", "r0001", None)
        decide(uow, ids[0], stream=Stream.RANDOM, draw_id=number)
        old = uow.listings.get(ids[0])
        uow.listings.upsert(old.feed_id, [Listing(0, old.external_id, "new")], ["new"])
        place(uow, [ids[0]])
        assert uow.draws.open() == []
        assert ids[0] in uow.listings.zone_ids()
        (second,) = uow.draws.add([ids[0]], 0.5, "zone-1", "r0002", None)
        assert [draw.id for draw in uow.draws.page()] == [number, second]


# Aliases


def _items(uow: UnitOfWork, keys: list[str]) -> dict[str, int]:
    return {key: found.item_id for key, found in uow.memory.recall(keys).items()}


def test_that_an_alias_lives_as_long_as_its_decision(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        made = decide(uow, ids[0])
        uow.aliases.add(1, ids[0], made.id, "key")
        (alias,) = uow.aliases.active(8)
        assert (alias.item_id, alias.listing_id, alias.decision_id, alias.text_key) == (
            1,
            ids[0],
            made.id,
            "key",
        )
        assert _items(uow, ["key", "other"]) == {"key": 1}
        uow.decisions.undo(made.id)
        assert uow.aliases.active(8) == []
        assert _items(uow, ["key"]) == {}
        uow.decisions.redo(made.id)
        assert uow.aliases.active(8) == [alias]
        uow.aliases.withdraw(made.id)
        assert uow.aliases.active(8) == uow.aliases.for_items([1]) == []
        uow.aliases.restore(made.id)
        assert uow.aliases.active(8) == uow.aliases.for_items([1, 2]) == [alias]


def test_that_memory_is_silent_where_reviewers_disagree(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        for listing_id, item_id in zip(ids, (1, 1, 2), strict=False):
            made = decide(uow, listing_id, item_id=item_id)
            uow.aliases.add(item_id, listing_id, made.id, "same" if item_id == 1 else "both")
        last = decide(uow, ids[3], item_id=3)
        uow.aliases.add(3, ids[3], last.id, "both")
        assert _items(uow, ["same", "both"]) == {"same": 1}
        uow.decisions.undo(last.id)
        assert _items(uow, ["same", "both"]) == {"same": 1, "both": 2}


def test_that_an_item_has_at_most_so_many_aliases_the_newest_and_each_text_once(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        for n, listing_id in enumerate(ids):
            made = decide(uow, listing_id, item_id=1 if n < 5 else 2)
            key = f"key {min(n, 3)}" if n < 5 else "another key"
            uow.aliases.add(1 if n < 5 else 2, listing_id, made.id, key)
        assert [(a.item_id, a.listing_id) for a in uow.aliases.active(2)] == [
            (1, ids[2]),
            (1, ids[4]),
            (2, ids[5]),
        ]
        assert uow.aliases.active(0) == []


def test_that_one_text_confirmed_for_two_items_is_an_alias_of_neither(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        for item, listing_id in ((1, ids[0]), (2, ids[1]), (2, ids[2])):
            made = decide(uow, listing_id, item_id=item)
            uow.aliases.add(item, listing_id, made.id, "alone" if listing_id == ids[2] else "both")
        assert [(a.item_id, a.listing_id) for a in uow.aliases.active(2)] == [(2, ids[2])]
