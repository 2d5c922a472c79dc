"""The queue: two streams, blind audits, cards."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contracts import WAITING_ORDERS, QueueOrder, ReleaseManifest, Route, RouteReason, Verdict
from engine.review.priorities import gain_priorities, interest
from engine.review.queue import SHARE_UNTIL_CERTIFIED, card, entry_for, share_of_random
from engine.review.undo import undo
from tests.engine.small_workspace import RELEASE, SmallWorkspace


@pytest.fixture
def world(tmp_path):
    made = SmallWorkspace(tmp_path / "ws", listings=200, items=210)
    yield made
    made.store.close()


def streams(entries):
    return "".join("R" if entry.stream == "random" else "L" for entry in entries)


def test_that_the_random_stream_has_its_share_of_every_page(world):
    world.draw(*world.learning_ids(30))
    assert streams(world.queue(20, share=0.2)) == "LLLLRLLLLRLLLLRLLLLR"
    assert streams(world.queue(8, share=0.5)) == "LRLRLRLR"
    assert streams(world.queue(8, share=1.0)) == "RRRRRRRR"


@pytest.mark.parametrize(("share", "expected"), [(0.2, 8), (0.35, 14), (0.5, 20), (0.75, 30)])
def test_that_reviewing_one_at_a_time_keeps_the_share(world, share, expected):
    world.draw(*world.learning_ids(40))
    served = []
    for _ in range(40):
        entry = world.queue(1, share=share)[0]
        served.append(entry.stream)
        world.decide(entry.listing_id, Verdict.NONE, draw_id=entry.draw_id)
    assert Counter(served)["random"] == expected
    if share <= 0.5:
        assert "random,random" not in ",".join(served)


def test_that_the_place_between_the_streams_survives_undo(world):
    world.draw(*world.learning_ids(10))
    for entry in world.queue(3, share=0.2):
        world.decide(entry.listing_id, Verdict.NONE, draw_id=entry.draw_id)
    before = world.queue(10, share=0.2)
    world.decide(before[0].listing_id, Verdict.NONE, draw_id=before[0].draw_id)
    with world.writing() as uow:
        undo(uow)
    assert world.queue(10, share=0.2) == before


def test_that_a_page_is_the_same_when_asked_again(world):
    world.draw(*world.learning_ids(10))
    assert world.queue(30) == world.queue(30)


def test_that_nothing_is_asked_twice_and_a_draw_only_as_a_draw(world):
    drawn = world.learning_ids(7)
    world.draw(*drawn)
    page = world.queue(400)
    ids = [entry.listing_id for entry in page]
    assert len(ids) == len(set(ids))
    assert {entry.listing_id for entry in page if entry.stream == "random"} == set(drawn)
    assert all(entry.listing_id not in drawn for entry in page if entry.stream == "learning")


def test_that_one_stream_fills_the_page_when_the_other_is_dry(world):
    assert streams(world.queue(6, share=0.5)) == "LLLLLL"
    learning = world.learning_ids(8)
    world.draw(*learning)
    with world.reading() as uow:
        rest = [row.listing_id for row in uow.listings.waiting(QueueOrder.OLDEST, 400)]
    with world.writing() as uow:
        uow.listings.snooze(rest, until_recalled=True)
    assert streams(world.queue(6, share=0.0)) == "RRRRRR"


def test_that_answered_and_undone_draws_are_handled(world):
    first, second = world.learning_ids(2)
    world.draw(first, second)
    assert [e.listing_id for e in world.queue(400) if e.blind] == [first, second]
    world.decide(first, Verdict.NONE)
    assert [e.listing_id for e in world.queue(400) if e.blind] == [second]
    with world.writing() as uow:
        undo(uow)
    assert [e.listing_id for e in world.queue(400) if e.blind] == [first, second]


def test_that_skipped_listings_are_left_out_of_both_streams(world):
    drawn, *others = world.learning_ids(4)
    world.draw(drawn)
    ids = [entry.listing_id for entry in world.queue(400, skip=[drawn, others[0]])]
    assert drawn not in ids
    assert others[0] not in ids
    assert others[1] in ids


def test_that_an_audit_looks_the_same_whatever_the_machine_would_do(world):
    automated, waiting, repeat = world.learning_ids(3)
    world.place(
        {automated: (Route.AUTOMATED, 0.99), waiting: (Route.REVIEW, 0.3), repeat: (Route.SETTLED, 0.9)}
    )
    draws = world.draw(automated, waiting, repeat)
    entries = {entry.listing_id: entry for entry in world.queue(400) if entry.blind}
    looks = {(e.reason, e.stream, e.blind, e.confidence, e.margin, e.feed) for e in entries.values()}
    assert looks == {(RouteReason.AUDIT, "random", True, 0.0, 0.0, "monday")}
    assert [entries[i].draw_id for i in (automated, waiting, repeat)] == draws
    with world.reading() as uow:
        assert entry_for(uow, automated) == entries[automated]
        cards = [card(uow, entries[i], shown=10) for i in (automated, waiting, repeat)]
    assert {(len(c.candidates), c.identical_pending, c.release_id) for c in cards} == {(3, 0, RELEASE)}


@pytest.mark.parametrize("order", WAITING_ORDERS)
def test_that_every_order_serves_every_waiting_listing_once(world, order):
    with world.reading() as uow:
        waiting = {row.listing_id for row in uow.listings.waiting(order, 400)}
    assert {entry.listing_id for entry in world.queue(400, order=order)} == waiting


def test_that_the_random_share_is_higher_until_the_first_certificate(world):
    world.draw(*world.learning_ids(20))
    assert streams(world.queue(6, share=0.2, certified=False)) == "LLLLRL"  # no matcher yet: teach first
    manifest = ReleaseManifest(
        id=RELEASE,
        created_at="2026-03-01",
        encoder_sha256="0",
        encoder_variant="int8",
        dimension=8,
        matcher="logistic",
    )
    with world.writing() as uow:
        uow.releases.add(manifest, None, None)
        uow.releases.make_champion(RELEASE, "first")
    assert streams(world.queue(10, share=0.2, certified=False)) == "LRLRRLRLRR"
    assert streams(world.queue(6, share=0.2, certified=True)) == "LLLLRL"


def test_that_a_share_switched_off_stays_off_and_a_higher_one_is_kept():
    assert share_of_random(0.0, has_certificate=False, has_matcher=True) == 0.0
    assert share_of_random(0.8, has_certificate=False, has_matcher=True) == 0.8
    assert share_of_random(0.1, has_certificate=False, has_matcher=True) == SHARE_UNTIL_CERTIFIED
    assert share_of_random(0.1, has_certificate=True, has_matcher=True) == 0.1


def test_that_bulk_decisions_do_not_bring_a_burst_of_audits(world):
    world.draw(*world.learning_ids(20))
    for listing in world.learning_ids(40):
        world.decide(listing, Verdict.NONE)
    assert streams(world.queue(10, share=0.2)) == "RLLLRLLLLR"


class TestCard:
    def test_that_a_card_shows_the_best_candidates_and_what_they_matched_before(self, world):
        listing, earlier = world.learning_ids(2)
        world.decide(earlier, Verdict.MATCH, listing + 1)
        with world.reading() as uow:
            shown = card(uow, entry_for(uow, listing), shown=2)
            title = uow.listings.get(earlier).title
        assert [view.item.id for view in shown.candidates] == [listing, listing + 1]
        assert shown.candidates[0].candidate.confidence == pytest.approx(0.4 + listing / 1000)
        past = shown.past_matches
        assert list(past) == [listing + 1]
        assert [(match.listing_title, match.reviewer) for match in past[listing + 1]] == [(title, "ada")]

    def test_that_a_decided_listing_can_be_shown_again(self, world):
        listing = world.learning_ids(1)[0]
        world.decide(listing)
        with world.reading() as uow:
            shown = card(uow, entry_for(uow, listing), shown=10)
        assert (shown.entry.reason, shown.entry.blind) == (RouteReason.DECIDED, False)
        assert len(shown.candidates) == 3
        assert shown.past_matches == {}  # its own alias says nothing new

    def test_that_identical_waiting_listings_are_counted_without_itself(self, tmp_path):
        twins = SmallWorkspace(tmp_path / "twins", titles=["Acme kettle red"] * 9 + ["another"])
        with twins.reading() as uow:
            same = uow.listings.identical_waiting(uow.listings.text_key(1))
            assert card(uow, entry_for(uow, same[0]), shown=10).identical_pending == len(same) - 1
        twins.draw(same[0])
        with twins.reading() as uow:
            assert card(uow, entry_for(uow, same[0]), shown=10).identical_pending == 0
            assert card(uow, entry_for(uow, same[1]), shown=10).identical_pending == len(same) - 2
        twins.store.close()


class TestGain:
    def test_that_interest_peaks_at_the_threshold(self):
        grid = np.linspace(0.0, 1.0, 1001)
        for threshold in (0.3, 0.5, 0.93):
            values = interest(grid, threshold)
            assert grid[values.argmax()] == pytest.approx(threshold, abs=1e-3)
            assert values.max() == pytest.approx(1.0)
            assert (np.diff(values[: values.argmax()]) > 0).all()
            assert (np.diff(values[values.argmax() :]) < 0).all()

    def test_that_without_a_threshold_it_is_the_variance_of_a_coin(self):
        p = np.array([0.01, 0.2, 0.5, 0.9])
        assert interest(p, 0.5) == pytest.approx(4 * p * (1 - p))

    def test_that_look_alikes_and_ties_weigh_more(self):
        gains = gain_priorities([0.5] * 4, [0.0] * 4, [1.0, 1.0, 1.0, 0.0], [1, 3, 30, 1], None)
        assert gains[0] < gains[1] < gains[2]
        assert gains[0] < gains[3]

    def test_that_the_queue_spreads_over_families(self):
        families = [1] * 6 + [2, 3]
        gains = gain_priorities([0.5] * 8, [0.0] * 8, [0.5] * 8, [6] * 6 + [1, 1], None, families)
        first = np.argsort(-gains, kind="stable")[:4]
        assert {families[i] for i in first} == {1, 2, 3}

    @given(
        st.lists(
            st.tuples(
                st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(1, 10**6), st.integers(0, 3)
            ),
            min_size=1,
            max_size=30,
        ),
        st.one_of(st.none(), st.floats(0, 1)),
    )
    def test_that_priorities_are_finite_and_not_negative(self, rows, threshold):
        confidence, none, margin, sizes, families = map(list, zip(*rows, strict=True))
        gains = gain_priorities(confidence, none, margin, sizes, threshold, families)
        assert gains.shape == (len(rows),)
        assert np.isfinite(gains).all()
        assert (gains >= 0).all()
        # Within a family the discount is by rank: the k-th best is worth a k-th of what it is alone.
        alone = gain_priorities(confidence, none, margin, sizes, threshold)
        for family in set(families):
            members = sorted((alone[i], gains[i]) for i in range(len(rows)) if families[i] == family)
            for rank, (own, spread) in enumerate(reversed(members), start=1):
                assert spread == pytest.approx(own / rank) or alone.tolist().count(own) > 1

    def test_that_no_listings_have_no_priorities_and_unequal_shapes_are_refused(self):
        assert gain_priorities([], [], [], [], None, []).shape == (0,)
        with pytest.raises(ValueError, match="shapes differ"):
            gain_priorities([0.5], [], [], [], None)
        with pytest.raises(ValueError, match="families"):
            gain_priorities([0.5], [0.1], [0.1], [1], None, [1, 2])


class TestExploring:
    def test_that_a_quarter_of_the_gain_order_is_drawn_from_all_that_wait(self, world):
        with world.reading() as uow:
            ordered = [row.listing_id for row in uow.listings.waiting(QueueOrder.GAIN, 200)]
        asked = []
        for _ in range(60):
            entry = world.queue(1, share=0.0)[0]
            asked.append(entry.listing_id)
            world.decide(entry.listing_id, Verdict.NONE)
        by_gain = len(set(asked) & set(ordered[:45]))
        assert len(set(asked)) == 60
        # 45 by gain, 15 from anywhere; a few of those would have come by gain as well.
        assert by_gain == 45
        assert 5 <= sum(listing not in ordered[:60] for listing in asked) <= 15

    def test_that_a_page_explores_like_its_entries_one_by_one(self, world):
        page = [entry.listing_id for entry in world.queue(20, share=0.0)]
        with world.reading() as uow:
            ordered = [row.listing_id for row in uow.listings.waiting(QueueOrder.GAIN, 20)]
        assert page != ordered
        # A quarter is drawn, give or take where the page begins.
        assert 13 <= len(set(page) & set(ordered)) <= 17

    def test_that_other_orders_do_not_explore(self, world):
        page = [entry.listing_id for entry in world.queue(20, share=0.0, order=QueueOrder.OLDEST)]
        assert page == sorted(page)
