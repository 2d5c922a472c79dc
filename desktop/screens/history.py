"""History: every decision, who made it, when, under which release, and what was on screen."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QHeaderView, QLineEdit, QSplitter, QStackedWidget, QWidget

from desktop.item_models.history_model import COLUMNS, ITEM, LISTING, HistoryModel
from desktop.operations import agreeing, reviewing
from desktop.session import Session
from desktop.widgets.basics import Card, EmptyState, column, page_title, row, words
from desktop.widgets.decision_card import DecisionCard
from desktop.widgets.pieces import table
from desktop.widgets.wording import verdict_words
from engine.contracts import ChangeSet, HistoryEntry, Item, Verdict

#: A pause in typing (milliseconds) after which it is searched.
_PAUSE = 150


class HistoryScreen(QWidget):
    """Search decisions, look at one, answer its listing again. ``reopen_asked`` carries a listing."""

    reopen_asked = Signal(int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._stale = True
        self._kept: int | None = None
        self.model = HistoryModel(session, self)
        self._build()
        self.model.loaded.connect(self._on_loaded)
        session.hub.changed.connect(self._on_changed)

    def activate(self) -> None:
        """Shown: read again if anything was decided since."""
        if self._stale:
            self._stale = False
            self.model.reload()
        self.field.setFocus()

    # -- building ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.field = QLineEdit()
        self.field.setPlaceholderText("Search listings, items, ids and notes")
        self.field.setAccessibleName("Search decisions")
        self.field.setClearButtonEnabled(True)
        self.reviewer = QLineEdit()
        self.reviewer.setPlaceholderText("Any reviewer")
        self.reviewer.setAccessibleName("Reviewer")
        self.reviewer.setMaximumWidth(180)
        self.verdict = QComboBox()
        self.verdict.setAccessibleName("Answer")
        self.verdict.addItem("Any answer", None)
        for verdict in Verdict:
            self.verdict.addItem(verdict_words(verdict).capitalize(), verdict)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._look)
        self.field.textEdited.connect(lambda _text: self._timer.start())
        self.reviewer.textEdited.connect(lambda _text: self._timer.start())
        self.verdict.activated.connect(lambda _at: self._look())
        self.table = table(self.model, "Decisions", stretch={LISTING, ITEM})
        header = self.table.horizontalHeader()
        for at in range(len(COLUMNS)):
            if at not in {LISTING, ITEM}:
                header.setSectionResizeMode(at, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(ITEM, QHeaderView.ResizeMode.Stretch)
        self.table.selectionModel().currentRowChanged.connect(self._on_row)
        self.table.activated.connect(lambda _index: self._reopen())
        self.card = DecisionCard()
        self.card.reopen_asked.connect(self._reopen)
        self.card.undo_asked.connect(self._undo)
        self.card.gold_asked.connect(self._mark_gold)
        self.nothing = EmptyState(
            "No decisions yet", "What you answer in Review is listed here.", icon_name="history"
        )
        self.waiting = words("", "muted")
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(14)
        frame = Card()
        frame.body.setContentsMargins(6, 6, 6, 6)
        frame.add(self.table)
        splitter.addWidget(frame)
        splitter.addWidget(self.card)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        splitter.setSizes([720, 400])
        self.stack = QStackedWidget()
        for part in (self.waiting, splitter, self.nothing):
            self.stack.addWidget(part)
        self._splitter = splitter
        filters = row(self.field, self.reviewer, self.verdict, spacing=10)
        filters.setStretch(0, 1)
        layout = column(page_title("History"), filters, self.stack, spacing=14)
        layout.setStretch(2, 1)
        layout.setContentsMargins(24, 18, 24, 18)
        self.setLayout(layout)
        find = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.field.setFocus)

    # -- what is looked at ---------------------------------------------------------------------

    @property
    def chosen(self) -> HistoryEntry | None:
        """The decision that is looked at."""
        index = self.table.currentIndex()
        return self.model.entry(index.row()) if index.isValid() else None

    def _look(self) -> None:
        self._timer.stop()
        self.model.look_for(
            text=self.field.text(), reviewer=self.reviewer.text(), verdict=self.verdict.currentData()
        )

    def _on_loaded(self) -> None:
        if self.model.rowCount() == 0:
            filtered = bool(self.field.text() or self.reviewer.text() or self.verdict.currentData())
            if filtered:
                self.nothing.say("No such decision", "Try fewer words, or another reviewer or answer.")
            else:
                self.nothing.say("No decisions yet", "What you answer in Review is listed here.")
            self.stack.setCurrentWidget(self.nothing)
            return
        self.stack.setCurrentWidget(self._splitter)
        if not self.table.currentIndex().isValid():
            kept = None if self._kept is None else self.model.row_of(self._kept)
            self.table.setCurrentIndex(self.model.index(kept or 0, 0))

    def _on_row(self, index: QModelIndex, _before: QModelIndex) -> None:
        if not index.isValid():
            return
        entry = self.model.entry(index.row())
        self._kept = entry.decision.id
        self.card.show_entry(entry, writable=not self._session.read_only)

        def done(items: tuple[Item, ...]) -> None:
            if self._kept == entry.decision.id:
                self.card.show_items(entry, items)

        reviewing.load_past_card(self._session, entry=entry, done=done)
        self.card.show_gold(False, possible=False)
        agreeing.load_gold(self._session, decision_id=entry.decision.id, done=self._gold_of(entry))

    def _gold_of(self, entry: HistoryEntry) -> Callable[[bool], None]:
        """Draws a decision's mark, if the decision is still the one that is looked at."""

        def show(gold: bool) -> None:
            if self._kept == entry.decision.id:
                answers = not entry.decision.undone and entry.decision.verdict is not Verdict.UNSURE
                self.card.show_gold(gold, possible=answers and not self._session.read_only)

        return show

    # -- intents -------------------------------------------------------------------------------

    def _reopen(self) -> None:
        if self.chosen is not None and not self._session.read_only:
            self.reopen_asked.emit(self.chosen.decision.listing_id)

    def _undo(self) -> None:
        if self.chosen is not None:
            reviewing.undo(
                self._session,
                decision_id=self.chosen.decision.id,
                initiator=self,
                done=lambda _turned: self.model.reload(),
            )

    def _mark_gold(self, gold: bool) -> None:
        if self.chosen is not None:
            agreeing.mark_gold(
                self._session,
                decision_id=self.chosen.decision.id,
                gold=gold,
                initiator=self,
                done=self._gold_of(self.chosen),
            )

    def _on_changed(self, changes: ChangeSet, initiator: object) -> None:
        if not changes.decisions or initiator is self:
            return
        if self.isVisible():
            self.model.reload()
        else:
            self._stale = True
