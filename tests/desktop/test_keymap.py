"""Keys: the same ones on every layout, rebindable, remembered."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from pytestqt.qtbot import QtBot

from desktop.keymap import BINDINGS, Action, Keymap, key_name
from desktop.preferences import Preferences

NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def event(key: int, text: str = "", held: Qt.KeyboardModifier = NONE, scan: int = 0) -> QKeyEvent:
    return QKeyEvent(QEvent.Type.KeyPress, key, held, scan, 0, 0, text)


@pytest.fixture
def keymap(qtbot: QtBot, tmp_path: Path) -> Keymap:
    return Keymap(Preferences(tmp_path / "desktop.ini"))


@pytest.mark.parametrize(
    ("pressed", "expected"),
    [
        (event(Qt.Key.Key_V, "v"), Action.VARIANT),
        (event(Qt.Key.Key_V, "V", SHIFT), None),
        (event(Qt.Key.Key_U, "U", SHIFT), Action.REDO),
        (event(Qt.Key.Key_Return), Action.TAKE_BEST),
        (event(Qt.Key.Key_Enter, "", Qt.KeyboardModifier.KeypadModifier), Action.TAKE_BEST),
        (event(Qt.Key.Key_3, "3", Qt.KeyboardModifier.KeypadModifier), Action.CHOOSE),
        (event(Qt.Key.Key_Question, "?", SHIFT), Action.KEYS),
        (event(Qt.Key.Key_Slash, "/", SHIFT), Action.SEARCH),
        (event(Qt.Key.Key_N, "n", Qt.KeyboardModifier.ControlModifier), None),
        (event(Qt.Key.Key_N, "n", Qt.KeyboardModifier.AltModifier), None),
        (event(Qt.Key.Key_Backspace), None),
        (event(Qt.Key.Key_Delete), None),
    ],
)
def test_that_a_key_asks_for_its_action(keymap: Keymap, pressed: QKeyEvent, expected: Action | None) -> None:
    bound = keymap.action(key_name(pressed))
    assert (bound[0] if bound else None) is expected


@pytest.mark.skipif(sys.platform != "linux", reason="the scan codes are those of X11 and Wayland")
@pytest.mark.parametrize(
    ("pressed", "expected"),
    [
        (event(Qt.Key.Key_Ampersand, "&", scan=10), (Action.CHOOSE, 1)),  # AZERTY, the key below F1
        (event(Qt.Key.Key_Agrave, "à", scan=19), None),  # AZERTY 0
        (event(0x0422, "т", scan=57), (Action.NONE, 0)),  # Cyrillic, where Latin keyboards have N
        (event(0x03A9, "ω", scan=55), (Action.VARIANT, 0)),  # Greek, where Latin keyboards have V
    ],
)
def test_that_other_layouts_use_the_same_places(
    keymap: Keymap, pressed: QKeyEvent, expected: tuple[Action, int] | None
) -> None:
    assert keymap.action(key_name(pressed)) == expected


def test_that_a_rebound_key_is_remembered_and_can_be_reset(keymap: Keymap, tmp_path: Path) -> None:
    assert keymap.rebind(Action.NONE, "K") == ""
    keymap._preferences.save()
    again = Keymap(Preferences(tmp_path / "desktop.ini"))
    assert again.action("K") == (Action.NONE, 0)
    assert again.action("N") is None
    again.reset()
    assert again.action("N") == (Action.NONE, 0)


@pytest.mark.parametrize("key", ["V", "5", "Backspace", "Delete", ""])
def test_that_taken_and_dangerous_keys_are_refused(keymap: Keymap, key: str) -> None:
    assert keymap.rebind(Action.NONE, key) != ""
    assert keymap.action("N") == (Action.NONE, 0)


def test_that_no_key_is_bound_twice() -> None:
    keys = [binding.key for binding in BINDINGS]
    assert len(keys) == len(set(keys))
    assert {binding.action for binding in BINDINGS} == set(Action)


def test_that_damaged_preferences_count_as_none(qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "desktop.ini"
    file.write_text("[General]\nkeys=@Invalid()\ntext_scale=\\x0\n", encoding="utf-8")
    preferences = Preferences(file)
    assert Keymap(preferences).action("V") == (Action.VARIANT, 0)
    assert preferences.get("text_scale", 1.0) == 1.0
