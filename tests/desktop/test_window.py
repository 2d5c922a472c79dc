"""The window and the process around it: navigation, saving, closing, errors, themes."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from desktop.app import Desktop
from desktop.daily_backup import DailyBackup
from desktop.error_dialog import BUG_WORDS, ErrorPresenter
from desktop.item_models.review_desk import DeskState
from desktop.main_window import MainWindow
from desktop.preferences import Preferences
from desktop.theme import _themes, style_sheet
from engine.contracts import Verdict
from engine.errors import BugError, InputError, WorkspaceLockedError
from tests.desktop.fake_workspace import FakeWorkspace

Press = Callable[..., None]
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def opened() -> list[FakeWorkspace]:
    return []


@pytest.fixture
def desktop(qtbot: QtBot, tmp_path: Path, opened: list[FakeWorkspace]) -> Iterator[Desktop]:
    app = QApplication.instance()
    assert isinstance(app, QApplication)

    def open_fake(path: Path, read_only: bool) -> FakeWorkspace:
        if path.name == "locked" and not read_only:
            raise WorkspaceLockedError("another program writes to this workspace; open it read-only")
        opened.append(FakeWorkspace(path, read_only=read_only))
        return opened[-1]

    preferences = Preferences(tmp_path / "desktop.ini")
    before = (app.styleSheet(), QPalette(app.palette()), app.font(), sys.excepthook)
    made = Desktop(app, preferences=preferences, open_workspace=open_fake)  # type: ignore[arg-type]
    yield made
    if made.window is not None:
        made.window.close()
    if made.chooser is not None:
        made.chooser.close()
    app.setStyleSheet(before[0])
    app.setPalette(before[1])
    app.setFont(before[2])
    assert sys.excepthook is before[3] or sys.excepthook is sys.__excepthook__
    sys.excepthook = before[3]
    made.theme.deleteLater()
    made.deleteLater()


def shown(qtbot: QtBot, desktop: Desktop) -> MainWindow:
    assert desktop.window is not None
    with qtbot.waitActive(desktop.window):
        desktop.window.activateWindow()
    return desktop.window


def test_that_without_a_workspace_the_chooser_is_shown(desktop: Desktop) -> None:
    desktop.start(None)
    assert desktop.window is None
    assert desktop.chooser is not None
    assert desktop.chooser.isVisible()


def test_that_a_locked_workspace_is_explained_in_the_chooser(desktop: Desktop, tmp_path: Path) -> None:
    desktop.start(tmp_path / "locked")
    assert desktop.window is None
    assert desktop.chooser is not None
    assert "read-only" in desktop.chooser.centralWidget().banner.text  # type: ignore[attr-defined]


def test_that_opening_replaces_the_chooser_and_leaving_brings_it_back(
    qtbot: QtBot, desktop: Desktop, tmp_path: Path, opened: list[FakeWorkspace]
) -> None:
    desktop.start(None)
    desktop.open(tmp_path / "demo", read_only=True)
    assert desktop.chooser is None
    window = shown(qtbot, desktop)
    assert "read-only" in window.windowTitle()
    desktop.switch()
    assert desktop.window is None
    assert opened[0].closed
    assert desktop.chooser is not None


def test_that_every_screen_is_reached_by_keyboard(
    qtbot: QtBot, desktop: Desktop, tmp_path: Path, press: Press
) -> None:
    desktop.open(tmp_path, read_only=False)
    window = shown(qtbot, desktop)
    for digit, screen in (
        (Qt.Key.Key_6, window.reviewers),
        (Qt.Key.Key_5, window.history),
        (Qt.Key.Key_4, window.releases),
        (Qt.Key.Key_3, window.automation),
        (Qt.Key.Key_2, window.review),
        (Qt.Key.Key_1, window.home),
    ):
        press(digit, CONTROL)
        assert window.stack.currentWidget() is screen


def test_that_closing_right_after_a_key_keeps_the_decision(
    qtbot: QtBot, desktop: Desktop, tmp_path: Path, press: Press, opened: list[FakeWorkspace]
) -> None:
    desktop.open(tmp_path, read_only=False)
    window = shown(qtbot, desktop)
    window.show_screen(1)
    qtbot.waitUntil(lambda: window.review.desk.state is DeskState.SHOWING)
    press("n")
    window.close()
    assert [one.verdict for one in opened[0].decisions] == [Verdict.NONE]
    assert opened[0].closed


def test_that_the_window_comes_back_where_one_was(qtbot: QtBot, desktop: Desktop, tmp_path: Path) -> None:
    desktop.open(tmp_path, read_only=False)
    window = shown(qtbot, desktop)
    window.resize(1000, 701)  # no larger than the offscreen screen is high
    window.show_screen(4)
    window.close()
    desktop.open(tmp_path, read_only=False)
    again = shown(qtbot, desktop)
    assert again.stack.currentWidget() is again.history
    assert again.height() == 701


def test_that_the_status_line_says_when_everything_is_saved(
    qtbot: QtBot, desktop: Desktop, tmp_path: Path, press: Press
) -> None:
    desktop.open(tmp_path, read_only=False)
    window = shown(qtbot, desktop)
    window.show_screen(1)
    qtbot.waitUntil(lambda: window.review.desk.state is DeskState.SHOWING)
    press("n")
    assert window.jobs.saved.text() == "Saving"
    qtbot.waitUntil(lambda: window.jobs.saved.text() == "All decisions saved")


def test_that_the_reviewer_can_sign_with_another_name(
    qtbot: QtBot, desktop: Desktop, tmp_path: Path, press: Press, opened: list[FakeWorkspace]
) -> None:
    desktop.open(tmp_path, read_only=False)
    window = shown(qtbot, desktop)
    window.show_screen(1)
    qtbot.waitUntil(lambda: window.review.desk.state is DeskState.SHOWING)
    window._on_renamed("  Ida ")
    press("n")
    qtbot.waitUntil(lambda: len(opened[0].decisions) == 1)
    assert opened[0].decisions[0].reviewer == "Ida"


def test_that_a_listing_of_the_history_is_answered_again_in_review(
    qtbot: QtBot, desktop: Desktop, tmp_path: Path, press: Press, opened: list[FakeWorkspace]
) -> None:
    desktop.open(tmp_path, read_only=False)
    window = shown(qtbot, desktop)
    opened[0].decide(listing_id=9, verdict=Verdict.NONE, reviewer="Ida")
    window.show_screen(4)
    qtbot.waitUntil(lambda: window.history.model.rowCount() == 1)
    window.history.card.reopen.click()
    desk = window.review.desk
    qtbot.waitUntil(lambda: desk.front is not None and desk.front.listing_id == 9)
    press("1")
    qtbot.waitUntil(lambda: desk.front is not None and desk.front.listing_id == 1)
    assert [one.undone for one in opened[0].decisions] == [True, False]


# -- errors --------------------------------------------------------------------------------------


@pytest.fixture
def presenter(qtbot: QtBot) -> ErrorPresenter:
    window = QLineEdit()
    qtbot.addWidget(window)
    window.show()
    return ErrorPresenter(window, Path("desktop.log"))


def test_that_a_users_error_is_said_in_its_own_words(presenter: ErrorPresenter) -> None:
    presenter.show(InputError("feed.csv, row 14: the title is empty"))
    assert presenter.dialog is not None
    assert presenter.dialog.informativeText() == "feed.csv, row 14: the title is empty"
    presenter.dialog.close()
    assert presenter.dialog is None


@pytest.mark.parametrize("error", [BugError("broken promise"), KeyError("secret")])
def test_that_a_bug_shows_no_internals_and_offers_the_log(
    presenter: ErrorPresenter, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    presenter.show(error)
    assert presenter.dialog is not None
    assert presenter.dialog.informativeText() == BUG_WORDS
    assert "Open log" in [button.text() for button in presenter.dialog.buttons()]
    assert caplog.records[0].exc_info is not None
    presenter.dialog.close()


def test_that_a_full_disk_is_not_called_a_mistake_of_alcove(presenter: ErrorPresenter) -> None:
    presenter.show(OSError(errno.ENOSPC, "No space left on device", "shop/items.npy"))
    assert presenter.dialog is not None
    assert presenter.dialog.informativeText().startswith("the disk of shop/items.npy is full")
    presenter.dialog.close()


def test_that_errors_come_one_at_a_time_and_the_same_one_once(presenter: ErrorPresenter) -> None:
    for words in ("the disk is full", "the disk is full", "the disk is gone"):
        presenter.show(InputError(words))
    seen = []
    while presenter.dialog is not None:
        seen.append(presenter.dialog.informativeText())
        presenter.dialog.close()
    assert seen == ["the disk is full", "the disk is gone"]


# -- themes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["light", "dark"])
def test_that_the_style_sheet_leaves_no_name_unfilled(name: str) -> None:
    assert "@" not in style_sheet(_themes()[name], 10.0)


def _luminance(code: str) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(code[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("text", "surface"),
        ("text", "window"),
        ("muted", "surface"),
        ("muted", "window"),
        ("muted", "sidebar"),
        ("muted", "hover"),
        ("faint", "surface"),
        ("accent", "surface"),
        ("accent", "accent_soft"),
        ("on_accent", "accent"),
        ("good", "good_soft"),
        ("warn", "warn_soft"),
        ("bad", "bad_soft"),
        ("bad", "surface"),
        ("conflict", "conflict_soft"),
        ("missing", "surface"),
    ],
)
def test_that_words_stand_out_from_their_ground(name: str, ink: str, paper: str) -> None:
    colours = _themes()[name]
    one, other = sorted((_luminance(getattr(colours, ink)), _luminance(getattr(colours, paper))))
    assert (other + 0.05) / (one + 0.05) >= 4.5


def test_that_text_grows_and_the_choice_of_theme_stays(desktop: Desktop, qtbot: QtBot) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    before = app.font().pointSizeF()
    desktop.theme.step_scale(2)
    assert app.font().pointSizeF() == pytest.approx(before * 1.25, abs=0.1)
    desktop.theme.step_scale(0)
    assert app.font().pointSizeF() == pytest.approx(before)
    assert [desktop.theme.next_choice() for _ in range(3)] == ["light", "dark", "system"]


def test_that_calls_into_qt_do_not_use_up_none(qtbot: QtBot) -> None:
    """PySide6 6.12.0 did on Python 3.11: one reference a call, until the process was aborted."""
    widget = QLineEdit()
    qtbot.addWidget(widget)
    before = sys.getrefcount(None)
    for _ in range(500):
        widget.update()
        widget.updateGeometry()
    assert sys.getrefcount(None) > before - 100


def test_that_an_open_workspace_is_backed_up_once_a_day_by_itself(
    qtbot: QtBot, desktop: Desktop, opened: list[FakeWorkspace], tmp_path: Path
) -> None:
    desktop.start(tmp_path / "shop")
    qtbot.waitUntil(lambda: "backup_if_due" in opened[0].calls)
    (daily,) = shown(qtbot, desktop).findChildren(DailyBackup)
    assert daily.timer.isActive()
    daily.timer.timeout.emit()
    qtbot.waitUntil(lambda: opened[0].calls.count("backup_if_due") == 2)
    desktop.close_workspace()
    desktop.open(tmp_path / "locked", read_only=True)
    (idle,) = shown(qtbot, desktop).findChildren(DailyBackup)
    assert not idle.timer.isActive()
    assert "backup_if_due" not in opened[1].calls
