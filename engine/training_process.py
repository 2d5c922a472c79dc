"""The trainer as a child process of a headless program: one training run in, its events out.

What the desktop does with a QProcess the command line, the replay and the demo do with this. torch
lives in the child alone; a crash there costs at most the steps since its last checkpoint.
"""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from engine.contracts import ChangeSet, RunState
from engine.contracts.training import (
    TrainingCancelled,
    TrainingEvent,
    TrainingFailed,
    TrainingFinished,
    parse_training_event,
)
from engine.errors import EnvironmentError_, InputError, TrainingFailedError

#: A file of this name in the run's folder asks the trainer to stop after its current step.
CANCEL_FILE = "cancel"
#: What the trainer and its libraries say on standard error, kept for whoever looks into a failure.
TRAINER_LOG = "trainer.log"
#: How long a cancelled trainer may take to write its checkpoint before it is ended.
_SECONDS_TO_STOP = 60.0
_LAST_WORDS = 4000

_Ending = TrainingFinished | TrainingCancelled | TrainingFailed


class TrainingHost(Protocol):
    """What of a workspace is needed here: the command to run and where to note how it went."""

    def training_command(self, run_id: str) -> list[str]:
        """The command line of a prepared training run."""
        ...

    def note_training(self, run_id: str, state: RunState, message: str = "") -> ChangeSet:
        """Record where the training run stands."""
        ...


def run_training(host: TrainingHost, run_id: str, folder: Path) -> Iterator[TrainingEvent]:
    """Run (or resume) a prepared training run to its end and yield what the trainer reports.

    Closing the iterator cancels: the trainer is asked to stop after its step, keeps its checkpoint,
    and the run is noted as cancelled.

    Args:
        host: the workspace.
        run_id: a prepared, cancelled or failed training run.
        folder: the run's folder.

    Raises:
        TrainingFailedError: the trainer ended without an encoder (and was not asked to stop).
        InputError: the trainer refuses the job: an unknown recipe, too few pairs.
        EnvironmentError_: the trainer says the machine is at fault, or it cannot be started.
    """
    (folder / CANCEL_FILE).unlink(missing_ok=True)
    with (folder / TRAINER_LOG).open("w+", encoding="utf-8", errors="replace") as log:
        with _start(host.training_command(run_id), log) as process:
            host.note_training(run_id, RunState.RUNNING)
            ending: _Ending | None = None
            try:
                for event in _events(process):
                    if isinstance(event, _Ending):
                        ending = event
                    yield event
                exit_code = process.wait()
            except (GeneratorExit, KeyboardInterrupt):
                _stop(process, folder)
                host.note_training(run_id, RunState.CANCELLED, "Cancelled; it can be resumed.")
                raise
            except BaseException:
                process.kill()
                raise
        _conclude(host, run_id, ending, exit_code, _last_line(log))


def _start(command: list[str], log: IO[str]) -> subprocess.Popen[str]:
    # The child finds the trainer where this process found the engine, whatever its working folder.
    root = str(Path(__file__).resolve().parent.parent)
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {
        "PYTHONPATH": paths,
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            errors="replace",
            env=environment,
            # Ctrl-C in the terminal reaches this process only, which then asks the trainer to stop.
            start_new_session=True,
        )
    except OSError as error:
        message = f"the trainer could not be started: {error.strerror or error}"
        raise EnvironmentError_(message) from error


def _events(process: subprocess.Popen[str]) -> Iterator[TrainingEvent]:
    assert process.stdout is not None
    for line in process.stdout:
        event = parse_training_event(line)
        if event is not None:
            yield event


def _stop(process: subprocess.Popen[str], folder: Path) -> None:
    """Ask the trainer to stop, and end it where it does not. Its output is drained meanwhile."""
    (folder / CANCEL_FILE).touch()
    try:
        process.communicate(timeout=_SECONDS_TO_STOP)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):  # a second Ctrl-C does not want to wait
        process.kill()
        process.communicate()


def _conclude(
    host: TrainingHost, run_id: str, ending: _Ending | None, exit_code: int, last_line: str
) -> None:
    match ending:
        case TrainingFinished(step=step) if exit_code == 0:
            host.note_training(run_id, RunState.FINISHED, f"Finished after {step:,} steps.")
        case TrainingCancelled(step=step):
            message = f"Cancelled at step {step:,}; it can be resumed."
            host.note_training(run_id, RunState.CANCELLED, message)
            raise TrainingFailedError(f"training run {run_id} was cancelled at step {step:,}; resume it")
        case TrainingFailed(kind=kind, message=message):
            host.note_training(run_id, RunState.FAILED, message)
            if kind == "input":
                raise InputError(message)
            raise TrainingFailedError(f"training run {run_id} failed: {message}")
        case _:
            words = f"the trainer ended with exit code {exit_code} before it had finished"
            if last_line:
                words = f"{words}; its last line: {last_line}"
            host.note_training(run_id, RunState.FAILED, words)
            raise TrainingFailedError(f"training run {run_id}: {words}; the run can be resumed")


def _last_line(log: IO[str]) -> str:
    log.flush()
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - _LAST_WORDS))
    tail: deque[str] = deque((line.strip() for line in log if line.strip()), maxlen=1)
    return tail[0][:300] if tail else ""
