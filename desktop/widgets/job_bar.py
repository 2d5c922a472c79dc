"""The status line: what runs, how far it is, and that everything is saved."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QProgressBar, QStackedLayout, QWidget

from desktop.tasks import Job, JobState, TaskRunner
from desktop.widgets.basics import IconLabel, quiet_button, row, words
from desktop.widgets.wording import count, duration
from engine.contracts import Progress

_STEPS = 1000


class JobLine(QWidget):
    """One job: its name, stage, bar, time left, cancel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job: Job[Any] | None = None
        self._name = words("", "strong")
        self._stage = words("", "caption")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(160)
        self._bar.setAccessibleName("Progress")
        self._more = words("", "caption")
        self.cancel = quiet_button("Cancel", self._on_cancel)
        self.setLayout(row(self._name, self._bar, self._stage, self._more, self.cancel, spacing=10))

    def watch(self, job: Job[Any] | None, waiting: int) -> None:
        """Show a job (None: nothing) and how many wait behind it."""
        if job is not self._job:
            self._job = job
            if job is not None:
                job.progress.connect(self._on_progress)
                job.state_changed.connect(self._on_state)
                self._name.setText(job.title)
                self._on_progress(job.last_progress)
                self._on_state()
        self._more.setText(f"{waiting} more waiting" if waiting else "")
        self.setVisible(job is not None)

    def _on_cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _on_state(self) -> None:
        if self._job is None:
            return
        cancelling = self._job.state is JobState.CANCELLING
        self.cancel.setEnabled(not cancelling)
        self.cancel.setText("Cancelling" if cancelling else "Cancel")
        self.cancel.setAccessibleName(f"Cancel: {self._job.title}")

    def _on_progress(self, step: Progress | None) -> None:
        if self._job is None or self.sender() not in {self._job, None}:
            return
        if step is None or step.total <= 0:
            self._bar.setRange(0, 0)
            self._stage.setText(step.stage if step else "starting")
            return
        self._bar.setRange(0, _STEPS)
        self._bar.setValue(round(_STEPS * min(1.0, step.done / step.total)))
        left = self._job.eta_seconds()
        eta = f", about {duration(left)} left" if left is not None else ""
        self._stage.setText(f"{step.stage}, {count(step.done)} of {count(step.total)}{eta}")


class JobBar(QWidget):
    """Listens to the task runner and draws."""

    def __init__(self, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusLine")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._tasks = tasks
        self.line = JobLine()
        self.saved = words("", "caption")
        self.saved.setAccessibleName("Saved")
        tick, busy = IconLabel("tick", "good", 16), IconLabel("download", "muted", 16)
        icons = QWidget()
        icons.setFixedSize(16, 16)
        self._icons = QStackedLayout(icons)
        self._icons.setContentsMargins(0, 0, 0, 0)
        self._icons.addWidget(tick)
        self._icons.addWidget(busy)
        self.place = words("", "caption")
        layout = row(icons, self.saved, None, self.line, None, self.place, spacing=8)
        layout.setContentsMargins(14, 5, 14, 5)
        self.setLayout(layout)
        self.setMinimumHeight(38)
        tasks.jobs_changed.connect(self._on_jobs)
        tasks.saving_changed.connect(self._on_saving)
        self._on_jobs()
        self._on_saving(tasks.unsaved)

    def _on_jobs(self) -> None:
        jobs = self._tasks.jobs()
        self.line.watch(jobs[0] if jobs else None, max(0, len(jobs) - 1))

    def _on_saving(self, unsaved: int) -> None:
        self.saved.setText("Saving" if unsaved else "All decisions saved")
        self._icons.setCurrentIndex(1 if unsaved else 0)
