"""The verdicts and what else can be done with a listing, each with its key."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QSizePolicy, QWidget

from desktop.keymap import Action, Keymap
from desktop.theme import tokens
from desktop.widgets.basics import Button, row, words

_WORDS = {
    Action.TAKE_BEST: ("Match", "Match with the marked candidate"),
    Action.VARIANT: ("Variant", "The marked candidate in another size, colour or pack"),
    Action.NONE: ("None of these", "No candidate is this product"),
    Action.NEW_ITEM: ("New item", "Belongs in the catalogue and is not there"),
    Action.UNSURE: ("Unsure", "Leave the question open"),
    Action.BAD_LISTING: ("Bad listing", "Not a product one can match"),
    Action.SKIP: ("Skip", "Comes back after the others"),
    Action.SNOOZE: ("Snooze", "Comes back when recalled"),
}
_GROUPS = (
    (Action.TAKE_BEST, Action.VARIANT, Action.NONE, Action.NEW_ITEM),
    (Action.UNSURE, Action.BAD_LISTING),
    (Action.SKIP, Action.SNOOZE),
)


_CAP = 18
#: Room for the words about the last action, in pixels.
_WORDS_WIDTH = 220


def _cap_text(key: str) -> str:
    return {"Enter": "⏎"}.get(key, key)


def _cap_width(key: str) -> int:
    return max(_CAP, 8 + 8 * len(_cap_text(key)))


def keycap_icon(key: str, font: QFont, *, colour: str = "muted") -> QIcon:
    """A key's cap as an icon, for a button."""
    return _keycap_icon(key, font.toString(), getattr(tokens(), colour))


@lru_cache(maxsize=128)
def _keycap_icon(key: str, font_key: str, ink_code: str) -> QIcon:
    text = _cap_text(key)
    side, wide = _CAP, _cap_width(key)
    pixmap = QPixmap(QSize(wide, side) * 2)
    pixmap.setDevicePixelRatio(2.0)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    box = QRectF(0.75, 0.75, wide - 1.5, side - 1.5)
    ink = QColor(ink_code)
    painter.setPen(QPen(ink, 1.0))
    painter.drawRoundedRect(box, 4, 4)
    small = QFont()
    small.fromString(font_key)
    small.setPointSizeF(7.5)
    small.setWeight(QFont.Weight.DemiBold)
    painter.setFont(small)
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)
    painter.end()
    return QIcon(pixmap)


class VerdictBar(QWidget):
    """A row of buttons; ``asked`` carries the :class:`Action`."""

    asked = Signal(object)

    def __init__(self, keymap: Keymap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keymap = keymap
        self._buttons: dict[Action, Button] = {}
        first, *others = _GROUPS
        self._first = row(*(self._make(action) for action in first), spacing=7)
        self._others = row(spacing=7)
        for at, group in enumerate(others):
            if at:
                self._others.addSpacing(10)
            for action in group:
                self._others.addWidget(self._make(action))
        # Beside one another, or in a narrow window below one another.
        self._groups = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._groups.setSpacing(9)
        self._groups.addLayout(self._first)
        self._groups.addLayout(self._others)
        self.identical = Button("", lambda: self.asked.emit(Action.IDENTICAL), kind="accent")
        self.identical.hide()
        self.message = words("", "caption")
        self.message.setAccessibleName("Last action")
        self.message.setMinimumWidth(1)
        layout = row(self._groups, None, self.message, self.identical, spacing=8)
        self.setLayout(layout)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.refresh_keys()

    def button(self, action: Action) -> Button:
        """The button of an action."""
        return self._buttons[action]

    def refresh_keys(self) -> None:
        """Show the keys in use, in the colours in use."""
        for action, button in self._buttons.items():
            key = self._keymap.key(action)
            primary = action is Action.TAKE_BEST
            ink = "on_accent" if primary and button.isEnabled() else "muted"
            icon = keycap_icon(key, self.font(), colour=ink)
            button.setIcon(icon)
            button.setIconSize(QSize(_cap_width(key), _CAP))
            button.setAccessibleName(f"{button.text().strip()}, key {key}")

    def allow(self, *, choosing: bool, writing: bool) -> None:
        """Enable what is possible: ``choosing`` needs a marked candidate, ``writing`` a card in front."""
        for action, button in self._buttons.items():
            needs_candidate = action in {Action.TAKE_BEST, Action.VARIANT}
            possible = writing and (choosing or not needs_candidate)
            if button.isEnabled() != possible:
                button.setEnabled(possible)
                if action is Action.TAKE_BEST:
                    self.refresh_keys()

    def offer_identical(self, text: str, tip: str) -> None:
        """Offer the last answer for identical listings; no text: nothing to offer."""
        self.identical.setVisible(bool(text))
        key = self._keymap.key(Action.IDENTICAL)
        self.identical.setText(f" {text}")
        self.identical.setToolTip(tip)
        self.identical.setAccessibleName(f"{text}, key {key}")
        self.identical.setAccessibleDescription(tip)
        self.identical.setIcon(keycap_icon(key, self.font(), colour="accent"))
        self.identical.setIconSize(QSize(_cap_width(key), _CAP))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's hook: one row of buttons, or two where the window is narrow."""
        super().resizeEvent(event)
        needed = self._first.sizeHint().width() + self._others.sizeHint().width() + _WORDS_WIDTH
        two_rows = event.size().width() < needed
        direction = QBoxLayout.Direction.TopToBottom if two_rows else QBoxLayout.Direction.LeftToRight
        if self._groups.direction() != direction:
            self._groups.setDirection(direction)

    def changeEvent(self, event: QEvent) -> None:
        """Qt's hook: the theme changed."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._buttons:
            self.refresh_keys()

    def _make(self, action: Action) -> Button:
        text, tip = _WORDS[action]
        kind = "primary" if action is Action.TAKE_BEST else "verdict"
        # The style leaves no room between icon and text.
        button = Button(f" {text}", lambda: self.asked.emit(action), kind=kind, tip=tip)
        self._buttons[action] = button
        return button
