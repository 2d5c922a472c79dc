"""Who gets automated: segments as a sortable table, each share with its interval drawn beside it."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, QSortFilterProxyModel, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QComboBox,
    QHeaderView,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from desktop.item_models.rows_model import ROW_ROLE, Column, RowsModel
from desktop.theme import icon, tokens
from desktop.widgets.basics import GAP, Card, EmptyState, words
from desktop.widgets.pieces import table
from desktop.widgets.wording import THIN, count, counted, percent
from engine.contracts import Estimate, Segment, SegmentReport

Index = QModelIndex | QPersistentModelIndex

NAME, FLAG, LISTINGS, RATE, COVERAGE, OF_RIGHT, PRECISION = range(7)
#: Width of the drawn interval, its height, and the distance to the words; pixels.
_BAR, _THICK, _APART, _PADDING = 34, 6, 8, 11
#: No column is narrower; pixels.
_NARROWEST = 76
#: Room in a heading beside its words: padding, and the arrow of the order.
_HEADING_ROOM = 30
_ICON = 15
STARVED, BELOW = "starved", "below the promise"


def interval_words(one: Estimate) -> str:
    """A share with its bounds, short enough for a cell; the engine's own words where it names none."""
    if one.share is None:
        return one.said.partition(" (")[0]
    return f"{percent(one.share)} ({100 * one.low:.0f}–{100 * one.high:.0f}{THIN}%)"


def _precision_of(report: SegmentReport) -> str:
    """What the precisions of a report are of."""
    return "precision of matches and “not in the catalogue” together" if report.together else "precision"


def flag_words(segment: Segment) -> str:
    """What is wrong with a segment, in words; "" for nothing."""
    return ", ".join(
        word for word, flag in ((STARVED, segment.starved), (BELOW, segment.below_promise)) if flag
    )


def flag_reason(segment: Segment) -> str:
    """The same as sentences."""
    said = []
    if segment.starved:
        said.append("Automated significantly less than the workspace as a whole.")
    if segment.below_promise:
        said.append("The precision found here lies below what the certificate promises.")
    return " ".join(said)


_COLUMNS: tuple[Column[Segment], ...] = (
    Column("Segment", lambda one: one.name),
    Column("", flag_words, tip=flag_reason),
    Column("Listings", lambda one: count(one.listings), right=True),
    Column(
        "Automated", lambda one: percent(one.automation_rate), right=True, tip=lambda _: "Automation rate"
    ),
    Column("Coverage", lambda one: percent(one.coverage), right=True),
    Column(
        "Automated, of the right",
        lambda one: interval_words(one.automated_of_right),
        tip=lambda one: (
            "Of the listings whose answer is right, automated under the certificate: "
            + one.automated_of_right.said
        ),
    ),
    Column(
        "Precision",
        lambda one: interval_words(one.precision),
        tip=lambda one: f"Right, of those automated under the certificate: {one.precision.said}",
    ),
)


def _sort_value(segment: Segment, column: int) -> tuple[float, str]:
    """What a column is sorted by; shares that are not named come before all that are."""
    values = {
        FLAG: 2.0 * segment.below_promise + segment.starved,
        LISTINGS: float(segment.listings),
        RATE: segment.automation_rate,
        COVERAGE: segment.coverage,
        OF_RIGHT: _named(segment.automated_of_right),
        PRECISION: _named(segment.precision),
    }
    return values.get(column, 0.0), segment.name.casefold()


def _named(one: Estimate) -> float:
    return -1.0 if one.share is None else one.share


class _Sorted(QSortFilterProxyModel):
    """Rows in the order of a column's values rather than of its words."""

    def lessThan(self, left: Index, right: Index) -> bool:
        """Qt's hook."""
        column = left.column()
        return _sort_value(left.data(ROW_ROLE), column) < _sort_value(right.data(ROW_ROLE), column)


class _CellPainter(QStyledItemDelegate):
    """Paints a cell's ground as Qt does, and what is on it by hand."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Qt's hook."""
        chosen = QStyleOptionViewItem(option)
        self.initStyleOption(chosen, index)
        text, chosen.text = chosen.text, ""
        widget = chosen.widget
        widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, chosen, painter, widget)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(chosen.rect).adjusted(_PADDING, 0, -4, 0)
        self._paint_in(painter, area, index.data(ROW_ROLE), index.column(), text, widget)
        painter.restore()

    def _paint_in(
        self, painter: QPainter, area: QRectF, segment: Segment, column: int, text: str, widget: QWidget
    ) -> None:
        raise NotImplementedError

    def _words(self, painter: QPainter, area: QRectF, text: str, colour: str, widget: QWidget) -> None:
        painter.setPen(tokens(widget).colour(colour))
        fitting = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(area.width()))
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, fitting)


class _IntervalPainter(_CellPainter):
    """A share as a tick in its interval on a line from 0 to 100 %, and the words beside it."""

    def _paint_in(
        self, painter: QPainter, area: QRectF, segment: Segment, column: int, text: str, widget: QWidget
    ) -> None:
        one = segment.precision if column == PRECISION else segment.automated_of_right
        if one.share is None:
            self._words(painter, area, text, "muted", widget)
            return
        colours = tokens(widget)
        line = QRectF(area.left(), area.center().y() - _THICK / 2, _BAR, _THICK)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.colour("line"))
        painter.drawRoundedRect(line, _THICK / 2, _THICK / 2)
        inside = QRectF(
            line.left() + one.low * _BAR, line.top(), max(2.0, (one.high - one.low) * _BAR), _THICK
        )
        painter.setBrush(colours.colour("accent"))
        painter.setOpacity(0.45)
        painter.drawRoundedRect(inside, _THICK / 2, _THICK / 2)
        painter.setOpacity(1.0)
        at = line.left() + one.share * (_BAR - 3)
        painter.drawRect(QRectF(at, line.top() - 3, 3, _THICK + 6))
        self._words(painter, area.adjusted(_BAR + _APART, 0, 0, 0), text, "text", widget)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Qt's hook: room for line and words."""
        hint = super().sizeHint(option, index)
        segment = index.data(ROW_ROLE)
        one = segment.precision if index.column() == PRECISION else segment.automated_of_right
        return hint if one.share is None else hint + QSize(_BAR + _APART, 0)


class _FlagPainter(_CellPainter):
    """A warning sign and the word for it."""

    def _paint_in(
        self, painter: QPainter, area: QRectF, segment: Segment, column: int, text: str, widget: QWidget
    ) -> None:
        if not text:
            return
        sign = QRectF(area.left(), area.center().y() - _ICON / 2, _ICON, _ICON)
        icon("warning", tokens(widget).warn, _ICON).paint(painter, sign.toRect())
        self._words(painter, area.adjusted(_ICON + 6, 0, 0, 0), text, "warn", widget)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Qt's hook: room for the sign."""
        return super().sizeHint(option, index) + QSize(_ICON + 10, 0)


class SegmentTable(Card):
    """The segments of one grouping, which is chosen above them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Who gets automated", parent)
        self._report: SegmentReport | None = None
        self.grouping = QComboBox()
        self.grouping.setAccessibleName("Group listings by")
        self.grouping.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.grouping.currentIndexChanged.connect(self._show_grouping)
        self.head.addWidget(words("by", "muted"))
        self.head.addWidget(self.grouping)
        self._facts = words("", "caption", wrap=True)
        self.model: RowsModel[Segment] = RowsModel(_COLUMNS, self)
        self._sorted = _Sorted(self)
        self._sorted.setSourceModel(self.model)
        self.view = table(self._sorted, "Segments", stretch=())
        header = self.view.horizontalHeader()
        header.setMinimumSectionSize(_NARROWEST)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in (LISTINGS, RATE, COVERAGE):
            width = header.fontMetrics().horizontalAdvance(_COLUMNS[column].title) + _HEADING_ROOM
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            header.resizeSection(column, width)
        intervals = _IntervalPainter(self.view)
        for column in (OF_RIGHT, PRECISION):
            self.view.setItemDelegateForColumn(column, intervals)
        self.view.setItemDelegateForColumn(FLAG, _FlagPainter(self.view))
        self.view.setSortingEnabled(True)
        self.unsort()
        self._stack = QStackedWidget()
        self._stack.addWidget(
            EmptyState("No listings yet", "Import a feed and match it; its segments show up here.")
        )
        self._stack.addWidget(self.view)
        self._stack.setMinimumHeight(220)
        self.add(self._facts)
        self.body.addWidget(self._stack, 1)
        self.body.setSpacing(GAP - 4)

    def unsort(self) -> None:
        """Back to the engine's order: largest first, tenths by popularity in their own."""
        self.view.sortByColumn(-1, Qt.SortOrder.AscendingOrder)

    def show_report(self, report: SegmentReport) -> None:
        """Show a report, by the grouping that was chosen before."""
        chosen = self.grouping.currentData()
        self._report = report
        self.grouping.blockSignals(True)
        self.grouping.clear()
        for grouping in report.groupings:
            self.grouping.addItem(grouping.title, grouping.key)
        self.grouping.setCurrentIndex(max(0, self.grouping.findData(chosen)))
        self.grouping.blockSignals(False)
        flagged = sum(
            one.starved or one.below_promise for grouping in report.groupings for one in grouping.segments
        )
        facts = [
            f"All {count(report.workspace.listings)} listings: {percent(report.workspace.automation_rate)} "
            f"automated, {_precision_of(report)} {report.workspace.precision.said}",
            f"intervals with {percent(report.level)} confidence, from {counted(report.audits, 'audit')}",
        ]
        if flagged:
            facts.append(f"{counted(flagged, 'segment')} of all groupings marked")
        self._facts.setText("  ·  ".join(facts))
        self._stack.setCurrentIndex(1 if report.workspace.listings else 0)
        self._show_grouping(self.grouping.currentIndex())

    @property
    def facts(self) -> str:
        """The line above the table."""
        return self._facts.text()

    def shown(self) -> list[str]:
        """Names of the segments from top to bottom."""
        rows = range(self._sorted.rowCount())
        return [self._sorted.index(number, NAME).data(ROW_ROLE).name for number in rows]

    def _show_grouping(self, number: int) -> None:
        if self._report is None or not 0 <= number < len(self._report.groupings):
            return
        self.model.show_rows(self._report.groupings[number].segments)
