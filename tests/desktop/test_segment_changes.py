"""The segments of a comparison on the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PySide6.QtGui import QColor, QPalette

from desktop.theme import _themes, palette_from, style_sheet
from desktop.widgets.comparison_view import ComparisonView
from desktop.widgets.segment_changes import SegmentChanges
from engine.contracts import SegmentCoverage
from tests.desktop.fake_numbers import comparison

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

CHANGES = (
    SegmentCoverage("Cameras", 1240, 0.62, 0.48),
    SegmentCoverage("Lenses", 300, 0.5, 0.45),
    SegmentCoverage("Tripods", 90, 0.4, 0.4),
    SegmentCoverage("Phones", 2100, 0.5, 0.66),
)


@pytest.fixture
def view(qtbot: QtBot) -> ComparisonView:
    made = ComparisonView()
    qtbot.addWidget(made)
    made.resize(900, 900)
    show(made, CHANGES)
    made.show()
    return made


def show(view: ComparisonView, segments: Sequence[SegmentCoverage]) -> None:
    made = comparison("r0001", "r0002")
    view.show_comparison(replace(made, segments=tuple(segments), max_segment_drop=0.1))


def rows(segments: SegmentChanges) -> list[list[str]]:
    model = segments.view.model()
    cells = range(model.columnCount())
    return [
        [model.index(line, at).data().replace("\u202f", " ") for at in cells]
        for line in range(model.rowCount())
    ]


def test_that_a_comparison_shows_segments_what_loses_most_first(view: ComparisonView) -> None:
    assert rows(view.segments) == [
        ["Cameras", "1,240", "62.0 %", "48.0 %", "falls by 14.0 points, too much"],
        ["Lenses", "300", "50.0 %", "45.0 %", "falls by 5.0 points"],
        ["Tripods", "90", "40.0 %", "40.0 %", "the same"],
        ["Phones", "2,100", "50.0 %", "66.0 %", "rises by 16.0 points"],
    ]


def test_that_it_is_said_in_words_how_many_fall_too_much(view: ComparisonView) -> None:
    assert view.segments.sentence == (
        "Less is automated in 2 of 4 segments, more in 1; in 1 the loss is above the 10 points "
        "that the gate tolerates."
    )
    show(view, CHANGES[1:])
    assert view.segments.sentence == "Less is automated in 1 of 3 segments, more in 1."


def test_that_a_screen_reader_gets_name_and_sentence(view: ComparisonView) -> None:
    assert view.segments.view.accessibleName() == "Share automated by segment"
    assert view.segments.view.accessibleDescription() == view.segments.sentence


def test_that_every_row_and_column_of_a_short_table_is_in_sight(view: ComparisonView) -> None:
    table = view.segments.view
    assert not table.verticalScrollBar().isVisible()
    assert not table.horizontalScrollBar().isVisible()
    assert table.visualRect(table.model().index(3, 4)).bottom() <= table.viewport().height()


def test_that_many_segments_scroll_and_take_no_more_room(view: ComparisonView) -> None:
    five = [replace(CHANGES[0], name=str(number)) for number in range(5)]
    show(view, five)
    height = view.segments.view.height()
    show(view, five * 8)
    assert view.segments.view.height() == height
    assert view.segments.view.model().rowCount() == 40


def test_that_a_comparison_without_segments_shows_no_table_of_them(view: ComparisonView) -> None:
    assert view.segments.isVisible()
    show(view, ())
    assert not view.segments.isVisible()


@pytest.mark.parametrize("name", ["light", "dark"])
def test_that_segments_are_written_in_the_colours_of_the_theme(view: ComparisonView, name: str) -> None:
    colours = _themes()[name]
    view.setPalette(QPalette(palette_from(colours)))
    view.setStyleSheet(style_sheet(colours, 10.0))
    table = view.segments.view
    picture = table.viewport().grab(table.visualRect(table.model().index(0, 4))).toImage()
    seen = Counter(
        picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())
    )
    ((ground, _),) = seen.most_common(1)
    assert ground == colours.surface
    paper = QColor(ground).lightness()
    assert max(abs(QColor(one).lightness() - paper) for one in seen) > 128
