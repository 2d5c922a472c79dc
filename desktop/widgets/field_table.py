"""Two records field by field, aligned: equal ones dimmed, conflicts marked, missing ones said."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QPen, QTextOption
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.item_models.differences import Difference, FieldRow
from desktop.theme import tokens

_SIGNS = {
    Difference.EQUAL: "=",
    Difference.SIMILAR: "≈",
    Difference.CONFLICT: "≠",
    Difference.ONLY_HERE: "–",
    Difference.MISSING: "–",
}
_SPOKEN = {
    Difference.EQUAL: "equal",
    Difference.SIMILAR: "similar",
    Difference.CONFLICT: "conflict",
    Difference.ONLY_HERE: "the item does not say",
    Difference.MISSING: "the listing does not say",
}
_NOT_GIVEN = "not given"
_PAD_X, _PAD_Y, _SIGN_WIDTH = 10.0, 6.0, 30.0
_NAME_SHARE, _MOST_NAME = 0.2, 0.34


class FieldTable(QWidget):
    """Rows of name, listing's value, sign, item's value; without an item only the first two."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[FieldRow, ...] = ()
        self._heads = ("", "")
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Fields side by side")

    def show_rows(self, rows: Sequence[FieldRow], *, here: str, there: str = "") -> None:
        """Draw other rows; ``here`` and ``there`` head the two sides (no ``there``: one side)."""
        self._rows, self._heads = tuple(rows), (here, there)
        spoken = [
            f"{row.name}: {row.here or _NOT_GIVEN}"
            + (f", {_SPOKEN[row.difference]}, {row.there or _NOT_GIVEN}" if there else "")
            for row in rows
        ]
        self.setAccessibleDescription(". ".join(spoken))
        self.updateGeometry()
        self.update()

    # -- Qt's hooks ------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(420, self.heightForWidth(420))

    def minimumSizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(220, 40)

    def hasHeightForWidth(self) -> bool:
        """Qt's hook."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Qt's hook."""
        return round(self._head_height() + sum(self._heights(width))) + 1

    def changeEvent(self, event: QEvent) -> None:
        """Qt's hook: another font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's hook."""
        if not self._rows:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        y = self._draw_head(painter)
        for row, height in zip(self._rows, self._heights(self.width()), strict=True):
            self._draw_row(painter, row, QRectF(0, y, self.width(), height))
            y += height
        painter.end()

    # -- where things are ------------------------------------------------------------------------

    def _columns(self, width: float) -> tuple[float, float, float, float]:
        """Left edge of name, listing, sign and item."""
        metrics = QFontMetricsF(self.font())
        longest = max((metrics.horizontalAdvance(row.name) for row in self._rows), default=0.0)
        name = min(max(88.0, width * _NAME_SHARE, longest + 2 * _PAD_X), width * _MOST_NAME)
        if not self._heads[1]:
            return 0.0, name, width, width
        value = (width - name - _SIGN_WIDTH) / 2
        return 0.0, name, name + value, name + value + _SIGN_WIDTH

    def _head_height(self) -> float:
        return QFontMetricsF(self._head_font()).height() + 2 * _PAD_Y

    def _head_font(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * 0.86)
        font.setWeight(QFont.Weight.DemiBold)
        return font

    def _heights(self, width: int) -> list[float]:
        _name, here, sign, there = self._columns(width)
        metrics = QFontMetricsF(self.font())
        wide = (sign - here - 2 * _PAD_X, width - there - 2 * _PAD_X)
        return [
            max(
                metrics.height(),
                *(
                    metrics.boundingRect(
                        QRectF(0, 0, max(40.0, room), 4000), int(Qt.TextFlag.TextWrapAnywhere), text
                    ).height()
                    for room, text in zip(wide, (row.here, self._there_text(row)), strict=True)
                    if text and metrics.horizontalAdvance(text) > room
                ),
                metrics.height(),
            )
            + 2 * _PAD_Y
            for row in self._rows
        ]

    @staticmethod
    def _there_text(row: FieldRow) -> str:
        return f"{row.there}  ({row.remark})" if row.remark and row.there else row.there

    # -- drawing -----------------------------------------------------------------------------------

    def _draw_head(self, painter: QPainter) -> float:
        colours = tokens(self)
        height = self._head_height()
        _name, here, _sign, there = self._columns(self.width())
        painter.setFont(self._head_font())
        painter.setPen(colours.colour("muted"))
        metrics = QFontMetricsF(self._head_font())
        for left, text, right in (
            (here, self._heads[0], _sign),
            (there, self._heads[1], float(self.width())),
        ):
            if text:
                room = QRectF(left + _PAD_X, 0, right - left - 2 * _PAD_X, height)
                fitting = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room.width())
                painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), fitting)
        return height

    def _draw_row(self, painter: QPainter, row: FieldRow, box: QRectF) -> None:
        colours = tokens(self)
        painter.setPen(QPen(colours.colour("line"), 1.0))
        painter.drawLine(box.topLeft(), box.topRight())
        two_sides = bool(self._heads[1])
        conflict = two_sides and row.difference is Difference.CONFLICT
        _name, here, sign, there = self._columns(box.width())
        if conflict:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.colour("conflict_soft"))
            painter.drawRoundedRect(box.adjusted(here + 1, 2, -1, -2), 5, 5)
        self._write(painter, row.name, QRectF(0, box.top(), here, box.height()), "muted")
        dim = two_sides and row.difference is Difference.EQUAL
        strong = "conflict" if conflict else "faint" if dim else "text"
        self._write(
            painter, row.here, QRectF(here, box.top(), sign - here, box.height()), strong, bold=conflict
        )
        if not two_sides:
            return
        self._write(
            painter,
            self._there_text(row),
            QRectF(there, box.top(), box.width() - there, box.height()),
            strong,
            bold=conflict,
        )
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold if conflict else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(colours.colour("conflict" if conflict else "faint"))
        painter.drawText(
            QRectF(sign, box.top(), _SIGN_WIDTH, box.height()),
            int(Qt.AlignmentFlag.AlignCenter),
            _SIGNS[row.difference],
        )

    def _write(self, painter: QPainter, text: str, box: QRectF, colour: str, *, bold: bool = False) -> None:
        font = QFont(self.font())
        missing = not text
        font.setItalic(missing)
        if bold:
            font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(tokens(self).colour("faint" if missing else colour))
        option = QTextOption(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        painter.drawText(box.adjusted(_PAD_X, 0, -_PAD_X, 0), text or _NOT_GIVEN, option)
