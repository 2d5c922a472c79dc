"""The few building blocks every screen is made of, so that all screens look like one product.

The look is in ``resources/theme/alcove.qss``; here it is only chosen, by properties.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from desktop.theme import icon, tokens

#: Distances in pixels: between lines of one thing, between things, around a card, around a page.
TIGHT, GAP, INSET, PAGE = 4, 12, 18, 28

Tone = Literal["neutral", "accent", "good", "warn", "bad"]


def restyle(widget: QWidget) -> None:
    """Have the style sheet look at a widget's properties again."""
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()


def set_role(widget: QWidget, role: str) -> None:
    """Change what the style sheet takes a widget for."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        restyle(widget)


def words(text: str = "", role: str = "", *, wrap: bool = False, selectable: bool = False) -> QLabel:
    """A label that shows its text as it is, never as HTML. ``role`` is one of the style sheet's."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setText(text)
    label.setWordWrap(wrap)
    if role:
        label.setProperty("role", role)
    if selectable:
        label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
    return label


def page_title(text: str) -> QLabel:
    """The name of a screen."""
    return words(text, "title")


def heading(text: str) -> QLabel:
    """The name of a part of a screen."""
    return words(text, "heading")


def muted(text: str = "", *, wrap: bool = True) -> QLabel:
    """Words that explain and stay in the background."""
    return words(text, "muted", wrap=wrap)


def small(text: str = "", *, wrap: bool = False) -> QLabel:
    """Small print."""
    return words(text, "caption", wrap=wrap)


class IconLabel(QWidget):
    """An icon in a colour of the theme, which it follows. Decoration: it has no accessible name."""

    def __init__(
        self, name: str, colour: str = "muted", size: int = 20, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._name, self._colour = name, colour
        self.setFixedSize(size, size)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's hook."""
        painter = QPainter(self)
        code = getattr(tokens(self), self._colour)
        icon(self._name, code, self.width()).paint(painter, self.rect())
        painter.end()


class Button(QPushButton):
    """A push button that Enter presses too, with an icon that follows the theme."""

    def __init__(
        self,
        text: str,
        on_click: Callable[[], object] | None = None,
        *,
        kind: str = "",
        icon_name: str = "",
        icon_size: int = 16,
        tip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._icon_name, self._icon_size = icon_name, icon_size
        if kind:
            self.setProperty("kind", kind)
        if tip:
            self.setToolTip(tip)
            self.setAccessibleDescription(tip)
        self.setAccessibleName(text)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        if on_click is not None:
            self.clicked.connect(lambda _checked=False: on_click())
        self._refresh_icon()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's hook: Enter presses the button that has the focus, as Space does."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat():
            self.click()
            return
        super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Qt's hook: the theme or the state changed."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.EnabledChange):
            self._refresh_icon()

    def _refresh_icon(self) -> None:
        name = getattr(self, "_icon_name", "")
        if not name:
            return
        colours = tokens()
        if not self.isEnabled():
            code = colours.faint
        else:
            code = {"primary": colours.on_accent, "quiet": colours.muted, "danger": colours.bad}.get(
                str(self.property("kind") or ""), colours.text
            )
        self.setIcon(icon(name, code, self._icon_size))
        self.setIconSize(QSize(self._icon_size, self._icon_size))


def primary_button(text: str, on_click: Callable[[], object] | None = None, *, icon_name: str = "") -> Button:
    """The one thing a screen wants you to do."""
    return Button(text, on_click, kind="primary", icon_name=icon_name)


def secondary_button(
    text: str, on_click: Callable[[], object] | None = None, *, icon_name: str = ""
) -> Button:
    """Anything else one can do."""
    return Button(text, on_click, icon_name=icon_name)


def quiet_button(text: str, on_click: Callable[[], object] | None = None, *, icon_name: str = "") -> Button:
    """Something one seldom does."""
    return Button(text, on_click, kind="quiet", icon_name=icon_name)


class Badge(QLabel):
    """A word or a number on a coloured ground; the word carries the meaning, the colour repeats it."""

    def __init__(self, text: str = "", tone: Tone = "neutral", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
        self.show_as(text, tone)

    def show_as(self, text: str, tone: Tone = "neutral") -> None:
        """Change word and tone."""
        self.setText(text)
        set_role(self, f"badge-{tone}")


class Card(QFrame):
    """A surface for things that belong together, with an optional heading. Add to ``body``."""

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(INSET, INSET - 2, INSET, INSET)
        self.body.setSpacing(GAP)
        if title:
            self.head = row(heading(title), None)
            self.body.addLayout(self.head)
            self.setAccessibleName(title)

    def add(self, *things: QWidget | QLayout) -> None:
        """Put widgets and layouts below one another."""
        for thing in things:
            if isinstance(thing, QLayout):
                self.body.addLayout(thing)
            else:
                self.body.addWidget(thing)


def row(*things: QWidget | QLayout | None, spacing: int = 8) -> QHBoxLayout:
    """Things beside one another; None is a stretch."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for thing in things:
        if thing is None:
            layout.addStretch(1)
        elif isinstance(thing, QLayout):
            layout.addLayout(thing)
        else:
            layout.addWidget(thing)
    return layout


def column(*things: QWidget | QLayout | None, spacing: int = GAP) -> QVBoxLayout:
    """Things below one another; None is a stretch."""
    layout = QVBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for thing in things:
        if thing is None:
            layout.addStretch(1)
        elif isinstance(thing, QLayout):
            layout.addLayout(thing)
        else:
            layout.addWidget(thing)
    return layout


def rule() -> QFrame:
    """A thin line between two parts."""
    line = QFrame()
    line.setProperty("role", "rule")
    return line


def set_apart(number: QAbstractSpinBox) -> None:
    """Keep a number off its frame: style sheets do not reach the line edit inside."""
    number.lineEdit().setTextMargins(7, 0, 0, 0)


def form() -> QFormLayout:
    """Rows of a name and a field; fill it with :func:`form_row`."""
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(INSET)
    layout.setVerticalSpacing(10)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return layout


def form_row(layout: QFormLayout, name: str, field: QWidget, hint: str = "") -> None:
    """A field with its name beside and an optional hint below it."""
    label = words(name, "muted")
    label.setBuddy(field)
    if not field.accessibleName():
        field.setAccessibleName(name)
    if hint:
        field.setAccessibleDescription(hint)
        layout.addRow(label, column(field, small(hint, wrap=True), spacing=TIGHT))
    else:
        layout.addRow(label, field)


class EmptyState(QWidget):
    """What a place shows when there is nothing to show: why, and what to do about it."""

    def __init__(
        self,
        title: str,
        text: str = "",
        *,
        icon_name: str = "inbox",
        icon_colour: str = "faint",
        action: QWidget | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.title = words(title, "heading", wrap=True)
        self.text = muted(text)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addStretch(2)
        layout.addWidget(IconLabel(icon_name, icon_colour, 44), 0, Qt.AlignmentFlag.AlignHCenter)
        for label in (self.title, self.text):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            label.setMaximumWidth(520)
            # Not by alignment: that would take the label's own idea of its width and cut its lines.
            line = row(None, label, None, spacing=0)
            line.setStretch(1, 100)
            layout.addLayout(line)
        if action is not None:
            layout.addSpacing(8)
            layout.addWidget(action, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)

    def say(self, title: str, text: str) -> None:
        """Change the words."""
        self.title.setText(title)
        self.text.setText(text)
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)


def scrolling(content: QWidget) -> QScrollArea:
    """A vertical scroll area around a page, without a frame."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    content.setProperty("plain", True)
    area.setWidget(content)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area


def page(*things: QWidget | QLayout | None) -> QScrollArea:
    """A whole screen: things below one another with the usual distances, scrolling when too tall."""
    content = QWidget()
    layout = column(*things, spacing=INSET)
    layout.setContentsMargins(PAGE, PAGE - 4, PAGE, PAGE)
    content.setLayout(layout)
    return scrolling(content)
