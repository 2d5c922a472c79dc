"""Colours, fonts and the style sheet: light and dark with the system, larger or smaller on request.

Colours are named once, in ``resources/theme/tokens.json``. The style sheet and the palette are made
from them; widgets that paint themselves ask :func:`tokens`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QObject, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QWidget

import resources
from desktop.preferences import Preferences

RESOURCES = Path(resources.__file__).parent
SCALES = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
CHOICES = ("system", "light", "dark")
_DEFAULT_POINTS = 10.0
#: Where one of these is all the system offers, the font that comes with Alcove is easier to read.
_PLAIN_FAMILIES = frozenset({"DejaVu Sans", "Bitstream Vera Sans", "Liberation Sans", "Sans Serif", ""})


@lru_cache(maxsize=256)
def _colour(code: str) -> QColor:
    return QColor(code)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The named colours of one theme, as ``#rrggbb``."""

    window: str
    sidebar: str
    surface: str
    raised: str
    hover: str
    line: str
    line_strong: str
    text: str
    muted: str
    faint: str
    accent: str
    accent_hover: str
    accent_soft: str
    on_accent: str
    good: str
    good_soft: str
    warn: str
    warn_soft: str
    bad: str
    bad_soft: str
    conflict: str
    conflict_soft: str
    conflict_line: str
    missing: str
    shadow: str

    def colour(self, name: str) -> QColor:
        """A named colour to paint with."""
        return _colour(getattr(self, name))


@lru_cache(maxsize=1)
def _themes() -> dict[str, Tokens]:
    text = (RESOURCES / "theme" / "tokens.json").read_text(encoding="utf-8")
    return {name: Tokens(**colours) for name, colours in json.loads(text).items()}


def is_dark(widget: QWidget | None = None) -> bool:
    """Whether a widget (or the application) is drawn in the dark theme."""
    palette = widget.palette() if widget is not None else QApplication.palette()
    return palette.color(QPalette.ColorRole.Window).lightness() < 128


def tokens(widget: QWidget | None = None) -> Tokens:
    """The named colours of the theme in use."""
    return _themes()["dark" if is_dark(widget) else "light"]


def palette_from(colours: Tokens) -> QPalette:
    """A palette for everything the style sheet does not reach."""
    role = QPalette.ColorRole
    palette = QPalette()
    for target, name in (
        (role.Window, "window"),
        (role.WindowText, "text"),
        (role.Base, "surface"),
        (role.AlternateBase, "raised"),
        (role.Text, "text"),
        (role.Button, "surface"),
        (role.ButtonText, "text"),
        (role.BrightText, "bad"),
        (role.Highlight, "accent"),
        (role.HighlightedText, "on_accent"),
        (role.Accent, "accent"),
        (role.Link, "accent"),
        (role.LinkVisited, "accent"),
        (role.ToolTipBase, "raised"),
        (role.ToolTipText, "text"),
        (role.PlaceholderText, "faint"),
        (role.Light, "surface"),
        (role.Midlight, "line"),
        (role.Mid, "line_strong"),
        (role.Dark, "line_strong"),
        (role.Shadow, "shadow"),
    ):
        palette.setColor(target, colours.colour(name))
    for target in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, target, colours.colour("faint"))
    return palette


def style_sheet(colours: Tokens, points: float) -> str:
    """``alcove.qss`` with its ``@names@`` filled in; ``@font:1.2@`` is 1.2 times the base size."""
    text = (RESOURCES / "theme" / "alcove.qss").read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"@font:([0-9.]+)@", lambda size: f"{points * float(size[1]):.2f}pt", text)
    text = text.replace("@icons@", (RESOURCES / "icons").as_posix())
    text = text.replace("@shade@", "dark" if QColor(colours.window).lightness() < 128 else "light")
    for field in fields(Tokens):
        text = text.replace(f"@{field.name}@", getattr(colours, field.name))
    return text


def icon(name: str, colour: str | None = None, size: int = 20) -> QIcon:
    """An icon of ``resources/icons`` in a colour of the theme (the text's, unless told)."""
    return _icon(name, colour or tokens().text, size)


@lru_cache(maxsize=256)
def _icon(name: str, paint: str, size: int) -> QIcon:
    svg = (RESOURCES / "icons" / f"{name}.svg").read_bytes()
    renderer = QSvgRenderer(QByteArray(svg.replace(b"currentColor", paint.encode())))
    made = QIcon()
    for factor in (1, 2, 3):
        pixmap = QPixmap(QSize(size, size) * factor)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        renderer.render(painter)
        painter.end()
        pixmap.setDevicePixelRatio(factor)
        made.addPixmap(pixmap)
    return made


class Theme(QObject):
    """Dresses the application, and dresses it again when the system or the reader asks."""

    def __init__(self, app: QApplication, preferences: Preferences) -> None:
        super().__init__(app)
        self._app = app
        self._preferences = preferences
        self._system_font = QFont(app.font())
        self._bundled = self._load_fonts()
        app.setStyle("Fusion")
        app.styleHints().colorSchemeChanged.connect(self.apply)
        self.apply()

    @property
    def scale(self) -> float:
        """How large text is, as a multiple of the system's size."""
        kept = self._preferences.get("text_scale", 1.0)
        return min(SCALES, key=lambda scale: abs(scale - kept))

    @property
    def choice(self) -> str:
        """``system``, ``light`` or ``dark``."""
        kept = self._preferences.get("theme", CHOICES[0])
        return kept if kept in CHOICES else CHOICES[0]

    def next_choice(self) -> str:
        """Go on from system to light to dark, and say which it is now."""
        self._preferences.set("theme", CHOICES[(CHOICES.index(self.choice) + 1) % len(CHOICES)])
        self.apply()
        return self.choice

    def step_scale(self, steps: int) -> None:
        """Make text larger (+1), smaller (-1) or of the system's size (0)."""
        at = SCALES.index(self.scale) + steps if steps else SCALES.index(1.0)
        self._preferences.set("text_scale", SCALES[max(0, min(at, len(SCALES) - 1))])
        self.apply()

    def apply(self) -> None:
        """Dress every window in the chosen colour scheme and text size."""
        system = self._app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        dark = {"dark": True, "light": False}.get(self.choice, system)
        colours = _themes()["dark" if dark else "light"]
        font = QFont(self._system_font)
        if self._bundled and QFontInfo(font).family() in _PLAIN_FAMILIES:
            font.setFamilies([self._bundled, *self._system_font.families()])
        points = self._system_font.pointSizeF()
        points = (points if points > 0 else _DEFAULT_POINTS) * self.scale
        font.setPointSizeF(points)
        self._app.setPalette(palette_from(colours))
        self._app.setFont(font)
        self._app.setStyleSheet(style_sheet(colours, points))

    def _load_fonts(self) -> str:
        family = ""
        for file in sorted((RESOURCES / "theme" / "fonts").glob("*.otf")):
            number = QFontDatabase.addApplicationFont(str(file))
            if number >= 0:
                family = QFontDatabase.applicationFontFamilies(number)[0]
        return family
