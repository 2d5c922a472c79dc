"""One keyword-only function per user intent, and the two helpers they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from desktop.session import Session
from desktop.tasks import Job
from engine.contracts import ChangeSet, WorkEvent

T = TypeVar("T")

#: What long work may have committed before it was cancelled or failed.
EVERYTHING = ChangeSet(
    items=True,
    listings=True,
    routes=True,
    decisions=True,
    releases=True,
    training_runs=True,
    certificates=True,
)


def run_change(
    session: Session,
    *,
    change: Callable[[], tuple[T, ChangeSet]],
    initiator: object,
    done: Callable[[T], None],
    failed: Callable[[Exception], None] | None = None,
) -> None:
    """Make one change on the writer thread; when it is saved, call ``done``, then tell the screens.

    ``done`` comes first so that the initiator is on screen again before anyone else refreshes.
    """

    def saved(outcome: tuple[T, ChangeSet]) -> None:
        result, changes = outcome
        try:
            done(result)
        finally:
            session.hub.publish(changes, initiator)

    session.tasks.write(change, saved, failed)


def run_job(
    session: Session,
    *,
    events: Callable[[], Iterator[WorkEvent[T]]],
    title: str,
    initiator: object,
    done: Callable[[T], None],
    failed: Callable[[Exception], None] | None = None,
) -> Job[T]:
    """Start long work; when it ends, however it ends, tell the screens what it changed.

    Cancelled or failed work keeps what it had committed, so then everything counts as changed.
    """

    def finished(result: T) -> None:
        try:
            done(result)
        finally:
            session.hub.publish(job.changes, initiator)

    def publish_all(*_: object) -> None:
        session.hub.publish(EVERYTHING, initiator)

    job = session.tasks.stream(events, title=title, done=finished, failed=failed)
    job.cancelled.connect(publish_all)
    job.failed.connect(publish_all)
    return job
