"""How pictures look: their colours, their font, their quiet frame, and the figure they are drawn on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import EnvironmentError_

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GRID = "#1f2933", "#6b7785", "#e4e8ec"
ACCENT, GREY, REQUIRED, GOOD = "#2f55c8", "#9aa5b1", "#b45309", "#0f766e"
#: Points of a curve that rest on fewer decisions than this swing by chance and say nothing.
LEAST_ACCEPTED = 10
_FONT: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "axes.unicode_minus": False,
    # A feed's or release's name is no formula.
    "text.parse_math": False,
}


@contextlib.contextmanager
def picture(path: Path, *, width: float, height: float) -> Iterator[Figure]:
    """A white figure to draw on, written as a PNG in the end, replacing what was there only when complete.

    Args:
        path: of the PNG; its folder is made.
        width: in units of 150 pixels.
        height: in units of 150 pixels.

    Raises:
        EnvironmentError_: the picture cannot be written there.
    """
    import matplotlib as mpl  # deferred: slow to import, and few commands draw
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_FONT):
        figure = Figure(figsize=(width, height), dpi=150, facecolor="white")
        FigureCanvasAgg(figure)  # draws without a screen and without the global figure manager
        yield figure
        unfinished = path.with_name(path.name + ".tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(unfinished, format="png")
            os.replace(unfinished, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise EnvironmentError_(f"cannot write the picture {path}: {error.strerror or error}") from error


def quiet_frame(axes: Axes) -> None:
    """Lines across at the ticks of y and one below, nothing that stands out."""
    axes.grid(axis="y", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(GRID)
