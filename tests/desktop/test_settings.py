"""Settings: edited by keyboard, saved together, thrown away together, never by a wheel in passing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QDoubleSpinBox, QSpinBox
from pytestqt.qtbot import QtBot

from desktop.screens.settings import SettingsScreen
from desktop.session import Session
from engine.contracts import ChangeSet
from tests.desktop.fake_workspace import FakeWorkspace

Press = Callable[..., None]
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def settings(qtbot: QtBot, session: Session) -> SettingsScreen:
    return opened(qtbot, session)


def opened(qtbot: QtBot, session: Session) -> SettingsScreen:
    screen = SettingsScreen(session)
    qtbot.addWidget(screen)
    screen.resize(1240, 760)
    with qtbot.waitActive(screen):
        screen.show()
    screen.activate()
    qtbot.waitUntil(lambda: screen.editors != {})
    return screen


def share(screen: SettingsScreen, name: str = "random_share") -> QDoubleSpinBox:
    field = screen.editors[name].field
    assert isinstance(field, QDoubleSpinBox)
    return field


def box(screen: SettingsScreen, name: str) -> QCheckBox:
    return next(b for b in screen.editors["text_fields"].findChildren(QCheckBox) if b.text() == name)


def test_that_every_setting_but_costs_is_shown_as_it_is(
    settings: SettingsScreen, workspace: FakeWorkspace
) -> None:
    known = {row.name: row.value for row in workspace.setting_rows()}
    assert {name: editor.value() for name, editor in settings.editors.items()} == {
        name: value for name, value in known.items() if not name.startswith("cost_")
    }
    assert not settings.save_button.isEnabled()
    assert not settings.discard_button.isEnabled()


def test_that_edits_are_saved_together_by_the_keyboard(
    qtbot: QtBot, settings: SettingsScreen, workspace: FakeWorkspace, press: Press
) -> None:
    field = share(settings)
    field.setFocus()
    field.selectAll()
    press("42.5")
    press(Qt.Key.Key_Return)
    brand = box(settings, "brand")
    brand.setFocus()
    press(Qt.Key.Key_Space)
    assert settings.message.text() == "2 changes not saved yet"
    assert workspace.settings.random_share == 0.3, "nothing is kept before it is saved"
    press(Qt.Key.Key_S, CONTROL)
    qtbot.waitUntil(lambda: workspace.settings.random_share == 0.425)
    assert workspace.settings.text_fields == ("title", "model")
    qtbot.waitUntil(lambda: settings.message.text().startswith("2 settings saved. Certify"))
    assert settings.edits == {}


def test_that_edits_can_be_thrown_away(settings: SettingsScreen, workspace: FakeWorkspace) -> None:
    share(settings).setValue(50)
    box(settings, "gtin").setChecked(True)
    assert len(settings.edits) == 2
    settings.discard_button.click()
    assert settings.edits == {}
    assert share(settings).value() == 30
    assert not box(settings, "gtin").isChecked()
    assert workspace.settings.random_share == 0.3


def test_that_a_setting_goes_back_to_what_it_was_at_first(
    qtbot: QtBot, session: Session, workspace: FakeWorkspace
) -> None:
    workspace.settings = workspace.settings.model_copy(update={"random_share": 0.45})
    screen = opened(qtbot, session)
    button = screen._first["random_share"]
    assert (button.isVisible(), button.text()) == (True, "Back to 30 %")
    assert not screen._first["gold_share"].isVisible()
    button.click()
    assert screen.edits == {"random_share": 0.3}
    screen.save_button.click()
    qtbot.waitUntil(lambda: workspace.settings.random_share == 0.3)
    qtbot.waitUntil(lambda: not button.isVisible())


def test_that_a_value_finer_than_the_field_is_no_edit(
    qtbot: QtBot, session: Session, workspace: FakeWorkspace
) -> None:
    workspace.settings = workspace.settings.model_copy(update={"max_segment_drop": 0.12345})
    screen = opened(qtbot, session)
    assert screen.edits == {}
    share(screen, "max_segment_drop").setValue(20)
    assert screen.edits == {"max_segment_drop": 0.2}


def test_that_what_is_being_edited_survives_a_change_elsewhere(
    qtbot: QtBot, settings: SettingsScreen, session: Session, workspace: FakeWorkspace
) -> None:
    share(settings).setValue(50)
    workspace.settings = workspace.settings.model_copy(update={"overlap_share": 0.1})
    session.hub.publish(ChangeSet(routes=True))
    qtbot.waitUntil(lambda: share(settings, "overlap_share").value() == 10)
    assert settings.edits == {"random_share": 0.5}


def test_that_the_wheel_scrolls_the_page_and_not_a_number(settings: SettingsScreen) -> None:
    field = settings.editors["neighbours"].field
    assert isinstance(field, QSpinBox)
    before = field.value()
    settings.save_button.setFocus()
    wheel = QWheelEvent(
        QPointF(5, 5),
        field.mapToGlobal(QPointF(5, 5)),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(field, wheel)
    assert field.value() == before
    assert settings.edits == {}


def test_that_a_read_only_workspace_is_only_shown(
    qtbot: QtBot, session: Session, workspace: FakeWorkspace
) -> None:
    workspace.read_only = True
    screen = opened(qtbot, session)
    assert not any(editor.isEnabled() for editor in screen.editors.values())
    assert screen.message.text() == "This workspace is open read-only"
