"""Text whose differences show: chips for conflicts, ghosts for what is missing, dimmed where equal.

Every mark has a form of its own (``≠`` and a filled chip, a dashed outline, an underline), so that the
colours only repeat what the forms say.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.item_models.differences import Difference, FieldRow, MarkedToken
from desktop.theme import tokens


class Mark(StrEnum):
    """How a piece of text is drawn."""

    PLAIN = "plain"
    DIM = "dim"
    EXTRA = "extra"
    STRONG = "strong"
    CONFLICT = "conflict"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text that is not broken, and how it is drawn."""

    text: str
    mark: Mark = Mark.PLAIN
    spaced: bool = True


@dataclass(frozen=True, slots=True)
class _Placed:
    piece: Piece
    text: str
    box: QRectF


_CHIPS = frozenset({Mark.CONFLICT, Mark.MISSING, Mark.STRONG})
_PREFIX = {Mark.CONFLICT: "≠ ", Mark.MISSING: "no "}
_PAD = 5.0


def title_pieces(marked: Iterable[MarkedToken], *, ghosts: bool = True) -> tuple[Piece, ...]:
    """A compared title as pieces; ``ghosts`` adds what the other title has and this one has not."""
    pieces = []
    for one in marked:
        match one.difference:
            case Difference.CONFLICT:
                mark = Mark.CONFLICT
            case Difference.MISSING:
                mark = Mark.MISSING
            case Difference.ONLY_HERE:
                mark = Mark.STRONG if one.token.strong else Mark.EXTRA
            case Difference.SIMILAR:
                mark = Mark.PLAIN
            case _:
                mark = Mark.DIM
        if mark is not Mark.MISSING or ghosts:
            pieces.append(Piece(one.token.text, mark, one.token.spaced))
    return tuple(pieces)


def field_pieces(rows: Sequence[FieldRow], *, leave_out: Iterable[str] = ()) -> tuple[Piece, ...]:
    """The other record's fields in one line, as they stand to this one's; what it lacks is left out."""
    pieces: list[Piece] = []
    hidden = set(leave_out)
    for row in rows:
        if row.name in hidden or not row.there:
            continue
        mark = {
            Difference.CONFLICT: Mark.CONFLICT,
            Difference.EQUAL: Mark.DIM,
            Difference.SIMILAR: Mark.DIM,
        }.get(row.difference, Mark.PLAIN)
        if pieces:
            pieces.append(Piece("·", Mark.DIM))
        label = "" if row.name in {"Brand", "Model"} else f"{row.name} "
        remark = f" ({row.remark})" if row.remark else ""
        pieces.append(Piece(f"{label}{row.there}{remark}", mark))
    return tuple(pieces)


class TokenText(QWidget):
    """Pieces of text in lines as wide as the widget. Draws what it is given."""

    def __init__(self, *, scale: float = 1.0, bold: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scale, self._bold = scale, bold
        self._pieces: tuple[Piece, ...] = ()
        self._placed: list[_Placed] = []
        self._laid_out = (-1, 0.0)
        self._struck = False
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_pieces(self, pieces: tuple[Piece, ...], *, spoken: str = "", struck: bool = False) -> None:
        """Draw other pieces; ``spoken`` is what a screen reader says of them."""
        self._pieces, self._struck = pieces, struck
        self._laid_out = (-1, 0.0)
        self.setAccessibleName("".join((" " if p.spaced else "") + p.text for p in pieces).strip())
        self.setAccessibleDescription(spoken)
        self.updateGeometry()
        self.update()

    # -- Qt's hooks ------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(320, self.heightForWidth(320))

    def minimumSizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(80, round(self._line_height()))

    def hasHeightForWidth(self) -> bool:
        """Qt's hook."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Qt's hook."""
        return round(self._lay_out(width)[1]) + 1

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's hook."""
        super().resizeEvent(event)
        self._laid_out = (-1, 0.0)

    def changeEvent(self, event: QEvent) -> None:
        """Qt's hook: another font or theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._laid_out = (-1, 0.0)
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's hook."""
        placed, _height = self._lay_out(self.width())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for one in placed:
            self._draw(painter, one)
        painter.end()

    # -- laying out and drawing ------------------------------------------------------------------

    def _font(self, mark: Mark) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(max(1.0, font.pointSizeF() * self._scale))
        if mark in {Mark.CONFLICT, Mark.STRONG} or (self._bold and mark is not Mark.DIM):
            font.setWeight(QFont.Weight.DemiBold)
        if self._struck:
            font.setStrikeOut(True)
        return font

    def _line_height(self) -> float:
        return QFontMetricsF(self._font(Mark.CONFLICT)).height() + 7.0

    def _lay_out(self, width: int) -> tuple[list[_Placed], float]:
        if self._laid_out[0] == width:
            return self._placed, self._laid_out[1]
        metrics = {mark: QFontMetricsF(self._font(mark)) for mark in Mark}
        space = metrics[Mark.PLAIN].horizontalAdvance(" ")
        line = self._line_height()
        x = y = 0.0
        placed: list[_Placed] = []
        glued = False
        for piece in self._pieces:
            pad = _PAD if piece.mark in _CHIPS else 0.0
            for at, text in enumerate(self._cut(piece, metrics[piece.mark], width - 2 * pad)):
                wide = metrics[piece.mark].horizontalAdvance(text) + 2 * pad
                gap = space if (piece.spaced or pad or glued) and at == 0 and x > 0 else 0.0
                if x > 0 and (at > 0 or x + gap + wide > width):
                    x, y, gap = 0.0, y + line, 0.0
                placed.append(_Placed(piece, text, QRectF(x + gap, y, wide, line)))
                x += gap + wide
                glued = bool(pad)
        if placed and _reads_leftwards(self._pieces):
            placed = [
                _Placed(
                    one.piece,
                    one.text,
                    QRectF(width - one.box.right(), one.box.top(), one.box.width(), one.box.height()),
                )
                for one in placed
            ]
        self._placed = placed
        self._laid_out = (width, y + line)
        return placed, y + line

    @staticmethod
    def _cut(piece: Piece, metrics: QFontMetricsF, width: float) -> list[str]:
        """The piece's text, cut where it is wider than a whole line (scripts without spaces)."""
        text = _PREFIX.get(piece.mark, "") + piece.text
        if width <= 40 or metrics.horizontalAdvance(text) <= width:
            return [text]
        parts = [""]
        for character in text:
            if parts[-1] and metrics.horizontalAdvance(parts[-1] + character) > width:
                parts.append("")
            parts[-1] += character
        return parts

    def _draw(self, painter: QPainter, one: _Placed) -> None:
        colours = tokens(self)
        mark, box = one.piece.mark, one.box
        font = self._font(mark)
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        baseline = box.top() + (box.height() + metrics.ascent() - metrics.descent()) / 2
        inset = _PAD if mark in _CHIPS else 0.0
        chip = box.adjusted(0.5, 2.0, -0.5, -2.0)
        match mark:
            case Mark.CONFLICT:
                painter.setPen(QPen(colours.colour("conflict_line"), 1.4))
                painter.setBrush(colours.colour("conflict_soft"))
                painter.drawRoundedRect(chip, 4, 4)
            case Mark.MISSING:
                pen = QPen(colours.colour("missing"), 1.2, Qt.PenStyle.CustomDashLine)
                pen.setDashPattern([2.5, 2.5])
                painter.setPen(pen)
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(chip, 4, 4)
            case Mark.STRONG:
                painter.setPen(QPen(colours.colour("line_strong"), 1.2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(chip, 4, 4)
        name = {
            Mark.CONFLICT: "conflict",
            Mark.MISSING: "missing",
            Mark.DIM: "faint",
        }.get(mark, "text")
        painter.setPen(colours.colour(name))
        painter.drawText(QPointF(box.left() + inset, baseline), one.text)
        if mark is Mark.EXTRA:
            pen = QPen(colours.colour("muted"), 1.2, Qt.PenStyle.DotLine)
            painter.setPen(pen)
            under = baseline + 3.0
            painter.drawLine(QPointF(box.left(), under), QPointF(box.right(), under))


def _reads_leftwards(pieces: Sequence[Piece]) -> bool:
    for piece in pieces:
        for character in piece.text:
            direction = unicodedata.bidirectional(character)
            if direction in {"L", "R", "AL"}:
                return direction != "L"
    return False
