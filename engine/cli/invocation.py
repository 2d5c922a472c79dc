"""One call of the command line: what it was given, what it may open, what an interruption keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from engine.cli.terminal import Terminal
from engine.errors import EngineError, EnvironmentError_

if TYPE_CHECKING:
    from engine.workspace import Workspace

WorkspaceArgument: TypeAlias = Annotated[
    Path, typer.Argument(metavar="WORKSPACE", help="The workspace's folder.", show_default=False)
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else there.")
]


def _open_workspace(folder: Path, read_only: bool) -> Workspace:
    from engine.workspace import Workspace

    return Workspace.open(folder, read_only=read_only)


def _back_up(workspace: Workspace) -> None:
    """The day's copy of the database. What a verb is asked to do does not wait for a fuller disk."""
    try:
        workspace.backup_if_due()
    except EngineError as error:
        Terminal(as_json=False).note(f"today's backup could not be made: {error.message}")


@dataclass(slots=True)
class Invocation:
    """What the verbs of one call share; Typer carries it as ``ctx.obj``.

    ``kept`` is the sentence an interruption prints. ``open_desktop`` opens a workspace in the desktop
    and returns its exit code; it is handed in because the engine does not know Qt.
    """

    arguments: tuple[str, ...] = ()
    open_desktop: Callable[[Path], int] | None = None
    open_workspace: Callable[[Path, bool], Workspace] = field(default=_open_workspace)
    workspace: Path | None = None
    kept: str = "nothing was changed"

    @contextmanager
    def opened(
        self,
        folder: Path,
        *,
        read_only: bool = False,
        or_read_only: bool = False,
        kept: str = "nothing was changed",
    ) -> Iterator[Workspace]:
        """Open a workspace for the length of a verb and say what an interruption of it keeps.

        Before anything changes, the day's backup is made, where one is due.
        With ``or_read_only`` a workspace that cannot be written to now is opened read-only instead.
        """
        self.workspace = folder
        self.kept = kept
        try:
            workspace = self.open_workspace(folder, read_only)
        except EnvironmentError_:
            if not or_read_only:
                raise
            workspace = self.open_workspace(folder, True)
        if not workspace.read_only:
            _back_up(workspace)
        try:
            yield workspace
        finally:
            workspace.close()


def invocation(ctx: typer.Context) -> Invocation:
    """The invocation a verb runs in."""
    call = ctx.obj
    assert isinstance(call, Invocation)
    return call
