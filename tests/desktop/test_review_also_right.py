"""Naming every right candidate by keyboard: marked in words, saved, shown again, in audits too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.screens.history import HistoryScreen
from desktop.screens.review import ReviewScreen
from desktop.screens.reviewers import ReviewersScreen
from desktop.session import Session
from engine.contracts import Stream, Verdict
from tests.desktop.fake_workspace import FakeWorkspace
from tests.desktop.review_steps import Press, front, wait_for


def shown(review: ReviewScreen) -> list[int]:
    """The item numbers on the card."""
    assert review.desk.front is not None
    return [one.item.id for one in review.desk.front.candidates]


def test_that_e_names_the_marked_candidate_besides_the_one_taken(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    first, second, third, *_ = shown(review)
    press("e")
    press(Qt.Key.Key_Down)
    press("e")
    press("2")
    wait_for(qtbot, review, 2)
    [decision] = workspace.decisions
    assert (decision.verdict, decision.item_id) == (Verdict.MATCH, second)
    assert decision.also_right == (first, third)
    assert "match, 2 also right" in review.verdicts.message.text()
    assert review.marks.also_right == ()


def test_that_enter_takes_the_candidate_that_follows_the_one_also_right(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    first, second, *_ = shown(review)
    press("e")
    press(Qt.Key.Key_Return)
    wait_for(qtbot, review, 2)
    assert workspace.decisions[0].right_items == (second, first)


def test_that_the_card_says_it_in_words_and_to_a_screen_reader(review: ReviewScreen, press: Press) -> None:
    card = review.candidates.cards()[0]
    press("e")
    assert "Also right" in card.tags
    assert "Also right" in card.accessibleName()
    press(Qt.Key.Key_Up)
    press("e")
    assert "Also right" not in card.tags
    assert "Also right" not in card.accessibleName()


def test_that_a_candidate_is_ruled_out_or_also_right_but_not_both(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    first, second, third, *_ = shown(review)
    press("x")
    press(Qt.Key.Key_Up)
    press("e")
    press("e")
    press(Qt.Key.Key_Up)
    press("x")
    tags = [card.tags for card in review.candidates.cards()[:2]]
    assert ["Ruled out" in one for one in tags] == [False, True]
    assert ["Also right" in one for one in tags] == [True, False]
    press("3")
    wait_for(qtbot, review, 2)
    [decision] = workspace.decisions
    assert (decision.item_id, decision.also_right, decision.rejected) == (third, (first,), (second,))


def test_that_the_one_taken_is_not_also_right_besides_itself(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    first, *_ = shown(review)
    press("e")
    press("1")
    wait_for(qtbot, review, 2)
    assert workspace.decisions[0].right_items == (first,)


@pytest.mark.parametrize("key", ["n", "i", "q", "b", "v"])
def test_that_no_other_answer_drops_what_is_marked_unseen(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press, key: str
) -> None:
    press("e")
    press(key)
    assert not review.desk.saving
    assert workspace.decisions == []
    assert "also right" in review.verdicts.message.text()
    press(Qt.Key.Key_Up)
    press("e")
    press(key)
    wait_for(qtbot, review, 2)


def test_that_a_found_item_can_be_also_right(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    first, *_ = shown(review)
    press("/")
    press("iphone 14 pro")
    qtbot.waitUntil(lambda: review.search.open and review.search.results.count() == 1)
    press(Qt.Key.Key_Return)
    assert review.marked is not None
    found = review.marked.item.id
    press("e")
    press("1")
    wait_for(qtbot, review, 2)
    assert workspace.decisions[0].right_items == (first, found)


def test_that_an_audit_takes_every_right_candidate_and_marks_none_by_itself(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("n")
    wait_for(qtbot, review, 2)
    assert review.desk.front is not None
    assert review.desk.front.blind
    press("e")
    assert review.marks.also_right == ()
    assert "Mark a candidate first" in review.verdicts.message.text()
    first, second, *_ = shown(review)
    press(Qt.Key.Key_Down)
    press("e")
    press("2")
    wait_for(qtbot, review, 3)
    audit = workspace.decisions[1]
    assert (audit.stream, audit.right_items) == (Stream.RANDOM, (second, first))


def test_that_a_second_opinion_names_every_right_candidate(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    workspace.asked["Mara"] = [3]
    review.desk.open()
    wait_for(qtbot, review, 3)
    first, second, *_ = shown(review)
    press(Qt.Key.Key_Down)
    press("e")
    press("2")
    qtbot.waitUntil(lambda: len(workspace.opinions) == 1 and front(review) != 3)
    assert workspace.opinions[0].right_items == (second, first)


def test_that_identical_listings_get_every_right_item(
    qtbot: QtBot, review: ReviewScreen, workspace: FakeWorkspace, press: Press
) -> None:
    press("e")
    press("2")
    wait_for(qtbot, review, 2)
    assert "match, 1 also right" in review.verdicts.identical.toolTip()
    press("a")
    qtbot.waitUntil(lambda: len(workspace.decisions) == 2 and not review.desk.saving)
    one, other = workspace.decisions
    assert other.right_items == one.right_items
    assert len(one.right_items) == 2


def test_that_history_names_every_right_item(
    qtbot: QtBot, session: Session, workspace: FakeWorkspace
) -> None:
    workspace.decide(listing_id=1, verdict=Verdict.MATCH, item_id=1, also_right=(2,), reviewer="Mara")
    screen = HistoryScreen(session)
    qtbot.addWidget(screen)
    screen.activate()
    qtbot.waitUntil(lambda: screen.model.rowCount() == 1)
    row = [screen.model.data(screen.model.index(0, at)) for at in range(screen.model.columnCount())]
    assert "match, 1 also right" in row
    qtbot.waitUntil(lambda: "1 also right" in screen.card.accessibleDescription())
    assert f"Also right: {workspace.item(2).title}" in screen.card._item.text()


def test_that_the_last_word_on_an_answer_keeps_every_item_it_named(
    qtbot: QtBot, session: Session, workspace: FakeWorkspace
) -> None:
    workspace.disagree(1)
    [waiting] = workspace.waiting
    said = replace(waiting.decision, also_right=(2,))
    workspace.waiting = [replace(waiting, decision=said, decision_also_right=(("I2", "the tray"),))]
    screen = ReviewersScreen(session)
    qtbot.addWidget(screen)
    screen.activate()
    qtbot.waitUntil(lambda: screen.adjudication.chosen is not None)
    assert "Also right: the tray  (I2)" in screen.adjudication.first._item.text()
    screen.adjudication.settle(1)
    qtbot.waitUntil(lambda: len(workspace.decisions) == 2)
    assert workspace.decisions[1].right_items == (1, 2)
