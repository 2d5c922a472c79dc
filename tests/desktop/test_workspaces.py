"""The first screen: recent workspaces, new, open, open read-only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt

from desktop.recent import forget_workspace, recent_workspaces, remember_workspace
from desktop.screens.workspaces import WorkspacesScreen
from engine.errors import InputError, WorkspaceLockedError

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

# Qt's offscreen platform says so of every window it is given.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "alcove home"
    monkeypatch.setenv("ALCOVE_HOME", str(folder))
    return folder


@pytest.fixture
def opened() -> list[tuple[Path, bool]]:
    return []


@pytest.fixture
def screen(qtbot: QtBot, opened: list[tuple[Path, bool]]) -> WorkspacesScreen:
    made = WorkspacesScreen(lambda path, read_only: opened.append((path, read_only)))
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    return made


def folder(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


# -- the list --------------------------------------------------------------------------------------


def test_that_the_workspace_opened_last_comes_first_and_none_comes_twice(tmp_path: Path) -> None:
    one, other = folder(tmp_path, "one"), folder(tmp_path, "other")
    for path in (one, other, one):
        remember_workspace(path)
    assert [recent.path for recent in recent_workspaces()] == [one, other]
    assert all(recent.there for recent in recent_workspaces())


def test_that_a_forgotten_workspace_is_off_the_list_and_still_on_the_disk(tmp_path: Path) -> None:
    one = folder(tmp_path, "one")
    remember_workspace(one)
    forget_workspace(one)
    assert recent_workspaces() == []
    assert one.is_dir()


@pytest.mark.parametrize("damage", ["", "{", "[1]", '[{"path": "/x"}]'])
def test_that_a_damaged_list_counts_as_empty_and_is_written_anew(
    home: Path, tmp_path: Path, damage: str
) -> None:
    home.mkdir()
    (home / "recent.json").write_text(damage, encoding="utf-8")
    assert recent_workspaces() == []
    remember_workspace(folder(tmp_path, "one"))
    assert len(recent_workspaces()) == 1


def test_that_a_home_that_cannot_be_written_does_not_stop_anyone(home: Path, tmp_path: Path) -> None:
    home.write_text("a file is in the way", encoding="utf-8")
    remember_workspace(folder(tmp_path, "one"))
    assert recent_workspaces() == []


# -- the screen ------------------------------------------------------------------------------------


def test_that_a_click_on_a_recent_workspace_opens_it_for_writing(
    qtbot: QtBot, screen: WorkspacesScreen, opened: list[tuple[Path, bool]], tmp_path: Path
) -> None:
    one = folder(tmp_path, "one")
    remember_workspace(one)
    screen.activate()
    qtbot.mouseClick(screen.rows[0], Qt.MouseButton.LeftButton)
    assert opened == [(one, False)]


def test_that_enter_opens_the_recent_workspace_that_has_the_focus(
    qtbot: QtBot, screen: WorkspacesScreen, opened: list[tuple[Path, bool]], tmp_path: Path
) -> None:
    remember_workspace(folder(tmp_path, "one"))
    screen.activate()
    qtbot.keyClick(screen.rows[0], Qt.Key.Key_Return)
    assert len(opened) == 1


def test_that_a_workspace_whose_folder_is_gone_is_shown_and_cannot_be_opened(
    screen: WorkspacesScreen, tmp_path: Path
) -> None:
    remember_workspace(tmp_path / "gone")
    screen.activate()
    assert not screen.rows[0].isEnabled()
    assert "not there" in screen.rows[0].accessibleName()


def test_that_open_read_only_opens_read_only(
    qtbot: QtBot, screen: WorkspacesScreen, opened: list[tuple[Path, bool]], tmp_path: Path
) -> None:
    screen.choose_folder = lambda _parent, _title, _filters: tmp_path
    qtbot.mouseClick(screen.read_only_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(screen.open_button, Qt.MouseButton.LeftButton)
    assert opened == [(tmp_path, True), (tmp_path, False)]
    assert [recent.path for recent in recent_workspaces()] == [tmp_path]


def test_that_a_new_workspace_is_made_and_then_opened(
    qtbot: QtBot, screen: WorkspacesScreen, opened: list[tuple[Path, bool]], tmp_path: Path
) -> None:
    made: list[Path] = []
    screen.create_workspace = made.append
    screen.choose_new = lambda _parent, _title, _suggested, _filters: tmp_path / "new"
    qtbot.mouseClick(screen.new_button, Qt.MouseButton.LeftButton)
    assert made == [tmp_path / "new"]
    assert opened == [(tmp_path / "new", False)]


def test_that_a_workspace_that_cannot_be_made_is_not_opened(
    qtbot: QtBot, screen: WorkspacesScreen, opened: list[tuple[Path, bool]], tmp_path: Path
) -> None:
    def refuse(_path: Path) -> None:
        raise InputError("This folder already holds other files; choose an empty one.")

    screen.create_workspace = refuse
    screen.choose_new = lambda _parent, _title, _suggested, _filters: tmp_path
    qtbot.mouseClick(screen.new_button, Qt.MouseButton.LeftButton)
    assert screen.banner.text == "This folder already holds other files; choose an empty one."
    assert opened == []


def test_that_what_is_in_the_way_of_opening_is_said_in_one_line_and_not_remembered(
    qtbot: QtBot, tmp_path: Path
) -> None:
    def locked(_path: Path, _read_only: bool) -> None:
        raise WorkspaceLockedError("Another program writes to this workspace; open it read-only.")

    screen = WorkspacesScreen(locked)
    qtbot.addWidget(screen)
    screen.open(tmp_path, read_only=False)
    assert screen.banner.text == "Another program writes to this workspace; open it read-only."
    assert recent_workspaces() == []


def test_that_calling_off_a_choice_opens_nothing(
    qtbot: QtBot, screen: WorkspacesScreen, opened: list[tuple[Path, bool]]
) -> None:
    screen.choose_folder = lambda _parent, _title, _filters: None
    screen.choose_new = lambda _parent, _title, _suggested, _filters: None
    for button in (screen.new_button, screen.open_button, screen.read_only_button):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert opened == []
