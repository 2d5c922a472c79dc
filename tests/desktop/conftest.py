"""A window over the workspace in memory, pressed by real keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from desktop.item_models.review_desk import DeskState
from desktop.screens.review import ReviewScreen
from desktop.session import Session
from tests.desktop.fake_session import fake_session
from tests.desktop.fake_workspace import FakeWorkspace

Press = Callable[..., None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Qt's offscreen platform says so of every window it is given.
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.qt_log_ignore("propagateSizeHints"))


@pytest.fixture
def workspace() -> FakeWorkspace:
    return FakeWorkspace()


@pytest.fixture
def session(qtbot: QtBot, workspace: FakeWorkspace, tmp_path: Path) -> Iterator[Session]:
    with fake_session(workspace, tmp_path) as made:
        yield made


@pytest.fixture
def review(qtbot: QtBot, session: Session) -> ReviewScreen:
    """The review screen with its first card in front."""
    screen = ReviewScreen(session)
    qtbot.addWidget(screen)
    screen.resize(1240, 860)
    with qtbot.waitActive(screen):
        screen.show()
    screen.activate()
    qtbot.waitUntil(lambda: screen.desk.state is DeskState.SHOWING and screen.desk.standing is not None)
    return screen


@pytest.fixture
def press(qtbot: QtBot) -> Press:
    """Press a key where the focus is, as a person does."""

    def pressed(key: Qt.Key | str, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        target: QWidget | None = QApplication.focusWidget()
        assert target is not None, "nothing has the focus, so keys go nowhere"
        if isinstance(key, str):
            qtbot.keyClicks(target, key, modifier)
        else:
            qtbot.keyClick(target, key, modifier)

    return pressed
