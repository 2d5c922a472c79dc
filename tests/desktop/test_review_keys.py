"""Keys that find instead of decide, the overlay that shows and changes them, and where they do nothing."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.keymap import Action
from desktop.screens.review import ReviewScreen
from engine.contracts import Verdict
from tests.desktop.fake_workspace import FakeWorkspace
from tests.desktop.review_steps import Press, front, wait_for

# -- searching --------------------------------------------------------------------------------------


def test_that_a_found_item_becomes_a_candidate_that_enter_takes(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("/")
    press("iphone 14 pro")
    qtbot.waitUntil(lambda: review.search.open and review.search.results.count() == 1)
    press(Qt.Key.Key_Return)
    assert review.marked is not None
    assert review.marked.item.title.startswith("Apple iPhone 14 Pro")
    assert not review.desk.saving
    press(Qt.Key.Key_Return)
    wait_for(qtbot, review, 2)
    assert workspace.item(workspace.decisions[0].item_id or 0).title.startswith("Apple iPhone 14 Pro")


def test_that_digits_typed_into_the_search_choose_nothing(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("/")
    press("8806094724912")
    qtbot.waitUntil(lambda: review.search.open and review.search.results.count() == 1)
    assert workspace.decisions == []
    press(Qt.Key.Key_Escape)
    assert not review.search.open
    press("1")
    wait_for(qtbot, review, 2)


# -- the keys ---------------------------------------------------------------------------------------


def test_that_the_overlay_shows_the_keys_and_keeps_them_from_the_desk(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("?")
    assert review.hints.isVisible()
    press("1")
    press("n")
    assert workspace.decisions == []
    press("?")
    assert not review.hints.isVisible()
    press("n")
    wait_for(qtbot, review, 2)


def test_that_a_key_can_be_changed_in_the_overlay(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("?")
    review.hints.await_key(Action.NONE)
    press("k")
    press(Qt.Key.Key_Escape)
    press("n")
    assert workspace.decisions == []
    press("k")
    wait_for(qtbot, review, 2)
    assert workspace.decisions[0].verdict is Verdict.NONE


def test_that_everything_can_be_reached_with_tab(review: ReviewScreen, press: Press) -> None:
    reached = set()
    for _ in range(40):
        press(Qt.Key.Key_Tab)
        widget = QApplication.focusWidget()
        assert widget is not None
        reached.add(widget.accessibleName() or type(widget).__name__)
    for name in ("Feed", "Order of the queue", "Search the catalogue", "None of these, key N", "Undo"):
        assert name in reached, (name, reached)


def test_that_a_read_only_workspace_can_be_looked_at_but_not_answered(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    workspace.read_only = True
    press("1")
    assert front(review) == 1
    assert "read-only" in review.verdicts.message.text()
    assert workspace.decisions == []
