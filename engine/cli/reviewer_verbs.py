"""reviewers, adjudicate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from engine.cli import agreement_documents as documents
from engine.cli.invocation import JsonOption, WorkspaceArgument, invocation
from engine.cli.review_verbs import user
from engine.cli.terminal import Terminal, percent, table
from engine.contracts import (
    FEWEST_JUDGED,
    VERDICTS_WITH_ITEM,
    Agreement,
    Decision,
    PairAgreement,
    ReviewersReport,
)

_SHOWN = 50
_REFUSED_SHOWN = 20


def reviewers(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    overlap_share: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Ask another reviewer again about this share of the decisions (0: none)."
        ),
    ] = None,
    gold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LISTING_ID",
            help="Mark the decision on a listing as certain: others are asked about it, blind.",
            show_default=False,
        ),
    ] = None,
    not_gold: Annotated[
        list[str] | None,
        typer.Option(metavar="LISTING_ID", help="Take the mark away again.", show_default=False),
    ] = None,
    feed: Annotated[
        str | None, typer.Option(help="Where the marked listings are, if several feeds have their id.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """How often each reviewer is right, and how far each two agree."""
    changes = overlap_share is not None or gold or not_gold
    with invocation(ctx).opened(workspace, or_read_only=not changes) as ws:
        if overlap_share is not None:
            ws.update_settings(overlap_share=overlap_share)
        for listing in gold or ():
            ws.mark_gold(ws.decision_on(listing, feed=feed).id, reviewer=user())
        for listing in not_gold or ():
            ws.mark_gold(ws.decision_on(listing, feed=feed).id, gold=False, reviewer=user())
        report = ws.reviewers()
    Terminal(as_json).answer(documents.reviewers_document(report), *_reviewers_parts(report))


def _reviewers_parts(report: ReviewersReport) -> list[Table | str]:
    columns = ("reviewer", "decisions", "second opinions", "right", "right verdict", "on gold decisions")
    rows = [
        (
            one.reviewer,
            f"{one.decisions:,}",
            f"{one.second_opinions:,}",
            one.answers.words,
            one.verdicts.words,
            one.gold.words,
        )
        for one in report.reviewers
    ]
    parts: list[Table | str] = [table("Reviewers", columns, rows, right=("decisions", "second opinions"))]
    if report.pairs:
        headings = ("reviewers", "agree", "kappa of verdicts", "PABAK", "kappa of items")
        drawn = [_pair_row(pair) for pair in report.pairs]
        parts.append(table("Agreement", headings, drawn, right=("agree", "PABAK")))
    parts.append(
        f"{percent(report.overlap_share)} of the decisions are asked again: {report.waiting:,} wait, "
        f"{report.answered:,} answered; {report.gold:,} gold; {report.to_adjudicate:,} to adjudicate"
    )
    return parts


def _pair_row(pair: PairAgreement) -> tuple[str, ...]:
    verdicts = pair.verdicts
    return (
        f"{pair.first} and {pair.second}",
        _agreed(verdicts),
        verdicts.words,
        "–" if verdicts.pabak is None or verdicts.judged < FEWEST_JUDGED else f"{verdicts.pabak:.2f}",
        pair.same_item.words,
    )


def _agreed(agreement: Agreement) -> str:
    return f"{agreement.agreed:,} of {agreement.judged:,}"


def adjudicate(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    file: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="CSV or JSONL with listing_id, verdict, item_id, also_item_ids, note; "
            "without it the list is shown.",
            show_default=False,
        ),
    ] = None,
    reviewer: Annotated[str | None, typer.Option(help="Who adjudicates; without it you.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The listings on which two reviewers differ, or the last word on them from a file."""
    if file is not None:
        _adjudicate_from(ctx, workspace, file, reviewer or user(), Terminal(as_json))
        return
    with invocation(ctx).opened(workspace, or_read_only=True) as ws:
        waiting = ws.disagreements()
    shown = waiting[:_SHOWN]
    columns = ("listing", "title", "decision", "second opinion")
    rows = [
        (
            one.listing_external_id,
            one.listing_title,
            _said(one.decision, one.decision_item_external_id, one.decision_also_right),
            _said(one.opinion, one.opinion_item_external_id, one.opinion_also_right),
        )
        for one in shown
    ]
    title = f"{len(shown):,} of {len(waiting):,} to adjudicate"
    Terminal(as_json).answer(documents.disagreements_document(waiting), table(title, columns, rows))


def _said(decision: Decision, item: str, also_right: Sequence[tuple[str, str]]) -> str:
    named = f" {item}" if decision.verdict in VERDICTS_WITH_ITEM else ""
    named += "".join(f", also right {external_id}" for external_id, _ in also_right)
    note = f" ({decision.note})" if decision.note else ""
    return f"{decision.reviewer}: {decision.verdict.value}{named}{note}"


def _adjudicate_from(
    ctx: typer.Context, workspace: Path, file: Path, reviewer: str, terminal: Terminal
) -> None:
    with invocation(ctx).opened(workspace, kept="no adjudication of this file was kept") as ws:
        report = terminal.follow(ws.adjudicate_from_file(file, reviewer=reviewer))
    line = f"{report.rows:,} rows: {report.adjudicated:,} adjudicated, {len(report.refused):,} refused"
    shown = report.refused[:_REFUSED_SHOWN]
    title = f"Refused rows ({len(shown):,} of {len(report.refused):,})"
    refused = [table(title, ("row", "reason"), shown, right=("row",))] if shown else []
    terminal.answer(documents.adjudication_document(report), line, *refused)
    terminal.note_refused(file.name, report.rows, report.refused, taken=report.adjudicated)
