"""History: every decision can be found, looked at, undone and answered again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QModelIndex, Qt
from pytestqt.qtbot import QtBot

from desktop.item_models.history_model import ITEM, LISTING, PAGE
from desktop.screens.history import HistoryScreen
from desktop.session import Session
from engine.contracts import ChangeSet, Verdict
from tests.desktop.fake_workspace import FakeWorkspace

Press = Callable[..., None]


@pytest.fixture
def history(qtbot: QtBot, session: Session, workspace: FakeWorkspace) -> HistoryScreen:
    workspace.decide(listing_id=1, verdict=Verdict.MATCH, item_id=1, reviewer="Mara", note="clear")
    workspace.decide(listing_id=2, verdict=Verdict.NONE, reviewer="Ida")
    workspace.decide(listing_id=3, verdict=Verdict.VARIANT, item_id=15, reviewer="Mara")
    screen = HistoryScreen(session)
    qtbot.addWidget(screen)
    screen.resize(1200, 700)
    with qtbot.waitActive(screen):
        screen.show()
    screen.activate()
    qtbot.waitUntil(lambda: screen.model.rowCount() == 3)
    return screen


def titles(history: HistoryScreen) -> list[str]:
    model = history.model
    return [model.data(model.index(row, LISTING)) for row in range(model.rowCount())]


def test_that_the_newest_decision_is_first_and_shown_in_full(
    qtbot: QtBot, history: HistoryScreen, workspace: FakeWorkspace
) -> None:
    assert titles(history) == [workspace.listing(number).title for number in (3, 2, 1)]
    assert history.chosen is not None
    assert history.chosen.decision.listing_id == 3


def test_that_what_was_on_screen_is_listed_in_its_order(
    qtbot: QtBot, history: HistoryScreen, workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[int, ...]] = []
    monkeypatch.setattr(
        history.card, "show_items", lambda _entry, items: shown.append(tuple(item.id for item in items))
    )
    history.table.selectRow(2)
    qtbot.waitUntil(lambda: shown == [workspace.decisions[0].shown])


def test_that_searching_filters_by_words_reviewer_and_answer(
    qtbot: QtBot, history: HistoryScreen, press: Press
) -> None:
    press("galaxy")
    qtbot.waitUntil(lambda: history.model.rowCount() == 1)
    history.field.clear()
    history.field.textEdited.emit("")
    history.reviewer.setFocus()
    press("mara")
    qtbot.waitUntil(lambda: history.model.rowCount() == 2)
    history.verdict.setCurrentIndex(history.verdict.findData(Verdict.VARIANT))
    history.verdict.activated.emit(history.verdict.currentIndex())
    qtbot.waitUntil(lambda: history.model.rowCount() == 1)


def test_that_finding_nothing_says_so(qtbot: QtBot, history: HistoryScreen, press: Press) -> None:
    press("zzzz")
    qtbot.waitUntil(lambda: history.stack.currentWidget() is history.nothing)
    assert history.nothing.title.text() == "No such decision"


def test_that_enter_answers_a_listing_again(qtbot: QtBot, history: HistoryScreen, press: Press) -> None:
    history.table.setFocus()
    history.table.selectRow(1)
    with qtbot.waitSignal(history.reopen_asked) as asked:
        press(Qt.Key.Key_Return)
    assert asked.args == [2]


def test_that_any_decision_can_be_undone_and_stays_in_the_list(
    qtbot: QtBot, history: HistoryScreen, workspace: FakeWorkspace
) -> None:
    history.table.selectRow(2)
    history.card.undo.click()
    qtbot.waitUntil(lambda: workspace.decisions[0].undone)
    qtbot.waitUntil(lambda: "(undone)" in str(history.model.data(history.model.index(2, 2))))
    assert [one.undone for one in workspace.decisions] == [True, False, False]


def test_that_decisions_made_elsewhere_appear_and_the_chosen_one_stays(
    qtbot: QtBot, history: HistoryScreen, session: Session, workspace: FakeWorkspace
) -> None:
    history.table.selectRow(1)
    workspace.decide(listing_id=4, verdict=Verdict.NONE, reviewer="Ida")
    session.hub.publish(ChangeSet(decisions=True))
    qtbot.waitUntil(lambda: history.model.rowCount() == 4)
    assert history.chosen is not None
    assert history.chosen.decision.listing_id == 2


def test_that_long_histories_are_read_a_page_at_a_time(
    qtbot: QtBot, history: HistoryScreen, workspace: FakeWorkspace
) -> None:
    for at in range(PAGE + 30):
        workspace.decide(listing_id=at % 40 + 1, verdict=Verdict.NONE, reviewer="Ida")
    history.model.reload()
    qtbot.waitUntil(lambda: history.model.rowCount() == PAGE)
    assert history.model.canFetchMore(QModelIndex())
    history.model.fetchMore(QModelIndex())
    qtbot.waitUntil(lambda: history.model.rowCount() == PAGE + 33)
    assert not history.model.canFetchMore(QModelIndex())
    assert history.model.data(history.model.index(PAGE + 32, ITEM)).startswith("Sony")
