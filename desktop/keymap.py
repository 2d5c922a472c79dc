"""Which key does what in the review screen: rebindable, and the same keys on every keyboard layout."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from desktop.preferences import Preferences


class Action(StrEnum):
    """What a key can ask for. ``CHOOSE`` are the nine digits and is not rebindable."""

    CHOOSE = "choose"
    TAKE_BEST = "take_best"
    VARIANT = "variant"
    NONE = "none"
    NEW_ITEM = "new_item"
    UNSURE = "unsure"
    BAD_LISTING = "bad_listing"
    ALSO_RIGHT = "also_right"
    REJECT = "reject"
    SKIP = "skip"
    SNOOZE = "snooze"
    RECALL = "recall"
    UNDO = "undo"
    REDO = "redo"
    IDENTICAL = "identical"
    NOTE = "note"
    SEARCH = "search"
    KEYS = "keys"
    PREVIOUS = "previous"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class Binding:
    """An action, its key unless rebound, and its words; ``group`` is where the overlay lists it."""

    action: Action
    key: str
    words: str
    group: str


BINDINGS: tuple[Binding, ...] = (
    Binding(Action.CHOOSE, "1–9", "Match with this candidate", "Decide"),
    Binding(Action.TAKE_BEST, "Enter", "Match with the marked candidate (the best one at first)", "Decide"),
    Binding(Action.VARIANT, "V", "Variant of the marked candidate: other size, colour or pack", "Decide"),
    Binding(Action.NONE, "N", "None of these", "Decide"),
    Binding(Action.NEW_ITEM, "I", "New item: belongs in the catalogue and is not there", "Decide"),
    Binding(Action.UNSURE, "Q", "Unsure: leave the question open", "Decide"),
    Binding(Action.BAD_LISTING, "B", "Bad listing: not a product one can match", "Decide"),
    Binding(Action.IDENTICAL, "A", "Apply the last answer to identical listings", "Decide"),
    Binding(Action.UNDO, "U", "Undo (also Ctrl+Z)", "Take back"),
    Binding(Action.REDO, "Shift+U", "Redo (also Ctrl+Shift+Z)", "Take back"),
    Binding(Action.SKIP, "S", "Skip: comes back after the others", "Put off"),
    Binding(Action.SNOOZE, "Z", "Snooze: comes back when recalled", "Put off"),
    Binding(Action.RECALL, "R", "Recall what was snoozed or left unsure", "Put off"),
    Binding(Action.PREVIOUS, "Up", "Mark the candidate above", "Look"),
    Binding(Action.NEXT, "Down", "Mark the candidate below", "Look"),
    # No Shift with a digit: some keyboards need Shift for the digits themselves.
    Binding(Action.ALSO_RIGHT, "E", "Also right: the marked candidate matches besides the one taken", "Look"),
    Binding(Action.REJECT, "X", "Rule the marked candidate out", "Look"),
    Binding(Action.SEARCH, "/", "Search the catalogue", "Look"),
    Binding(Action.NOTE, "M", "Write a note on this decision", "Look"),
    Binding(Action.KEYS, "?", "Show or hide the keys", "Look"),
)

_NAMED = {
    Qt.Key.Key_Return: "Enter",
    Qt.Key.Key_Enter: "Enter",
    Qt.Key.Key_Up: "Up",
    Qt.Key.Key_Down: "Down",
    Qt.Key.Key_Space: "Space",
}
_ROWS = ("1234567890", "QWERTYUIOP", "ASDFGHJKL", "ZXCVBNM")
# Where the rows begin in the scan codes: X11 and Wayland count from 8, Windows from 0.
_X11_STARTS = (10, 24, 38, 52)
_WINDOWS_STARTS = (2, 16, 30, 44)
_MAC_CODES = dict(
    zip(
        "ASDFHGZXCVBQWERYT123465978OUIPLJKNM",
        (*range(10), *range(11, 24), 25, 26, 28, 31, 32, 34, 35, 37, 38, 40, 45, 46),
        strict=True,
    )
)
#: Keys that are never bound: too easily pressed by accident.
REFUSED_KEYS = frozenset({"Backspace", "Delete", "Esc", "Tab"})


def _physical_keys(platform: str) -> Mapping[int, str]:
    if platform == "darwin":
        return {code: key for key, code in _MAC_CODES.items()}
    starts = _WINDOWS_STARTS if platform == "win32" else _X11_STARTS
    return {start + at: key for start, row in zip(starts, _ROWS, strict=True) for at, key in enumerate(row)}


_PHYSICAL = _physical_keys(sys.platform)


def key_name(event: QKeyEvent) -> str:
    """The key as bindings name it.

    That is what is printed on it where it is a Latin letter or a digit, else what a keyboard with Latin
    letters has in its place (so that 1-9 work with AZERTY and V with Cyrillic). Empty for keys no
    binding can use, and with Ctrl, Alt or Meta.
    """
    held = event.modifiers() & ~(Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier)
    if held != Qt.KeyboardModifier.NoModifier and held != Qt.KeyboardModifier.GroupSwitchModifier:
        return ""
    text = event.text()
    if text in {"?", "/"}:
        return text
    shift = "Shift+" if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else ""
    key = event.key()
    if key in _NAMED:
        return shift + _NAMED[Qt.Key(key)]
    if Qt.Key.Key_0 <= key <= Qt.Key.Key_9:
        return chr(key)
    if Qt.Key.Key_A <= key <= Qt.Key.Key_Z:
        return shift + chr(key)
    code = event.nativeVirtualKey() if sys.platform == "darwin" else event.nativeScanCode()
    physical = _PHYSICAL.get(code, "")
    return physical if physical.isdigit() else shift + physical if physical else ""


class Keymap:
    """The keys in use. Rebinding to a key that is taken, or that is no key to bind, is refused."""

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences
        kept: dict[str, str] = preferences.get("keys", {})
        self._keys = {binding.action: kept.get(binding.action.value, binding.key) for binding in BINDINGS}

    def key(self, action: Action) -> str:
        """The key for an action, as it is shown."""
        return str(self._keys[action])

    def action(self, name: str) -> tuple[Action, int] | None:
        """What a key asks for, with the digit for ``CHOOSE`` (else 0); None when it is not bound."""
        if len(name) == 1 and name in "123456789":
            return Action.CHOOSE, int(name)
        return next(((action, 0) for action, key in self._keys.items() if key == name), None)

    def rebind(self, action: Action, name: str) -> str:
        """Give an action another key; the words of a refusal, or nothing when it is done."""
        if action is Action.CHOOSE or not name or name in REFUSED_KEYS or name.isdigit():
            return "This key cannot be used."
        taken = self.action(name)
        if taken is not None and taken[0] is not action:
            words = next(binding.words for binding in BINDINGS if binding.action is taken[0])
            return f"{name} is already the key for “{words}”."
        self._keys[action] = name
        changed = {one.action.value: self._keys[one.action] for one in BINDINGS}
        self._preferences.set("keys", changed)
        return ""

    def reset(self) -> None:
        """Back to the keys Alcove comes with."""
        self._keys = {binding.action: binding.key for binding in BINDINGS}
        self._preferences.set("keys", {})
