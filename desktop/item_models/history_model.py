"""The decisions as a table, newest first, read a page at a time as it is scrolled."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication

from desktop.operations import reviewing
from desktop.session import Session
from desktop.widgets.wording import answer_words, when
from engine.contracts import HistoryEntry, Verdict

Index = QModelIndex | QPersistentModelIndex
COLUMNS = ("When", "Listing", "Answer", "Item", "Feed", "Reviewer")
LISTING, ANSWER, ITEM = 1, 2, 3
PAGE = 100
_NO_PARENT = QModelIndex()


class HistoryModel(QAbstractTableModel):
    """Asks for the next page when the view comes near its end. ``loaded`` comes after every page."""

    loaded = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._entries: list[HistoryEntry] = []
        self._text, self._reviewer = "", ""
        self._verdict: Verdict | None = None
        self._asked = 0
        self._reading = False
        self._complete = False

    @property
    def reading(self) -> bool:
        """Whether a page is on its way."""
        return self._reading

    def look_for(self, *, text: str, reviewer: str, verdict: Verdict | None) -> None:
        """Show other decisions."""
        self._text, self._reviewer, self._verdict = text.strip(), reviewer.strip(), verdict
        self.reload()

    def reload(self) -> None:
        """Read again from the newest on; what is on screen stays until the answer is there."""
        self._asked += 1
        self._reading = False
        self._complete = False
        self._read(before_id=None)

    def entry(self, row: int) -> HistoryEntry:
        """The decision in a row."""
        return self._entries[row]

    def row_of(self, decision_id: int) -> int | None:
        """The row of a decision, when it is read."""
        rows = (row for row, entry in enumerate(self._entries) if entry.decision.id == decision_id)
        return next(rows, None)

    # -- Qt's hooks ------------------------------------------------------------------------------

    def rowCount(self, parent: Index = _NO_PARENT) -> int:
        """Qt's hook."""
        return 0 if parent.isValid() else len(self._entries)

    def columnCount(self, parent: Index = _NO_PARENT) -> int:
        """Qt's hook."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:  # noqa: ANN401
        """Qt's hook."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = 0) -> Any:  # noqa: ANN401
        """Qt's hook."""
        if not index.isValid():
            return None
        entry = self._entries[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._words(entry, index.column())
            case Qt.ItemDataRole.ToolTipRole if index.column() in {LISTING, ITEM}:
                return self._words(entry, index.column())
            case Qt.ItemDataRole.FontRole if entry.decision.undone:
                font = QGuiApplication.font()
                font.setStrikeOut(True)
                return font
            case _:
                return None

    def canFetchMore(self, parent: Index) -> bool:
        """Qt's hook."""
        return not parent.isValid() and bool(self._entries) and not self._complete and not self._reading

    def fetchMore(self, parent: Index) -> None:
        """Qt's hook."""
        if self.canFetchMore(parent):
            self._read(before_id=self._entries[-1].decision.id)

    # -- inside ----------------------------------------------------------------------------------

    @staticmethod
    def _words(entry: HistoryEntry, column: int) -> str:
        decision = entry.decision
        answer = answer_words(decision) + (" (undone)" if decision.undone else "")
        return (
            when(decision.decided_at),
            entry.listing_title,
            answer,
            entry.item_title,
            entry.feed,
            decision.reviewer,
        )[column]

    def _read(self, *, before_id: int | None) -> None:
        self._reading = True
        asked = self._asked

        def done(entries: list[HistoryEntry]) -> None:
            if asked == self._asked:
                self._on_page(entries, fresh=before_id is None)

        def failed(error: Exception) -> None:
            if asked == self._asked:
                self._reading = False
                self._complete = True
                self._session.tasks.failure.emit(error)
                self.loaded.emit()

        reviewing.load_history(
            self._session,
            text=self._text,
            reviewer=self._reviewer,
            verdict=self._verdict,
            before_id=before_id,
            limit=PAGE,
            done=done,
            failed=failed,
        )

    def _on_page(self, entries: list[HistoryEntry], *, fresh: bool) -> None:
        self._reading = False
        self._complete = len(entries) < PAGE
        if fresh:
            self.beginResetModel()
            self._entries = entries
            self.endResetModel()
        elif entries:
            start = len(self._entries)
            self.beginInsertRows(QModelIndex(), start, start + len(entries) - 1)
            self._entries.extend(entries)
            self.endInsertRows()
        self.loaded.emit()
