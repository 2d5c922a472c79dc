"""A description to read and to copy from, with the words underlined that the other title asks for."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from desktop.item_models.details import Stretch
from desktop.widgets.basics import column, words


class DescriptionText(QWidget):
    """A head and the text below it; nothing where there is no text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._head = words("", "overline")
        self._text = words("", "muted", wrap=True, selectable=True)
        # Only what is escaped and marked here is set: a feed's own markup is taken off before.
        self._text.setTextFormat(Qt.TextFormat.RichText)
        self.setLayout(column(self._head, self._text, spacing=3))
        self.hide()

    def show_description(self, head: str, pieces: Sequence[Stretch]) -> None:
        """Show another description."""
        self._head.setText(head)
        self._text.setText("".join(_marked(piece) for piece in pieces))
        told = ", ".join(piece.text for piece in pieces if piece.told)
        self._text.setAccessibleName(head)
        self._text.setAccessibleDescription(f"Answers for the other title: {told}" if told else "")
        self.setVisible(bool(pieces))


def _marked(piece: Stretch) -> str:
    text = escape(piece.text)
    return f"<b><u>{text}</u></b>" if piece.told else text
