"""The review screen: one listing, its candidates, one key for every answer."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QSplitter, QStackedWidget, QWidget

from desktop.item_models.marks import Marks
from desktop.item_models.presentation import CandidateSketch, Sketch
from desktop.item_models.review_desk import DeskState, ReviewDesk
from desktop.keymap import Action, Keymap, key_name
from desktop.operations import reviewing
from desktop.session import Session
from desktop.widgets.basics import Button, EmptyState, column
from desktop.widgets.candidate_list import CandidateList
from desktop.widgets.catalogue_search import CatalogueSearch
from desktop.widgets.key_hints import KeyHints
from desktop.widgets.listing_card import ListingCard
from desktop.widgets.pieces import Banner
from desktop.widgets.review_header import ReviewHeader
from desktop.widgets.states import Skeleton
from desktop.widgets.verdict_bar import VerdictBar
from desktop.widgets.wording import answer_words, counted
from engine.contracts import ChangeSet, Decision, Item, QueueOrder, Verdict

_SPLITTER = "review/splitter"
_ORDER = "review/order"
#: How long the words about the last action stay (milliseconds).
_MESSAGE_STAYS = 6000
_PLAIN_VERDICTS = {
    Action.NONE: Verdict.NONE,
    Action.NEW_ITEM: Verdict.NEW_ITEM,
    Action.UNSURE: Verdict.UNSURE,
    Action.BAD_LISTING: Verdict.BAD_LISTING,
}


class ReviewScreen(QWidget):
    """Turns keys and clicks into intents of the :class:`ReviewDesk`, and draws what it says."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.desk = ReviewDesk(session, self)
        self.keymap = Keymap(session.preferences)
        self._place = -1
        self.marks = Marks()
        self._opened = False
        self._stale = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Review")
        self._build()
        self._connect()

    def activate(self) -> None:
        """Shown: begin, or go on where one was."""
        if not self._opened:
            self._opened = True
            order = QueueOrder(self._session.preferences.get(_ORDER, QueueOrder.GAIN.value))
            self.header.orders.setCurrentIndex(max(0, self.header.orders.findData(order)))
            self.desk.begin(order)
        elif self._stale:
            self._stale = False
            self.desk.refresh(ChangeSet(routes=True))
        self._focus_desk()

    def reopen(self, listing_id: int) -> None:
        """Put a listing in front to answer it again."""
        self.desk.reopen(listing_id)

    # -- building ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.header = ReviewHeader()
        self.listing = ListingCard()
        self.search = CatalogueSearch()
        self.candidates = CandidateList()
        self.verdicts = VerdictBar(self.keymap)
        self._banner = Banner()
        right = QWidget()
        self.search.setContentsMargins(2, 0, 20, 0)
        right.setLayout(column(self.search, self.candidates, spacing=8))
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(14)
        self._splitter.addWidget(self.listing)
        self._splitter.addWidget(right)
        self._splitter.setSizes([520, 600])
        kept = self._session.preferences.get_bytes(_SPLITTER)
        if not kept.isEmpty():
            self._splitter.restoreState(kept)
        self._splitter.splitterMoved.connect(
            lambda: self._session.preferences.set_bytes(_SPLITTER, self._splitter.saveState())
        )
        self.skeleton = Skeleton()
        recall = Button("Recall what was put off", self.desk.recall, kind="primary")
        self._recall = recall
        self.finished = EmptyState(
            "Everything is reviewed", icon_name="done", icon_colour="good", action=recall
        )
        self.empty = EmptyState(
            "Nothing to review yet",
            "Import a catalogue and a feed on Home, then match it. What is not certain enough comes here.",
        )
        again = Button("Try again", self.desk.open)
        self.failed = EmptyState(
            "The queue could not be read", "Nothing was lost.", icon_name="warning", action=again
        )
        self.stack = QStackedWidget()
        for page in (self._splitter, self.skeleton, self.finished, self.empty, self.failed):
            self.stack.addWidget(page)
        layout = column(self.header, self._banner, self.stack, self.verdicts, spacing=12)
        layout.setStretch(2, 1)
        layout.setContentsMargins(24, 18, 24, 14)
        self.setLayout(layout)
        self.hints = KeyHints(self.keymap, self._on_hints_closed, self)
        self._message_timer = QTimer(self)
        self._message_timer.setSingleShot(True)
        self._message_timer.setInterval(_MESSAGE_STAYS)
        self._message_timer.timeout.connect(lambda: self.verdicts.message.setText(""))

    def _connect(self) -> None:
        desk, header = self.desk, self.header
        desk.showing.connect(self._on_showing)
        desk.state_changed.connect(self._on_state)
        desk.saving_changed.connect(lambda _saving: self._refresh_possible())
        desk.saved.connect(self._on_saved)
        desk.said.connect(self._say)
        desk.standing_changed.connect(self._on_standing)
        desk.identical_changed.connect(self._refresh_offer)
        header.changed.connect(self._on_looked_at)
        header.undo_asked.connect(desk.undo)
        header.redo_asked.connect(desk.redo)
        header.recall_asked.connect(desk.recall)
        header.keys_asked.connect(self.hints.open_hints)
        self.candidates.marked.connect(self._mark)
        self.candidates.chosen.connect(self._take)
        self.search.wanted.connect(self._on_search)
        self.search.chosen.connect(self._on_found)
        self.search.left.connect(self._focus_desk)
        self.listing.note_left.connect(self._focus_desk)
        self.verdicts.asked.connect(self.do)
        self._session.hub.changed.connect(self._on_changed)
        for keys, intent in (
            (QKeySequence.StandardKey.Undo, desk.undo),
            (QKeySequence("Ctrl+Shift+Z"), desk.redo),
            (QKeySequence("Ctrl+Y"), desk.redo),
            (QKeySequence.StandardKey.Copy, self._copy_title),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(intent)

    # -- keys ----------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's hook. Text fields keep their keys to themselves, so here only the desk's arrive."""
        if self.hints.isVisible():
            self.hints.setFocus()
            return
        if event.key() == Qt.Key.Key_Escape:
            self._focus_desk()
            return
        bound = self.keymap.action(key_name(event))
        if bound is None:
            super().keyPressEvent(event)
            return
        action, digit = bound
        if event.isAutoRepeat() and action not in {Action.PREVIOUS, Action.NEXT}:
            return
        if action is Action.CHOOSE:
            self._take(digit - 1)
        else:
            self.do(action)

    def do(self, action: Action) -> None:
        """Do what a key or a button asks for."""
        match action:
            case Action.TAKE_BEST:
                self._take(self._place)
            case Action.VARIANT:
                self._answer(Verdict.VARIANT, self._place)
            case Action.NONE | Action.NEW_ITEM | Action.UNSURE | Action.BAD_LISTING:
                self._answer(_PLAIN_VERDICTS[action])
            case Action.REJECT | Action.ALSO_RIGHT:
                self._judge(action)
            case Action.PREVIOUS | Action.NEXT:
                self._step(1 if action is Action.NEXT else -1)
            case Action.SEARCH:
                if self.desk.front is not None:
                    self.search.begin()
            case Action.NOTE:
                if self.desk.front is not None:
                    self.listing.open_note()
            case Action.KEYS:
                self.hints.open_hints()
            case _:
                {
                    Action.SKIP: self.desk.skip,
                    Action.SNOOZE: self.desk.snooze,
                    Action.RECALL: self.desk.recall,
                    Action.UNDO: self.desk.undo,
                    Action.REDO: self.desk.redo,
                    Action.IDENTICAL: self.desk.apply_to_identical,
                }[action]()

    # -- answering -----------------------------------------------------------------------------

    @property
    def marked(self) -> CandidateSketch | None:
        """The candidate that Enter takes."""
        front = self.desk.front
        if front is None or not 0 <= self._place < len(front.candidates):
            return None
        return front.candidates[self._place]

    def _take(self, place: int) -> None:
        self._answer(Verdict.MATCH, place)

    def _answer(self, verdict: Verdict, place: int | None = None) -> None:
        front = self.desk.front
        if front is None or self.desk.saving:
            return
        item_id = None
        if place is not None:
            if not 0 <= place < len(front.candidates):
                none_marked = "Mark a candidate first, with Up and Down"
                self._say(none_marked if place < 0 else f"There is no candidate {place + 1}")
                return
            item_id = front.candidates[place].item.id
        rejected, also_right = self.marks.beside(item_id)
        if self.marks.also_right and verdict is not Verdict.MATCH:
            key = self.keymap.key(Action.ALSO_RIGHT)
            self._say(f"A candidate is marked as also right: match, or take that back with {key}")
            return
        note = self.listing.note.text().strip()
        self.desk.decide(verdict, item_id, rejected=rejected, also_right=also_right, note=note)

    def _judge(self, action: Action) -> None:
        """Rule the marked candidate out, or say that it is also right; the same key takes it back."""
        front, marked = self.desk.front, self.marked
        if front is None or self.desk.saving:
            return
        if marked is None:
            self._say("Mark a candidate first, with Up and Down")
            return
        judge = self.marks.rule_out if action is Action.REJECT else self.marks.name_too
        judged = judge(marked.item.id)
        self.candidates.show_sketch(front, self.marks)
        if judged and self._place + 1 < len(front.candidates):
            self._mark(self._place + 1)

    def _step(self, step: int) -> None:
        front = self.desk.front
        if front is not None and front.candidates:
            start = -1 if self._place < 0 and step > 0 else self._place
            self._mark(max(0, min(start + step, len(front.candidates) - 1)))

    def _mark(self, place: int, *, take_focus: bool = True) -> None:
        front = self.desk.front
        if front is None:
            return
        self._place = place
        self.candidates.mark(place, take_focus=take_focus)
        self.listing.compare_with(front, self.marked)
        self._refresh_possible()

    # -- searching -----------------------------------------------------------------------------

    def _on_search(self, text: str) -> None:
        reviewing.search_items(
            self._session, text=text, done=lambda items: self.search.show_items(text, items)
        )
        self.candidates.hide()

    def _on_found(self, item: Item) -> None:
        place = self.desk.add_found(item)
        self.candidates.show()
        if place is not None and self.desk.front is not None:
            self.candidates.show_sketch(self.desk.front, self.marks)
            self._mark(place)

    # -- drawing what the desk says --------------------------------------------------------------

    def _on_showing(self, shown: Sketch) -> None:
        self.marks = Marks()
        self.search.end()
        self.candidates.show()
        self.listing.show_listing(shown)
        self.candidates.show_sketch(shown, self.marks)
        # In an audit no candidate is marked: Enter by habit must not answer it.
        first = -1 if shown.blind or not shown.candidates else 0
        self._mark(first, take_focus=self.isVisible() and not self.hints.isVisible())
        if first < 0 and self.isVisible() and not self.hints.isVisible():
            self.setFocus()
        self._refresh_banner()

    def _on_state(self) -> None:
        page = {
            DeskState.SHOWING: self._splitter,
            DeskState.LOADING: self.skeleton,
            DeskState.FINISHED: self.finished,
            DeskState.EMPTY: self.empty,
            DeskState.FAILED: self.failed,
        }[self.desk.state]
        self.stack.setCurrentWidget(page)
        self.verdicts.setVisible(self.desk.state in {DeskState.SHOWING, DeskState.LOADING})
        if self.desk.front is None:
            self._place = -1
            if self.isVisible() and not self.hints.isVisible():
                self.setFocus()
        self._refresh_possible()
        self._refresh_banner()

    def _on_standing(self) -> None:
        self.header.show_desk(self.desk)
        put_off, done = self.desk.put_off, self.desk.pace.answers
        answered = f"You answered {counted(done, 'listing')} in this session. " if done else ""
        waiting = f"{counted(put_off, 'listing is', 'listings are')} put off." if put_off else ""
        place = f"in {self.desk.feed}" if self.desk.feed else "here"
        steps = self.desk.standing.status.next_steps if self.desk.standing else ()
        after = "" if waiting or not steps else steps[0]
        self.finished.say(
            "Everything is reviewed" if not put_off else "Only what was put off is left",
            f"{answered}Nothing more waits {place}. {waiting}{after}",
        )
        self._recall.setVisible(put_off > 0)

    def _on_saved(self, decision: Decision) -> None:
        self._say(f"Saved: {answer_words(decision)}.  {self.keymap.key(Action.UNDO)} undoes it")

    def _say(self, text: str) -> None:
        self.verdicts.message.setText(text)
        self._message_timer.start()

    def _refresh_possible(self) -> None:
        writing = self.desk.front is not None and not self._session.read_only
        self.verdicts.allow(choosing=self.marked is not None, writing=writing)
        self.header.undo.setEnabled(not self._session.read_only)
        self.header.redo.setEnabled(not self._session.read_only)

    def _refresh_banner(self) -> None:
        """Say what is special about what is in front; seldom, because it moves the desk down."""
        if self.desk.reopened and self.desk.front is not None:
            text = "You are looking at an earlier listing. A new answer replaces the old one."
        elif self._session.read_only:
            text = "This workspace is open read-only: you can look, but not answer."
        else:
            text = ""
        if text != self._banner.text:
            self._banner.say(text, "warn")

    def _refresh_offer(self) -> None:
        desk = self.desk
        if not desk.identical_waiting or desk.last_decision is None:
            self.verdicts.offer_identical("", "")
            return
        answer = answer_words(desk.last_decision)
        same = counted(desk.identical_waiting, "identical listing waits", "identical listings wait")
        self.verdicts.offer_identical(
            f"Also {desk.identical_waiting} identical",
            f"{same} with the same text as the one before. This gives it the same answer: {answer}.",
        )

    # -- the rest ------------------------------------------------------------------------------

    def _on_looked_at(self, order: QueueOrder, feed: str | None) -> None:
        self._session.preferences.set(_ORDER, order.value)
        self.desk.look_at(order=order, feed=feed)
        self._focus_desk()

    def _on_changed(self, changes: ChangeSet, initiator: object) -> None:
        if initiator is self.desk or not self._opened:
            return
        if self.isVisible():
            self.desk.refresh(changes)
        else:
            self._stale = True

    def _on_hints_closed(self) -> None:
        self.verdicts.refresh_keys()
        self._focus_desk()

    def _focus_desk(self) -> None:
        """Give the keys back to the desk."""
        self.candidates.show()
        if self.desk.front is not None and self._place >= 0:
            self.candidates.mark(self._place, take_focus=True)
        else:
            self.setFocus()

    def _copy_title(self) -> None:
        if self.desk.front is not None:
            QGuiApplication.clipboard().setText(self.desk.front.card.listing.title)
            self._say("Title copied")
