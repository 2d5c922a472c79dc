"""The report's pictures: automation rate over time, precision against coverage, costs by threshold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.reporting.picture_style import (
    ACCENT,
    FAINT,
    GOOD,
    GREY,
    INK,
    LEAST_ACCEPTED,
    REQUIRED,
    picture,
    quiet_frame,
)
from engine.reporting.report_document import ReportSource, curve_document, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_pictures(folder: Path, source: ReportSource) -> dict[str, str]:
    """Draw what there is something to draw of; returns file names by what they show.

    Raises:
        EnvironmentError_: a picture cannot be written.
    """
    drawn = {}
    if source.rates:
        drawn["rates"] = _picture(folder / "automation_rate.png", lambda axes: _rates(axes, source))
    if any(number >= LEAST_ACCEPTED for number in source.curve.accepted):
        drawn["curve"] = _picture(folder / "risk_coverage.png", lambda axes: _curve(axes, source))
    if source.costs.curve:
        drawn["costs"] = _picture(folder / "costs.png", lambda axes: _costs(axes, source))
    return drawn


def _picture(path: Path, draw: Callable[[Axes], None]) -> str:
    """One picture of 1,500 x 660 pixels on white, which prints and stands on any page."""
    with picture(path, width=10, height=4.4) as figure:
        axes = figure.subplots()
        figure.subplots_adjust(left=0.08, right=0.97, top=0.9, bottom=0.15)
        draw(axes)
        quiet_frame(axes)
        axes.tick_params(labelsize=9.5, labelcolor=FAINT)
    return path.name


def _percents(axes: Axes, which: str) -> None:
    from matplotlib.ticker import FuncFormatter

    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))


def _rates(axes: Axes, source: ReportSource) -> None:
    """The automation rate over time, with a line where another release came into use."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    moments = [_days(rate.at) for rate in source.rates]
    total = [rate.automation_rate for rate in source.rates]
    axes.plot(moments, total, color=ACCENT, linewidth=2.4, marker="o", markersize=4, label="automation rate")
    for name, values, colour in (
        ("matches", [rate.coverage for rate in source.rates], GOOD),
        ("not in catalogue", [rate.none_rate for rate in source.rates], REQUIRED),
        ("memory", [rate.memory_rate for rate in source.rates], GREY),
    ):
        if any(values):
            axes.plot(moments, values, color=colour, linewidth=1.6, label=name)
    top = min(1.05, max(0.1, 1.25 * max(total)))
    axes.set_ylim(0, top)
    before = source.rates[0].release_id
    named_until = float("-inf")
    first, last = moments[0], moments[-1]
    for moment, rate in zip(moments, source.rates, strict=True):
        if rate.release_id and rate.release_id != before:
            axes.axvline(moment, color=GREY, linewidth=1, linestyle=(0, (3, 3)))
            at = (moment - first) / ((last - first) or 1.0)
            if at - named_until > 0.07:
                side = "right" if at > 0.93 else "left"
                axes.text(moment, top, f" {rate.release_id} ", fontsize=9, color=FAINT, va="top", ha=side)
                named_until = at
        before = rate.release_id
    _percents(axes, "y")
    axes.set_title("Automation rate over time, and the releases", loc="left", fontsize=12, color=INK)
    axes.legend(frameon=False, fontsize=9.5, labelcolor=INK, loc="best")
    axes.margins(x=0.02)
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _curve(axes: Axes, source: ReportSource) -> None:
    """Precision against coverage with its band, and the certified point."""
    curve = source.curve
    first = next(i for i, number in enumerate(curve.accepted) if number >= LEAST_ACCEPTED)
    x, y = curve.coverage[first:], curve.precision[first:]
    axes.fill_between(x, curve.low[first:], curve.high[first:], color=ACCENT, alpha=0.12, linewidth=0)
    axes.plot(x, y, color=ACCENT, linewidth=2.4, label="by confidence")
    point = curve_document(curve, source.status)["certified"]
    lowest = min(y)
    if point is not None:
        required = point["required_precision"]
        lowest = min(lowest, required)
        axes.axhline(required, color=REQUIRED, linewidth=1.3, linestyle=(0, (5, 3)))
        axes.annotate(
            f"{percent(required)} required",
            (1.0, required),
            xytext=(-4, 4),
            textcoords="offset points",
            ha="right",
            fontsize=9.5,
            color=REQUIRED,
        )
        if point["precision"] is not None:
            at = (point["coverage"], point["precision"])
            axes.plot(*at, "o", color=ACCENT, markersize=9, markeredgecolor="white")
            axes.annotate(
                f"certified: {percent(at[0])} of listings",
                at,
                xytext=(10, 7),
                textcoords="offset points",
                fontsize=10.5,
                fontweight="bold",
                color=ACCENT,
            )
    lowest = max(0.0, lowest - 0.08)
    shares = zip(curve.similarity_coverage, curve.similarity_precision, strict=True)
    by_similarity = [(share, value) for share, value in shares if share >= x[0] and value >= lowest]
    if by_similarity:
        axes.plot(
            *zip(*by_similarity, strict=True),
            color=GREY,
            linewidth=1.6,
            linestyle=(0, (4, 3)),
            label="by similarity alone",
        )
    axes.set_xlim(0, 1.02)
    axes.set_ylim(lowest, 1.06)
    _percents(axes, "x")
    _percents(axes, "y")
    axes.set_xlabel("share of listings automated (coverage)", fontsize=10, color=FAINT)
    axes.set_title(
        f"Precision against coverage, from {curve.labels:,} random decisions",
        loc="left",
        fontsize=12,
        color=INK,
    )
    axes.legend(frameon=False, fontsize=9.5, labelcolor=INK, loc="lower left")


def _costs(axes: Axes, source: ReportSource) -> None:
    """Expected cost by share automated, the cheapest and the certified point on it."""
    costs = source.costs
    axes.plot(
        [point.automated for point in costs.curve],
        [point.cost for point in costs.curve],
        color=GREY,
        linewidth=2.2,
    )
    for point, name, colour, below in (
        (costs.optimal, "cheapest", GOOD, True),
        (costs.certified, "certified", ACCENT, False),
    ):
        if point is None:
            continue
        axes.plot(point.automated, point.cost, "o", color=colour, markersize=9, markeredgecolor="white")
        axes.annotate(
            name,
            (point.automated, point.cost),
            xytext=(6, -16 if below else 8),
            textcoords="offset points",
            fontsize=10.5,
            fontweight="bold",
            color=colour,
        )
    # Automating everything may cost a hundred times as much; what is near the cheapest is what matters.
    shown = [point.cost for point in (costs.curve[0], costs.optimal, costs.certified) if point is not None]
    axes.set_ylim(0, 2.2 * max(shown) or 1.0)
    axes.set_xlim(0, 1.02)
    _percents(axes, "x")
    axes.set_xlabel("share of listings automated", fontsize=10, color=FAINT)
    axes.set_title("Expected cost per 1,000 listings", loc="left", fontsize=12, color=INK)


def _days(at: str) -> float:
    """An ISO moment as matplotlib counts time; one without a zone is UTC."""
    from matplotlib.dates import date2num

    moment = datetime.fromisoformat(at)
    return float(date2num(moment if moment.tzinfo else moment.replace(tzinfo=UTC)))  # type: ignore[no-untyped-call]
