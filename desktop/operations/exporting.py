"""Exporting matches, decisions and pairs to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from desktop.operations import run_job
from desktop.session import Session
from desktop.tasks import Job


def export(
    session: Session,
    *,
    what: str,
    target: Path,
    initiator: object,
    done: Callable[[int], None],
    failed: Callable[[Exception], None] | None = None,
) -> Job[int]:
    """Write ``matches``, ``decisions`` or ``pairs``; the file's ending is its format. Result: rows."""
    workspace = session.workspace
    return run_job(
        session,
        events=lambda: workspace.export(what, target),
        title=f"Exporting {what} to {target.name}",
        initiator=initiator,
        done=done,
        failed=failed,
    )
