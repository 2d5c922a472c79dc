"""init, import, match, status, export, doctor."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from engine.cli import documents
from engine.cli.invocation import JsonOption, WorkspaceArgument, invocation
from engine.cli.terminal import Terminal, facts, percent, table
from engine.cli.words import KIND_WORDS, certificate_facts
from engine.contracts import MAPPABLE_FIELDS, Counts, ImportPreview, RecordKind, RefusedRow
from engine.errors import InputError

_REFUSED_SHOWN = 20


class ExportWhat(StrEnum):
    """What ``alcove export`` writes."""

    MATCHES = "matches"
    DECISIONS = "decisions"
    PAIRS = "pairs"
    ENCODER = "encoder"


class ExportFormat(StrEnum):
    """Formats of exported tables."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"
    JSONL = "jsonl"


def init(ctx: typer.Context, workspace: WorkspaceArgument, as_json: JsonOption = False) -> None:
    """Make a new, empty workspace."""
    from engine.workspace import Workspace

    invocation(ctx).workspace = workspace
    Workspace.create(workspace).close()
    folder = str(workspace.resolve())
    Terminal(as_json).answer({"workspace": folder}, f"A new workspace is in {folder}")


def import_(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    kind: Annotated[RecordKind, typer.Argument(help="What the file's rows are.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="CSV, TSV, XLSX, Parquet or JSONL.", show_default=False)],
    feed: Annotated[
        str | None, typer.Option(help="Name of the listings' feed; without it the file's name.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help="The column of a field; FIELD= for none."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the preview, change nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Read the catalogue or a feed of listings from a table; refused rows are listed with reasons."""
    terminal = Terminal(as_json)
    columns = _parse_mapping(mapping or ())
    if feed is not None and kind is RecordKind.CATALOGUE:
        raise InputError("--feed names a feed of listings; the catalogue has none, leave it out")
    call = invocation(ctx)
    if dry_run:
        with call.opened(workspace, read_only=True) as ws:
            preview = ws.preview(file, kind, mapping=columns)
        terminal.answer(documents.preview_document(preview), *_preview_tables(preview))
        return
    with call.opened(workspace, kept="nothing of this import was kept") as ws:
        report = terminal.follow(ws.import_table(file, kind, feed=feed, mapping=columns))
    what = "items" if kind is RecordKind.CATALOGUE else f"listings of feed {report.feed}"
    line = (
        f"{report.rows:,} rows of {what}: {report.added:,} added, {report.updated:,} updated, "
        f"{report.unchanged:,} unchanged, {report.refused_total:,} refused"
    )
    terminal.answer(
        documents.import_document(report), line, *_refused_tables(report.refused, report.refused_total)
    )


def _parse_mapping(options: list[str] | tuple[str, ...]) -> dict[str, str] | None:
    """``["title=Name"]`` as ``{"title": "Name"}``; ``id`` is accepted for ``external_id``."""
    columns: dict[str, str] = {}
    for option in options:
        name, equals, column = option.partition("=")
        name = "external_id" if name == "id" else name
        if not equals or name not in MAPPABLE_FIELDS:
            raise InputError(f"--map {option}: write FIELD=COLUMN, FIELD one of {', '.join(MAPPABLE_FIELDS)}")
        columns[name] = column
    return columns or None


def _refused_tables(refused: tuple[RefusedRow, ...], total: int) -> list[Table | str]:
    if not refused:
        return []
    shown = refused[:_REFUSED_SHOWN]
    title = f"Refused rows ({len(shown):,} of {total:,})"
    return [
        table(
            title, ("row", "column", "reason"), [(r.row, r.column, r.reason) for r in shown], right=("row",)
        )
    ]


def _preview_tables(preview: ImportPreview) -> list[Table | str]:
    read = ", ".join(part for part in (preview.format.kind, preview.format.encoding) if part)
    mapping = {name: preview.mapping.columns.get(name, "–") for name in MAPPABLE_FIELDS}
    sample = [[row.get(column, "") for column in preview.columns] for row in preview.sample[:5]]
    return [
        f"{preview.path}: {preview.rows:,} rows ({read}); nothing was imported",
        facts("Fields and their columns", mapping),
        table("First rows", preview.columns, sample),
        *_refused_tables(preview.refused, preview.refused_total),
    ]


def match(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    feed: Annotated[str | None, typer.Option(help="Only this feed.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Encode, index, find candidates and route every listing that is new or changed."""
    terminal = Terminal(as_json)
    kept = f"listings matched so far are kept; `alcove match {workspace}` carries on"
    with invocation(ctx).opened(workspace, kept=kept) as ws:
        counts = terminal.follow(ws.match(feed=feed))
    terminal.answer(documents.counts_document(counts), _counts_table(counts))


def _counts_table(counts: Counts) -> Table:
    total = counts.listings or 1
    rows = [
        ("automated as a match", counts.automated_matches),
        ("automated as not in catalogue", counts.automated_none),
        ("settled from memory", counts.settled_by_memory),
        ("settled by a decision", counts.settled - counts.settled_by_memory),
        ("review", counts.review),
        ("not matched yet", counts.unmatched),
        ("all listings", counts.listings),
    ]
    return table(
        "Listings by route",
        ("route", "listings", "share"),
        [(name, f"{number:,}", percent(number / total)) for name, number in rows],
        right=("listings", "share"),
    )


def status(ctx: typer.Context, workspace: WorkspaceArgument, as_json: JsonOption = False) -> None:
    """Counts by route, coverage, automation rate, certificate, champion, and what to do next."""
    with invocation(ctx).opened(workspace, read_only=True) as ws:
        state = ws.status()
    counts = state.counts
    suspended = ", ".join(KIND_WORDS[kind] for kind in state.suspended)
    overview = facts(
        f"Workspace {state.workspace}",
        {
            "catalogue": f"{counts.items:,} items",
            "decisions": f"{counts.decisions:,} ({counts.random_decisions:,} random, "
            f"{counts.learning_decisions:,} learning)",
            "coverage": percent(state.coverage),
            "automation rate": percent(state.automation_rate),
            "champion": state.champion or "none yet",
            **certificate_facts(state.certificate, state.none_certificate),
            "since the certificate": f"{state.decisions_since_certificate:,} decisions",
            **({"suspended by the live audit": suspended} if suspended else {}),
        },
    )
    steps = [f"Next: {step}" for step in state.next_steps]
    Terminal(as_json).answer(documents.status_document(state), overview, _counts_table(counts), *steps)


def export(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    what: Annotated[ExportWhat, typer.Argument(help="What to write.", show_default=False)],
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE_OR_DIR", help="Where to write it.", show_default=False)
    ],
    format_: Annotated[
        ExportFormat | None, typer.Option("--format", help="Without it the file's ending decides.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write matches, decisions or pairs as a table, or the champion's encoder as a folder."""
    terminal = Terminal(as_json)
    call = invocation(ctx)
    with call.opened(workspace, read_only=True, kept=f"{to} was not written") as ws:
        written = terminal.follow(
            ws.export(what.value, to, format=None if format_ is None else format_.value)
        )
    unit = "files" if what is ExportWhat.ENCODER else "rows"
    document: documents.Document = {"what": what.value, "to": str(to), "written": written}
    terminal.answer(document, f"{written:,} {unit} of {what.value} written to {to}")


def doctor(as_json: JsonOption = False) -> None:
    """Which runtime, which device and why, base model, libraries, disk."""
    from engine.workspace import doctor as examine

    lines = examine()
    rows = [("ok" if line.ok else "look", line.name, line.value, line.advice) for line in lines]
    Terminal(as_json).answer(
        documents.doctor_document(lines), table("", ("", "what", "found", "advice"), rows)
    )
