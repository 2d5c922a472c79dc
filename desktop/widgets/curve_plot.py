"""Curves with a legend, a band and guide lines, in the colours of the theme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.theme import Tokens, tokens
from desktop.widgets.basics import words
from desktop.widgets.wording import THIN

_NEAREST_PIXELS = 40.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot. ``role`` names a colour of :class:`Tokens`; ``low``/``high`` a band."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    role: str = "accent"
    dashed: bool = False
    marked: bool = False
    width: float = 2.2
    low: Sequence[float] = field(default=())
    high: Sequence[float] = field(default=())


@dataclass(frozen=True, slots=True)
class Guide:
    """A dashed line across the plot at ``y`` (or ``x``), with a word on it."""

    value: float
    text: str
    across: bool = True


class ShareAxis(pg.AxisItem):
    """An axis of shares in [0, 1], written in percent."""

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Pyqtgraph's hook for the words beside the ticks."""
        digits = 0 if spacing * scale >= 0.0099 else 1
        return [f"{100 * value * scale:.{digits}f}{THIN}%" for value in values]


class _Swatch(QWidget):
    """The short piece of line that stands for a curve in the legend."""

    def __init__(self, colour: QColor, *, dashed: bool) -> None:
        super().__init__()
        self.setFixedSize(18, 12)
        self._pen = QPen(colour, 2.5, Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine)
        self._pen.setCapStyle(Qt.PenCapStyle.FlatCap)

    def paintEvent(self, _event: object) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self._pen)
        painter.drawLine(QPointF(1, 6), QPointF(17, 6))


class CurvePlot(QWidget):
    """A plot that redraws itself when the theme changes and reads values out under the mouse.

    ``share_x``/``share_y`` write an axis in percent, ``time_x`` takes seconds since 1970.
    """

    #: The words under the mouse, "" when it left the plot.
    pointed = Signal(str)

    def __init__(
        self,
        *,
        x_label: str = "",
        y_label: str = "",
        share_x: bool = False,
        share_y: bool = False,
        time_x: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._labels = {"bottom": x_label, "left": y_label}
        self._share = {"x": share_x, "y": share_y}
        self._time_x = time_x
        self._curves: tuple[Curve, ...] = ()
        self._guides: tuple[Guide, ...] = ()
        axes: dict[str, pg.AxisItem] = {}
        if share_x:
            axes["bottom"] = ShareAxis("bottom")
        if time_x:
            axes["bottom"] = pg.DateAxisItem("bottom")
        if share_y:
            axes["left"] = ShareAxis("left")
        self.plot = pg.PlotWidget(parent=self, axisItems=axes)
        self.plot.setFrameShape(self.plot.Shape.NoFrame)
        self.plot.setMenuEnabled(False)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        if share_y:
            self.plot.setLimits(yMin=-0.03, yMax=1.03)
        self.plot.setMinimumHeight(140)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.scene().sigMouseMoved.connect(self._on_mouse)
        self._legend_drawn: list[tuple[str, str, bool]] | None = None
        self._legend = QHBoxLayout()
        self._legend.setSpacing(6)
        self._readout = words("", "caption")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._legend)
        layout.addWidget(self.plot, 1)
        self._draw()

    def show_curves(self, curves: Sequence[Curve], guides: Sequence[Guide] = ()) -> None:
        """Replace what is drawn."""
        self._curves = tuple(curves)
        self._guides = tuple(guides)
        self._draw()

    def set_range(
        self, *, x: tuple[float, float] | None = None, y: tuple[float, float] | None = None
    ) -> None:
        """Fix an axis; an axis never fixed follows its curves."""
        if x is not None:
            self.plot.setXRange(*x, padding=0.02)
        if y is not None:
            self.plot.setYRange(*y, padding=0.02)

    @property
    def readout(self) -> str:
        """The words under the mouse."""
        return self._readout.text()

    def drawn_colours(self) -> tuple[str, ...]:
        """The colours of the curves as they are drawn."""
        colours = self._colours()
        return tuple(colours.colour(curve.role).name() for curve in self._curves)

    def changeEvent(self, event: QEvent) -> None:
        """A new palette is a new theme: draw again."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_legend"):
            self._draw()

    def leaveEvent(self, event: QEvent) -> None:
        """Take the read-out away."""
        super().leaveEvent(event)
        self._read_out("")

    def _colours(self) -> Tokens:
        return tokens(self)

    def _draw(self) -> None:
        colours = self._colours()
        item = self.plot.getPlotItem()
        item.clear()
        self.plot.setBackground(colours.colour("surface"))
        item.showGrid(x=False, y=True, alpha=0.45)
        for side in ("bottom", "left"):
            axis = item.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(pg.mkPen(colours.line))
            axis.setTextPen(pg.mkPen(colours.muted))
            axis.setStyle(tickLength=0, tickTextOffset=8)
            axis.setTickFont(self.font())
            if self._labels[side]:
                axis.setLabel(self._labels[side], color=colours.muted)
        for guide in self._guides:
            item.addItem(self._line(guide, colours), ignoreBounds=True)
        for curve in self._curves:
            self._add(item, curve, colours)
        self._draw_legend(colours)

    def _line(self, guide: Guide, colours: Tokens) -> pg.InfiniteLine:
        # A name at the right end of the plot stands before its line, where there is room for it.
        late = not guide.across and self._is_late(guide.value)
        return pg.InfiniteLine(
            pos=guide.value,
            angle=0 if guide.across else 90,
            pen=pg.mkPen(colours.muted, width=1.2, style=Qt.PenStyle.DashLine),
            label=guide.text,
            labelOpts={
                "position": 0.98 if guide.across else 0.9,
                "color": colours.muted,
                "anchors": [(1, 1), (1, 1)] if guide.across else [(1, 0.5) if late else (0, 0.5)] * 2,
                "movable": False,
            },
        )

    def _is_late(self, x: float) -> bool:
        known = [value for curve in self._curves for value in (*curve.x[:1], *curve.x[-1:])]
        return len(known) > 1 and x > min(known) + 0.85 * (max(known) - min(known))

    def _add(self, item: pg.PlotItem, curve: Curve, colours: Tokens) -> None:
        colour = colours.colour(curve.role)
        x = np.asarray(curve.x, dtype=float)
        y = np.asarray(curve.y, dtype=float)
        if curve.low and curve.high:
            shade = QColor(colour)
            shade.setAlpha(38)
            edge = pg.mkPen(None)
            low = pg.PlotDataItem(x, np.asarray(curve.low, dtype=float), pen=edge)
            high = pg.PlotDataItem(x, np.asarray(curve.high, dtype=float), pen=edge)
            item.addItem(low)
            item.addItem(high)
            item.addItem(pg.FillBetweenItem(low, high, brush=pg.mkBrush(shade)))
        style = Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine
        marks = curve.marked or len(x) == 1
        line = pg.PlotDataItem(
            x,
            y,
            pen=pg.mkPen(colour, width=curve.width, style=style),
            symbol="o" if marks else None,
            symbolSize=7,
            symbolBrush=pg.mkBrush(colour),
            symbolPen=pg.mkPen(None),
            antialias=True,
        )
        item.addItem(line)

    def _draw_legend(self, colours: Tokens) -> None:
        entries = [(curve.name, colours.colour(curve.role).name(), curve.dashed) for curve in self._curves]
        if entries == self._legend_drawn:
            return
        self._legend_drawn = entries
        while (taken := self._legend.takeAt(0)) is not None:
            widget = taken.widget()
            if widget is not None and widget is not self._readout:
                widget.deleteLater()
        for curve in self._curves:
            self._legend.addWidget(_Swatch(colours.colour(curve.role), dashed=curve.dashed))
            self._legend.addWidget(words(curve.name, "caption"))
            self._legend.addSpacing(10)
        self._legend.addStretch(1)
        self._legend.addWidget(self._readout)

    def _on_mouse(self, at: QPointF) -> None:
        box = self.plot.getPlotItem().getViewBox()
        if not self._curves or not box.sceneBoundingRect().contains(at):
            self._read_out("")
            return
        x = float(box.mapSceneToView(at).x())
        pixel = float(box.viewPixelSize()[0]) or 1.0
        told: list[str] = []
        for curve in self._curves:
            xs = np.asarray(curve.x, dtype=float)
            if not len(xs):
                continue
            nearest = int(np.abs(xs - x).argmin())
            if abs(xs[nearest] - x) / pixel <= _NEAREST_PIXELS:
                told.append(f"{curve.name} {self._word(curve.y[nearest])}")
        self._read_out("  ·  ".join(told))

    def _word(self, value: float) -> str:
        return f"{100 * value:.1f}{THIN}%" if self._share["y"] else f"{value:.4g}"

    def _read_out(self, text: str) -> None:
        if text != self._readout.text():
            self._readout.setText(text)
            self.pointed.emit(text)
