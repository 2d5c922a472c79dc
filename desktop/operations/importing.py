"""Importing: what a file would bring, and bringing it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from desktop.operations import run_job
from desktop.session import Session
from desktop.tasks import Job
from engine.contracts import ImportPreview, ImportReport, RecordKind


def preview(
    session: Session,
    *,
    file: Path,
    kind: RecordKind,
    mapping: Mapping[str, str] | None,
    done: Callable[[ImportPreview], None],
    failed: Callable[[Exception], None] | None = None,
) -> None:
    """Read what an import of the file would do; nothing is written."""
    workspace = session.workspace
    session.tasks.read(lambda: workspace.preview(file, kind, mapping=mapping), done, failed)


def import_table(
    session: Session,
    *,
    file: Path,
    kind: RecordKind,
    feed: str | None,
    mapping: Mapping[str, str] | None,
    initiator: object,
    done: Callable[[ImportReport], None],
    failed: Callable[[Exception], None] | None = None,
) -> Job[ImportReport]:
    """Import a catalogue or a feed; cancelled, nothing of it is kept."""
    workspace = session.workspace
    what = "the catalogue" if kind is RecordKind.CATALOGUE else "listings"
    return run_job(
        session,
        events=lambda: workspace.import_table(file, kind, feed=feed, mapping=mapping),
        title=f"Importing {what} from {file.name}",
        initiator=initiator,
        done=done,
        failed=failed,
    )
