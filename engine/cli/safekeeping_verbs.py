"""backup, restore, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import documents
from engine.cli.invocation import JsonOption, WorkspaceArgument, invocation
from engine.cli.terminal import Terminal, table
from engine.errors import EnvironmentError_


def backup(ctx: typer.Context, workspace: WorkspaceArgument, as_json: JsonOption = False) -> None:
    """Copy the database to the workspace's backups/, also while another program writes to it."""
    with invocation(ctx).opened(workspace, read_only=True, kept="no backup was made") as ws:
        made = ws.backup()
    Terminal(as_json).answer(documents.backup_document(made), f"Backed up to {made}")


def restore(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="BACKUP", help="The backup; without it the latest.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to a backup: decisions, listings and catalogue as they were. What is there now is kept."""
    from engine.workspace import restore as go_back

    call = invocation(ctx)
    call.workspace = workspace
    call.kept = "the database is one whole, the old or the restored one"
    restored, before = go_back(workspace, source)
    document = documents.restore_document(restored, before)
    kept = "" if before is None else f"; what was there is kept in {before}"
    Terminal(as_json).answer(document, f"Restored {restored}{kept}")


def verify(ctx: typer.Context, workspace: WorkspaceArgument, as_json: JsonOption = False) -> None:
    """Check that the database, every release and every backup are whole; nothing is changed."""
    with invocation(ctx).opened(workspace, read_only=True) as ws:
        found = ws.verify()
    rows = [("ok" if line.ok else "damaged", line.name, line.value, line.advice) for line in found]
    Terminal(as_json).answer(
        documents.doctor_document(found), table("", ("", "what", "found", "advice"), rows)
    )
    damaged = [line.name for line in found if not line.ok]
    if damaged:
        raise EnvironmentError_(f"{workspace} is damaged: {', '.join(damaged)}")
