"""The only place where the window starts threads.

Reads run in a small pool, changes one after another on the writer thread, long work (streams of
:data:`~engine.contracts.WorkEvent`) on a thread of its own so that it never holds up a decision.
Every callback comes back on the thread the window lives on.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, Generic, TypeVar

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine.contracts import ChangeSet, Finished, Notice, Progress, WorkEvent

T = TypeVar("T")

_READERS = 4
#: Progress comes at most this often (seconds); the window cannot show more anyway.
_PROGRESS_EVERY = 0.05
#: How long a job has to run before its pace says something about its end (seconds).
_ETA_AFTER = 1.0


class _Mailbox(QObject):
    """Brings calls from other threads to the thread this object lives on."""

    _posted = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.open = True
        self._posted.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def post(self, call: Callable[[], None]) -> None:
        """Have ``call`` made on this object's thread. From any thread; after closing it is dropped."""
        if self.open:
            with contextlib.suppress(RuntimeError):  # the window was torn down in between
                self._posted.emit(call)

    @Slot(object)
    def _deliver(self, call: Callable[[], None]) -> None:
        if self.open:
            call()


def _deliverable(callback: Callable[..., Any]) -> bool:
    """Whether the object a bound method belongs to still exists on Qt's side."""
    owner = getattr(callback, "__self__", None)
    return not isinstance(owner, QObject) or shiboken6.isValid(owner)


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    FINISHED = "finished"


class Job(QObject, Generic[T]):
    """Long work in progress. Lives on the window's thread; its signals come there.

    ``progress`` carries :class:`Progress`, ``notice`` a line of words, ``finished`` the result,
    ``failed`` the exception, ``ended`` comes last in every case. ``changes`` is set by the time of
    ``finished``.
    """

    progress = Signal(object)
    notice = Signal(str)
    finished = Signal(object)
    cancelled = Signal()
    failed = Signal(object)
    ended = Signal()
    state_changed = Signal()

    def __init__(self, title: str, parent: QObject) -> None:
        super().__init__(parent)
        self.title = title
        self.state = JobState.WAITING
        self.last_progress: Progress | None = None
        self.changes = ChangeSet()
        self._asked_to_stop = threading.Event()
        self._stage_began: tuple[float, int] = (0.0, 0)

    @property
    def active(self) -> bool:
        """Whether the job is still waiting, running or being cancelled."""
        return self.state in {JobState.WAITING, JobState.RUNNING, JobState.CANCELLING}

    @property
    def stopping(self) -> bool:
        """Whether the job was asked to stop. From any thread."""
        return self._asked_to_stop.is_set()

    def cancel(self) -> None:
        """Ask the work to stop at its next step; ``cancelled`` follows when it has."""
        if self.active and not self.stopping:
            self._asked_to_stop.set()
            self._enter(JobState.CANCELLING)

    def eta_seconds(self) -> float | None:
        """Seconds until the present stage is done at its pace so far; None when that is unknown."""
        step = self.last_progress
        began, done_then = self._stage_began
        if step is None or step.total <= 0 or self.state is not JobState.RUNNING:
            return None
        spent, done = time.monotonic() - began, step.done - done_then
        if done <= 0 or spent < _ETA_AFTER:
            return None
        return spent * (step.total - step.done) / done

    def _enter(self, state: JobState) -> None:
        self.state = state
        self.state_changed.emit()

    def _step(self, step: Progress) -> None:
        if self.last_progress is None or self.last_progress.stage != step.stage:
            self._stage_began = (time.monotonic(), step.done)
        self.last_progress = step
        self.progress.emit(step)


class TaskRunner(QObject):
    """Runs reads, changes and long work off the window's thread.

    ``failure`` carries every exception nobody else took; the error dialog listens. A bound method of
    a widget that is gone by the time its answer comes is not called.
    """

    jobs_changed = Signal()
    failure = Signal(object)
    saving_changed = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mailbox = _Mailbox(self)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="read")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="work")
        self._jobs: list[Job[Any]] = []
        self._unsaved = 0

    def read(
        self,
        compute: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run ``compute`` in the reading pool; ``done`` gets its result on the window's thread."""
        if self._mailbox.open:
            self._readers.submit(self._run, compute, done, failed)

    def write(
        self,
        change: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run ``change`` on the writer thread, in the order of the calls; ``done`` means it is saved."""
        if not self._mailbox.open:
            return
        self._unsaved += 1
        self.saving_changed.emit(self._unsaved)
        self._writer.submit(self._run, change, done, failed, self._saved)

    def stream(
        self,
        events: Callable[[], Iterator[WorkEvent[T]]],
        *,
        title: str,
        done: Callable[[T], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> Job[T]:
        """Run long work, one at a time, and hand back the job that tells how it goes.

        ``events`` is called on the worker thread; its iterator is closed when the job is cancelled.
        """
        job: Job[T] = Job(title, self)
        self._jobs.append(job)
        self.jobs_changed.emit()
        self._worker.submit(self._work, job, events, done, failed)
        return job

    def jobs(self) -> list[Job[Any]]:
        """The jobs that wait or run, oldest first."""
        return list(self._jobs)

    @property
    def unsaved(self) -> int:
        """How many changes are on their way to the disk."""
        return self._unsaved

    def close(self) -> None:
        """Ask jobs to stop, finish every change, and wait for all threads. No callback comes after."""
        for job in self._jobs:
            job.cancel()
        self._mailbox.open = False
        self._writer.shutdown(wait=True)
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._readers.shutdown(wait=True, cancel_futures=True)

    # -- on the threads ------------------------------------------------------------------------

    def _run(
        self,
        compute: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None] | None,
        before: Callable[[], None] | None = None,
    ) -> None:
        try:
            result = compute()
        except Exception as error:
            caught = error
            self._mailbox.post(lambda: self._settle(before, failed or self.failure.emit, caught))
        else:
            self._mailbox.post(lambda: self._settle(before, done, result))

    def _work(
        self,
        job: Job[T],
        events: Callable[[], Iterator[WorkEvent[T]]],
        done: Callable[[T], None],
        failed: Callable[[Exception], None] | None,
    ) -> None:
        post = self._mailbox.post
        if job.stopping:
            post(lambda: self._end(job, JobState.CANCELLED, job.cancelled.emit))
            return
        post(lambda: self._begin(job))
        try:
            finished = self._drain(job, events())
        except Exception as error:
            caught = error
            tell = failed or self.failure.emit
            post(lambda: self._end(job, JobState.FAILED, job.failed.emit, tell, caught))
        else:
            if finished is None:
                post(lambda: self._end(job, JobState.CANCELLED, job.cancelled.emit))
            else:
                job.changes = finished.changes
                result = finished.result
                post(lambda: self._end(job, JobState.FINISHED, job.finished.emit, done, result))

    def _drain(self, job: Job[T], events: Iterator[WorkEvent[T]]) -> Finished[T] | None:
        """Follow the events to their end; None when the job was asked to stop before it."""
        told = ("", 0.0)
        closing = getattr(events, "close", None)
        try:
            for event in events:
                match event:
                    case Finished():
                        return event
                    case Notice(message):
                        self._mailbox.post(lambda text=message: job.notice.emit(text))  # type: ignore[misc]
                    case Progress():
                        now = time.monotonic()
                        stage, at = told
                        if event.stage != stage or now - at >= _PROGRESS_EVERY or event.done == event.total:
                            told = (event.stage, now)
                            self._mailbox.post(lambda step=event: job._step(step))  # type: ignore[misc]
                if job.stopping:
                    return None
        finally:
            if closing is not None:
                closing()
        if job.stopping:
            return None
        message = f"{job.title} stopped without saying that it was finished"
        raise RuntimeError(message)

    # -- back on the window's thread -----------------------------------------------------------

    def _settle(
        self, before: Callable[[], None] | None, callback: Callable[[Any], Any], value: object
    ) -> None:
        if before is not None:
            before()
        if _deliverable(callback):
            callback(value)

    @staticmethod
    def _begin(job: Job[Any]) -> None:
        if not job.stopping:
            job._enter(JobState.RUNNING)

    def _saved(self) -> None:
        self._unsaved -= 1
        self.saving_changed.emit(self._unsaved)

    def _end(
        self,
        job: Job[Any],
        state: JobState,
        tell: Callable[..., None],
        callback: Callable[[Any], Any] | None = None,
        value: object = None,
    ) -> None:
        self._jobs.remove(job)
        job._enter(state)
        try:
            if callback is None:
                tell()
            else:
                tell(value)
                if _deliverable(callback):
                    callback(value)
        finally:
            job.ended.emit()
            self.jobs_changed.emit()
            job.deleteLater()
