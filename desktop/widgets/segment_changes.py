"""What a challenger does to each segment: how much of it is automated, beside the champion."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from desktop.item_models.rows_model import Column, RowsModel
from desktop.widgets.basics import GAP, Card, words
from desktop.widgets.pieces import table
from desktop.widgets.wording import count, counted, percent
from engine.contracts import Comparison, SegmentCoverage

#: Pixels of a row, and how many rows are in sight before the table scrolls.
_ROW = 28
_IN_SIGHT = 5


class SegmentChanges(Card):
    """The segments of a :class:`Comparison`, what loses most first; hidden where none is compared."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Segments", parent)
        self._tolerance = 0.0
        self._words = words("", "muted", wrap=True)
        columns: tuple[Column[SegmentCoverage], ...] = (
            Column("Segment", lambda one: one.name),
            Column("Listings", lambda one: count(one.listings), right=True),
            Column("Champion", lambda one: percent(one.champion, 1), right=True),
            Column("Challenger", lambda one: percent(one.challenger, 1), right=True),
            Column("Change", lambda one: change_words(one, self._tolerance)),
        )
        self._rows: RowsModel[SegmentCoverage] = RowsModel(columns, self)
        self.view = table(self._rows, "Share automated by segment", stretch=(0,))
        self.view.verticalHeader().setDefaultSectionSize(_ROW)
        self.add(self._words)
        self.body.addWidget(self.view)
        self.body.setSpacing(GAP - 4)
        self.hide()

    @property
    def sentence(self) -> str:
        """How many segments fall and rise."""
        return self._words.text()

    def show_comparison(self, comparison: Comparison) -> None:
        """Show the segments of a comparison."""
        self._tolerance = comparison.max_segment_drop
        self._rows.show_rows(comparison.segments)
        self._words.setText(sentence(comparison))
        self.view.setAccessibleDescription(self._words.text())
        rows = min(len(comparison.segments), _IN_SIGHT)
        self.view.setFixedHeight(self.view.horizontalHeader().sizeHint().height() + rows * _ROW)
        self.view.scrollToTop()
        self.setVisible(bool(comparison.segments))


def sentence(comparison: Comparison) -> str:
    """How many segments fall, how many rise, and how many fall by more than the gate tolerates."""
    segments = comparison.segments
    falls = sum(one.lost > 0 for one in segments)
    rises = sum(one.lost < 0 for one in segments)
    beyond = sum(one.falls_beyond(comparison.max_segment_drop) for one in segments)
    of_all = counted(len(segments), "segment")
    said = f"Less is automated in {count(falls)} of {of_all}, more in {count(rises)}"
    if not beyond:
        return f"{said}."
    tolerated = f"the {100 * comparison.max_segment_drop:g} points that the gate tolerates"
    return f"{said}; in {count(beyond)} the loss is above {tolerated}."


def change_words(segment: SegmentCoverage, tolerance: float) -> str:
    """By how much a segment falls or rises, in words."""
    if segment.lost == 0:
        return "the same"
    size = f"{100 * abs(segment.lost):.1f} points"
    if segment.falls_beyond(tolerance):
        return f"falls by {size}, too much"
    return f"falls by {size}" if segment.lost > 0 else f"rises by {size}"
