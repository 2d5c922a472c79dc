"""Searching the catalogue in place: a field, and its results while it is in use."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QListWidget, QListWidgetItem, QWidget

from desktop.item_models.differences import price_words
from desktop.widgets.basics import column, words
from desktop.widgets.wording import counted
from engine.contracts import Item

#: A pause in typing (milliseconds) after which it is searched.
_PAUSE = 90
_ITEM = Qt.ItemDataRole.UserRole


class CatalogueSearch(QWidget):
    """``wanted`` carries text to search for, ``chosen`` the item taken, ``left`` that search is over."""

    wanted = Signal(str)
    chosen = Signal(object)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = QLineEdit()
        self.field.setPlaceholderText("Search the catalogue by words, id or barcode   ( / )")
        self.field.setAccessibleName("Search the catalogue")
        self.field.setClearButtonEnabled(True)
        self.results = QListWidget()
        self.results.setAccessibleName("Items found")
        self.results.setUniformItemSizes(True)
        self.results.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.results.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.says = words("", "caption")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._search)
        self.field.textEdited.connect(self._on_typed)
        self.field.returnPressed.connect(self._take)
        self.results.itemActivated.connect(self._take_row)
        self.field.installEventFilter(self)
        self.results.installEventFilter(self)
        self.setLayout(column(self.field, self.says, self.results, spacing=6))
        self._show_results(False)

    @property
    def open(self) -> bool:
        """Whether results are on screen in place of the candidates."""
        return not self.results.isHidden()

    def begin(self) -> None:
        """Go to the field."""
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    def show_items(self, text: str, items: Sequence[Item]) -> None:
        """Show what was found for ``text``; an answer to an older question is not shown."""
        if text != self.field.text().strip():
            return
        self.results.clear()
        for item in items:
            facts = "   ·   ".join(part for part in (item.external_id, price_words(item.price)) if part)
            row = QListWidgetItem(f"{item.title}      {facts}")
            row.setData(_ITEM, item)
            row.setToolTip(item.title)
            self.results.addItem(row)
        self.results.setCurrentRow(0)
        found = f"{counted(len(items), 'item')} found. Enter takes the marked one as a candidate."
        self.says.setText(found if items else f"Nothing in the catalogue for “{text}”.")
        self._show_results(True)

    def end(self) -> None:
        """Leave off searching."""
        self._timer.stop()
        self.field.clear()
        self.results.clear()
        self._show_results(False)

    # -- inside ----------------------------------------------------------------------------------

    def _show_results(self, shown: bool) -> None:
        self.results.setVisible(shown)
        self.says.setVisible(shown)

    def _on_typed(self, text: str) -> None:
        if text.strip():
            self._timer.start()
        else:
            self._timer.stop()
            self._show_results(False)

    def _search(self) -> None:
        text = self.field.text().strip()
        if text:
            self.wanted.emit(text)

    def _take(self) -> None:
        if self.open and self.results.currentRow() >= 0 and not self._timer.isActive():
            self._take_row(self.results.currentItem())
        else:
            self._timer.stop()
            self._search()

    def _take_row(self, row: QListWidgetItem) -> None:
        item = row.data(_ITEM)
        self.end()
        self.chosen.emit(item)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's hook: Enter takes the item found as a candidate, and must not decide on it as well."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt's hook: arrows go from the field to the results, Esc leaves."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Escape:
                self.end()
                self.left.emit()
                return True
            if watched is self.field and event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up) and self.open:
                step = 1 if event.key() == Qt.Key.Key_Down else -1
                at = self.results.currentRow() + step
                self.results.setCurrentRow(max(0, min(at, self.results.count() - 1)))
                return True
        return super().eventFilter(watched, event)
