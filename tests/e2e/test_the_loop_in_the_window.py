"""The real window over a real workspace: import, match, review by keyboard, undo, certify, train, promote.

Only the base encoder is small; database, files, ONNX, the trainer's process and Qt are the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from desktop.app import Desktop
from desktop.item_models.review_desk import DeskState
from desktop.main_window import MainWindow
from desktop.preferences import Preferences
from engine.contracts import RecordKind, RunState, Verdict
from engine.workspace import Workspace
from tests.fakes import make_tiny_sentence_transformer
from tests.loop import ITEMS, LISTINGS, answers, sample_files, tiny_base

HOME, REVIEW, AUTOMATION, RELEASES = 0, 1, 2, 3
#: Milliseconds that matching, certifying or a tiny training run may take on a busy machine.
LONG = 180_000

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "workspace"
    with Workspace.create(path) as workspace:
        workspace.use_base_model(make_tiny_sentence_transformer(tmp_path / "model"))
        workspace.update_settings(precision=0.7)
    return path


@pytest.fixture
def desktop(qtbot: QtBot, qapp: QApplication, folder: Path, tmp_path: Path) -> Iterator[Desktop]:
    made = Desktop(qapp, preferences=Preferences(tmp_path / "desktop.ini"))
    with tiny_base():
        made.start(folder)
        yield made
        if made.window is not None:
            made.window.close()
    made.deleteLater()


@pytest.fixture
def window(desktop: Desktop, qtbot: QtBot) -> MainWindow:
    assert desktop.window is not None
    qtbot.waitExposed(desktop.window)
    return desktop.window


def _key(
    qtbot: QtBot, key: Qt.Key | str, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    focus: QWidget | None = QApplication.focusWidget()
    assert focus is not None
    if isinstance(key, str):
        qtbot.keyClicks(focus, key, modifier)
    else:
        qtbot.keyClick(focus, key, modifier)


def _import(qtbot: QtBot, window: MainWindow, file: Path, kind: RecordKind) -> None:
    window.home.open_import(file, kind)
    page = window.home.import_page
    qtbot.waitUntil(lambda: page.preview is not None, timeout=LONG)
    assert page.preview is not None
    assert page.preview.mapping.column("title") == "title"
    with qtbot.waitSignal(page.closed, timeout=LONG) as closed:
        page.import_button.click()
    assert closed.args[0].refused_total == 0


def test_that_a_feed_goes_all_the_way_round(
    qtbot: QtBot, desktop: Desktop, window: MainWindow, folder: Path
) -> None:
    files, judge = sample_files(), answers()
    session = desktop._session
    assert session is not None
    workspace = session.workspace

    # Import two files and match them.
    _import(qtbot, window, files / "catalogue.csv", RecordKind.CATALOGUE)
    _import(qtbot, window, files / "listings.csv", RecordKind.LISTINGS)
    assert workspace.items_count() == ITEMS
    window.home.match()
    qtbot.waitUntil(
        lambda: workspace.status().counts.unmatched == 0 and workspace.feeds() != [], timeout=LONG
    )
    qtbot.waitUntil(lambda: not window.home.job_panel.busy, timeout=LONG)
    assert workspace.status().counts.listings == LISTINGS

    # Review by keyboard: Enter, a digit, none, undo, redo.
    window.show_screen(REVIEW)
    desk = window.review.desk
    qtbot.waitUntil(lambda: desk.state is DeskState.SHOWING and desk.front is not None, timeout=LONG)
    first = desk.front
    assert first is not None
    for number, key in enumerate((Qt.Key.Key_2, Qt.Key.Key_N, Qt.Key.Key_1), start=1):
        shown = desk.front
        _key(qtbot, key)
        qtbot.waitUntil(lambda shown=shown: desk.front is not shown and not desk.saving, timeout=LONG)
        assert workspace.status().counts.decisions == number
    verdicts = [entry.decision.verdict for entry in workspace.history()]
    assert verdicts == [Verdict.MATCH, Verdict.NONE, Verdict.MATCH]
    for left in (2, 1, 0):
        _key(qtbot, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda left=left: workspace.status().counts.decisions == left, timeout=LONG)
        qtbot.waitUntil(lambda: not desk.saving, timeout=LONG)
    assert desk.front is not None
    assert desk.front.listing_id == first.listing_id
    assert [c.item.id for c in desk.front.candidates] == [c.item.id for c in first.candidates]

    # The rest of the day's decisions come from the answers file; the automation screen certifies them.
    judge.review(workspace, 260)
    window.show_screen(AUTOMATION)
    qtbot.waitUntil(window.automation.certify_button.isEnabled, timeout=LONG)
    window.automation.certify_button.click()
    qtbot.waitUntil(lambda: workspace.status().champion == "r0002", timeout=LONG)
    qtbot.waitUntil(lambda: not window.automation.job_panel.busy, timeout=LONG)
    assert workspace.releases()[0].matcher != "none"

    # Train, build the challenger, compare it, promote it, roll back.
    window.show_screen(RELEASES)
    training, page = window.releases.training_page, window.releases.release_page
    window.releases.pages.setCurrentWidget(training)
    training.recipe_choice.setCurrentText("quick")
    qtbot.waitUntil(training.start_button.isEnabled, timeout=LONG)
    training.start_button.click()
    qtbot.waitUntil(
        lambda: bool(workspace.runs()) and workspace.runs()[0].state is RunState.FINISHED, timeout=LONG
    )
    qtbot.waitUntil(training.build_button.isEnabled, timeout=LONG)
    training.build_button.click()
    qtbot.waitUntil(lambda: workspace.releases()[0].origin == "training", timeout=LONG)
    qtbot.waitUntil(lambda: page.compare_button.isEnabled() and page.name == "r0003", timeout=LONG)
    page.compare_button.click()
    qtbot.waitUntil(lambda: workspace.releases()[0].gate is not None, timeout=LONG)
    qtbot.waitUntil(lambda: not page.job_panel.busy, timeout=LONG)
    gate = workspace.releases()[0].gate
    assert gate is not None
    if not gate.passed:
        # A tiny random encoder may well lose; the keeper may overrule the gate knowingly.
        qtbot.waitUntil(page.force_box.isVisible, timeout=LONG)
        page.force_box.setChecked(True)
    qtbot.waitUntil(page.promote_button.isEnabled, timeout=LONG)
    # Where the challenger lost, its average with the champion was compared as well, and may be the one shown.
    challenger = workspace.releases()[0].id
    assert page.name == challenger
    page.promote_button.click()
    qtbot.waitUntil(lambda: workspace.status().champion == challenger, timeout=LONG)
    qtbot.waitUntil(lambda: not page.job_panel.busy, timeout=LONG)
    qtbot.waitUntil(page.roll_back_button.isEnabled, timeout=LONG)
    page.roll_back_button.click()
    qtbot.waitUntil(lambda: workspace.status().champion == "r0002", timeout=LONG)
    qtbot.waitUntil(lambda: not page.job_panel.busy, timeout=LONG)

    # Everything that was said to be saved is there after the window is closed.
    status = workspace.status()
    window.close()
    with Workspace.open(folder) as again:
        assert again.status().counts == status.counts
        assert again.status().champion == "r0002"
