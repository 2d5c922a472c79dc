"""One picture of what training brought: rates before and after, and the two risk-coverage curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.contracts import RateSnapshot, RiskCoverage, Status
from engine.reporting.picture_style import (
    FAINT,
    GOOD,
    GREY,
    INK,
    LEAST_ACCEPTED,
    REQUIRED,
    picture,
    quiet_frame,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BEFORE, _AFTER = GREY, GOOD


def draw_before_after(
    path: Path,
    *,
    before: Status | RateSnapshot,
    after: Status | RateSnapshot,
    curve_before: RiskCoverage,
    curve_after: RiskCoverage,
    precision: float,
    title: str = "Alcove before and after training",
    subtitle: str = "",
    labels: tuple[str, str] = ("before", "after"),
) -> Path:
    """Draw the picture as a PNG of 1,800 x 820 pixels, replacing what was there only when it is complete.

    Args:
        path: of the PNG; its folder is made.
        before: automation rate and certified coverage of the earlier release.
        after: the same of the later release.
        curve_before: risk-coverage of the earlier release on held-out decisions; may be empty.
        curve_after: the same of the later release.
        precision: required precision in (0, 1), drawn as a line.
        title: the picture's title.
        subtitle: one line below it, e.g. what data it is.
        labels: what the two are called.

    Returns:
        ``path``.

    Raises:
        EnvironmentError_: the picture cannot be written there.
    """
    with picture(path, width=12, height=5.47) as figure:
        bars, curves = figure.subplots(1, 2, width_ratios=(1, 1.55))
        figure.subplots_adjust(left=0.06, right=0.97, top=0.76, bottom=0.13, wspace=0.2)
        figure.text(0.035, 0.93, title, fontsize=17, fontweight="bold", color=INK)
        if subtitle:
            figure.text(0.035, 0.875, subtitle, fontsize=10.5, color=FAINT)
        _draw_rates(bars, before, after, labels)
        _draw_curves(curves, curve_before, curve_after, precision, labels)
    return path


def _draw_rates(
    axes: Axes, before: Status | RateSnapshot, after: Status | RateSnapshot, labels: tuple[str, str]
) -> None:
    """Bars: automation rate and certified coverage, earlier beside later."""
    groups = (
        ("automation rate", before.automation_rate, after.automation_rate),
        ("certified coverage", before.coverage, after.coverage),
    )
    width, gap = 0.34, 0.03
    for place, (_, earlier, later) in enumerate(groups):
        for value, side, colour in ((earlier, -1, _BEFORE), (later, 1, _AFTER)):
            centre = place + side * (width + gap) / 2
            axes.bar(centre, value, width, color=colour, linewidth=0)
            axes.annotate(
                f"{100 * value:.1f} %",
                (centre, value),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=11,
                fontweight="bold" if side > 0 else "normal",
                color=colour if side > 0 else FAINT,
            )
    tallest = max(max(earlier, later) for _, earlier, later in groups)
    top = min(1.12, max(0.1, tallest * 1.28))
    axes.set_ylim(0, top)
    axes.set_xlim(-0.6, 1.6)
    axes.set_xticks([0, 1], [name for name, _, _ in groups], fontsize=11.5, color=INK)
    _percent_ticks(axes, "y", top)
    _frame(axes, "Share of listings")
    for (text, colour), x in zip(((labels[0], _BEFORE), (labels[1], _AFTER)), (0.62, 0.84), strict=True):
        axes.text(x, 1.045, f"■ {text}", transform=axes.transAxes, color=colour, fontsize=10.5)


def _draw_curves(
    axes: Axes, before: RiskCoverage, after: RiskCoverage, precision: float, labels: tuple[str, str]
) -> None:
    """Risk-coverage curves with the later one's band, and the line of the required precision."""
    lowest = precision
    for curve, colour, label, later in (
        (before, _BEFORE, labels[0], False),
        (after, _AFTER, labels[1], True),
    ):
        first = next((i for i, n in enumerate(curve.accepted) if n >= LEAST_ACCEPTED), None)
        if first is None:
            continue
        x, y = curve.coverage[first:], curve.precision[first:]
        lowest = min(lowest, *y)
        if later:
            axes.fill_between(x, curve.low[first:], curve.high[first:], color=colour, alpha=0.1, linewidth=0)
        axes.plot(x, y, color=colour, linewidth=2.6 if later else 2.0, solid_capstyle="round", label=label)
        reached = max((c for c, p in zip(x, y, strict=True) if p >= precision), default=0.0)
        if reached:
            axes.plot([reached], [precision], "o", color=colour, markersize=8, markeredgecolor="white")
            axes.annotate(
                f"{100 * reached:.0f} %",
                (reached, precision),
                xytext=(7, 7 if later else -15),
                textcoords="offset points",
                fontsize=11,
                fontweight="bold" if later else "normal",
                color=colour if later else FAINT,
            )
    axes.axhline(precision, color=REQUIRED, linewidth=1.4, linestyle=(0, (5, 3)))
    axes.annotate(
        f"required precision {100 * precision:g} %",
        (1.0, precision),
        xytext=(0, 5),
        textcoords="offset points",
        ha="right",
        fontsize=9.5,
        color=REQUIRED,
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(max(0.0, lowest - 0.04), 1.01)
    axes.set_xlabel("coverage: share of listings accepted, most certain first", fontsize=10.5, color=FAINT)
    _percent_ticks(axes, "x", 1.0)
    _percent_ticks(axes, "y", 1.0, floor=max(0.0, lowest - 0.04))
    _frame(axes, "Precision of the accepted (held-out decisions)")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", frameon=False, fontsize=10.5, labelcolor=INK)
    else:
        axes.text(0.5, 0.5, "no held-out decisions yet", ha="center", transform=axes.transAxes, color=FAINT)


def _percent_ticks(axes: Axes, which: str, top: float, floor: float = 0.0) -> None:
    """Four to eight round ticks from ``floor`` to ``top``, as percent."""
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if (top - floor) / s <= 8 or s == 0.2)
    first = -(-floor // step)
    ticks = [round((first + i) * step, 4) for i in range(int((top - first * step) / step + 1e-9) + 1)]
    ticks = [tick for tick in ticks if tick <= 1.0]
    words = [f"{100 * tick:g} %" for tick in ticks]
    if which == "y":
        axes.set_yticks(ticks, words, fontsize=9.5, color=FAINT)
    else:
        axes.set_xticks(ticks, words, fontsize=9.5, color=FAINT)


def _frame(axes: Axes, title: str) -> None:
    """The quiet frame both halves share."""
    axes.set_title(title, loc="left", fontsize=11.5, color=INK, pad=10)
    quiet_frame(axes)
