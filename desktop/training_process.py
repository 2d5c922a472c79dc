"""The trainer as a child process: JSON lines on its standard output become typed events.

Training never runs inside the window's process: torch is not loaded here, and a crash of the trainer
costs the training run at most the steps since its last checkpoint.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

from engine.contracts import RunState
from engine.contracts.training import (
    TrainingCancelled,
    TrainingEvent,
    TrainingFailed,
    TrainingFinished,
    parse_training_event,
)

#: The file that asks the trainer to stop after its current step; it answers with ``cancelled``.
CANCEL_FILE = "cancel"
EVENTS_FILE = "events.jsonl"
_CHATTER_KEPT = 40
#: A killed process is gone in next to no time; this is for a machine that swaps.
_KILLED_MS = 10_000


def read_training_events(folder: Path) -> list[TrainingEvent]:
    """Every event a training run has written so far; [] for a run that has not started.

    Lines that are no events (a half-written last line, a library's chatter) are passed over.
    """
    path = folder / EVENTS_FILE
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as lines:
        events = (parse_training_event(line) for line in lines)
        return [event for event in events if event is not None]


class TrainingProcess(QObject):
    """Runs one trainer at a time and tells, in typed events, how it goes.

    ``happened`` carries every :data:`TrainingEvent`; ``ended`` comes exactly once per start, with the
    state the run is left in and one line of words for a person.
    """

    happened = Signal(object)
    chatter = Signal(str)
    ended = Signal(object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._folder = Path()
        self._verdict: TrainingFinished | TrainingCancelled | TrainingFailed | None = None
        self._given_up = False
        self._pending = b""
        self._stderr: deque[str] = deque(maxlen=_CHATTER_KEPT)

    @property
    def running(self) -> bool:
        """Whether a trainer is at work."""
        return self._process is not None

    def start(self, command: Sequence[str], folder: Path) -> None:
        """Start the trainer for a run folder. An earlier request to cancel is taken back first."""
        if self._process is not None:
            message = "a trainer is already running in this window"
            raise RuntimeError(message)
        (folder / CANCEL_FILE).unlink(missing_ok=True)
        self._folder = folder
        self._verdict = None
        self._given_up = False
        self._pending = b""
        self._stderr.clear()
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONUNBUFFERED", "1")
        environment.insert("PYTHONIOENCODING", "utf-8")
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._read_output)
        process.readyReadStandardError.connect(self._read_errors)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        self._process = process
        process.start(command[0], list(command[1:]))

    def cancel(self) -> None:
        """Ask the trainer to stop after its current step; ``ended`` follows when it has."""
        if self._process is not None:
            (self._folder / CANCEL_FILE).touch()

    def close(self, patience: int) -> None:
        """The window closes: cancel, wait ``patience`` milliseconds, then stop the trainer for good.

        A trainer that is still loading does not look for requests yet. What it had done up to its
        last checkpoint is kept in either case, and ``ended`` has come when this returns.
        """
        self.cancel()
        process = self._process
        if process is None or process.waitForFinished(patience):
            return
        self._given_up = True
        process.kill()
        process.waitForFinished(_KILLED_MS)

    def _read_output(self) -> None:
        if self._process is None:
            return
        self._pending += bytes(self._process.readAllStandardOutput().data())
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        text = line.decode("utf-8", errors="replace")
        event = parse_training_event(text)
        if event is None:
            if text.strip():
                self.chatter.emit(text.rstrip())
            return
        if isinstance(event, TrainingFinished | TrainingCancelled | TrainingFailed):
            self._verdict = event
        self.happened.emit(event)

    def _read_errors(self) -> None:
        if self._process is None:
            return
        text = bytes(self._process.readAllStandardError().data()).decode("utf-8", errors="replace")
        for line in text.splitlines():
            if line.strip():
                self._stderr.append(line.rstrip())
                self.chatter.emit(line.rstrip())

    def _on_finished(self, exit_code: int, status: QProcess.ExitStatus) -> None:
        self._read_output()
        self._read_errors()
        if self._pending:
            self._take(self._pending)
            self._pending = b""
        crashed = status == QProcess.ExitStatus.CrashExit
        self._end(*self._outcome(exit_code, crashed=crashed))

    def _on_error(self, error: QProcess.ProcessError) -> None:
        # Only this one ends without `finished`; a crash is told there.
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            reason = self._process.errorString()
            self._end(RunState.FAILED, f"The trainer could not be started: {reason}.")

    def _outcome(self, exit_code: int, *, crashed: bool) -> tuple[RunState, str]:
        match self._verdict:
            case TrainingFinished(step=step):
                return RunState.FINISHED, f"Finished after {step:,} step{'' if step == 1 else 's'}."
            case TrainingCancelled(step=step):
                return RunState.CANCELLED, f"Cancelled at step {step:,}; it can be resumed."
            case TrainingFailed(message=message):
                return RunState.FAILED, message
            case _ if self._given_up:
                return RunState.CANCELLED, "Stopped with the window; it can be resumed."
            case _:
                how = "crashed" if crashed else f"stopped without finishing (exit code {exit_code})"
                last = f" Its last words: {self._stderr[-1].strip()}" if self._stderr else ""
                return RunState.FAILED, f"The trainer {how}; it can be resumed.{last}"

    def _end(self, state: RunState, message: str) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        self.ended.emit(state, message)
