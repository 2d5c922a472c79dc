"""One candidate: its key, its title with the differences marked, its facts, how sure the matcher is.

Painted in one piece: ten of these are laid out and drawn anew for every listing, while somebody waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.item_models.presentation import CandidateSketch
from desktop.theme import Tokens, tokens
from desktop.widgets.basics import Tone
from desktop.widgets.token_diff import Mark, Piece, TokenFlow, field_pieces, title_pieces
from desktop.widgets.wording import percent

_RADIUS = 10.0
_INSET_X, _INSET_Y, _GAP = 14.0, 11.0, 12.0
_BADGE_GAP = 6.0
#: Longer ids are shown with their middle left out.
_CODE_CHARACTERS = 13


@dataclass(frozen=True, slots=True)
class _Tag:
    text: str
    tone: Tone


class CandidateCard(QWidget):
    """Shows a :class:`CandidateSketch`. A click marks it, a double click (or its key) chooses it.

    ``confidence`` is what the card shows, None when it shows none; ``tags`` are the words below.
    """

    clicked = Signal()
    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._current = False
        self._key = ""
        self._code = ""
        self._tags: tuple[_Tag, ...] = ()
        self.confidence: float | None = None
        self._title = TokenFlow(scale=1.06)
        self._facts = TokenFlow(scale=0.94)
        self._use_font()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    @property
    def tags(self) -> tuple[str, ...]:
        """The words below the facts."""
        return tuple(tag.text for tag in self._tags)

    def show_candidate(
        self, candidate: CandidateSketch, *, blind: bool, rejected: bool, also_right: bool
    ) -> None:
        """Draw another candidate."""
        self._key = str(candidate.number) if candidate.number else "·"
        self._title.show_pieces(title_pieces(candidate.marked), struck=rejected)
        self._facts.show_pieces(field_pieces(candidate.fields, leave_out=("Category",)))
        hidden = blind or candidate.found
        self.confidence = None if hidden else candidate.view.candidate.confidence
        self._code = candidate.item.external_id
        past = 0 if blind else len(candidate.past)
        variant = f"Variant of {candidate.variant_of}" if candidate.variant_of else ""
        tags = (
            _Tag("Ruled out" if rejected else "", "bad"),
            _Tag("Also right" if also_right else "", "good"),
            _Tag(candidate.near_tie, "warn"),
            _Tag(variant, "neutral"),
            _Tag(f"Matched {past}× before" if past else "", "good"),
            _Tag("From search" if candidate.found else "", "accent"),
        )
        self._tags = tuple(tag for tag in tags if tag.text)
        self.setAccessibleName(self._spoken(candidate, blind=blind))
        self.updateGeometry()
        self.update()

    def set_current(self, current: bool) -> None:
        """Draw as the marked one, which Enter takes; only it is reached with Tab."""
        if self._current != current:
            self._current = current
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if current else Qt.FocusPolicy.ClickFocus)
            self.update()

    def _spoken(self, candidate: CandidateSketch, *, blind: bool) -> str:
        sure = "" if self.confidence is None else f"confidence {percent(self.confidence)}"
        parts = [
            f"Candidate {candidate.number}" if candidate.number else "Candidate",
            candidate.item.title,
            sure,
            candidate.differences,
            *self.tags,
        ]
        return ", ".join(part for part in parts if part)

    # -- where things are ------------------------------------------------------------------------

    def _use_font(self) -> None:
        font = self.font()
        self._title.write_in(font)
        self._facts.write_in(font)
        self._strong = QFont(font)
        self._strong.setWeight(QFont.Weight.DemiBold)
        self._small = QFont(font)
        self._small.setPointSizeF(font.pointSizeF() * 0.9)
        self._badge = QFont(self._strong)
        self._badge.setPointSizeF(font.pointSizeF() * 0.86)
        self._metrics = QFontMetricsF(self._strong)
        self._small_metrics = QFontMetricsF(self._small)
        self._badge_metrics = QFontMetricsF(self._badge)

    def _sides(self) -> tuple[float, float]:
        """Widths of the key on the left and of confidence and id on the right."""
        key = max(self._metrics.height() + 8.0, self._metrics.horizontalAdvance(self._key) + 14.0)
        # The same for every card, so that the meters stand below one another.
        return key, max(84.0, self._small_metrics.horizontalAdvance("0" * _CODE_CHARACTERS))

    def _text_width(self, width: int) -> int:
        key, right = self._sides()
        return max(60, int(width - 2 * _INSET_X - key - right - 2 * _GAP))

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(420, 70)

    def minimumSizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(280, 48)

    def hasHeightForWidth(self) -> bool:
        """Qt's hook."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Qt's hook."""
        text = self._text_width(width)
        middle = self._title.height(text) + self._facts.height(text)
        if self._tags:
            middle += self._badge_metrics.height() + 10.0
        right = (self._metrics.height() + 12.0 if self.confidence is not None else 0.0) + (
            self._small_metrics.height() if self._code else 0.0
        )
        return round(max(middle, right, self._metrics.height() + 8.0) + 2 * _INSET_Y)

    # -- Qt's hooks ------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        """Qt's hook: another font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._use_font()
            self.updateGeometry()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's hook."""
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Qt's hook."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's hook."""
        colours = tokens(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_frame(painter, colours)
        key, right = self._sides()
        self._draw_key(painter, colours, QRectF(_INSET_X, _INSET_Y, key, self._metrics.height() + 8.0))
        self._draw_right(painter, colours, right)
        text = self._text_width(self.width())
        painter.translate(QPointF(_INSET_X + key + _GAP, _INSET_Y))
        self._title.draw(painter, colours, text)
        painter.translate(QPointF(0.0, self._title.height(text)))
        self._facts.draw(painter, colours, text)
        painter.translate(QPointF(0.0, self._facts.height(text) + 4.0))
        self._draw_tags(painter, colours)
        painter.end()

    # -- drawing -----------------------------------------------------------------------------------

    def _draw_frame(self, painter: QPainter, colours: Tokens) -> None:
        width = 2.0 if self._current else 1.0
        box = QRectF(self.rect()).adjusted(width / 2, width / 2, -width / 2, -width / 2)
        painter.setPen(QPen(colours.colour("accent" if self._current else "line"), width))
        painter.setBrush(colours.colour("surface"))
        painter.drawRoundedRect(box, _RADIUS, _RADIUS)

    def _draw_key(self, painter: QPainter, colours: Tokens, box: QRectF) -> None:
        painter.setPen(QPen(colours.colour("accent" if self._current else "line_strong"), 1.0))
        painter.setBrush(colours.colour("accent" if self._current else "raised"))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
        painter.setFont(self._strong)
        painter.setPen(colours.colour("on_accent" if self._current else "text"))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), self._key)

    def _draw_right(self, painter: QPainter, colours: Tokens, wide: float) -> None:
        box = QRectF(self.width() - _INSET_X - wide, _INSET_Y, wide, self._metrics.height())
        side = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if self.confidence is not None:
            painter.setFont(self._strong)
            painter.setPen(colours.colour("text"))
            painter.drawText(box, side, percent(self.confidence))
            track = QRectF(box.left(), box.bottom() + 2.0, wide, 5.0)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.colour("line"))
            painter.drawRoundedRect(track, 2.5, 2.5)
            track.setWidth(max(5.0, track.width() * self.confidence))
            painter.setBrush(colours.colour("accent"))
            painter.drawRoundedRect(track, 2.5, 2.5)
            box.translate(0.0, box.height() + 12.0)
        painter.setFont(self._small)
        painter.setPen(colours.colour("muted"))
        code = self._small_metrics.elidedText(self._code, Qt.TextElideMode.ElideMiddle, wide)
        painter.drawText(box, side, code)

    def _draw_tags(self, painter: QPainter, colours: Tokens) -> None:
        painter.setFont(self._badge)
        left = 0.0
        for tag in self._tags:
            wide = self._badge_metrics.horizontalAdvance(tag.text) + 16.0
            box = QRectF(left, 0.0, wide, self._badge_metrics.height() + 4.0)
            neutral = tag.tone == "neutral"
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.colour("hover" if neutral else f"{tag.tone}_soft"))
            painter.drawRoundedRect(box, 8, 8)
            painter.setPen(colours.colour("muted" if neutral else tag.tone))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), tag.text)
            left += wide + _BADGE_GAP


def plain_title(text: str) -> tuple[Piece, ...]:
    """A title with nothing to compare it to."""
    return tuple(Piece(word, Mark.PLAIN) for word in text.split())
