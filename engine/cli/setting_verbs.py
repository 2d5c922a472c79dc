"""settings."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

import typer
from rich.table import Table

from engine.cli import documents
from engine.cli.invocation import JsonOption, WorkspaceArgument, invocation
from engine.cli.terminal import Terminal, table
from engine.contracts import SettingKind, SettingRow, TakesEffect
from engine.errors import InputError

_LATER = {
    TakesEffect.REFIT: "`alcove certify {0}` or a training makes a release with it; the champion keeps the "
    "evidence that it was certified for until then",
    TakesEffect.MATCH: "`alcove match {0}` writes the cards again",
}


def settings(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change a setting; NAME= makes it what it was at first. Several are changed together.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What can be set by hand, what it means and is, and changing it."""
    wanted: dict[str, str] = {}
    for change in changes or ():
        name, equals, value = change.partition("=")
        if not equals:
            raise InputError(f"--set {change}: write NAME=VALUE, for example --set random_share=0.4")
        wanted[name.strip()] = value
    with invocation(ctx).opened(workspace, read_only=not wanted) as ws:
        if wanted:
            ws.change_settings(wanted)
        rows = ws.setting_rows()
    later = {row.takes_effect for row in rows if row.name in wanted}
    notes = [words.format(workspace) for effect, words in _LATER.items() if effect in later]
    Terminal(as_json).answer(documents.settings_document(rows), *_tables(rows), *notes)


def _tables(rows: tuple[SettingRow, ...]) -> list[Table | str]:
    tables: list[Table | str] = []
    for group, members in groupby(rows, key=lambda row: row.group):
        drawn = [(row.name, _shown(row), row.meaning, row.takes_effect.value) for row in members]
        tables.append(table(group, ("setting", "value", "meaning", "counts"), drawn, right=("value",)))
    return tables


def _shown(row: SettingRow) -> str:
    if row.kind is SettingKind.AMOUNT and row.value is None:
        return "–"
    words = row.words(row.value)
    return f"{words} (first {row.words(row.default) or '–'})" if row.changed else words
