"""The task runner: where threads are, in which order changes are made, how long work is cancelled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QThread
from pytestqt.qtbot import QtBot

from desktop.changes import ChangeHub
from desktop.operations import EVERYTHING, run_change, run_job
from desktop.preferences import Preferences
from desktop.session import Session
from desktop.tasks import Job, JobState, TaskRunner
from engine.contracts import ChangeSet, Finished, Notice, Progress, WorkEvent
from engine.errors import InputError
from tests.desktop.fake_workspace import FakeWorkspace


@pytest.fixture
def tasks(qtbot: QtBot) -> Iterator[TaskRunner]:
    runner = TaskRunner()
    yield runner
    runner.close()


@pytest.fixture
def session(tasks: TaskRunner, tmp_path: Path) -> Session:
    preferences = Preferences(tmp_path / "desktop.ini")
    return Session(FakeWorkspace(), tasks, ChangeHub(tasks), "Mara", preferences)  # type: ignore[arg-type]


def test_that_reads_run_elsewhere_and_answer_on_the_thread_of_the_window(
    qtbot: QtBot, tasks: TaskRunner
) -> None:
    home = threading.current_thread()
    answers: list[tuple[threading.Thread, threading.Thread]] = []
    tasks.read(threading.current_thread, lambda there: answers.append((there, threading.current_thread())))
    qtbot.waitUntil(lambda: len(answers) == 1)
    there, here = answers[0]
    assert there is not home
    assert here is home
    assert QThread.currentThread() is tasks.thread()


def test_that_changes_are_made_one_after_another_in_the_order_they_were_asked_for(
    qtbot: QtBot, tasks: TaskRunner
) -> None:
    begin = threading.Event()
    made: list[int] = []
    tasks.write(lambda: begin.wait(5), lambda _done: None)
    for number in range(20):
        tasks.write(lambda number=number: made.append(number), lambda _done: None)
    assert tasks.unsaved == 21
    begin.set()
    qtbot.waitUntil(lambda: tasks.unsaved == 0)
    assert made == list(range(20))


def test_that_reads_are_not_held_up_by_a_slow_change(qtbot: QtBot, tasks: TaskRunner) -> None:
    disk = threading.Event()
    answers: list[int] = []
    tasks.write(lambda: disk.wait(5), lambda _done: None)
    tasks.read(lambda: 7, answers.append)
    qtbot.waitUntil(lambda: answers == [7])
    assert tasks.unsaved == 1
    disk.set()
    qtbot.waitUntil(lambda: tasks.unsaved == 0)


def test_that_changes_are_not_held_up_by_long_work(qtbot: QtBot, tasks: TaskRunner) -> None:
    go_on = threading.Event()

    def events() -> Iterator[WorkEvent[int]]:
        yield Progress("encoding", 0, 2)
        go_on.wait(5)
        yield Finished(1, ChangeSet())

    results: list[int] = []
    saved: list[int] = []
    tasks.stream(events, title="Matching", done=results.append)
    tasks.write(lambda: 3, saved.append)
    qtbot.waitUntil(lambda: saved == [3])
    assert results == []
    go_on.set()
    qtbot.waitUntil(lambda: results == [1])


def test_that_an_error_goes_to_who_asked_and_else_to_the_dialog(qtbot: QtBot, tasks: TaskRunner) -> None:
    def wrong() -> None:
        raise InputError("there is no such file")

    taken: list[Exception] = []
    shown: list[Exception] = []
    tasks.failure.connect(shown.append)
    tasks.read(wrong, lambda _done: None, taken.append)
    qtbot.waitUntil(lambda: len(taken) == 1)
    assert shown == []
    tasks.write(wrong, lambda _done: None)
    qtbot.waitUntil(lambda: len(shown) == 1)
    assert tasks.unsaved == 0


def test_that_a_job_tells_its_progress_and_notices_and_ends_with_its_result(
    qtbot: QtBot, tasks: TaskRunner
) -> None:
    def events() -> Iterator[WorkEvent[str]]:
        yield Progress("encoding", 1, 2)
        yield Notice("no GPU, so on the CPU")
        yield Progress("encoding", 2, 2)
        yield Finished("done", ChangeSet(routes=True))

    told: list[object] = []
    job = tasks.stream(events, title="Matching", done=lambda result: told.append(result))
    job.progress.connect(told.append)
    job.notice.connect(told.append)
    assert tasks.jobs() == [job]
    with qtbot.waitSignal(job.ended):
        pass
    assert told == [
        Progress("encoding", 1, 2),
        "no GPU, so on the CPU",
        Progress("encoding", 2, 2),
        "done",
    ]
    assert tasks.jobs() == []


def test_that_cancelling_closes_the_work_and_calls_nobody(qtbot: QtBot, tasks: TaskRunner) -> None:
    closed = threading.Event()
    results: list[int] = []

    def events() -> Iterator[WorkEvent[int]]:
        try:
            step = 0
            while True:
                step += 1
                yield Progress("encoding", step, 0)
        finally:
            closed.set()

    job = tasks.stream(events, title="Matching", done=results.append)
    with qtbot.waitSignal(job.progress):
        pass
    with qtbot.waitSignal(job.cancelled):
        job.cancel()
    assert closed.is_set()
    assert results == []


def test_that_a_job_cancelled_while_it_waits_never_begins(qtbot: QtBot, tasks: TaskRunner) -> None:
    go_on = threading.Event()
    begun: list[str] = []

    def first() -> Iterator[WorkEvent[int]]:
        go_on.wait(5)
        yield Finished(1, ChangeSet())

    def second() -> Iterator[WorkEvent[int]]:
        begun.append("second")
        yield Finished(2, ChangeSet())

    tasks.stream(first, title="First", done=lambda _done: None)
    waiting = tasks.stream(second, title="Second", done=lambda _done: None)
    assert waiting.state is JobState.WAITING
    waiting.cancel()
    with qtbot.waitSignal(waiting.cancelled):
        go_on.set()
    assert begun == []


def test_that_the_time_left_follows_from_the_pace_of_the_stage(
    tasks: TaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("desktop.tasks.time.monotonic", lambda: clock[0])
    job: Job[int] = Job("Matching", tasks)
    job.state = JobState.RUNNING
    job._step(Progress("encoding", 0, 100))
    assert job.eta_seconds() is None
    clock[0] += 10
    job._step(Progress("encoding", 25, 100))
    assert job.eta_seconds() == pytest.approx(30)
    job._step(Progress("routing", 0, 10))
    assert job.eta_seconds() is None


def test_that_the_answer_to_a_widget_that_is_gone_is_dropped(qtbot: QtBot, tasks: TaskRunner) -> None:
    class Screen(QObject):
        def show_answer(self, answer: int) -> None:
            raise AssertionError(answer)

    go_on = threading.Event()
    screen = Screen()
    after: list[int] = []
    tasks.write(lambda: go_on.wait(5), lambda _done: None)
    tasks.write(lambda: 1, screen.show_answer)
    tasks.write(lambda: 2, after.append)
    screen.deleteLater()
    with qtbot.waitSignal(screen.destroyed):
        pass
    go_on.set()
    qtbot.waitUntil(lambda: after == [2])


def test_that_closing_finishes_what_is_to_be_saved_and_stops_long_work(qtbot: QtBot) -> None:
    runner = TaskRunner()
    saved: list[int] = []

    def endless() -> Iterator[WorkEvent[int]]:
        while True:
            yield Progress("encoding", 0, 0)

    job = runner.stream(endless, title="Matching", done=lambda _done: None)
    with qtbot.waitSignal(job.progress):
        pass
    for number in range(5):
        runner.write(lambda number=number: saved.append(number), lambda _done: None)
    runner.close()
    assert saved == [0, 1, 2, 3, 4]


def test_that_a_change_is_told_to_the_screens_with_who_made_it(qtbot: QtBot, session: Session) -> None:
    told: list[tuple[ChangeSet, object]] = []
    order: list[str] = []
    session.hub.changed.connect(lambda changes, initiator: told.append((changes, initiator)))
    session.hub.changed.connect(lambda *_: order.append("told"))
    me = object()
    run_change(
        session,
        change=lambda: (5, ChangeSet(decisions=True)),
        initiator=me,
        done=lambda _result: order.append("done"),
    )
    qtbot.waitUntil(lambda: len(order) == 2)
    assert told == [(ChangeSet(decisions=True), me)]
    assert order == ["done", "told"]


def test_that_cancelled_work_counts_as_having_changed_everything(qtbot: QtBot, session: Session) -> None:
    told: list[ChangeSet] = []
    session.hub.changed.connect(lambda changes, _initiator: told.append(changes))

    def endless() -> Iterator[WorkEvent[int]]:
        while True:
            yield Progress("encoding", 0, 0)

    job = run_job(session, events=endless, title="Matching", initiator=None, done=lambda _done: None)
    with qtbot.waitSignal(job.progress):
        pass
    with qtbot.waitSignal(job.ended):
        job.cancel()
    assert told == [EVERYTHING]


def test_that_nothing_changed_is_not_told(qtbot: QtBot, session: Session) -> None:
    told: list[object] = []
    session.hub.changed.connect(lambda *change: told.append(change))
    session.hub.publish(ChangeSet())
    assert told == []
