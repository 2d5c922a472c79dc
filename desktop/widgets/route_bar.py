"""One bar that shows where the listings stand, by route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPainterPath
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from desktop.item_models.rows_model import ROW_ROLE
from desktop.theme import Tokens, tokens
from desktop.widgets.basics import words
from desktop.widgets.pieces import clear
from desktop.widgets.wording import counted, percent


@dataclass(frozen=True, slots=True)
class RouteShare:
    """One piece of the bar: its word, how many listings, and the role of its colour."""

    name: str
    listings: int
    role: str


def route_shares(*, automated: int, settled: int, review: int, unmatched: int) -> tuple[RouteShare, ...]:
    """The four pieces, in the order every screen shows them."""
    return (
        RouteShare("automated", automated, "good"),
        RouteShare("settled", settled, "accent"),
        RouteShare("review", review, "conflict_line"),
        RouteShare("not matched yet", unmatched, "line_strong"),
    )


def paint_route_bar(painter: QPainter, area: QRectF, shares: Sequence[RouteShare], colours: Tokens) -> None:
    """Draw the pieces side by side in a rounded bar; a bar without listings is only its track."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    path = QPainterPath()
    radius = area.height() / 2
    path.addRoundedRect(area, radius, radius)
    painter.setClipPath(path)
    painter.fillRect(area, colours.colour("hover"))
    total = sum(share.listings for share in shares)
    left = area.left()
    for share in shares:
        if not total or not share.listings:
            continue
        # A handful of listings among thousands stays visible.
        width = max(area.width() * share.listings / total, 2.0)
        painter.fillRect(QRectF(left, area.top(), width, area.height()), colours.colour(share.role))
        left += width
    painter.restore()


class _Dot(QWidget):
    """A dot in a route's colour."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role
        self.setFixedSize(10, 10)

    def paintEvent(self, _event: object) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tokens(self).colour(self._role))
        painter.drawEllipse(1, 1, 8, 8)


class _Bar(QWidget):
    """The bar itself."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(14)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.shares: tuple[RouteShare, ...] = ()

    def paintEvent(self, _event: object) -> None:
        paint_route_bar(QPainter(self), QRectF(self.rect()), self.shares, tokens(self))


class RouteBar(QWidget):
    """The bar with its words and counts underneath."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar = _Bar()
        self._labels: dict[str, QLabel] = {}
        self._words = QHBoxLayout()
        self._words.setSpacing(6)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self._bar)
        layout.addLayout(self._words)

    def show_shares(self, shares: Sequence[RouteShare]) -> None:
        """Draw these pieces; screen readers get them as a sentence."""
        self._bar.shares = tuple(shares)
        self._bar.update()
        total = sum(share.listings for share in shares)
        sentence = ", ".join(f"{counted(share.listings, 'listing')} {share.name}" for share in shares)
        self.setAccessibleName(sentence)
        if [share.name for share in shares] != list(self._labels):
            self._name_pieces(shares)
        for share in shares:
            text = f"{share.listings:,} {share.name}"
            if total:
                text += f"  ({percent(share.listings / total, 1)})"
            self._labels[share.name].setText(text)

    def _name_pieces(self, shares: Sequence[RouteShare]) -> None:
        clear(self._words)
        self._labels = {share.name: words() for share in shares}
        for share in shares:
            self._words.addWidget(_Dot(share.role))
            self._words.addWidget(self._labels[share.name])
            self._words.addSpacing(18)
        self._words.addStretch(1)


class RouteBarDelegate(QStyledItemDelegate):
    """Draws a feed's routes as a small bar in a table cell."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw the cell's ground as usual and the bar on it."""
        self.initStyleOption(option, index)
        option.text = ""
        style = option.widget.style() if option.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        feed = index.data(ROW_ROLE)
        area = QRectF(option.rect).adjusted(8, 0, -12, 0)
        bar = QRectF(area.left(), area.center().y() - 4, area.width(), 8)
        shares = route_shares(
            automated=feed.automated, settled=feed.settled, review=feed.review, unmatched=feed.unmatched
        )
        paint_route_bar(painter, bar, shares, tokens(option.widget))

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Room for a bar that can be read."""
        return super().sizeHint(option, index).expandedTo(QSize(160, 30))
