"""Text whose differences show: chips for conflicts, ghosts for what is missing, dimmed where equal.

Every mark has a form of its own (``≠`` and a filled chip, a dashed outline, an underline, dotted or solid),
so that the colours only repeat what the forms say.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.item_models.differences import Difference, FieldRow, MarkedToken
from desktop.theme import Tokens, tokens


class Mark(StrEnum):
    """How a piece of text is drawn."""

    PLAIN = "plain"
    DIM = "dim"
    EXTRA = "extra"
    TOLD = "told"
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
_INKS = {Mark.CONFLICT: "conflict", Mark.MISSING: "missing", Mark.DIM: "faint"}
_UNDERLINES = {Mark.EXTRA: Qt.PenStyle.DotLine, Mark.TOLD: Qt.PenStyle.SolidLine}
_PAD = 5.0
_MOST_WIDTHS = 4000
#: Fields worth a place in the line even when the listing does not say them.
_TELLING = frozenset({"Brand", "Model", "Price"})


def title_pieces(marked: Iterable[MarkedToken], *, ghosts: bool = True) -> tuple[Piece, ...]:
    """A compared title as pieces; ``ghosts`` adds what the other title has and this one has not.

    Titles that share little get no ghosts: everything would be missing.
    """
    marked = tuple(marked)
    own = [one for one in marked if one.token.normal and one.difference is not Difference.MISSING]
    alike = {Difference.EQUAL, Difference.SIMILAR, Difference.DETAILED}
    shared = sum(one.difference in alike for one in own)
    look_alike = 2 * shared >= len(own)
    pieces = []
    for one in marked:
        match one.difference:
            case Difference.CONFLICT:
                mark = Mark.CONFLICT
            case Difference.MISSING:
                mark = Mark.MISSING
            case Difference.ONLY_HERE:
                mark = Mark.STRONG if one.token.strong else Mark.EXTRA
            case Difference.DETAILED:
                mark = Mark.TOLD
            case Difference.SIMILAR:
                mark = Mark.PLAIN
            case _:
                mark = Mark.DIM
        if mark is not Mark.MISSING or (ghosts and look_alike):
            pieces.append(Piece(one.token.text, mark, one.token.spaced))
    return tuple(pieces)


def field_pieces(rows: Sequence[FieldRow], *, leave_out: Iterable[str] = ()) -> tuple[Piece, ...]:
    """The other record's fields in one line, as they stand to this one's; what it lacks is left out."""
    pieces: list[Piece] = []
    hidden = set(leave_out)
    for row in rows:
        if row.name in hidden or not row.there or (not row.here and row.name not in _TELLING):
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


@dataclass(slots=True)
class _Hand:
    """A font as one mark is written in it, and how wide pieces are that were measured before."""

    font: QFont
    metrics: QFontMetricsF
    widths: dict[str, float]

    def width(self, text: str) -> float:
        """Width of a text in pixels."""
        known = self.widths.get(text)
        if known is None:
            if len(self.widths) > _MOST_WIDTHS:
                self.widths.clear()
            known = self.widths[text] = self.metrics.horizontalAdvance(text)
        return known


@lru_cache(maxsize=64)
def _hands(font_key: str, points: float, bold: bool, struck: bool) -> dict[Mark, _Hand]:
    """How every mark is written; measured once for all widgets with the same font."""
    hands = {}
    for mark in Mark:
        font = QFont()
        font.fromString(font_key)
        font.setPointSizeF(points)
        if mark in {Mark.CONFLICT, Mark.STRONG} or (bold and mark is not Mark.DIM):
            font.setWeight(QFont.Weight.DemiBold)
        font.setStrikeOut(struck)
        hands[mark] = _Hand(font, QFontMetricsF(font), {})
    return hands


class TokenFlow:
    """Pieces of text in lines of a given width, for a widget that paints itself."""

    def __init__(self, *, scale: float = 1.0, bold: bool = False) -> None:
        self._scale, self._bold = scale, bold
        self._struck = False
        self._font = QFont()
        self._pieces: tuple[Piece, ...] = ()
        # Layouts ask for the heights of several widths before they settle.
        self._laid_out: dict[int, tuple[list[_Placed], float]] = {}
        self._written: dict[Mark, _Hand] | None = None

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What is drawn."""
        return self._pieces

    def show_pieces(self, pieces: tuple[Piece, ...], *, struck: bool = False) -> None:
        """Draw other pieces."""
        if struck != self._struck:
            self._written = None
        self._pieces, self._struck = pieces, struck
        self._laid_out.clear()

    def write_in(self, font: QFont) -> None:
        """Use another font."""
        self._font = font
        self._written = None
        self._laid_out.clear()

    def line_height(self) -> float:
        """Height of one line in pixels."""
        return self._hands()[Mark.CONFLICT].metrics.height() + 7.0

    def height(self, width: int) -> float:
        """Height of all lines in pixels; nothing to draw has none."""
        return self._lay_out(width)[1] if self._pieces else 0.0

    def draw(self, painter: QPainter, colours: Tokens, width: int) -> None:
        """Draw at the painter's origin."""
        for one in self._lay_out(width)[0]:
            self._draw_one(painter, colours, one)

    # -- inside ----------------------------------------------------------------------------------

    def _hands(self) -> dict[Mark, _Hand]:
        if self._written is None:
            points = max(1.0, self._font.pointSizeF() * self._scale)
            self._written = _hands(self._font.toString(), points, self._bold, self._struck)
        return self._written

    def _lay_out(self, width: int) -> tuple[list[_Placed], float]:
        known = self._laid_out.get(width)
        if known is None:
            known = self._laid_out[width] = self._placed(width)
        return known

    def _placed(self, width: int) -> tuple[list[_Placed], float]:
        hands = self._hands()
        space = hands[Mark.PLAIN].width(" ")
        line = self.line_height()
        x = y = 0.0
        placed: list[_Placed] = []
        glued = False
        for piece in self._pieces:
            hand = hands[piece.mark]
            pad = _PAD if piece.mark in _CHIPS else 0.0
            for at, text in enumerate(self._cut(piece, hand, width - 2 * pad)):
                wide = hand.width(text) + 2 * pad
                gap = space if (piece.spaced or pad or glued) and at == 0 and x > 0 else 0.0
                if x > 0 and (at > 0 or x + gap + wide > width):
                    x, y, gap = 0.0, y + line, 0.0
                placed.append(_Placed(piece, text, QRectF(x + gap, y, wide, line)))
                x += gap + wide
                glued = bool(pad)
        if placed and _reads_leftwards(self._pieces):
            for one in placed:
                one.box.moveLeft(width - one.box.right())
        return placed, y + line

    @staticmethod
    def _cut(piece: Piece, hand: _Hand, width: float) -> list[str]:
        """The piece's text, cut where it is wider than a whole line (scripts without spaces)."""
        text = _PREFIX.get(piece.mark, "") + piece.text
        if width <= 40 or hand.width(text) <= width:
            return [text]
        parts = [""]
        for character in text:
            if parts[-1] and hand.metrics.horizontalAdvance(parts[-1] + character) > width:
                parts.append("")
            parts[-1] += character
        return parts

    def _draw_one(self, painter: QPainter, colours: Tokens, one: _Placed) -> None:
        mark, box = one.piece.mark, one.box
        hand = self._hands()[mark]
        baseline = box.top() + (box.height() + hand.metrics.ascent() - hand.metrics.descent()) / 2
        inset = 0.0
        if mark in _CHIPS:
            inset = _PAD
            self._draw_chip(painter, colours, mark, box.adjusted(0.5, 2.0, -0.5, -2.0))
        painter.setFont(hand.font)
        ink = "muted" if self._bold and mark is Mark.DIM else _INKS.get(mark, "text")
        painter.setPen(colours.colour(ink))
        painter.drawText(QPointF(box.left() + inset, baseline), one.text)
        if mark in _UNDERLINES:
            painter.setPen(QPen(colours.colour("muted"), 1.2, _UNDERLINES[mark]))
            under = baseline + 3.0
            painter.drawLine(QPointF(box.left(), under), QPointF(box.right(), under))

    @staticmethod
    def _draw_chip(painter: QPainter, colours: Tokens, mark: Mark, chip: QRectF) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        match mark:
            case Mark.CONFLICT:
                painter.setPen(QPen(colours.colour("conflict_line"), 1.4))
                painter.setBrush(colours.colour("conflict_soft"))
            case Mark.MISSING:
                pen = QPen(colours.colour("missing"), 1.2, Qt.PenStyle.CustomDashLine)
                pen.setDashPattern([2.5, 2.5])
                painter.setPen(pen)
            case _:
                painter.setPen(QPen(colours.colour("line_strong"), 1.2))
        painter.drawRoundedRect(chip, 4, 4)


class TokenText(QWidget):
    """Pieces of text in lines as wide as the widget. Draws what it is given."""

    def __init__(self, *, scale: float = 1.0, bold: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._flow = TokenFlow(scale=scale, bold=bold)
        self._flow.write_in(self.font())
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_pieces(self, pieces: tuple[Piece, ...], *, spoken: str = "") -> None:
        """Draw other pieces; ``spoken`` is what a screen reader says of them."""
        self._flow.show_pieces(pieces)
        self.setAccessibleName("".join((" " if p.spaced else "") + p.text for p in pieces).strip())
        self.setAccessibleDescription(spoken)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(240, round(self._flow.line_height()) + 1)

    def minimumSizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(80, round(self._flow.line_height()) + 1)

    def hasHeightForWidth(self) -> bool:
        """Qt's hook."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Qt's hook."""
        return round(self._flow.height(width)) + 1

    def changeEvent(self, event: QEvent) -> None:
        """Qt's hook: another font or theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._flow.write_in(self.font())
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's hook."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._flow.draw(painter, tokens(self), self.width())
        painter.end()


def _reads_leftwards(pieces: Sequence[Piece]) -> bool:
    for piece in pieces:
        for character in piece.text:
            direction = unicodedata.bidirectional(character)
            if direction in {"L", "R", "AL"}:
                return direction != "L"
    return False
