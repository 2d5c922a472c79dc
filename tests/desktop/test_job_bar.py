"""The status line: what runs, how far it is, and how to stop it, on every screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from desktop.session import Session
from desktop.training_process import TrainingProcess
from desktop.widgets.job_bar import JobBar
from engine.contracts import ChangeSet, Finished, Progress, RunState, WorkEvent
from engine.contracts.training import TrainingProgress, TrainingStarted
from tests.desktop.fake_session import Gate


@pytest.fixture
def bar(qtbot: QtBot, session: Session) -> JobBar:
    made = JobBar(session.tasks)
    qtbot.addWidget(made)
    made.show()
    return made


def work(*steps: Progress) -> Iterator[WorkEvent[int]]:
    yield from steps
    yield Finished(1, ChangeSet())


def test_that_a_running_job_is_shown_with_its_progress_and_goes_when_it_ends(
    qtbot: QtBot, bar: JobBar, session: Session
) -> None:
    gate = Gate()
    assert bar.job_line.isHidden()
    job = session.tasks.stream(lambda: gate.hold(work()), title="Matching abt", done=lambda _done: None)
    qtbot.waitUntil(lambda: "encoding listings" in bar.job_line.words)
    assert "of 1,000" in bar.job_line.words
    with qtbot.waitSignal(job.ended):
        gate.go.set()
    assert bar.job_line.isHidden()


def test_that_the_next_job_is_shown_when_the_first_is_cancelled(
    qtbot: QtBot, bar: JobBar, session: Session
) -> None:
    first, second = Gate(), Gate()
    job = session.tasks.stream(lambda: first.hold(work()), title="First", done=lambda _done: None)
    after = session.tasks.stream(lambda: second.hold(work()), title="Second", done=lambda _done: None)
    assert bar._waiting.text() == "1 more job waiting"
    with qtbot.waitSignal(job.cancelled):
        bar.job_line.cancel.click()
        assert bar.job_line.cancel.text() == "Cancelling"
    assert first.closed.wait(5)
    assert bar.job_line._name.text() == "Second"
    assert bar.job_line.cancel.isEnabled()
    with qtbot.waitSignal(after.ended):
        second.go.set()


def test_that_training_is_shown_beside_other_work(bar: JobBar, qtbot: QtBot) -> None:
    trainer = TrainingProcess(bar)
    bar.watch_training(trainer)
    trainer.happened.emit(
        TrainingStarted(run_id="t0002", device="cpu", precision="fp32", pairs=240, items=90, total_steps=500)
    )
    trainer.happened.emit(
        TrainingProgress(
            step=50, total_steps=500, loss=0.4, learning_rate=1e-5, pairs_per_second=90.0, eta_seconds=95.0
        )
    )
    assert bar.training_line.isVisible()
    assert bar.training_line.words == "step, 50 of 500, about 1 min 35 s left"
    bar.training_line.cancel.click()
    assert bar.training_line.cancel.text() == "Cancelling"
    trainer.ended.emit(RunState.CANCELLED, "Cancelled at step 50; it can be resumed.")
    assert bar.training_line.isHidden()
