"""Where two reviewers differ: both answers side by side, and one key for the last word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QLineEdit, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from desktop.item_models.rows_model import Column, RowsModel
from desktop.widgets.basics import (
    Badge,
    Button,
    Card,
    EmptyState,
    column,
    muted,
    row,
    rule,
    scrolling,
    words,
)
from desktop.widgets.pieces import table
from desktop.widgets.wording import answer_words, verdict_words, when
from engine.contracts import Decision, Disagreement, Verdict


def _answer(decision: Decision, item: str) -> str:
    answer = answer_words(decision)
    return f"{decision.reviewer}: {answer}, {item}" if item else f"{decision.reviewer}: {answer}"


_COLUMNS: tuple[Column[Disagreement], ...] = (
    Column("Listing", lambda one: one.listing_title),
    Column("Decision", lambda one: _answer(one.decision, one.decision_item_title)),
    Column("Second opinion", lambda one: _answer(one.opinion, one.opinion_item_title)),
)


class _Side(QWidget):
    """What one of the two said."""

    def __init__(self, key: str, on_click: Callable[[], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = key
        self._who = words("", "strong")
        self._badge = Badge()
        self._item = words("", wrap=True, selectable=True)
        self._note = muted()
        self.button = Button("", on_click)
        self.setLayout(
            column(row(self._who, self._badge, None), self._item, self._note, row(self.button, None))
        )

    def show_answer(
        self, decision: Decision, item_id: str, item: str, also_right: Sequence[tuple[str, str]], role: str
    ) -> None:
        """Draw another answer."""
        self._who.setText(decision.reviewer)
        self._badge.show_as(verdict_words(decision.verdict).capitalize(), "accent" if item else "neutral")
        named = [f"{item}  ({item_id})"] if item else []
        named += [f"Also right: {title}  ({id_})" for id_, title in also_right]
        self._item.setText("\n".join(named))
        self._item.setVisible(bool(item))
        note = f"; “{decision.note}”" if decision.note else ""
        self._note.setText(f"{role}, {when(decision.decided_at)}{note}")
        self.button.setText(f"{decision.reviewer} is right  [{self._key}]")
        self.button.setAccessibleName(f"{decision.reviewer} is right: {answer_words(decision)} {item}")


class AdjudicationView(QWidget):
    """Draws disagreements. ``settled`` carries disagreement, verdict, item, items also right, and note.

    ``reopen_asked`` carries a listing.

    Keys: 1 and 2 take an answer, N says none of these, R opens the listing in Review for any other answer.
    """

    settled = Signal(object, object, object, object, str)
    reopen_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model: RowsModel[Disagreement] = RowsModel(_COLUMNS, self)
        self.table = table(self.model, "To adjudicate", stretch={0, 1, 2})
        self.table.selectionModel().currentRowChanged.connect(self._on_row)
        self._origin = words("", "caption")
        self._title = words("", "heading", wrap=True, selectable=True)
        self.first = _Side("1", partial(self.settle, 1))
        self.second = _Side("2", partial(self.settle, 2))
        self.note = QLineEdit()
        self.note.setPlaceholderText("Note, if you like")
        self.note.setAccessibleName("Note on the last word")
        self.none = Button("None of these  [N]", partial(self.settle, 0))
        self.other = Button("Other answer in Review  [R]", self._reopen, kind="quiet")
        inner = QWidget()
        inner.setLayout(
            column(
                self._origin, self._title, rule(), self.first, rule(), self.second, rule(), None, spacing=12
            )
        )
        card = Card()
        card.setAccessibleName("Disagreement")
        card.add(scrolling(inner), self.note, row(self.none, self.other, None))
        frame = Card()
        frame.body.setContentsMargins(6, 6, 6, 6)
        frame.add(self.table)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(14)
        splitter.addWidget(frame)
        splitter.addWidget(card)
        splitter.setSizes([680, 440])
        self._splitter = splitter
        self.nothing = EmptyState(
            "Nothing to adjudicate",
            "Where a second opinion differs from the decision, the listing comes here.",
            icon_name="done",
        )
        self.stack = QStackedWidget()
        self.stack.addWidget(self.nothing)
        self.stack.addWidget(splitter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 12, 0, 0)
        layout.addWidget(self.stack)
        self._writable = True
        for key, intent in (
            ("1", partial(self.settle, 1)),
            ("2", partial(self.settle, 2)),
            ("N", partial(self.settle, 0)),
            ("R", self._reopen),
        ):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(intent)

    @property
    def chosen(self) -> Disagreement | None:
        """The disagreement in front."""
        index = self.table.currentIndex()
        return self.model.row(index.row()) if index.isValid() else None

    def show_disagreements(self, waiting: Sequence[Disagreement], *, writable: bool) -> None:
        """Draw what waits; the place in the list is kept, so that the next one follows the one settled."""
        kept = max(0, self.table.currentIndex().row())
        self._writable = writable
        self.model.show_rows(tuple(waiting))
        for part in (self.first.button, self.second.button, self.none, self.other, self.note):
            part.setEnabled(writable)
        self.stack.setCurrentWidget(self._splitter if waiting else self.nothing)
        if waiting:
            self.table.setCurrentIndex(self.model.index(min(kept, len(waiting) - 1), 0))

    def settle(self, side: int) -> None:
        """Take the first answer (1), the second (2), or say none of these (0)."""
        one = self.chosen
        if one is None or not self._writable:
            return
        said = {1: one.decision, 2: one.opinion}.get(side)
        verdict = Verdict.NONE if said is None else said.verdict
        item = None if said is None else said.item_id
        also_right = () if said is None else said.also_right
        self.settled.emit(one, verdict, item, also_right, self.note.text().strip())

    def _reopen(self) -> None:
        if self.chosen is not None and self._writable:
            self.reopen_asked.emit(self.chosen.decision.listing_id)

    def _on_row(self, index: QModelIndex, _before: QModelIndex) -> None:
        if not index.isValid():
            return
        one = self.model.row(index.row())
        self.note.clear()
        self._origin.setText(f"{one.feed}  ·  {one.listing_external_id}")
        self._title.setText(one.listing_title)
        self.first.show_answer(
            one.decision,
            one.decision_item_external_id,
            one.decision_item_title,
            one.decision_also_right,
            "decided, in force",
        )
        self.second.show_answer(
            one.opinion,
            one.opinion_item_external_id,
            one.opinion_item_title,
            one.opinion_also_right,
            "second opinion, blind",
        )
        # An unsure second opinion leaves nothing to take.
        self.second.button.setEnabled(self._writable and one.opinion.verdict is not Verdict.UNSURE)
