"""The overlay that shows the keys and the marks, and lets a key be changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from desktop.keymap import BINDINGS, Action, Keymap, key_name
from desktop.widgets.basics import GAP, Button, heading, muted, quiet_button, row, words
from desktop.widgets.token_diff import Mark, Piece, TokenText

_LEGEND = (
    (Piece("256 GB", Mark.CONFLICT), "says something else: a number, unit, model code or colour"),
    (Piece("2-pack", Mark.MISSING), "the other one says it, this one does not: no conflict"),
    (Piece("XM4", Mark.STRONG), "a number, code or colour that only this one says"),
    (Piece("wireless", Mark.EXTRA), "a word that only this one says"),
    (Piece("6 oz", Mark.TOLD), "the other one says it too, but not in its title"),
    (Piece("Sony", Mark.DIM), "the same on both sides"),
)


class KeyHints(QWidget):
    """Covers its parent while it is open. A click on a key, then another key, rebinds it."""

    def __init__(self, keymap: Keymap, on_close: Callable[[], None], parent: QWidget) -> None:
        super().__init__(parent)
        self._keymap = keymap
        self._parent = parent
        self._on_close = on_close
        self._awaited: Action | None = None
        self._caps: dict[Action, Button] = {}
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Keys of the review screen")
        panel = QFrame()
        panel.setObjectName("keyHints")
        self._says = muted("Click a key to change it.")
        self._close = Button("Close", self.close_hints, kind="quiet", icon_name="close")
        body = QVBoxLayout(panel)
        body.setContentsMargins(28, 22, 28, 22)
        body.setSpacing(GAP)
        body.addLayout(row(heading("Keys"), None, self._close))
        body.addLayout(self._build_keys())
        body.addWidget(heading("Marks"))
        body.addLayout(self._build_legend())
        body.addLayout(row(self._says, None, quiet_button("Reset keys", self._reset)))
        outer = QVBoxLayout(self)
        outer.addStretch(1)
        outer.addLayout(row(None, panel, None))
        outer.addStretch(1)
        parent.installEventFilter(self)
        self.hide()

    def open_hints(self) -> None:
        """Show the overlay over the whole parent."""
        self._awaited = None
        self._refresh()
        self.setGeometry(self._parent.rect())
        self.show()
        self.raise_()
        self.setFocus()

    def close_hints(self) -> None:
        """Hide the overlay."""
        self._awaited = None
        self.hide()
        self._on_close()

    def await_key(self, action: Action) -> None:
        """Take the next key for an action."""
        self._awaited = action
        self._says.setText("Press the new key, or Esc to keep the old one.")
        self._refresh()
        self.setFocus()

    # -- inside ----------------------------------------------------------------------------------

    def _build_keys(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        groups: dict[str, int] = {}
        for binding in BINDINGS:
            side = 0 if binding.group == "Decide" else 3
            at = groups.get(f"{side}", 0)
            if binding.group not in groups:
                groups[binding.group] = 1
                name = words(binding.group, "overline")
                name.setContentsMargins(0, 8 if at else 0, 0, 2)
                grid.addWidget(name, at, side, 1, 2)
                at += 1
            cap = Button(binding.key, partial(self.await_key, binding.action), kind="cap")
            cap.setEnabled(binding.action is not Action.CHOOSE)
            cap.setAccessibleName(f"{binding.words}: key {binding.key}")
            self._caps[binding.action] = cap
            grid.addWidget(cap, at, side)
            grid.addWidget(words(binding.words), at, side + 1)
            groups[f"{side}"] = at + 1
        grid.setColumnMinimumWidth(2, 28)
        return grid

    @staticmethod
    def _build_legend() -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(2)
        for at, (piece, meaning) in enumerate(_LEGEND):
            sample = TokenText()
            sample.show_pieces((piece,))
            sample.setFixedWidth(110)
            sample.setMinimumHeight(sample.heightForWidth(110))
            grid.addWidget(sample, at, 0)
            grid.addWidget(muted(meaning, wrap=False), at, 1)
        grid.setColumnStretch(1, 1)
        return grid

    def _refresh(self) -> None:
        for action, cap in self._caps.items():
            cap.setText("…" if action is self._awaited else self._keymap.key(action))

    def _reset(self) -> None:
        self._keymap.reset()
        self._awaited = None
        self._says.setText("The keys are as Alcove comes with them.")
        self._refresh()

    # -- Qt's hooks ------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's hook: the new key for an action, or a key that closes."""
        if self._awaited is None:
            if event.key() == Qt.Key.Key_Escape or event.text() == "?":
                self.close_hints()
            elif event.key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
                super().keyPressEvent(event)
            return
        if event.key() != Qt.Key.Key_Escape:
            refusal = self._keymap.rebind(self._awaited, key_name(event))
            self._says.setText(refusal or "Changed.")
        else:
            self._says.setText("Click a key to change it.")
        self._awaited = None
        self._refresh()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt's hook: stay as large as the parent."""
        if watched is self._parent and event.type() == QEvent.Type.Resize:
            self.setGeometry(self._parent.rect())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's hook: dim what lies below."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(0, 0, 0, 110))
        painter.end()
