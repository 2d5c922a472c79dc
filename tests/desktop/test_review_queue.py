"""The queue under the desk: taking back, putting off, what is asked next, how much is left."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.item_models.review_desk import DeskState
from desktop.screens.review import ReviewScreen
from desktop.session import Session
from engine.contracts import ChangeSet, QueueOrder, Verdict
from tests.desktop.fake_workspace import FakeWorkspace
from tests.desktop.review_steps import Press, front, wait_for

CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


# -- taking back ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["u", "ctrl+z"])
def test_that_undo_brings_the_listing_back_with_the_same_candidates(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press, way: str
) -> None:
    assert review.desk.front is not None
    before = [one.item.id for one in review.desk.front.candidates]
    press("1")
    wait_for(qtbot, review, 2)
    press("u") if way == "u" else press(Qt.Key.Key_Z, CONTROL)
    wait_for(qtbot, review, 1)
    assert review.desk.front is not None
    assert [one.item.id for one in review.desk.front.candidates] == before
    assert workspace.decisions[0].undone
    press("2")
    wait_for(qtbot, review, 2)


def test_that_undo_goes_back_any_number_of_times_and_redo_forth(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    for expected in (2, 3, 4):
        press("n")
        wait_for(qtbot, review, expected)
    for expected in (3, 2, 1):
        press("u")
        wait_for(qtbot, review, expected)
    assert all(one.undone for one in workspace.decisions)
    press(Qt.Key.Key_Z, CONTROL | SHIFT)
    wait_for(qtbot, review, 2)
    press(Qt.Key.Key_U, SHIFT)
    wait_for(qtbot, review, 3)
    assert [one.undone for one in workspace.decisions] == [False, False, True]


def test_that_undo_inside_the_note_changes_only_the_note(
    review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("m")
    press("abc")
    press(Qt.Key.Key_Z, CONTROL)
    assert review.listing.note.text() == ""
    assert "undo" not in workspace.calls


# -- putting off ------------------------------------------------------------------------------------


def test_that_a_skipped_listing_comes_back_after_the_others(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("s")
    wait_for(qtbot, review, 2)
    seen = []
    for _ in range(35):
        seen.append(front(review))
        press("n")
        qtbot.waitUntil(lambda: len(workspace.decisions) == len(seen) and not review.desk.saving)
        qtbot.waitUntil(lambda: review.desk.state is not DeskState.LOADING)
    assert front(review) == 1
    assert 1 not in seen
    press("n")
    qtbot.waitUntil(lambda: review.desk.state is DeskState.FINISHED)


def test_that_snoozed_and_unsure_listings_wait_until_they_are_recalled(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("z")
    wait_for(qtbot, review, 2)
    press("q")
    wait_for(qtbot, review, 3)
    qtbot.waitUntil(lambda: "2 listings put off" in review.header.recall.text())
    press("r")
    qtbot.waitUntil(lambda: review.desk.put_off == 0)
    assert front(review) == 3, "recalling does not swap the card in front"
    press("n")
    wait_for(qtbot, review, 1)


# -- the queue --------------------------------------------------------------------------------------


def test_that_changes_from_outside_leave_the_card_in_front_alone(
    qtbot: QtBot, review: ReviewScreen, session: Session, workspace: FakeWorkspace, press: Press
) -> None:
    shown = review.desk.front
    workspace.decide(listing_id=2, verdict=Verdict.NONE, reviewer="Ida")
    session.hub.publish(ChangeSet(routes=True, decisions=True), initiator=workspace)
    assert review.desk.front is shown
    press("n")
    wait_for(qtbot, review, 3)


def test_that_the_same_listing_is_never_asked_twice(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    seen = []
    while review.desk.state is not DeskState.FINISHED:
        seen.append(front(review))
        press("n")
        qtbot.waitUntil(lambda: len(workspace.decisions) == len(seen) and not review.desk.saving)
        qtbot.waitUntil(lambda: review.desk.state is not DeskState.LOADING)
    assert len(seen) == len(set(seen)) == 36


def test_that_finished_and_empty_look_different(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    for number in workspace.listings_by_id:
        workspace.decide(listing_id=number, verdict=Verdict.NONE, reviewer="Ida")
    review.desk.open()
    qtbot.waitUntil(lambda: review.stack.currentWidget() is review.finished)
    workspace.listings_by_id.clear()
    review.desk.open()
    qtbot.waitUntil(lambda: review.stack.currentWidget() is review.empty)


def test_that_order_and_feed_are_chosen_and_the_order_is_remembered(
    qtbot: QtBot, review: ReviewScreen, session: Session, workspace: FakeWorkspace
) -> None:
    review.header.orders.setCurrentIndex(review.header.orders.findData(QueueOrder.FAMILY))
    review.header.feeds.setCurrentIndex(review.header.feeds.findData("pixelhaus"))
    review.header.orders.activated.emit(review.header.orders.currentIndex())
    first = workspace.queue(order=QueueOrder.FAMILY, feed="pixelhaus")[0].listing_id
    wait_for(qtbot, review, first)
    again = ReviewScreen(session)
    qtbot.addWidget(again)
    again.activate()
    qtbot.waitUntil(lambda: again.desk.state is DeskState.SHOWING)
    assert again.desk.order is QueueOrder.FAMILY


def test_that_the_counts_go_down_with_every_answer(qtbot: QtBot, review: ReviewScreen, press: Press) -> None:
    assert review.desk.left == 36
    press("n")
    wait_for(qtbot, review, 2)
    assert review.desk.left == 35
    assert "35 to do" in review.header._facts.text()
