"""Home: where things stand, importing with a look first, matching, exporting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from desktop.screens.home import HomeScreen
from desktop.session import Session
from engine.contracts import (
    ChangeSet,
    ColumnMapping,
    Counts,
    FeedSummary,
    ImportPreview,
    ImportReport,
    RecordKind,
    Status,
    WorkEvent,
)
from engine.errors import UnreadableTableError
from tests.desktop.fake_session import Gate, fake_session
from tests.desktop.fake_workspace import FakeWorkspace

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


# Qt's offscreen platform says so of every window it is given.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


class Workspace(FakeWorkspace):
    """The fake with listings left to match, and with ways to hold up or fail its long work."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        super().__init__(path, read_only=read_only)
        self.gate: Gate | None = None
        self.unmatched = 7
        self.previews: list[tuple[RecordKind, dict[str, str] | None]] = []
        self.imports: list[tuple[str, RecordKind, str | None, dict[str, str] | None]] = []
        self.damaged = False

    def status(self) -> Status:
        status = super().status()
        return replace(status, counts=replace(status.counts, unmatched=self.unmatched))

    def preview(
        self, file: Path, kind: RecordKind, *, mapping: Mapping[str, str] | None = None
    ) -> ImportPreview:
        self.previews.append((kind, None if mapping is None else dict(mapping)))
        if self.damaged:
            raise UnreadableTableError(f"{file.name} is a zip archive, not a CSV; export it as CSV again")
        made = super().preview(file, kind, mapping=mapping)
        columns = {field: column for field, column in made.mapping.columns.items() if column}
        return replace(made, mapping=ColumnMapping(columns))

    def import_table(
        self,
        file: Path,
        kind: RecordKind,
        *,
        feed: str | None = None,
        mapping: Mapping[str, str] | None = None,
    ) -> Iterator[WorkEvent[ImportReport]]:
        self.imports.append((file.name, kind, feed, None if mapping is None else dict(mapping)))
        return self._held(super().import_table(file, kind, feed=feed, mapping=mapping))

    def match(self, *, feed: str | None = None) -> Iterator[WorkEvent[Counts]]:
        return self._held(super().match(feed=feed))

    def _held(self, events: Iterator[WorkEvent[Any]]) -> Iterator[WorkEvent[Any]]:
        return self.gate.hold(events) if self.gate else events


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "Electronics")


@pytest.fixture
def session(qtbot: QtBot, workspace: Workspace, tmp_path: Path) -> Iterator[Session]:
    with fake_session(workspace, tmp_path) as made:
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "week 47.csv"
    made.write_text("sku;name\n1;tv\n", encoding="utf-8")
    return made


@pytest.fixture
def home(qtbot: QtBot, session: Session) -> HomeScreen:
    screen = HomeScreen(session)
    qtbot.addWidget(screen)
    screen.resize(1200, 800)
    screen.show()
    screen.activate()
    qtbot.waitUntil(lambda: screen.rate_tile.figure != "–")
    return screen


def wait_for_preview(qtbot: QtBot, home: HomeScreen) -> None:
    qtbot.waitUntil(lambda: home.import_page.preview is not None)


# -- at a glance -----------------------------------------------------------------------------------


def test_that_the_counts_are_those_of_the_engine(home: HomeScreen, workspace: Workspace) -> None:
    counts = workspace.status().counts
    assert home.coverage_tile.figure == str(counts.automated_matches)
    assert home.none_tile.figure == str(counts.automated_none)
    assert home.decided_tile.figure == str(counts.decisions)
    assert f"{counts.review} listings review" in home.route_bar.accessibleName()
    assert "7 listings not matched yet" in home.route_bar.accessibleName()


def test_that_every_feed_has_a_line_with_its_counts(home: HomeScreen, workspace: Workspace) -> None:
    model = home.feeds_view.model()
    shown = [[model.index(line, at).data() for at in (0, 2, 3, 5, 6)] for line in range(model.rowCount())]
    assert shown == [
        [feed.name, str(feed.listings), str(feed.automated), str(feed.review), str(feed.unmatched)]
        for feed in workspace.feeds()
    ]


def test_that_a_workspace_without_feeds_shows_where_to_drop_a_file(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not home.drop_area.isVisible()
    none: list[FeedSummary] = []
    monkeypatch.setattr(workspace, "feeds", lambda: none)
    home.activate()
    qtbot.waitUntil(home.drop_area.isVisible)


def test_that_changes_made_elsewhere_are_shown(
    qtbot: QtBot, home: HomeScreen, session: Session, workspace: Workspace
) -> None:
    workspace.unmatched = 0
    session.hub.publish(ChangeSet(routes=True), object())
    qtbot.waitUntil(lambda: not home.match_button.isEnabled())


def test_that_a_read_only_workspace_offers_no_change(qtbot: QtBot, tmp_path: Path) -> None:
    with fake_session(Workspace(tmp_path, read_only=True), tmp_path) as session:
        screen = HomeScreen(session)
        qtbot.addWidget(screen)
        screen.activate()
        qtbot.waitUntil(lambda: screen.rate_tile.figure != "–")
        assert not screen.match_button.isEnabled()
        assert not screen.import_catalogue_button.isEnabled()
        assert not screen.import_listings_button.isEnabled()
        assert screen.export_button.isEnabled()


# -- importing -------------------------------------------------------------------------------------


def test_that_a_chosen_file_is_shown_before_anything_is_imported(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace, file: Path
) -> None:
    home.choose_file = lambda _parent, _title, _filters: file
    qtbot.mouseClick(home.import_listings_button, Qt.MouseButton.LeftButton)
    wait_for_preview(qtbot, home)
    page = home.import_page
    assert home.importing
    assert workspace.imports == []
    assert page.mapping_table.choices["title"].currentText() == "name"
    assert page.sample_view.model().index(0, 1).data() == "sony wh1000xm4 headphones"
    refused = page.refused_view.model()
    assert [refused.index(0, at).data() for at in range(3)] == ["14", "title", "the title is empty"]
    assert page.import_button.text() == "Import 1,998 listings"


def test_that_calling_off_the_choice_of_a_file_changes_nothing(qtbot: QtBot, home: HomeScreen) -> None:
    home.choose_file = lambda _parent, _title, _filters: None
    qtbot.mouseClick(home.import_catalogue_button, Qt.MouseButton.LeftButton)
    assert not home.importing


def test_that_a_dropped_file_opens_the_import_page(qtbot: QtBot, home: HomeScreen, file: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    home.dropEvent(
        QDropEvent(
            QPointF(40, 40),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )
    wait_for_preview(qtbot, home)
    assert home.importing
    assert home.import_page.feed_edit.text() == "week 47"


def test_that_choosing_another_column_reads_the_file_again_with_it(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace, file: Path
) -> None:
    home.open_import(file, RecordKind.LISTINGS)
    wait_for_preview(qtbot, home)
    choice = home.import_page.mapping_table.choices["category"]
    choice.setCurrentIndex(choice.findData("colour"))
    choice.activated.emit(choice.currentIndex())
    qtbot.waitUntil(lambda: len(workspace.previews) == 2)
    mapping = workspace.previews[1][1]
    assert mapping is not None
    assert mapping["category"] == "colour"
    assert mapping["model"] == ""


def test_that_the_kind_can_be_changed_on_the_page(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace, file: Path
) -> None:
    home.open_import(file, RecordKind.LISTINGS)
    wait_for_preview(qtbot, home)
    qtbot.mouseClick(home.import_page.kind_buttons[RecordKind.CATALOGUE], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(workspace.previews) == 2)
    assert workspace.previews[1] == (RecordKind.CATALOGUE, None)
    qtbot.waitUntil(lambda: home.import_page.import_button.text() == "Import 1,998 items")
    assert not home.import_page.feed_edit.isVisible()


def test_that_a_file_without_a_column_for_the_title_cannot_be_imported(
    qtbot: QtBot, home: HomeScreen, file: Path
) -> None:
    home.open_import(file, RecordKind.LISTINGS)
    wait_for_preview(qtbot, home)
    assert home.import_page.import_button.isEnabled()
    choice = home.import_page.mapping_table.choices["title"]
    choice.setCurrentIndex(0)
    choice.activated.emit(0)
    qtbot.waitUntil(lambda: home.import_page.preview.mapping.column("title") is None)  # type: ignore[union-attr]
    assert not home.import_page.import_button.isEnabled()


def test_that_an_unreadable_file_is_refused_in_one_line_on_the_page(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace, file: Path
) -> None:
    workspace.damaged = True
    home.open_import(file, RecordKind.LISTINGS)
    qtbot.waitUntil(lambda: "zip archive" in home.import_page.problem)
    assert not home.import_page.import_button.isEnabled()


def test_that_importing_hands_over_feed_and_columns_and_reports_on_home(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace, file: Path
) -> None:
    home.open_import(file, RecordKind.LISTINGS)
    wait_for_preview(qtbot, home)
    home.import_page.feed_edit.setText("Monday")
    qtbot.mouseClick(home.import_page.import_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not home.importing)
    name, kind, feed, mapping = workspace.imports[0]
    assert (name, kind, feed) == ("week 47.csv", RecordKind.LISTINGS, "Monday")
    assert mapping is not None
    assert mapping["title"] == "name"
    assert "1,990 listings added" in home.banner.text
    assert "2 rows left out" in home.banner.text


def test_that_a_cancelled_import_is_closed_and_leaves_the_page_as_it_was(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace, session: Session, file: Path
) -> None:
    workspace.gate = Gate()
    home.open_import(file, RecordKind.LISTINGS)
    wait_for_preview(qtbot, home)
    page = home.import_page
    qtbot.mouseClick(page.import_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "held up" in page.job_panel.stage_words)
    assert not page.mapping_table.isEnabled()
    qtbot.mouseClick(page.job_panel.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.job_panel.busy)
    assert workspace.gate.closed.is_set()
    assert home.importing
    assert page.mapping_table.isEnabled()
    assert page.import_button.isEnabled()
    assert session.tasks.jobs() == []


def test_that_back_leaves_the_page_without_importing(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace, file: Path
) -> None:
    home.open_import(file, RecordKind.LISTINGS)
    wait_for_preview(qtbot, home)
    qtbot.mouseClick(home.import_page.back_button, Qt.MouseButton.LeftButton)
    assert not home.importing
    assert workspace.imports == []
    assert home.banner.text == ""


# -- matching and exporting ------------------------------------------------------------------------


def test_that_matching_shows_its_progress_and_says_what_came_of_it(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace
) -> None:
    workspace.gate = Gate()
    qtbot.mouseClick(home.match_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "of 1,000" in home.job_panel.stage_words)
    assert home.job_panel.isVisible()
    assert not home.match_button.isEnabled()
    workspace.gate.go.set()
    qtbot.waitUntil(lambda: not home.job_panel.busy)
    counts = workspace.status().counts
    assert f"{counts.automated} listings automated" in home.banner.text
    assert not home.job_panel.isVisible()


def test_that_cancelling_a_match_closes_it_and_offers_it_again(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace
) -> None:
    workspace.gate = Gate()
    qtbot.mouseClick(home.match_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "of 1,000" in home.job_panel.stage_words)
    qtbot.mouseClick(home.job_panel.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not home.job_panel.busy)
    assert workspace.gate.closed.is_set()
    qtbot.waitUntil(home.match_button.isEnabled)
    assert "match" not in workspace.calls


def test_that_nothing_to_match_leaves_the_button_off(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace
) -> None:
    assert home.match_button.text() == "Match 7"
    workspace.unmatched = 0
    home.activate()
    qtbot.waitUntil(lambda: home.match_button.text() == "Match")
    assert not home.match_button.isEnabled()


def test_that_an_export_goes_to_the_chosen_file(
    qtbot: QtBot, home: HomeScreen, workspace: Workspace, tmp_path: Path
) -> None:
    asked: list[str] = []

    def choose(_parent: object, _title: str, suggested: str, _filters: str) -> Path:
        asked.append(suggested)
        return tmp_path / "out.xlsx"

    home.choose_target = choose
    home.export_button.menu().actions()[0].trigger()
    qtbot.waitUntil(lambda: "40 rows written" in home.banner.text)
    assert asked == ["Electronics-matches.xlsx"]
    assert workspace.calls == ["export matches out.xlsx"]
