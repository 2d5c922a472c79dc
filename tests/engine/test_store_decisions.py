"""Decisions: kept for ever, taken back and brought again in any depth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.contracts import Candidate, Decision, QueueOrder, Route, RouteReason, Stream, Verdict
from engine.errors import NotInWorkspaceError, StaleChangeError
from engine.store import DecisionCounts, Store, UnitOfWork
from tests.engine.store_samples import CANDIDATES, decide, matched_store, place


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "shop") as opened:
        yield opened


def route_of(uow: UnitOfWork, listing_id: int) -> tuple[Route, RouteReason] | None:
    placed = uow.listings.placement(listing_id)
    return None if placed is None else (placed.route, placed.reason)


def queue(uow: UnitOfWork) -> list[int]:
    return [row.listing_id for row in uow.listings.waiting(QueueOrder.GAIN, 100)]


DECIDED = (Route.SETTLED, RouteReason.DECIDED)
WAITING = (Route.REVIEW, RouteReason.BELOW_THRESHOLD)


def test_that_a_decision_comes_back_as_it_was_made(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        made = uow.decisions.add(
            Decision(
                id=0,
                listing_id=ids[0],
                verdict=Verdict.VARIANT,
                item_id=2,
                reviewer="Zoë",
                decided_at="2031-01-02T03:04:05+00:00",
                stream=Stream.MANUAL,
                release_id="r0003",
                rejected=(1, 3),
                note="two pack",
            ),
            CANDIDATES,
        )
    assert made == Decision(
        id=made.id,
        listing_id=ids[0],
        verdict=Verdict.VARIANT,
        item_id=2,
        reviewer="Zoë",
        decided_at="2031-01-02T03:04:05+00:00",
        stream=Stream.MANUAL,
        release_id="r0003",
        shown=(1, 2, 3),
        rejected=(1, 3),
        note="two pack",
    )
    with store.reading() as uow:
        assert uow.decisions.get(made.id) == made
        assert uow.decisions.in_force() == [made]
        assert uow.decisions.in_force_for(ids[0]) == made
        assert uow.decisions.shown_candidates(made.id) == CANDIDATES


def test_that_item_numbers_alone_are_enough_for_what_was_shown(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        made = uow.decisions.add(
            Decision(0, ids[0], Verdict.NONE, None, "ann", "", Stream.LEARNING, None, shown=(3, 1))
        )
        assert made.shown == (3, 1)
        assert made.decided_at.endswith("+00:00")
        assert uow.decisions.shown_candidates(made.id) == ()
        uow.decisions.undo(made.id)
        placed = uow.listings.placement(ids[0])
        assert placed is not None
        assert placed.candidates == CANDIDATES


@pytest.mark.parametrize("verdict", list(Verdict))
def test_that_every_verdict_but_unsure_settles_the_listing(store: Store, verdict: Verdict) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        decide(uow, ids[0], verdict)
        settled = verdict != Verdict.UNSURE
        assert route_of(uow, ids[0]) == (DECIDED if settled else (Route.REVIEW, RouteReason.SNOOZED))
        assert (ids[0] in queue(uow)) is not settled


def test_that_a_settled_listing_stays_settled_when_it_is_matched_again(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        made = decide(uow, ids[0])
        place(uow, [ids[0]], Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD)
        assert route_of(uow, ids[0]) == DECIDED
        uow.decisions.undo(made.id)
        assert route_of(uow, ids[0]) == (Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD)


def test_that_undo_restores_the_candidate_list(store: Store) -> None:
    ids = matched_store(store)
    on_screen = CANDIDATES[:2]
    fresh = (Candidate(5, 0.9, 0.9, 0.9), Candidate(2, 0.8, 0.1, 0.1), Candidate(4, 0.7, 0.1, 0.1))
    with store.writing() as uow:
        made = decide(uow, ids[0], candidates=on_screen)
        place(uow, [ids[0]], candidates=fresh, priorities=[9.0], release_id="r0002")
        uow.decisions.undo(made.id)
        placed = uow.listings.placement(ids[0])
        assert placed is not None
        # Exactly what was on screen comes first; what is new since follows.
        assert placed.candidates == (*on_screen, fresh[0], fresh[2])
        assert queue(uow) == ids


def test_that_undo_leaves_the_rest_of_a_longer_list_where_it_was(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        made = decide(uow, ids[0], candidates=CANDIDATES[:1])
        uow.decisions.undo(made.id)
        placed = uow.listings.placement(ids[0])
        assert placed is not None
        assert placed.candidates == CANDIDATES


def test_that_undone_decisions_stay_in_the_history_and_out_of_everything_else(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        made = decide(uow, ids[0])
        undone = uow.decisions.undo(made.id)
        assert undone.undone
        assert uow.decisions.get(made.id) == undone
        assert uow.decisions.in_force() == []
        assert uow.decisions.counts() == DecisionCounts()
        assert [entry.decision for entry in uow.decisions.history()] == [undone]


def test_that_undo_and_redo_go_any_depth_and_survive_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    with Store.create(folder) as store:
        ids = matched_store(store)
        with store.writing() as uow:
            made = [decide(uow, id_).id for id_ in ids]
    for expected in reversed(made):
        with Store.open(folder) as store, store.writing() as uow:
            last = uow.decisions.last_undoable()
            assert last is not None
            assert last.id == expected
            uow.decisions.undo(last.id)
    with Store.open(folder) as store, store.writing() as uow:
        assert uow.decisions.last_undoable() is None
        assert queue(uow) == ids
        redone = []
        while last := uow.decisions.last_redoable():
            redone.append(uow.decisions.redo(last.id).id)
        assert redone == made
        assert queue(uow) == []
        last = uow.decisions.last_undoable()
        assert last is not None
        assert last.id == made[-1]


def test_that_a_new_decision_ends_redoing(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        uow.decisions.undo(decide(uow, ids[0]).id)
        decide(uow, ids[1])
        assert uow.decisions.last_redoable() is None


def test_that_reviewers_undo_and_redo_their_own(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        ann, bob = decide(uow, ids[0], reviewer="ann"), decide(uow, ids[1], reviewer="bob")
        last = uow.decisions.last_undoable("ann")
        assert last is not None
        assert last.id == ann.id
        uow.decisions.undo(ann.id)
        decide(uow, ids[2], reviewer="bob")
        assert uow.decisions.last_redoable() is None
        last = uow.decisions.last_redoable("ann")
        assert last is not None
        assert last.id == ann.id
        assert uow.decisions.last_redoable("bob") is None
        assert uow.decisions.last_undoable("eve") is None
        assert uow.decisions.in_force_for(ids[1]) == bob


def test_that_what_is_not_in_force_cannot_be_undone_nor_what_is_be_redone(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        made = decide(uow, ids[0])
        with pytest.raises(StaleChangeError, match="nothing to redo"):
            uow.decisions.redo(made.id)
        uow.decisions.undo(made.id)
        with pytest.raises(StaleChangeError, match="nothing to undo"):
            uow.decisions.undo(made.id)
        decide(uow, ids[0], Verdict.NONE)
        with pytest.raises(StaleChangeError, match="decided again"):
            uow.decisions.redo(made.id)
        for missing in (uow.decisions.undo, uow.decisions.redo, uow.decisions.get):
            with pytest.raises(NotInWorkspaceError, match="no decision with number 99"):
                missing(99)


def test_that_deciding_again_supersedes_and_undoing_that_brings_the_first_back(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        first = decide(uow, ids[0])
        other = decide(uow, ids[1])
        second = decide(uow, ids[0], Verdict.NONE)
        assert uow.decisions.in_force() == [other, second]
        with pytest.raises(StaleChangeError):
            uow.decisions.undo(first.id)
        uow.decisions.undo(second.id)
        assert uow.decisions.in_force() == [first, other]
        # The next undo is what the reviewer did before, not the decision that came back.
        last = uow.decisions.last_undoable()
        assert last == other
        redo = uow.decisions.last_redoable()
        assert redo is not None
        uow.decisions.redo(redo.id)
        assert uow.decisions.in_force() == [other, second]
        uow.decisions.undo(second.id)
        uow.decisions.undo(first.id)
        assert uow.decisions.in_force() == [other]
        assert route_of(uow, ids[0]) == WAITING


def test_that_unknown_listings_and_items_are_refused_and_leave_no_trace(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        with pytest.raises(NotInWorkspaceError, match="no listing with number 4711"):
            decide(uow, 4711)
        with pytest.raises(NotInWorkspaceError, match="no item with number 4711"):
            decide(uow, ids[0], item_id=4711)
        assert uow.decisions.history() == []
        assert queue(uow) == ids


def test_that_decisions_are_counted_and_listed_by_stream_and_feed(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        (draw,) = uow.draws.add([ids[0]], 0.1, "policy", "r0001", None)
        random = decide(uow, ids[0], stream=Stream.RANDOM, draw_id=draw)
        learning = [decide(uow, id_) for id_ in ids[1:3]]
        manual = decide(uow, ids[3], Verdict.UNSURE, stream=Stream.MANUAL)
        assert uow.decisions.counts() == DecisionCounts(total=4, random=1, learning=2, manual=1)
        assert uow.decisions.in_force(Stream.RANDOM) == [random]
        assert uow.decisions.in_force(Stream.LEARNING) == learning
        assert uow.decisions.in_force(feed_id=uow.feeds.ensure("monday")) == [random, *learning, manual]
        assert uow.decisions.in_force(feed_id=uow.feeds.ensure("other")) == []


def test_that_history_is_searched_by_words_reviewer_and_verdict_newest_first(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        first = decide(uow, ids[0], reviewer="ann", note="two pack")
        second = decide(uow, ids[1], Verdict.NONE, reviewer="bob")
        third = decide(uow, ids[2], item_id=3, reviewer="ann")

        def found(**how: object) -> list[int]:
            return [entry.decision.id for entry in uow.decisions.history(**how)]  # type: ignore[arg-type]

        assert found() == [third.id, second.id, first.id]
        assert found(text="two pac") == [first.id]
        assert found(text="WH-3000") == [third.id]
        assert found(text="headphones") == [third.id, second.id, first.id]
        assert found(text=uow.listings.get(ids[1]).external_id, reviewer="bob") == [second.id]
        assert found(text="nowhere") == []
        assert found(text="?!") == []
        assert found(reviewer="ann") == [third.id, first.id]
        assert found(reviewer="ann", verdict=Verdict.NONE) == []
        assert found(verdict=Verdict.NONE) == [second.id]
        assert found(limit=2) == [third.id, second.id]
        assert found(before_id=second.id) == [first.id]
        entry = uow.decisions.history(text="two pack")[0]
        listing, item = uow.listings.get(ids[0]), uow.items.get(1)
        assert (entry.listing_external_id, entry.listing_title) == (listing.external_id, listing.title)
        assert (entry.item_external_id, entry.item_title) == (item.external_id, item.title)
        assert entry.feed == "monday"
        assert uow.decisions.history(verdict=Verdict.NONE)[0].item_title == ""


def test_that_nothing_a_reviewer_did_ever_leaves_the_event_log(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        made = decide(uow, ids[0])
        uow.decisions.undo(made.id)
        uow.decisions.redo(made.id)
        decide(uow, ids[0], Verdict.NONE)
        events = uow.items._connection.exec_driver_sql(
            "SELECT decision_id, kind FROM decision_event ORDER BY id"
        )
        assert [tuple(row) for row in events] == [
            (1, "add"),
            (1, "undo"),
            (1, "redo"),
            (1, "supersede"),
            (2, "add"),
        ]
