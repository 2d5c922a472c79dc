"""Matching the listings that wait for it, and what the home screen tells about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from desktop.operations import run_job
from desktop.session import Session
from desktop.tasks import Job
from engine.contracts import Counts, FeedSummary, Status


@dataclass(frozen=True, slots=True)
class Overview:
    """Where the workspace stands."""

    status: Status
    feeds: tuple[FeedSummary, ...]


def overview(
    session: Session, *, done: Callable[[Overview], None], failed: Callable[[Exception], None] | None = None
) -> None:
    """Read where the workspace stands."""
    workspace = session.workspace
    session.tasks.read(lambda: Overview(workspace.status(), tuple(workspace.feeds())), done, failed)


def match(
    session: Session,
    *,
    feed: str | None = None,
    initiator: object,
    done: Callable[[Counts], None],
    failed: Callable[[Exception], None] | None = None,
) -> Job[Counts]:
    """Match every listing that has not been, of one feed or of all; cancelled, it carries on next time."""
    workspace = session.workspace
    return run_job(
        session,
        events=lambda: workspace.match(feed=feed),
        title=f"Matching {feed}" if feed else "Matching listings",
        initiator=initiator,
        done=done,
        failed=failed,
    )
