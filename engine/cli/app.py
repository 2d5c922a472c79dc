"""The command line's verbs in one place, and the one way in: :func:`run`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from typer.main import get_command

from engine.cli import (
    audit_verbs,
    measuring_verbs,
    release_verbs,
    report_verbs,
    review_verbs,
    reviewer_verbs,
    safekeeping_verbs,
    setting_verbs,
    workspace_verbs,
)
from engine.cli.failures import ENVIRONMENT, INPUT, INTERRUPTED, OK, explain
from engine.cli.invocation import Invocation
from engine.cli.terminal import plain

#: Verb -> what it does, in the order help shows them.
VERBS: dict[str, Callable[..., None]] = {
    "init": workspace_verbs.init,
    "settings": setting_verbs.settings,
    "import": workspace_verbs.import_,
    "match": workspace_verbs.match,
    "status": workspace_verbs.status,
    "queue": review_verbs.queue,
    "decide": review_verbs.decide,
    "undo": review_verbs.undo,
    "reviewers": reviewer_verbs.reviewers,
    "adjudicate": reviewer_verbs.adjudicate,
    "certify": release_verbs.certify,
    "audit": audit_verbs.audit,
    "train": release_verbs.train,
    "evaluate": release_verbs.evaluate,
    "promote": release_verbs.promote,
    "rollback": release_verbs.rollback,
    "report": report_verbs.report,
    "costs": report_verbs.costs,
    "export": workspace_verbs.export,
    "replay": measuring_verbs.replay,
    "demo": measuring_verbs.demo,
    "backup": safekeeping_verbs.backup,
    "restore": safekeeping_verbs.restore,
    "verify": safekeeping_verbs.verify,
    "doctor": workspace_verbs.doctor,
}


def _version_wanted(wanted: bool) -> None:
    if wanted:
        try:
            number = version("alcove")
        except PackageNotFoundError:  # run from a source tree that was never installed
            number = "(not installed)"
        sys.stdout.write(f"alcove {number}\n")
        raise typer.Exit


def _root(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version_wanted, is_eager=True)
    ] = False,
) -> None:
    """Map product listings to a catalogue. Without a verb, or with `gui`, the desktop opens."""


def build_app() -> typer.Typer:
    """The Typer application with every verb."""
    app = typer.Typer(
        name="alcove", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    app.callback()(_root)
    for name, verb in VERBS.items():
        app.command(name)(verb)
    return app


def run(arguments: Sequence[str], *, call: Invocation | None = None) -> int:
    """Run one command line and return its exit code. Errors become one line on standard error."""
    call = call or Invocation()
    call.arguments = tuple(arguments)
    command = get_command(build_app())
    try:
        with _terminating_like_interrupting():
            outcome = command.main(args=list(arguments), prog_name="alcove", standalone_mode=False, obj=call)
    except typer.TyperException as error:
        return _fail(INPUT, f"{error.format_message()} (alcove --help lists the verbs and their options)")
    except (KeyboardInterrupt, typer.Abort):
        return _fail(INTERRUPTED, f"interrupted; {call.kept}")
    except BrokenPipeError:
        # The reader of our output went away (`alcove queue ... | head`): nothing left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ENVIRONMENT
    except Exception as error:
        exit_code, line = explain(error, arguments=call.arguments, workspace=call.workspace)
        return _fail(exit_code, line)
    if outcome == INTERRUPTED:  # Typer turns a KeyboardInterrupt into this exit code
        return _fail(INTERRUPTED, f"interrupted; {call.kept}")
    return outcome if isinstance(outcome, int) else OK


def _fail(exit_code: int, line: str) -> int:
    sys.stderr.write(f"alcove: {plain(line)}\n")
    return exit_code


@contextmanager
def _terminating_like_interrupting() -> Iterator[None]:
    """SIGTERM stops a verb the way Ctrl-C does: the work is closed, the trainer asked to stop."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread, as in a test of a host program
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def opens_desktop(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for the desktop: no argument, ``gui``, or a folder instead of a verb."""
    if not arguments or arguments[0] == "gui":
        return True
    return len(arguments) == 1 and arguments[0] not in VERBS and Path(arguments[0]).is_dir()
