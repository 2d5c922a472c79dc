"""Placements, kept counts, the queue and the zone of the random stream."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.contracts import (
    Candidate,
    Listing,
    Placement,
    QueueOrder,
    Route,
    RouteReason,
    Verdict,
)
from engine.store import RouteCounts, Store, UnitOfWork, heads
from engine.store.packing import in_reserve, pack_candidates, unpack_candidates
from tests.engine.store_samples import (
    CANDIDATES,
    add_items,
    add_listings,
    counted_anew,
    decide,
    matched_store,
    place,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "shop") as opened:
        yield opened


def waiting(uow: UnitOfWork, order: QueueOrder = QueueOrder.GAIN, **how: object) -> list[int]:
    return [row.listing_id for row in uow.listings.waiting(order, 100, **how)]  # type: ignore[arg-type]


def test_that_candidates_come_back_exactly() -> None:
    candidates = (
        Candidate(1, 0.1 + 0.2, float(np.float32(0.1)), -0.0, True),
        Candidate(2**40, 1e-300, 1.0, 0.5),
        Candidate(3, 0.0, -1.0, 0.25),
    )
    assert unpack_candidates(pack_candidates(candidates)) == candidates
    assert unpack_candidates(pack_candidates(())) == ()


def test_that_numpy_numbers_are_stored_as_numbers() -> None:
    candidate = Candidate(np.int64(7), np.float32(0.5), np.float64(0.25), np.float32(1), np.bool_(True))  # type: ignore[arg-type]
    assert unpack_candidates(pack_candidates([candidate])) == (Candidate(7, 0.5, 0.25, 1.0, True),)


def test_that_a_placement_comes_back_as_it_was_saved(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        ids = add_listings(uow, 2)
        saved = Placement(ids[0], Route.REVIEW, RouteReason.TIE, 2, 0.51, 0.3, 0.02, CANDIDATES)
        without = Placement(ids[1], Route.REVIEW, RouteReason.NO_CANDIDATES, None, 0.0, 1.0, 0.0, ())
        uow.listings.save_placements("r0007", [saved, without], [0.5, 0.1])
        for placement in (saved, without):
            stored = uow.listings.placement(placement.listing_id)
            assert stored is not None
            assert stored.release_id == "r0007"
            assert (stored.machine_route, stored.machine_reason) == (placement.route, placement.reason)
            fields = Placement.__slots__
            assert [getattr(stored, f) for f in fields] == [getattr(placement, f) for f in fields]


def test_that_unmatched_and_unknown_listings_have_no_placement(store: Store) -> None:
    with store.writing() as uow:
        ids = add_listings(uow, 1)
        assert uow.listings.placement(ids[0]) is None
        assert uow.listings.placement(4711) is None


def test_that_saving_again_replaces_placement_candidates_and_place_in_the_queue(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        place(uow, [ids[0]], priorities=[-5.0], candidates=CANDIDATES[:1], release_id="r0002")
        stored = uow.listings.placement(ids[0])
        assert stored is not None
        assert (stored.release_id, stored.candidates) == ("r0002", CANDIDATES[:1])
        assert waiting(uow)[-1] == ids[0]
        place(uow, [ids[0]], Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD)
        assert ids[0] not in waiting(uow)


def test_that_a_priority_for_every_placement_is_required(store: Store) -> None:
    matched_store(store)
    with pytest.raises(ValueError, match="priorities"), store.writing() as uow:
        uow.listings.save_placements("r", [], [1.0])


def test_that_placements_are_paged_by_feed_and_effective_route(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        monday, tuesday = add_listings(uow, 6, "monday"), add_listings(uow, 4, "tuesday")
        place(uow, [*monday[:5], *tuesday])
        decide(uow, monday[0])
        feed_id = uow.feeds.ensure("monday")

        def ids(**filters: object) -> list[int]:
            found: list[int] = []
            after = 0
            while page := uow.listings.placements(after, 2, **filters):  # type: ignore[arg-type]
                found += [placed.listing_id for placed in page]
                after = page[-1].listing_id
            return found

        assert ids() == sorted([*monday[:5], *tuesday])
        assert ids(feed_id=feed_id) == monday[:5]
        assert ids(route=Route.SETTLED) == [monday[0]]
        assert ids(route=Route.REVIEW) == sorted([*monday[1:5], *tuesday])
        assert ids(route=Route.REVIEW, feed_id=feed_id) == monday[1:5]
        with_lists = uow.listings.placements(0, 50)
        without = uow.listings.placements(0, 50, with_candidates=False)
        assert [p.candidates for p in with_lists] == [CANDIDATES] * 9
        assert [p.candidates for p in without] == [()] * 9
        assert [p.listing_id for p in with_lists] == [p.listing_id for p in without]


def test_that_counts_tell_what_automation_consists_of(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        ids = add_listings(uow, 10)
        place(uow, ids[:3], Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD)
        place(uow, ids[3:5], Route.AUTOMATED, RouteReason.NOT_IN_CATALOGUE)
        place(uow, ids[5:6], Route.SETTLED, RouteReason.MEMORY)
        place(uow, ids[6:9])
        decide(uow, ids[6])
        assert uow.listings.counts() == RouteCounts(
            total=10,
            unmatched=1,
            automated=5,
            review=2,
            settled=2,
            automated_match=3,
            automated_none=2,
            memory=1,
            decided=1,
        )
        other = uow.feeds.ensure("other")
        assert uow.listings.counts(other) == RouteCounts()
        assert uow.listings.count(other) == 0
        monday, empty = uow.feeds.all()
        assert (monday.listings, monday.unmatched, monday.automated, monday.review, monday.settled) == (
            10,
            1,
            5,
            2,
            2,
        )
        assert (empty.name, empty.listings) == ("other", 0)


def test_that_kept_counts_equal_a_recount_after_anything_that_changes_routes(store: Store) -> None:
    ids = matched_store(store, 12)
    choose = random.Random(7)
    with store.writing() as uow:
        for step in range(150):
            some = choose.sample(ids, 3)
            match choose.randrange(7):
                case 0:
                    place(uow, some, choose.choice(list(Route)), choose.choice(list(RouteReason)[:8]))
                case 1:
                    decide(uow, some[0], choose.choice(list(Verdict)))
                case 2:
                    last = uow.decisions.last_undoable()
                    if last:
                        uow.decisions.undo(last.id)
                case 3:
                    last = uow.decisions.last_redoable()
                    if last:
                        uow.decisions.redo(last.id)
                case 4:
                    uow.listings.snooze(some, until_recalled=choose.random() < 0.5)
                case 5:
                    uow.listings.recall()
                case _:
                    old = uow.listings.get(some[0])
                    uow.listings.upsert(
                        old.feed_id, [Listing(0, old.external_id, f"title {step}")], [f"key {step}"]
                    )
            counts = uow.listings.counts()
            anew = counted_anew(uow)
            assert counts.total == len(ids)
            assert counts.unmatched == len(ids) - sum(anew.values())
            for route in Route:
                total = sum(n for (found, _), n in anew.items() if found == route)
                assert getattr(counts, route.value) == total


# The queue


def test_that_every_order_orders_by_its_own_key(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        a, b, c, d = add_listings(uow, 4)
        place(
            uow,
            [a, b, c, d],
            confidences=[0.9, 0.45, 0.1, 0.52],
            priorities=[1.0, 3.0, 2.0, 3.0],
            items=[2, 1, 2, None],
        )
        assert waiting(uow, QueueOrder.GAIN) == [b, d, c, a]
        assert waiting(uow, QueueOrder.UNCERTAIN) == [d, b, a, c]
        assert waiting(uow, QueueOrder.OLDEST) == [a, b, c, d]
        assert waiting(uow, QueueOrder.FAMILY) == [d, b, a, c]
        shuffled = waiting(uow, QueueOrder.RANDOM)
        assert sorted(shuffled) == [a, b, c, d]
        assert shuffled == waiting(uow, QueueOrder.RANDOM)


def test_that_a_queue_row_says_what_the_list_shows(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        (id_,) = add_listings(uow, 1)
        place(uow, [id_], confidences=[0.6], priorities=[2.5], items=[3])
        (row,) = uow.listings.waiting(QueueOrder.GAIN, 10)
        listing = uow.listings.get(id_)
    assert (row.listing_id, row.external_id, row.title) == (id_, listing.external_id, listing.title)
    assert (row.feed, row.feed_id, row.reason) == ("monday", listing.feed_id, RouteReason.BELOW_THRESHOLD)
    assert (row.item_id, row.confidence, row.none_confidence, row.margin, row.priority) == (
        3,
        0.6,
        0.2,
        0.4,
        2.5,
    )


def test_that_the_queue_is_merged_over_feeds_or_of_one(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        monday, tuesday = add_listings(uow, 3, "monday"), add_listings(uow, 3, "tuesday")
        place(uow, monday, priorities=[6.0, 4.0, 2.0])
        place(uow, tuesday, priorities=[5.0, 3.0, 1.0])
        mixed = [id_ for pair in zip(monday, tuesday, strict=True) for id_ in pair]
        assert waiting(uow) == mixed
        assert [row.listing_id for row in uow.listings.waiting(QueueOrder.GAIN, 4)] == mixed[:4]
        assert waiting(uow, feed_id=uow.feeds.ensure("tuesday")) == tuesday
        assert waiting(uow, exclude=[mixed[0], mixed[3]]) == [mixed[1], mixed[2], *mixed[4:]]
        assert len(uow.listings.waiting(QueueOrder.GAIN, 2, exclude=mixed[:3])) == 2
        assert uow.listings.waiting(QueueOrder.GAIN, 0) == []


def test_that_more_feeds_than_one_statement_joins_are_merged_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "_FEEDS_AT_ONCE", 3)
    with store.writing() as uow:
        add_items(uow)
        ids = [add_listings(uow, 1, f"feed {n}")[0] for n in range(10)]
        place(uow, ids, priorities=[float(n * 7 % 10) for n in range(10)])
        by_gain = sorted(ids, key=lambda id_: -(ids.index(id_) * 7 % 10))
        assert waiting(uow) == by_gain
        assert [row.listing_id for row in uow.listings.waiting(QueueOrder.GAIN, 4)] == by_gain[:4]
        assert [listing.id for listing in uow.listings.page(0, 6, route=Route.REVIEW)] == ids[:6]


def test_that_hundreds_of_feeds_are_no_limit(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        ids = [add_listings(uow, 1, f"feed {n}")[0] for n in range(850)]
        place(uow, ids, priorities=[float(n) for n in range(850)])
        assert [row.listing_id for row in uow.listings.waiting(QueueOrder.GAIN, 3)] == ids[:-4:-1]


def test_that_skipped_listings_come_last_and_snoozed_ones_when_recalled(store: Store) -> None:
    ids = matched_store(store, 4)
    with store.writing() as uow:
        uow.listings.snooze([ids[0]], until_recalled=False)
        uow.listings.snooze([ids[1]], until_recalled=True)
        assert waiting(uow) == [ids[2], ids[3], ids[0]]
        assert uow.listings.waiting(QueueOrder.GAIN, 9)[-1].reason == RouteReason.SNOOZED
        assert uow.listings.snoozed_count() == 2
        assert uow.listings.counts().review == 4
        assert uow.listings.recall() == 2
        assert waiting(uow) == ids
        assert uow.listings.snoozed_count() == 0
        assert uow.listings.recall() == 0


def test_that_an_unsure_listing_stays_in_review_behind_the_others(store: Store) -> None:
    ids = matched_store(store, 3)
    with store.writing() as uow:
        made = decide(uow, ids[0], Verdict.UNSURE)
        assert waiting(uow) == [ids[1], ids[2], ids[0]]
        assert uow.listings.counts().decided == 0
        assert uow.listings.counts().review == 3
        uow.decisions.undo(made.id)
        assert waiting(uow) == ids


def test_that_identical_listings_are_found_where_they_wait(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        same = ["same"] * 6
        ids = add_listings(uow, 7, text_keys=[*same, "other"])
        place(uow, ids[:5])
        place(uow, [ids[5]], Route.AUTOMATED)
        decide(uow, ids[0])
        uow.draws.add([ids[1]], 0.5, "policy", "r0001", None)
        uow.listings.snooze([ids[2]], until_recalled=True)
        assert uow.listings.identical_waiting("same") == ids[2:5]
        assert uow.listings.identical_waiting("nothing") == []


# Zone and reserve


def test_that_the_zone_holds_matched_listings_neither_drawn_nor_decided(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        ids = add_listings(uow, 8)
        place(uow, ids[:7], confidences=[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
        place(uow, [ids[6]], Route.SETTLED, RouteReason.MEMORY, confidences=[0.3])
        decide(uow, ids[0])
        uow.draws.add([ids[1]], 0.5, "policy", "r0001", 0.5)
        zone = uow.listings.zone_ids
        assert zone().dtype == np.int64
        assert zone().tolist() == ids[2:7]
        assert zone(include_memory=False).tolist() == ids[2:6]
        assert zone(min_confidence=0.5).tolist() == ids[2:5]
        assert zone(limit=2).tolist() == ids[2:4]
        assert zone(feed_id=uow.feeds.ensure("monday")).tolist() == ids[2:7]
        assert zone(feed_id=uow.feeds.ensure("empty")).tolist() == []
        assert zone(min_confidence=0.99).shape == (0,)


def test_that_the_learning_stream_never_asks_about_the_reserve(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        feed_id = uow.feeds.ensure("monday")
        listings = [Listing(0, f"l{n}", f"title {n}") for n in range(400)]
        uow.listings.upsert(feed_id, listings, [f"key {n}" for n in range(400)])
        ids = uow.listings.feed_listing_ids(feed_id).tolist()
        place(uow, ids)
        reserved = [id_ for id_, x in zip(ids, listings, strict=True) if in_reserve(feed_id, x.external_id)]
        assert 90 < len(reserved) < 190
        rows = [row.listing_id for row in uow.listings.waiting(QueueOrder.OLDEST, 1000)]
        assert rows == [id_ for id_ in ids if id_ not in set(reserved)]
        assert uow.listings.reserve_zone().undrawn.tolist() == reserved
        assert uow.listings.reserve_zone(feed_id=feed_id, min_confidence=0.71).undrawn.tolist() == []
        uow.draws.add(reserved[:10], 0.1, "policy", "r0001", None)
        assert uow.listings.reserve_zone().undrawn.tolist() == reserved[10:]


def test_that_every_round_adds_to_the_inclusion_probability_of_its_zone(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        feed_id = uow.feeds.ensure("monday")
        listings = [Listing(0, f"l{n}", f"title {n}") for n in range(60)]
        uow.listings.upsert(feed_id, listings, ["key"] * 60)
        place(uow, range(1, 61), confidences=[n / 100 for n in range(60)])
        uow.listings.raise_inclusion(feed_id=None, min_confidence=None, probability=0.5)
        uow.listings.raise_inclusion(feed_id=feed_id, min_confidence=0.3, probability=0.5)
        ids, inclusion = uow.listings.reserve()
        assert ids.tolist() == uow.listings.reserve_zone().undrawn.tolist()
        assert inclusion.tolist() == [0.75 if id_ > 30 else 0.5 for id_ in ids.tolist()]
