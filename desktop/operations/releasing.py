"""Releases: building a challenger, comparing it with the champion, promoting and rolling back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from desktop.operations import run_job
from desktop.session import Session
from desktop.tasks import Job
from engine.contracts import Comparison, ReleaseSummary, TrainingRun


@dataclass(frozen=True, slots=True)
class Shelf:
    """Every release, every training run, and the recipes a new one may follow."""

    releases: tuple[ReleaseSummary, ...]
    runs: tuple[TrainingRun, ...]
    recipes: tuple[str, ...]


def shelf(
    session: Session, *, done: Callable[[Shelf], None], failed: Callable[[Exception], None] | None = None
) -> None:
    """Read the releases and training runs."""
    workspace = session.workspace
    session.tasks.read(
        lambda: Shelf(tuple(workspace.releases()), tuple(workspace.runs()), tuple(workspace.recipes())),
        done,
        failed,
    )


def build_challenger(
    session: Session,
    *,
    run_id: str,
    initiator: object,
    done: Callable[[ReleaseSummary], None],
    failed: Callable[[Exception], None] | None = None,
) -> Job[ReleaseSummary]:
    """Make a release of a finished training run; the champion stays in use."""
    workspace = session.workspace
    return run_job(
        session,
        events=lambda: workspace.build_challenger(run_id),
        title=f"Building a challenger from {run_id}",
        initiator=initiator,
        done=done,
        failed=failed,
    )


def compare(
    session: Session,
    *,
    release_id: str,
    initiator: object,
    done: Callable[[Comparison], None],
    failed: Callable[[Exception], None] | None = None,
) -> Job[Comparison]:
    """Measure a release against the champion, with every listing whose automated answer would change.

    Where the gate holds back what a training run made, its average with the start is tried as well; the
    comparison is of that one where it may be promoted.
    """
    workspace = session.workspace
    return run_job(
        session,
        events=lambda: workspace.challenge(release_id),
        title=f"Comparing {release_id} with the champion",
        initiator=initiator,
        done=done,
        failed=failed,
    )


def promote(
    session: Session,
    *,
    release_id: str,
    force: bool,
    initiator: object,
    done: Callable[[ReleaseSummary], None],
    failed: Callable[[Exception], None] | None = None,
) -> Job[ReleaseSummary]:
    """Make a release the champion and route by it."""
    workspace = session.workspace
    return run_job(
        session,
        events=lambda: workspace.promote(release_id, force=force),
        title=f"Promoting {release_id}",
        initiator=initiator,
        done=done,
        failed=failed,
    )


def roll_back(
    session: Session,
    *,
    initiator: object,
    done: Callable[[ReleaseSummary], None],
    failed: Callable[[Exception], None] | None = None,
) -> Job[ReleaseSummary]:
    """Return to the champion before this one, with its own certificate."""
    workspace = session.workspace
    return run_job(
        session,
        events=workspace.rollback,
        title="Rolling back",
        initiator=initiator,
        done=done,
        failed=failed,
    )
