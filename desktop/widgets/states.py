"""Loading, empty and finished look different, each in its own words."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from desktop.theme import tokens

#: Loading that is over sooner than this (milliseconds) is not shown at all; it would only flicker.
_PATIENCE = 150


class Skeleton(QWidget):
    """The outlines of a card that is on its way."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Loading")
        self._visible_yet = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PATIENCE)
        self._timer.timeout.connect(self._now)

    def _now(self) -> None:
        self._visible_yet = True
        self.update()

    def showEvent(self, event: QShowEvent) -> None:
        """Qt's hook."""
        self._visible_yet = False
        self._timer.start()
        super().showEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's hook."""
        if not self._visible_yet:
            return
        colours = tokens(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        half = self.width() / 2
        painter.setBrush(colours.colour("surface"))
        painter.drawRoundedRect(QRectF(0, 0, half - 8, self.height()), 10, 10)
        for at in range(5):
            painter.drawRoundedRect(QRectF(half + 8, at * 92.0, half - 10, 82), 10, 10)
        painter.setBrush(colours.colour("hover"))
        for at, share in enumerate((0.7, 0.5, 0.0, 0.85, 0.85, 0.85, 0.85)):
            painter.drawRoundedRect(QRectF(22, 26 + at * 34.0, (half - 60) * share, 14), 7, 7)
        for at in range(5):
            painter.drawRoundedRect(QRectF(half + 60, at * 92.0 + 20, half * 0.6, 13), 6, 6)
            painter.drawRoundedRect(QRectF(half + 60, at * 92.0 + 46, half * 0.4, 11), 5, 5)
        painter.setPen(colours.colour("muted"))
        painter.drawText(
            self.rect().adjusted(0, 0, 0, -12),
            int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom),
            "Loading the queue",
        )
        painter.end()
