"""Deciding by keyboard: one key decides, saves and advances; audits are decided blind."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from desktop.keymap import Action
from desktop.screens.review import ReviewScreen
from desktop.session import Session
from engine.contracts import Stream, Verdict
from engine.errors import DiskFullError
from tests.desktop.fake_workspace import FakeWorkspace
from tests.desktop.review_steps import Press, front, wait_for

# -- deciding ---------------------------------------------------------------------------------------


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
    assert not review.desk.saving
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


# -- identical listings -----------------------------------------------------------------------------


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


# -- audits -----------------------------------------------------------------------------------------


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


def assert_true(value: bool) -> None:
    assert value
