"""report and costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from engine.cli.invocation import JsonOption, WorkspaceArgument, invocation
from engine.cli.terminal import Terminal, percent, table
from engine.contracts import CostPoint, CostReport, SegmentReport


def report(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write it; the workspace's report/.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a page with certificate, automation rate, risk-coverage, segments and costs, and its pictures."""
    terminal = Terminal(as_json)
    where = out or workspace / "report"
    with invocation(ctx).opened(workspace, read_only=True, kept=f"{where} is as it was") as ws:
        page = terminal.follow(ws.report(out))
        segments = ws.segment_report()
    files = sorted(path.name for path in page.parent.iterdir())
    terminal.answer(
        {"folder": str(page.parent), "page": str(page), "files": list(files)},
        *_flagged(segments),
        f"The report is in {page}",
    )


def _flagged(report: SegmentReport) -> list[Table | str]:
    """The segments that need a look; the whole is in the report."""
    rows = [
        (
            grouping.title,
            segment.name,
            f"{segment.listings:,}",
            percent(segment.automation_rate),
            segment.precision.said,
            ", ".join(
                word
                for word, flag in (
                    ("starved", segment.starved),
                    ("below the promise", segment.below_promise),
                )
                if flag
            ),
        )
        for grouping in report.groupings
        for segment in grouping.segments
        if segment.starved or segment.below_promise
    ]
    if not rows:
        return []
    columns = ("by", "segment", "listings", "automation rate", "precision", "")
    return [table("Segments that need a look", columns, rows, right=("listings", "automation rate"))]


def costs(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    wrong: Annotated[
        float | None, typer.Option(min=0.0, help="What one wrong automation costs; kept as a setting.")
    ] = None,
    review: Annotated[
        float | None, typer.Option(min=0.0, help="What one review costs; kept as a setting.")
    ] = None,
    missed: Annotated[
        float | None,
        typer.Option(min=0.0, help="What one right match that waits for a person costs; kept."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Which threshold is cheapest, beside the certified one, which stays in force."""
    from engine.reporting.report_document import costs_document

    given = {"cost_wrong": wrong, "cost_review": review, "cost_missed": missed}
    changes = {name: value for name, value in given.items() if value is not None}
    with invocation(ctx).opened(workspace, read_only=not changes) as ws:
        if changes:
            ws.update_settings(**changes)
        found = ws.cost_report()
    Terminal(as_json).answer(costs_document(found), *_cost_tables(found), found.sentence)


def _cost_tables(report: CostReport) -> list[Table | str]:
    points = [("cheapest", report.optimal), ("certified", report.certified)]
    rows = [_cost_row(name, point) for name, point in points if point is not None]
    if not rows:
        return []
    columns = ("", "threshold", "automated", "cost per 1,000 listings")
    return [table(f"Costs, from {report.audits:,} audits", columns, rows, right=columns[1:])]


def _cost_row(name: str, point: CostPoint) -> tuple[str, str, str, str]:
    threshold = "automate nothing" if point.threshold is None else f"{point.threshold:.4f}"
    return name, threshold, percent(point.automated), f"{point.cost:,.2f}"
