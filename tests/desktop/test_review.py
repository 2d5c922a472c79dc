"""Reviewing by keyboard: one key decides, saves and advances, and everything can be taken back."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from desktop.item_models.review_desk import DeskState
from desktop.keymap import Action
from desktop.screens.review import ReviewScreen
from desktop.session import Session
from engine.contracts import ChangeSet, QueueOrder, Stream, Verdict
from engine.errors import DiskFullError
from tests.desktop.fake_workspace import FakeWorkspace

Press = Callable[..., None]
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def front(review: ReviewScreen) -> int:
    """The listing in front; 0 for none."""
    return review.desk.front.listing_id if review.desk.front else 0


def wait_for(qtbot: QtBot, review: ReviewScreen, listing_id: int) -> None:
    qtbot.waitUntil(lambda: front(review) == listing_id and not review.desk.saving)


# -- deciding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", [1, 2, 3])
def test_that_a_digit_matches_with_that_candidate_saves_and_advances(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press, digit: int
) -> None:
    assert review.desk.front is not None
    wanted = review.desk.front.candidates[digit - 1].item.id
    press(str(digit))
    wait_for(qtbot, review, 2)
    (decision,) = workspace.decisions
    assert (decision.listing_id, decision.verdict, decision.item_id) == (1, Verdict.MATCH, wanted)
    assert decision.reviewer == "Mara"


def test_that_enter_takes_the_best_candidate(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press(Qt.Key.Key_Return)
    wait_for(qtbot, review, 2)
    assert workspace.decisions[0].item_id == workspace.card_for(1).candidates[0].item.id


def test_that_enter_takes_the_candidate_marked_with_the_arrows(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    assert review.desk.front is not None
    third = review.desk.front.candidates[2].item.id
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up):
        press(key)
    press(Qt.Key.Key_Enter)
    wait_for(qtbot, review, 2)
    assert workspace.decisions[0].item_id == third


@pytest.mark.parametrize(
    ("key", "verdict"),
    [
        ("n", Verdict.NONE),
        ("i", Verdict.NEW_ITEM),
        ("q", Verdict.UNSURE),
        ("b", Verdict.BAD_LISTING),
    ],
)
def test_that_a_letter_gives_a_verdict_without_an_item(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press, key: str, verdict: Verdict
) -> None:
    press(key)
    wait_for(qtbot, review, 2)
    assert (workspace.decisions[0].verdict, workspace.decisions[0].item_id) == (verdict, None)


def test_that_v_says_variant_of_the_marked_candidate(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    assert review.desk.front is not None
    second = review.desk.front.candidates[1].item.id
    press(Qt.Key.Key_Down)
    press("v")
    wait_for(qtbot, review, 2)
    assert (workspace.decisions[0].verdict, workspace.decisions[0].item_id) == (Verdict.VARIANT, second)


def test_that_a_candidate_ruled_out_goes_with_the_decision(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    assert review.desk.front is not None
    first, second = (one.item.id for one in review.desk.front.candidates[:2])
    press("x")
    press("x")
    press(Qt.Key.Key_Up)
    press("x")  # the second is let in again
    press("n")
    wait_for(qtbot, review, 2)
    assert workspace.decisions[0].rejected == (first,)
    assert second not in workspace.decisions[0].rejected


def test_that_the_chosen_candidate_is_not_among_the_rejected(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("x")
    press("1")
    wait_for(qtbot, review, 2)
    assert workspace.decisions[0].rejected == ()


@pytest.mark.parametrize("key", [Qt.Key.Key_Backspace, Qt.Key.Key_Delete, Qt.Key.Key_0, Qt.Key.Key_Space])
def test_that_keys_pressed_by_accident_do_nothing(
    review: ReviewScreen, workspace: FakeWorkspace, press: Press, key: Qt.Key
) -> None:
    press(key)
    assert not review.desk.saving
    assert workspace.decisions == []
    assert front(review) == 1


def test_that_a_digit_without_a_candidate_decides_nothing(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    review.reopen(12)
    wait_for(qtbot, review, 12)
    assert review.desk.front is not None
    assert review.desk.front.candidates == ()
    press("9")
    assert workspace.decisions == []
    assert "no candidate 9" in review.verdicts.message.text()


def test_that_the_next_card_is_shown_only_when_the_answer_is_on_the_disk(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    disk = threading.Event()
    workspace.before_write = lambda: assert_true(disk.wait(5))
    press("1")
    press("2")  # the next card is not on screen yet, so this key cannot have been meant for it
    qtbot.waitUntil(lambda: review.desk.saving)
    assert front(review) == 1
    disk.set()
    wait_for(qtbot, review, 2)
    assert [one.listing_id for one in workspace.decisions] == [1]


def test_that_a_failed_write_keeps_the_card_and_says_why(
    qtbot: QtBot, review: ReviewScreen, session: Session, workspace: FakeWorkspace, press: Press
) -> None:
    def full() -> None:
        raise DiskFullError("the disk is full; nothing of the operation was kept")

    session.tasks.failure.disconnect()
    workspace.before_write = full
    with qtbot.waitSignal(session.tasks.failure) as failure:
        press("1")
    assert isinstance(failure.args[0], DiskFullError)
    assert front(review) == 1
    workspace.before_write = lambda: None
    press("1")
    wait_for(qtbot, review, 2)


def test_that_a_note_goes_with_the_decision_and_its_letters_decide_nothing(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("m")
    assert isinstance(QApplication.focusWidget(), QLineEdit)
    press("no box, vqn 1")
    assert workspace.decisions == []
    press(Qt.Key.Key_Return)
    assert not isinstance(QApplication.focusWidget(), QLineEdit)
    press("1")
    wait_for(qtbot, review, 2)
    assert workspace.decisions[0].note == "no box, vqn 1"
    assert review.listing.note.text() == ""


def test_that_enter_on_a_focused_button_presses_the_button_and_takes_no_candidate(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    review.verdicts.button(Action.NONE).setFocus()
    press(Qt.Key.Key_Return)
    wait_for(qtbot, review, 2)
    assert [one.verdict for one in workspace.decisions] == [Verdict.NONE]


# -- taking back ---------------------------------------------------------------------------------


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


# -- putting off ---------------------------------------------------------------------------------


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


# -- identical listings ----------------------------------------------------------------------------


def test_that_a_answers_identical_listings_after_saying_how_many(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    assert review.verdicts.identical.isHidden()
    press("1")
    wait_for(qtbot, review, 2)
    assert "Also 1 identical" in review.verdicts.identical.text()
    press("a")
    qtbot.waitUntil(lambda: len(workspace.decisions) == 2 and not review.desk.saving)
    first, second = workspace.decisions
    assert (second.verdict, second.item_id) == (first.verdict, first.item_id)
    assert workspace.listing(first.listing_id).title == workspace.listing(second.listing_id).title
    assert front(review) == 2
    assert review.verdicts.identical.isHidden()


# -- searching -----------------------------------------------------------------------------------


def test_that_a_found_item_becomes_a_candidate_that_enter_takes(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("/")
    press("iphone 14 pro")
    qtbot.waitUntil(lambda: review.search.open and review.search.results.count() == 1)
    press(Qt.Key.Key_Return)
    assert review.marked is not None
    assert review.marked.item.title.startswith("Apple iPhone 14 Pro")
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


# -- audits --------------------------------------------------------------------------------------


def test_that_an_audit_shows_neither_confidence_nor_its_order(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("n")
    wait_for(qtbot, review, 2)
    shown = review.desk.front
    assert shown is not None
    assert shown.blind
    titles = [one.item.title for one in shown.candidates]
    assert titles == sorted(titles, key=str.casefold)
    assert all(card.confidence is None for card in review.candidates.cards())
    assert not any("confidence" in card.accessibleName() for card in review.candidates.cards())
    assert not any(one.near_tie for one in shown.candidates)


def test_that_enter_by_habit_does_not_answer_an_audit(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press(Qt.Key.Key_Return)
    wait_for(qtbot, review, 2)
    press(Qt.Key.Key_Return)
    assert len(workspace.decisions) == 1
    press(Qt.Key.Key_Down)
    press(Qt.Key.Key_Return)
    wait_for(qtbot, review, 3)
    assert workspace.decisions[1].stream is Stream.RANDOM
    assert workspace.decisions[1].draw_id == 2


# -- the queue -----------------------------------------------------------------------------------


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


# -- the keys ------------------------------------------------------------------------------------


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


def assert_true(value: bool) -> None:
    assert value
