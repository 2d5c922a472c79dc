"""The status line: what runs, how far it is, and that everything is saved."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QProgressBar, QStackedLayout, QWidget

from desktop.tasks import Job, JobState, TaskRunner
from desktop.training_process import TrainingProcess
from desktop.widgets.basics import IconLabel, quiet_button, row, words
from desktop.widgets.wording import count, counted, duration
from engine.contracts import Progress
from engine.contracts.training import TrainingEvent, TrainingProgress, TrainingStarted

_STEPS = 1000


class WorkLine(QWidget):
    """Work in progress: its name, stage, bar and time left, and a button to cancel it."""

    cancel_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = words("", "strong")
        self._stage = words("", "caption")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(140)
        self._bar.setAccessibleName("Progress")
        self.cancel = quiet_button("Cancel", self.cancel_asked.emit)
        self.setLayout(row(self._name, self._bar, self._stage, self.cancel, spacing=10))
        self.hide()

    @property
    def words(self) -> str:
        """What the line says of the stage."""
        return self._stage.text()

    def begin(self, name: str) -> None:
        """Show work that has not said anything yet."""
        self._name.setText(name)
        self._bar.setRange(0, 0)
        self._stage.setText("starting")
        self.show_cancelling(False)
        self.show()

    def show_step(self, stage: str, done: int, total: int, seconds_left: float | None) -> None:
        """Show how far it is."""
        if total <= 0:
            self._bar.setRange(0, 0)
            self._stage.setText(stage)
            return
        self._bar.setRange(0, _STEPS)
        self._bar.setValue(round(_STEPS * min(1.0, done / total)))
        left = "" if seconds_left is None else f", about {duration(seconds_left)} left"
        self._stage.setText(f"{stage}, {count(done)} of {count(total)}{left}")

    def show_cancelling(self, cancelling: bool) -> None:
        """Show whether it was asked to stop."""
        self.cancel.setEnabled(not cancelling)
        self.cancel.setText("Cancelling" if cancelling else "Cancel")
        self.cancel.setAccessibleName(f"{self.cancel.text()}: {self._name.text()}")


class JobBar(QWidget):
    """Listens to the task runner, and to the trainer where there is one, and draws."""

    def __init__(self, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusLine")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._tasks = tasks
        self._job: Job[Any] | None = None
        self._trainer: TrainingProcess | None = None
        self.job_line, self.training_line = WorkLine(), WorkLine()
        self._waiting = words("", "caption")
        self.saved = words("", "caption")
        self.saved.setAccessibleName("Saved")
        icons = QWidget()
        icons.setFixedSize(16, 16)
        self._icons = QStackedLayout(icons)
        self._icons.setContentsMargins(0, 0, 0, 0)
        self._icons.addWidget(IconLabel("tick", "good", 16))
        self._icons.addWidget(IconLabel("download", "muted", 16))
        layout = row(icons, self.saved, None, self.training_line, self.job_line, self._waiting, spacing=10)
        layout.setContentsMargins(14, 5, 14, 5)
        self.setLayout(layout)
        self.setMinimumHeight(38)
        self.job_line.cancel_asked.connect(self._cancel_job)
        self.training_line.cancel_asked.connect(self._cancel_training)
        tasks.jobs_changed.connect(self._on_jobs)
        tasks.saving_changed.connect(self._on_saving)
        self._on_jobs()
        self._on_saving(tasks.unsaved)

    def watch_training(self, trainer: TrainingProcess) -> None:
        """Show the trainer's steps too."""
        self._trainer = trainer
        trainer.happened.connect(self._on_training)
        trainer.ended.connect(lambda _state, _message: self.training_line.hide())

    # -- long work -----------------------------------------------------------------------------

    def _on_jobs(self) -> None:
        jobs = self._tasks.jobs()
        first = jobs[0] if jobs else None
        waiting = len(jobs) - 1
        self._waiting.setText(f"{counted(waiting, 'more job')} waiting" if waiting > 0 else "")
        if first is self._job:
            return
        self._job = first
        if first is None:
            self.job_line.hide()
            return
        self.job_line.begin(first.title)
        first.progress.connect(lambda step: self._on_progress(first, step))
        first.state_changed.connect(lambda: self._on_state(first))

    def _on_progress(self, job: Job[Any], step: Progress) -> None:
        if job is self._job:
            self.job_line.show_step(step.stage, step.done, step.total, job.eta_seconds())

    def _on_state(self, job: Job[Any]) -> None:
        if job is self._job:
            self.job_line.show_cancelling(job.state is JobState.CANCELLING)

    def _cancel_job(self) -> None:
        if self._job is not None:
            self._job.cancel()

    # -- training --------------------------------------------------------------------------------

    def _on_training(self, event: TrainingEvent) -> None:
        match event:
            case TrainingStarted(run_id=run_id):
                self.training_line.begin(f"Training {run_id}")
            case TrainingProgress(step=step, total_steps=total, eta_seconds=left):
                self.training_line.show_step("step", step, total, left)

    def _cancel_training(self) -> None:
        if self._trainer is not None:
            self.training_line.show_cancelling(True)
            self._trainer.cancel()

    # -- saving ----------------------------------------------------------------------------------

    def _on_saving(self, unsaved: int) -> None:
        self.saved.setText("Saving" if unsaved else "All decisions saved")
        self._icons.setCurrentIndex(1 if unsaved else 0)
