"""Segments and costs: the table sorts by values, marks by word and sign, the costs become settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette

from desktop.screens.automation import AutomationScreen
from desktop.session import Session
from desktop.theme import palette_from, tokens
from desktop.widgets.cost_panel import CostPanel, cost_of
from desktop.widgets.segment_table import (
    FLAG,
    LISTINGS,
    NAME,
    OF_RIGHT,
    PRECISION,
    RATE,
    SegmentTable,
    flag_words,
    interval_words,
)
from tests.desktop.fake_numbers import segment_report
from tests.desktop.fake_session import fake_session
from tests.desktop.fake_workspace import FakeWorkspace

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")

LONG = "a brand of a very long name that no column is wide enough for"


@pytest.fixture
def segments(qtbot: QtBot) -> SegmentTable:
    made = SegmentTable()
    qtbot.addWidget(made)
    made.resize(820, 500)
    made.show()
    made.show_report(segment_report())
    return made


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path) -> Iterator[Session]:
    with fake_session(FakeWorkspace(tmp_path / "shop"), tmp_path) as made:
        yield made


@pytest.fixture
def screen(qtbot: QtBot, session: Session) -> AutomationScreen:
    made = AutomationScreen(session)
    qtbot.addWidget(made)
    made.resize(900, 680)
    made.show()
    made.activate()
    qtbot.waitUntil(lambda: made.rate_tile.figure != "–")
    return made


def texts(table: SegmentTable, column: int) -> list[str]:
    model = table.view.model()
    return [str(model.index(number, column).data() or "") for number in range(model.rowCount())]


def test_that_segments_come_in_the_engines_order(segments: SegmentTable) -> None:
    assert segments.shown() == ["Samsung", "Sony", LONG, "LG"]
    assert "40,000 listings" in segments.facts
    assert "1 segment of all groupings marked" in segments.facts


@pytest.mark.parametrize(
    ("column", "first", "last"),
    [(LISTINGS, LONG, "Samsung"), (RATE, LONG, "Samsung"), (PRECISION, LONG, "Samsung"), (FLAG, LONG, "LG")],
)
def test_that_columns_are_sorted_by_value_not_by_their_words(
    segments: SegmentTable, column: int, first: str, last: str
) -> None:
    segments.view.sortByColumn(column, Qt.SortOrder.AscendingOrder)
    assert (segments.shown()[0], segments.shown()[-1]) == (first, last)
    segments.view.sortByColumn(column, Qt.SortOrder.DescendingOrder)
    assert segments.shown()[0] == last


def test_that_a_share_is_never_shown_without_its_interval(segments: SegmentTable) -> None:
    for column in (OF_RIGHT, PRECISION):
        for text in texts(segments, column):
            assert "(" in text or text == "too few to say: 3 audits"
    vague = replace(
        segment_report().workspace.precision, share=None, said="too uncertain to say (1–90 %, 12)"
    )
    assert interval_words(vague) == "too uncertain to say"


def test_that_starved_is_a_word_beside_the_name(segments: SegmentTable) -> None:
    assert texts(segments, FLAG) == ["", "", "", "starved"]
    model = segments.view.model()
    assert "less than the workspace" in model.index(3, FLAG).data(Qt.ItemDataRole.ToolTipRole)
    both = replace(segment_report().workspace, starved=True, below_promise=True)
    assert flag_words(both) == "starved, below the promise"


def test_that_the_grouping_stays_chosen_when_the_report_is_read_again(segments: SegmentTable) -> None:
    segments.grouping.setCurrentIndex(1)
    assert segments.shown() == ["single", "pack"]
    segments.show_report(segment_report())
    assert segments.shown() == ["single", "pack"]
    assert segments.grouping.currentText() == "Pack or single"


def test_that_no_listings_are_said_and_not_drawn(segments: SegmentTable) -> None:
    report = segment_report()
    empty = replace(report, workspace=replace(report.workspace, listings=0), groupings=())
    segments.show_report(empty)
    assert not segments.view.isVisible()
    segments.show_report(report)
    assert segments.view.isVisible()


def test_that_the_interval_is_drawn_and_follows_the_theme(qtbot: QtBot, segments: SegmentTable) -> None:
    accent = tokens(segments).colour("accent").name()
    index = segments.view.model().index(0, PRECISION)
    picture = segments.view.viewport().grab(segments.view.visualRect(index)).toImage()
    seen = {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())}
    assert accent in seen
    few = (
        segments.view.viewport()
        .grab(segments.view.visualRect(segments.view.model().index(2, PRECISION)))
        .toImage()
    )
    assert accent not in {
        few.pixelColor(x, y).name() for x in range(few.width()) for y in range(few.height())
    }
    from desktop.theme import _themes

    segments.view.setPalette(QPalette(palette_from(_themes()["dark"])))
    dark = segments.view.viewport().grab(segments.view.visualRect(index)).toImage()
    assert _themes()["dark"].accent in {
        dark.pixelColor(x, y).name() for x in range(dark.width()) for y in range(dark.height())
    }


def test_that_every_column_is_in_sight_in_a_small_window(segments: SegmentTable) -> None:
    assert not segments.view.horizontalScrollBar().isVisible()
    assert segments.view.columnWidth(NAME) >= 76


@pytest.mark.parametrize(
    ("text", "amount"),
    [("", None), ("  ", None), ("2", 2.0), ("2.50", 2.5), ("2,50", 2.5), ("1,200.50", 1200.5), ("0", 0.0)],
)
def test_that_amounts_are_read_as_people_write_them(text: str, amount: float | None) -> None:
    assert cost_of(text) == amount


@pytest.mark.parametrize("text", ["abc", "-1", "nan", "1e400", "inf", "2 €"])
def test_that_what_is_no_amount_is_said_and_not_saved(qtbot: QtBot, text: str) -> None:
    panel = CostPanel()
    qtbot.addWidget(panel)
    said: list[object] = []
    panel.entered.connect(lambda *amounts: said.append(amounts))
    panel.fields["review"].setText(text)
    panel.button.click()
    assert said == []
    assert "is no amount" in panel.sentence


def test_that_segments_are_read_when_their_tab_is_looked_at(qtbot: QtBot, screen: AutomationScreen) -> None:
    page = screen.segments_page
    assert page.segments.shown() == []
    screen.pages.setCurrentWidget(page)
    qtbot.waitUntil(lambda: page.segments.shown() != [])
    assert page.costs.sentence == "Enter what a review costs."


def test_that_entered_costs_become_settings_and_a_sentence(
    qtbot: QtBot, screen: AutomationScreen, session: Session
) -> None:
    page = screen.segments_page
    screen.pages.setCurrentWidget(page)
    qtbot.waitUntil(lambda: page.costs.sentence != "")
    qtbot.keyClicks(page.costs.fields["wrong"], "20")
    qtbot.keyClicks(page.costs.fields["review"], "0,40")
    qtbot.keyClick(page.costs.fields["review"], Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "is cheapest" in page.costs.sentence)
    settings = session.workspace.settings
    assert (settings.cost_wrong, settings.cost_review, settings.cost_missed) == (20.0, 0.4, None)


def test_that_a_read_only_workspace_takes_no_costs(qtbot: QtBot, tmp_path: Path) -> None:
    with fake_session(FakeWorkspace(tmp_path / "shop", read_only=True), tmp_path) as session:
        screen = AutomationScreen(session)
        qtbot.addWidget(screen)
        screen.show()
        screen.pages.setCurrentWidget(screen.segments_page)
        qtbot.waitUntil(lambda: screen.segments_page.costs.sentence != "")
        assert not screen.segments_page.costs.button.isEnabled()
        assert screen.segments_page.costs.fields["wrong"].isReadOnly()
