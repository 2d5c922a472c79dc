"""Reviewers: accuracies with their intervals, adjudicating by keyboard, second opinions in Review."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.item_models.review_desk import DeskState
from desktop.screens.history import HistoryScreen
from desktop.screens.review import ReviewScreen
from desktop.screens.reviewers import ReviewersScreen
from desktop.session import Session
from engine.contracts import Verdict
from tests.desktop.fake_workspace import FakeWorkspace

Press = Callable[..., None]
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def reviewers(qtbot: QtBot, session: Session, workspace: FakeWorkspace) -> ReviewersScreen:
    workspace.disagree(1, 3, 4)
    screen = ReviewersScreen(session)
    qtbot.addWidget(screen)
    screen.resize(1240, 760)
    with qtbot.waitActive(screen):
        screen.show()
    screen.activate()
    qtbot.waitUntil(lambda: screen.report is not None)
    return screen


@pytest.fixture
def adjudicating(qtbot: QtBot, reviewers: ReviewersScreen) -> ReviewersScreen:
    reviewers.pages.setCurrentIndex(1)
    assert reviewers.adjudication.table.hasFocus()
    return reviewers


def cells(model: object, row: int) -> list[str]:
    return [model.data(model.index(row, column)) for column in range(model.columnCount())]  # type: ignore[attr-defined]


def test_that_an_accuracy_is_shown_with_its_interval_and_number_or_not_at_all(
    reviewers: ReviewersScreen,
) -> None:
    assert cells(reviewers.view.reviewers, 0) == [
        "Mara",
        "310",
        "60",
        *["0.97 (0.91-0.99), 64 judged"] * 3,
    ]
    assert cells(reviewers.view.reviewers, 1)[-1] == "too few to say"
    assert cells(reviewers.view.pairs, 0)[2] == "0.81 (0.70-0.92), 120 judged"
    assert cells(reviewers.view.pairs, 1)[2:] == ["too few to say", "too few to say", "–"]


def test_that_the_arrow_keys_show_another_pair_by_verdict(
    qtbot: QtBot, reviewers: ReviewersScreen, press: Press
) -> None:
    reviewers.view.pair_table.setFocus()
    assert [cells(reviewers.view.by_verdict, row)[0] for row in range(3)] == [
        "Match",
        "Variant",
        "None of these",
    ]
    assert cells(reviewers.view.by_verdict, 0)[-2:] == ["0.21", "-0.03"]
    press(Qt.Key.Key_Down)
    assert reviewers.view.by_verdict.rowCount() == 1


def test_that_the_share_asked_again_is_set_here(
    qtbot: QtBot, reviewers: ReviewersScreen, workspace: FakeWorkspace, press: Press
) -> None:
    reviewers.share.setFocus()
    press(Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: workspace.settings.overlap_share == 0.01)
    qtbot.waitUntil(lambda: reviewers.message.text() == "1% of the decisions are asked again, blind")


def test_that_keys_settle_disagreements_one_after_another(
    qtbot: QtBot, adjudicating: ReviewersScreen, workspace: FakeWorkspace, press: Press
) -> None:
    view = adjudicating.adjudication
    assert adjudicating.pages.tabText(1) == "To adjudicate (3)"
    press("1")
    qtbot.waitUntil(lambda: view.model.rowCount() == 2)
    assert view.table.hasFocus()
    press("2")
    qtbot.waitUntil(lambda: view.model.rowCount() == 1)
    view.note.setFocus()
    press("n1 seen")
    assert view.model.rowCount() == 1
    view.table.setFocus()
    press("n")
    qtbot.waitUntil(lambda: view.stack.currentWidget() is view.nothing)
    made = workspace.decisions[-3:]
    assert [(one.listing_id, one.verdict, one.item_id) for one in made] == [
        (1, Verdict.MATCH, 1),
        (3, Verdict.NONE, None),
        (4, Verdict.NONE, None),
    ]
    assert [one.note for one in made] == ["", "", "n1 seen"]
    assert {one.reviewer for one in made} == {"Mara"}


def test_that_both_answers_are_shown_with_who_gave_them(adjudicating: ReviewersScreen) -> None:
    view = adjudicating.adjudication
    assert view.first.button.text() == "Mara is right  [1]"
    assert view.second.button.text() == "Ida is right  [2]"
    assert "the box" in view.first._note.text()


def test_that_the_last_word_can_be_undone(
    qtbot: QtBot, adjudicating: ReviewersScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("2")
    qtbot.waitUntil(lambda: adjudicating.adjudication.model.rowCount() == 2)
    press(Qt.Key.Key_Z, CONTROL)
    qtbot.waitUntil(lambda: workspace.decisions[-1].undone)
    qtbot.waitUntil(lambda: adjudicating.message.text() == "Undone")


def test_that_any_other_answer_is_given_in_review(
    qtbot: QtBot, adjudicating: ReviewersScreen, press: Press
) -> None:
    press(Qt.Key.Key_Down)
    with qtbot.waitSignal(adjudicating.reopen_asked) as asked:
        press("r")
    assert asked.args == [3]


def test_that_a_read_only_workspace_is_only_looked_at(
    qtbot: QtBot, adjudicating: ReviewersScreen, workspace: FakeWorkspace, press: Press
) -> None:
    workspace.read_only = True
    before = len(workspace.decisions)
    adjudicating.adjudication.show_disagreements(workspace.waiting, writable=False)
    press("1")
    assert not adjudicating.adjudication.first.button.isEnabled()
    assert len(workspace.decisions) == before


# -- in Review and History ---------------------------------------------------------------------------


def test_that_review_asks_for_a_second_opinion_blind_and_keeps_it_as_one(
    qtbot: QtBot, session: Session, workspace: FakeWorkspace, press: Press
) -> None:
    workspace.decide(listing_id=1, verdict=Verdict.MATCH, item_id=1, reviewer="Ida", note="sure")
    workspace.asked["Mara"] = [1]
    screen = ReviewScreen(session)
    qtbot.addWidget(screen)
    with qtbot.waitActive(screen):
        screen.show()
    screen.activate()
    qtbot.waitUntil(lambda: screen.desk.state is DeskState.SHOWING and screen.desk.standing is not None)
    front = screen.desk.front
    assert front is not None
    assert (front.listing_id, front.blind, front.reason) == (1, True, "Audit")
    assert screen.marked is None
    titles = [one.item.title.casefold() for one in front.candidates]
    assert titles == sorted(titles)
    left = screen.desk.left
    press("q")
    qtbot.waitUntil(lambda: len(workspace.opinions) == 1)
    qtbot.waitUntil(lambda: screen.desk.front is not None and screen.desk.front.listing_id != 1)
    assert [(one.listing_id, one.verdict, one.about) for one in workspace.opinions] == [
        (1, Verdict.UNSURE, 77)
    ]
    assert len(workspace.decisions) == 1
    assert screen.desk.left == left
    assert screen.desk.put_off == 0
    press(Qt.Key.Key_Z, CONTROL)
    qtbot.waitUntil(lambda: screen.desk.front is not None and screen.desk.front.listing_id == 1)
    assert screen.desk.front.blind
    assert workspace.opinions == []


def test_that_another_reviewer_is_not_shown_what_the_one_before_was_asked(
    qtbot: QtBot, session: Session, workspace: FakeWorkspace
) -> None:
    workspace.decide(listing_id=1, verdict=Verdict.MATCH, item_id=1, reviewer="Ida")
    workspace.asked["Mara"] = [1]
    screen = ReviewScreen(session)
    qtbot.addWidget(screen)
    screen.show()
    screen.activate()
    qtbot.waitUntil(lambda: screen.desk.front is not None and screen.desk.front.listing_id == 1)
    session.reviewer = "Ida"
    screen.desk.change_reviewer()
    qtbot.waitUntil(lambda: screen.desk.front is not None and screen.desk.front.listing_id != 1)
    assert screen.desk.front.card.entry.about is None


def test_that_history_marks_a_decision_as_certain(
    qtbot: QtBot, session: Session, workspace: FakeWorkspace, press: Press
) -> None:
    workspace.decide(listing_id=1, verdict=Verdict.MATCH, item_id=1, reviewer="Mara")
    screen = HistoryScreen(session)
    qtbot.addWidget(screen)
    with qtbot.waitActive(screen):
        screen.show()
    screen.activate()
    qtbot.waitUntil(screen.card.gold.isEnabled)
    screen.card.gold.setFocus()
    press(Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: workspace.gold == {1})
    qtbot.waitUntil(lambda: screen.card.gold.text() == "Not certain after all")
    press(Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: workspace.gold == set())
