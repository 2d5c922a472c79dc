"""Undo and redo over any sequence of decisions, compared with how an editor does it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.contracts import QueueOrder, Verdict
from engine.store import Store, UnitOfWork
from tests.engine.store_samples import decide, matched_store


def queue(uow: UnitOfWork) -> list[int]:
    return [row.listing_id for row in uow.listings.waiting(QueueOrder.GAIN, 100)]


class UndoLikeAnEditor(RuleBasedStateMachine):
    """Undo and redo against the plain model of an editor: a line of states and a place in it."""

    def __init__(self) -> None:
        super().__init__()
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
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
