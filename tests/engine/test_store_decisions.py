"""Decisions: kept for ever, taken back and brought again in any depth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.contracts import Candidate, Decision, Listing, QueueOrder, Route, RouteReason, Stream, Verdict
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
        assert uow.aliases.memory(["key", "other"]) == {"key": 1}
        uow.decisions.undo(made.id)
        assert uow.aliases.active(8) == []
        assert uow.aliases.memory(["key"]) == {}
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
        assert uow.aliases.memory(["same", "both"]) == {"same": 1}
        uow.decisions.undo(last.id)
        assert uow.aliases.memory(["same", "both"]) == {"same": 1, "both": 2}


def test_that_an_item_has_at_most_so_many_aliases_the_newest_and_each_text_once(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        for n, listing_id in enumerate(ids):
            made = decide(uow, listing_id, item_id=1 if n < 5 else 2)
            uow.aliases.add(1 if n < 5 else 2, listing_id, made.id, f"key {min(n, 3)}")
        assert [(a.item_id, a.listing_id) for a in uow.aliases.active(2)] == [
            (1, ids[2]),
            (1, ids[4]),
            (2, ids[5]),
        ]
        assert uow.aliases.active(0) == []


# History


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


class UndoLikeAnEditor(RuleBasedStateMachine):
    """Undo and redo against the plain model of an editor: a line of states and a place in it."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.place = tempfile.TemporaryDirectory()
        self.store = Store.create(Path(self.place.name) / "shop")
        self.ids = matched_store(self.store, 4)
        self.line: list[dict[int, int]] = [{}]
        self.now = 0

    def teardown(self) -> None:
        self.store.close()
        self.place.cleanup()

    @rule(
        which=st.integers(0, 3), verdict=st.sampled_from([Verdict.MATCH, Verdict.NONE, Verdict.BAD_LISTING])
    )
    def decide(self, which: int, verdict: Verdict) -> None:
        with self.store.writing() as uow:
            made = decide(uow, self.ids[which], verdict)
        self.line = [*self.line[: self.now + 1], {**self.line[self.now], self.ids[which]: made.id}]
        self.now += 1

    @rule()
    def undo(self) -> None:
        with self.store.writing() as uow:
            last = uow.decisions.last_undoable()
            assert (last is not None) is (self.now > 0)
            if last is not None:
                uow.decisions.undo(last.id)
                self.now -= 1

    @precondition(lambda self: len(self.line) > 1)
    @rule()
    def redo(self) -> None:
        with self.store.writing() as uow:
            last = uow.decisions.last_redoable()
            assert (last is not None) is (self.now < len(self.line) - 1)
            if last is not None:
                uow.decisions.redo(last.id)
                self.now += 1

    @invariant()
    def what_is_in_force_is_what_the_editor_shows(self) -> None:
        with self.store.reading() as uow:
            in_force = {decision.listing_id: decision.id for decision in uow.decisions.in_force()}
            assert in_force == self.line[self.now]
            assert uow.listings.counts().decided == len(in_force)
            assert set(queue(uow)) == set(self.ids) - set(in_force)


TestUndoLikeAnEditor = UndoLikeAnEditor.TestCase
TestUndoLikeAnEditor.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
