"""queue, decide, undo."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from engine.cli import documents
from engine.cli.invocation import JsonOption, WorkspaceArgument, invocation
from engine.cli.terminal import Terminal, table
from engine.contracts import QueueOrder, ReviewCard, SecondOpinion

_REFUSED_SHOWN = 20


def queue(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    order: Annotated[QueueOrder, typer.Option(help="What comes first.")] = QueueOrder.GAIN,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many listings.")] = 20,
    feed: Annotated[str | None, typer.Option(help="Only this feed.")] = None,
    reviewer: Annotated[
        str | None, typer.Option(help="Who will answer, for second opinions; without it you.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The listings that wait for a decision, with their candidates."""
    # Written to where that is possible: the random stream is drawn when it is asked for.
    with invocation(ctx).opened(workspace, or_read_only=True) as ws:
        entries = ws.queue(order=order, limit=limit, feed=feed, reviewer=reviewer or user())
        cards = [ws.card(entry) for entry in entries]
        waiting = ws.status().counts.review
    document = documents.queue_document(order.value, waiting, cards)
    columns = ("feed", "listing", "title", "best candidate", "its title", "similarity")
    rows = [_row(card) for card in cards]
    drawn = table(f"{len(cards):,} of {waiting:,} waiting", columns, rows, right=("similarity",))
    Terminal(as_json).answer(document, drawn)


def _row(card: ReviewCard) -> tuple[str, ...]:
    listing = (card.entry.feed, card.listing.external_id, card.listing.title)
    if not card.candidates:
        return (*listing, "–", "", "")
    if card.entry.about is not None:  # the order of its candidates says nothing
        return (*listing, f"{len(card.candidates)} candidates", "", "")
    best = card.candidates[0]
    return (*listing, best.item.external_id, best.item.title, f"{best.candidate.similarity:.3f}")


def decide(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    file: Annotated[
        Path,
        typer.Option(
            "--from",
            metavar="FILE",
            help="CSV or JSONL with listing_id, verdict, item_id, also_item_ids, decided_at.",
            show_default=False,
        ),
    ],
    reviewer: Annotated[str | None, typer.Option(help="Whose decisions they are; without it yours.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Take decisions from a file. Rows that say nothing new are passed over, wrong rows are listed."""
    terminal = Terminal(as_json)
    with invocation(ctx).opened(workspace, kept="no decision of this file was kept") as ws:
        report = terminal.follow(ws.decide_from_file(file, reviewer=reviewer or user()))
    line = (
        f"{report.rows:,} rows: {report.decided:,} decided, {report.second_opinions:,} second opinions, "
        f"{report.unchanged:,} unchanged, "
        f"{len(report.refused):,} refused"
    )
    shown = report.refused[:_REFUSED_SHOWN]
    title = f"Refused rows ({len(shown):,} of {len(report.refused):,})"
    refused = [table(title, ("row", "reason"), shown, right=("row",))] if shown else []
    terminal.answer(documents.decision_file_document(report), line, *refused)
    taken = report.decided + report.second_opinions + report.unchanged
    terminal.note_refused(file.name, report.rows, report.refused, taken=taken)


def user() -> str:
    """The name of whoever runs the verb, for what they say without ``--reviewer``."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no account name, as in some containers
        return "reviewer"


def undo(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    decision: Annotated[int | None, typer.Option(help="Its number; without it the latest one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Take a decision back; the listing returns to the queue as it was. Nothing is deleted."""
    with invocation(ctx).opened(workspace) as ws:
        undone, _ = ws.undo(decision)
        listing = ws.listing(undone.listing_id)
        item = None if undone.item_id is None else ws.item(undone.item_id)
        also_right = [ws.item(number) for number in undone.also_right]
    document = documents.decision_document(undone, listing, item, also_right)
    named = "" if item is None else f" {item.external_id}"
    named += "".join(f", also right {one.external_id}" for one in also_right)
    what = "second opinion " if isinstance(undone, SecondOpinion) else ""
    line = f"Undone: {what}{undone.verdict.value}{named} for listing {listing.external_id}, {listing.title}"
    Terminal(as_json).answer(document, line)
