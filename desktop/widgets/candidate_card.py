"""One candidate: its key, its title with the differences marked, its facts, how sure the matcher is."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from desktop.item_models.presentation import CandidateSketch
from desktop.theme import tokens
from desktop.widgets.basics import Badge, words
from desktop.widgets.token_diff import Mark, Piece, TokenText, field_pieces, title_pieces
from desktop.widgets.wording import percent

_RADIUS = 10.0


class KeyCap(QWidget):
    """A key as it looks on a keyboard. Decoration: the card's accessible name says it too."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = text
        self._strong = False
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_key(self, text: str, *, strong: bool = False) -> None:
        """Show another key."""
        if (text, strong) != (self._text, self._strong):
            self._text, self._strong = text, strong
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        high = self.fontMetrics().height() + 8
        return QSize(max(high, self.fontMetrics().horizontalAdvance(self._text) + 14), high)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's hook."""
        if not self._text:
            return
        colours = tokens(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -1.5)
        painter.setPen(QPen(colours.colour("accent" if self._strong else "line_strong"), 1.0))
        painter.setBrush(colours.colour("accent" if self._strong else "raised"))
        painter.drawRoundedRect(box, 5, 5)
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(colours.colour("on_accent" if self._strong else "text"))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), self._text)
        painter.end()


class ConfidenceMeter(QWidget):
    """A probability as a number and a bar. Shows nothing when told None."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_value(self, value: float | None) -> None:
        """Show another probability."""
        self._value = value
        self.setVisible(value is not None)
        self.update()

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(self.fontMetrics().horizontalAdvance("100.0 %") + 20, self.fontMetrics().height() + 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's hook."""
        if self._value is None:
            return
        colours = tokens(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(colours.colour("text"))
        box = QRectF(self.rect())
        side = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
        painter.drawText(box, side, percent(self._value))
        track = QRectF(box.left(), box.bottom() - 6, box.width(), 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.colour("line"))
        painter.drawRoundedRect(track, 2.5, 2.5)
        track.setWidth(max(5.0, track.width() * self._value))
        painter.setBrush(colours.colour("accent"))
        painter.drawRoundedRect(track, 2.5, 2.5)
        painter.end()


class CandidateCard(QWidget):
    """Shows a :class:`CandidateSketch`. A click marks it, a double click (or its key) chooses it."""

    clicked = Signal()
    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._current = False
        self._key = KeyCap()
        self._title = TokenText(scale=1.06)
        self._facts = TokenText(scale=0.94)
        self._meter = ConfidenceMeter()
        self._tie = Badge()
        self._variant = Badge()
        self._past = Badge()
        self._out = Badge("Ruled out", "bad")
        self._found = Badge("From search", "accent")
        badges = QHBoxLayout()
        badges.setSpacing(6)
        for badge in (self._out, self._tie, self._variant, self._past, self._found):
            badges.addWidget(badge)
        badges.addStretch(1)
        self._badges = QWidget()
        self._badges.setLayout(badges)
        badges.setContentsMargins(0, 3, 0, 0)
        middle = QVBoxLayout()
        middle.setSpacing(1)
        middle.addWidget(self._title)
        middle.addWidget(self._facts)
        middle.addWidget(self._badges)
        self._code = words("", "caption")
        right = QVBoxLayout()
        right.setSpacing(2)
        right.addWidget(self._meter, 0, Qt.AlignmentFlag.AlignRight)
        right.addWidget(self._code, 0, Qt.AlignmentFlag.AlignRight)
        right.addStretch(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 11, 14, 11)
        layout.setSpacing(12)
        layout.addWidget(self._key, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(middle, 1)
        layout.addLayout(right)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_candidate(self, candidate: CandidateSketch, *, blind: bool, rejected: bool) -> None:
        """Draw another candidate."""
        self._key.show_key(str(candidate.number) if candidate.number else "·", strong=self._current)
        self._title.show_pieces(title_pieces(candidate.marked), spoken=candidate.differences, struck=rejected)
        facts = field_pieces(candidate.fields, leave_out=("Category",))
        self._facts.show_pieces(facts)
        self._facts.setVisible(bool(facts))
        hidden = blind or candidate.found
        self._meter.show_value(None if hidden else candidate.view.candidate.confidence)
        self._code.setText(candidate.item.external_id)
        past = len(candidate.past)
        shown = [
            self._say(self._out, "Ruled out" if rejected else "", "bad"),
            self._say(self._tie, candidate.near_tie, "warn"),
            self._say(self._variant, f"Variant of {candidate.variant_of}" if candidate.variant_of else ""),
            self._say(self._past, f"Matched {past}× before" if past and not blind else "", "good"),
            self._say(self._found, "From search" if candidate.found else "", "accent"),
        ]
        self._badges.setVisible(any(shown))
        self.setAccessibleName(self._spoken(candidate, blind=blind, rejected=rejected))

    def set_current(self, current: bool) -> None:
        """Draw as the marked one, which Enter takes; only it is reached with Tab."""
        policy = Qt.FocusPolicy.StrongFocus if current else Qt.FocusPolicy.ClickFocus
        if self._current != current or self.focusPolicy() != policy:
            self._current = current
            self.setFocusPolicy(policy)
            self._key.show_key(self._key._text, strong=current)
            self.update()

    @staticmethod
    def _say(badge: Badge, text: str, tone: str = "neutral") -> bool:
        if text:
            badge.show_as(text, tone)  # type: ignore[arg-type]
        badge.setVisible(bool(text))
        return bool(text)

    @staticmethod
    def _spoken(candidate: CandidateSketch, *, blind: bool, rejected: bool) -> str:
        parts = [
            f"Candidate {candidate.number}" if candidate.number else "Candidate",
            candidate.item.title,
            "" if blind or candidate.found else f"confidence {percent(candidate.view.candidate.confidence)}",
            candidate.near_tie,
            candidate.differences,
            "ruled out" if rejected else "",
        ]
        return ", ".join(part for part in parts if part)

    # -- Qt's hooks ------------------------------------------------------------------------------

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
        width = 2.0 if self._current else 1.0
        box = QRectF(self.rect()).adjusted(width / 2, width / 2, -width / 2, -width / 2)
        painter.setPen(QPen(colours.colour("accent" if self._current else "line"), width))
        painter.setBrush(colours.colour("surface"))
        painter.drawRoundedRect(box, _RADIUS, _RADIUS)
        painter.end()


def plain_title(text: str) -> tuple[Piece, ...]:
    """A title with nothing to compare it to."""
    return tuple(Piece(word, Mark.PLAIN) for word in text.split())
