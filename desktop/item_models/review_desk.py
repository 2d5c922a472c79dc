"""What is on the reviewer's desk: the card in front, what was answered last, how much is left.

No widgets and no threads of its own; the review screen draws it. The rules it keeps:

* an answer is on the disk before the next card is in front;
* one answer at a time: while one is being saved, nothing else is taken for the card in front;
* nothing from outside (matching, training, promotion) swaps the card in front.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum

from PySide6.QtCore import QObject, Signal

from desktop.item_models.pace import Pace
from desktop.item_models.prepared_queue import PreparedQueue
from desktop.item_models.presentation import Sketch, with_found
from desktop.operations import reviewing
from desktop.session import Session
from desktop.widgets.wording import counted
from engine.contracts import ChangeSet, Decision, Item, QueueOrder, SecondOpinion, Verdict


class DeskState(StrEnum):
    """What the review screen shows."""

    LOADING = "loading"
    SHOWING = "showing"
    EMPTY = "empty"
    FINISHED = "finished"
    FAILED = "failed"


class ReviewDesk(QObject):
    """See the module.

    ``showing`` carries a :class:`Sketch` whenever another card comes to the front; ``saved`` the
    decision just written; ``said`` words for a moment; ``standing_changed`` new counts; ``identical_changed``
    how many listings identical to the one just answered wait.
    """

    showing = Signal(object)
    state_changed = Signal()
    saving_changed = Signal(bool)
    saved = Signal(object)
    said = Signal(str)
    standing_changed = Signal()
    identical_changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._queue = PreparedQueue(session, self)
        self._queue.ready.connect(self._on_ready)
        self._queue.failed.connect(self._on_read_failed)
        self.state = DeskState.LOADING
        self.front: Sketch | None = None
        self.saving = False
        self.standing: reviewing.Standing | None = None
        self.pace = Pace()
        self.last_decision: Decision | None = None
        self.identical_waiting = 0
        self.reopened = False

    # -- what is looked at ---------------------------------------------------------------------

    @property
    def order(self) -> QueueOrder:
        """The order of the queue."""
        return self._queue.order

    @property
    def feed(self) -> str | None:
        """The feed looked at; None is all of them."""
        return self._queue.feed

    @property
    def put_off(self) -> int:
        """How many listings wait to be recalled."""
        return (self.standing.snoozed if self.standing else 0) + self._queue.unsure

    @property
    def left(self) -> int | None:
        """How many listings wait for an answer, in the feed looked at; None before it is known."""
        if self.standing is None:
            return None
        if self.feed is None:
            waiting = self.standing.status.counts.review
        else:
            waiting = sum(feed.review for feed in self.standing.feeds if feed.name == self.feed)
        return max(0, waiting - self.pace.since_reading)

    # -- opening and refreshing ----------------------------------------------------------------

    def begin(self, order: QueueOrder) -> None:
        """Read the queue for the first time."""
        self._queue.order = order
        self.open()

    def open(self) -> None:
        """Begin, or begin again after the order or the feed changed; the card in front is let go."""
        self.front = None
        self.reopened = False
        self._enter(DeskState.LOADING)
        self._queue.restart(None)
        self.refresh_standing()

    def look_at(self, *, order: QueueOrder, feed: str | None) -> None:
        """Choose another order or feed (None: all feeds)."""
        if (order, feed) != (self.order, self.feed):
            self._queue.order, self._queue.feed = order, feed
            self.open()

    def refresh(self, changes: ChangeSet) -> None:
        """Somebody else changed something: what is prepared is read again, the card in front stays."""
        if changes.routes or changes.decisions or changes.listings or changes.items:
            self._read_again()

    def change_reviewer(self) -> None:
        """Somebody else sits down: what is asked of the one before is not asked of them."""
        asked = self.front is not None and self.front.card.entry.about is not None
        if asked and not self.saving:
            self.open()
        elif self.state is not DeskState.LOADING:
            self._read_again()

    def refresh_standing(self) -> None:
        """Read the counts again."""
        reviewing.load_standing(self._session, done=self._on_standing)

    def reopen(self, listing_id: int) -> None:
        """Put any listing in front, to answer it again; the one in front comes after it."""
        reviewing.reopen(
            self._session, listing_id=listing_id, done=lambda made: self._put_in_front(made, again=True)
        )

    # -- answering -----------------------------------------------------------------------------

    def decide(
        self,
        verdict: Verdict,
        item_id: int | None = None,
        *,
        rejected: Sequence[int] = (),
        also_right: Sequence[int] = (),
        note: str = "",
    ) -> bool:
        """Answer the card in front. False when that is not possible just now."""
        if self.front is None or not self._may_write():
            return False
        self._set_saving(True)
        reviewing.decide(
            self._session,
            card=self.front.card,
            verdict=verdict,
            item_id=item_id,
            rejected=rejected,
            also_right=also_right,
            note=note,
            initiator=self,
            done=self._on_decided,
            failed=self._on_write_failed,
        )
        return True

    def skip(self) -> None:
        """Let the card in front come back after the others."""
        if self.front is not None and not self.saving:
            self._queue.skip(self.front.listing_id)
            self.said.emit("Skipped, comes back after the others")
            self._advance()

    def snooze(self) -> None:
        """Put the card in front off until it is recalled."""
        if self.front is not None and self._may_write():
            self._set_saving(True)
            reviewing.snooze(
                self._session,
                listing_id=self.front.listing_id,
                initiator=self,
                done=self._on_snoozed,
                failed=self._on_write_failed,
            )

    def recall(self) -> None:
        """Bring back what was snoozed, skipped or left unsure."""
        if self._may_write():
            self._set_saving(True)
            reviewing.recall_snoozed(
                self._session, initiator=self, done=self._on_recalled, failed=self._on_write_failed
            )

    def undo(self) -> None:
        """Take back the last decision; its listing comes to the front as it was."""
        if self._may_write():
            self._set_saving(True)
            reviewing.undo(self._session, initiator=self, done=self._on_undone, failed=self._on_write_failed)

    def redo(self) -> None:
        """Make the decision again that was taken back last."""
        if self._may_write():
            self._set_saving(True)
            reviewing.redo(self._session, initiator=self, done=self._on_redone, failed=self._on_write_failed)

    def apply_to_identical(self) -> None:
        """Give the last answer to the identical listings that wait."""
        if self.last_decision is None or not self.identical_waiting:
            self.said.emit("No identical listings wait for the last answer")
        elif self._may_write():
            self._set_saving(True)
            reviewing.apply_to_identical(
                self._session,
                decision=self.last_decision,
                initiator=self,
                done=self._on_applied,
                failed=self._on_write_failed,
            )

    def add_found(self, item: Item) -> int | None:
        """Put a searched item among the candidates in front; its place, None without a card."""
        if self.front is None:
            return None
        self.front, place = with_found(self.front, item)
        return place

    # -- the writer's answers ------------------------------------------------------------------

    def _may_write(self) -> bool:
        if self._session.read_only:
            self.said.emit("This workspace is open read-only")
            return False
        return not self.saving

    def _on_decided(self, decision: Decision) -> None:
        identical = self.front.card.identical_pending if self.front is not None else 0
        self._set_saving(False)
        self._offer(decision, 0 if decision.verdict is Verdict.UNSURE else identical)
        # A second opinion settles nothing, whatever it says, and an unsure one does not come back.
        second = isinstance(decision, SecondOpinion)
        unsure = decision.verdict is Verdict.UNSURE and not second
        if unsure:
            self._queue.leave_unsure(decision.listing_id)
        self.pace.answered(time.monotonic(), settles=not unsure and not second)
        self.saved.emit(decision)
        self._advance()
        if self.pace.since_reading >= Pace.READ_EVERY:
            self.refresh_standing()
        self.standing_changed.emit()

    def _on_snoozed(self, listing_id: int) -> None:
        self._set_saving(False)
        self.said.emit("Snoozed until you recall it")
        self._queue.drop((listing_id,))
        self._advance()
        self.refresh_standing()

    def _on_recalled(self, count: int) -> None:
        self._set_saving(False)
        count += self._queue.recall()
        self.said.emit(f"{counted(count, 'listing')} recalled" if count else "Nothing was put off")
        self._read_again()

    def _on_undone(self, turned: reviewing.Turned) -> None:
        self._set_saving(False)
        self._offer(None, 0)
        self._put_in_front(turned.card, again=False)
        self.said.emit("Undone")
        self.refresh_standing()

    def _on_redone(self, turned: reviewing.Turned) -> None:
        self._set_saving(False)
        self._offer(turned.decision, 0)
        self._answered_elsewhere({turned.decision.listing_id, *turned.listing_ids})
        self.said.emit("Redone")

    def _on_applied(self, applied: reviewing.Applied) -> None:
        self._set_saving(False)
        self._offer(self.last_decision, 0)
        done = {decision.listing_id for decision in applied.decisions}
        self._answered_elsewhere(done)
        self.said.emit(f"Applied to {counted(len(done), 'identical listing')}")

    def _answered_elsewhere(self, listing_ids: set[int]) -> None:
        self._queue.drop(listing_ids)
        if self.front is None or self.front.listing_id in listing_ids:
            self._advance()
        self.refresh_standing()

    def _on_write_failed(self, error: Exception) -> None:
        # The card stays in front: nothing was saved, so nothing moves.
        self._set_saving(False)
        self._session.tasks.failure.emit(error)

    # -- the queue's answers -------------------------------------------------------------------

    def _on_ready(self) -> None:
        if self.front is None:
            self._advance()

    def _on_read_failed(self, error: Exception) -> None:
        if self.front is None:
            self._enter(DeskState.FAILED)
        self._session.tasks.failure.emit(error)

    def _read_again(self) -> None:
        if self.front is None:
            self._enter(DeskState.LOADING)
        self._queue.restart(None if self.front is None else self.front.listing_id)
        self.refresh_standing()

    def _advance(self) -> None:
        """Bring the next card to the front."""
        self.front = None
        self.reopened = False
        following = self._queue.take()
        if following is not None:
            self._show(following)
        elif self._queue.exhausted:
            already = self.state in {DeskState.FINISHED, DeskState.EMPTY}
            self._enter(self.state if already else DeskState.FINISHED)
            if not already:
                self.refresh_standing()
        else:
            self._enter(DeskState.LOADING)

    def _put_in_front(self, made: Sketch, *, again: bool) -> None:
        if self.front is not None and self.front.listing_id != made.listing_id:
            self._queue.put_back(self.front)
        self._queue.bring_to_front(made.listing_id)
        self.reopened = again
        self._show(made)

    # -- small ---------------------------------------------------------------------------------

    def _show(self, made: Sketch) -> None:
        self.front = made
        self._enter(DeskState.SHOWING)
        self.showing.emit(made)

    def _enter(self, state: DeskState) -> None:
        if self.state is not state:
            self.state = state
            self.state_changed.emit()

    def _offer(self, decision: Decision | None, identical: int) -> None:
        self.last_decision, self.identical_waiting = decision, identical
        self.identical_changed.emit()

    def _set_saving(self, saving: bool) -> None:
        self.saving = saving
        self.saving_changed.emit(saving)

    def _on_standing(self, standing: reviewing.Standing) -> None:
        self.standing = standing
        self.pace.since_reading = 0
        if self.state in {DeskState.FINISHED, DeskState.EMPTY}:
            counts = standing.status.counts
            self._enter(DeskState.EMPTY if counts.listings == counts.unmatched else DeskState.FINISHED)
        self.standing_changed.emit()
