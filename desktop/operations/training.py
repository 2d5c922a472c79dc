"""Training runs: preparing one, starting its process, and telling how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from desktop.operations import run_change, run_job
from desktop.session import Session
from desktop.tasks import Job
from desktop.training_process import read_training_events
from engine.contracts import ChangeSet, Finished, RunState, TrainingRun, WorkEvent
from engine.contracts.training import TrainingEvent

Device = Literal["auto", "cpu", "cuda"]
#: Where a training run may compute, and how a screen says it.
DEVICES: tuple[tuple[Device, str], ...] = (
    ("auto", "Best available"),
    ("cpu", "CPU"),
    ("cuda", "GPU (CUDA)"),
)


@dataclass(frozen=True, slots=True)
class StartableRun:
    """A training run and the command that runs it."""

    run: TrainingRun
    command: tuple[str, ...]


def prepare(
    session: Session,
    *,
    recipe: str,
    device: Device,
    seed: int,
    initiator: object,
    done: Callable[[StartableRun], None],
    failed: Callable[[Exception], None] | None = None,
) -> Job[StartableRun]:
    """Write the folder of a new training run from the decisions so far.

    A job and not a change: pairs and the encoder to start from take a while to write, and decisions
    are not to wait for that.
    """
    workspace = session.workspace

    def events() -> Iterator[WorkEvent[StartableRun]]:
        for event in workspace.preparing_training(recipe=recipe, device=device, seed=seed):
            if isinstance(event, Finished):
                startable = StartableRun(event.result, tuple(workspace.training_command(event.result.id)))
                yield Finished(startable, event.changes)
            else:
                yield event

    return run_job(
        session,
        events=events,
        title="Preparing a training run",
        initiator=initiator,
        done=done,
        failed=failed,
    )


def resume(
    session: Session,
    *,
    run: TrainingRun,
    done: Callable[[StartableRun], None],
    failed: Callable[[Exception], None] | None = None,
) -> None:
    """The command that carries a training run on from its last checkpoint."""
    workspace = session.workspace
    session.tasks.read(lambda: StartableRun(run, tuple(workspace.training_command(run.id))), done, failed)


def note(
    session: Session,
    *,
    run_id: str,
    state: RunState,
    message: str,
    initiator: object,
    done: Callable[[None], None],
    failed: Callable[[Exception], None] | None = None,
) -> None:
    """Record where a training run stands."""
    workspace = session.workspace

    def change() -> tuple[None, ChangeSet]:
        return None, workspace.note_training(run_id, state, message)

    run_change(session, change=change, initiator=initiator, done=done, failed=failed)


def events(
    session: Session,
    *,
    folder: Path,
    done: Callable[[list[TrainingEvent]], None],
    failed: Callable[[Exception], None] | None = None,
) -> None:
    """Read what a training run has told so far."""
    session.tasks.read(lambda: read_training_events(folder), done, failed)
