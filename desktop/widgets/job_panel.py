"""Progress of one piece of long work: stage, bar, time left, cancel."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QProgressBar, QWidget

from desktop.tasks import Job, JobState
from desktop.widgets.basics import Card, column, row, secondary_button, words
from desktop.widgets.wording import duration
from engine.contracts import Progress

_BAR_STEPS = 1000


class JobPanel(Card):
    """Hidden until it watches a job, and again when that has ended."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._job: Job[Any] | None = None
        self._title = words("", "heading")
        self._stage = words("", "caption")
        self._left = words("", "caption")
        self._notice = words("", "caption", wrap=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress")
        self.cancel_button = secondary_button("Cancel", self.cancel, icon_name="stop")
        self.body.addLayout(
            row(
                column(row(self._title, None, self._left), self._bar, self._stage, self._notice, spacing=6),
                self.cancel_button,
                spacing=20,
            )
        )
        self.hide()

    @property
    def busy(self) -> bool:
        """Whether a job is watched."""
        return self._job is not None

    @property
    def stage_words(self) -> str:
        """What the panel says of the stage."""
        return self._stage.text()

    def watch(self, job: Job[Any]) -> None:
        """Show a job until it ends."""
        self._job = job
        self._title.setText(job.title)
        self._stage.setText("Waiting for other work" if job.state is JobState.WAITING else "Starting")
        self._left.clear()
        self._notice.clear()
        self._notice.hide()
        self._bar.setRange(0, 0)
        self.cancel_button.setEnabled(True)
        self.cancel_button.setText("Cancel")
        job.progress.connect(self._on_progress)
        job.notice.connect(self._on_notice)
        job.state_changed.connect(self._on_state)
        job.ended.connect(self._on_ended)
        self.show()

    def cancel(self) -> None:
        """Ask the job to stop; the panel goes when it has."""
        if self._job is not None:
            self._job.cancel()

    def _on_state(self) -> None:
        if self._job is None:
            return
        if self._job.state is JobState.RUNNING:
            self._stage.setText("Starting")
        if self._job.state is JobState.CANCELLING:
            self.cancel_button.setEnabled(False)
            self.cancel_button.setText("Cancelling")

    def _on_progress(self, progress: Progress) -> None:
        if self._job is None:
            return
        if progress.total > 0:
            self._bar.setRange(0, _BAR_STEPS)
            self._bar.setValue(round(_BAR_STEPS * min(1.0, progress.done / progress.total)))
            done = f"{progress.done:,} of {progress.total:,}"
        else:
            self._bar.setRange(0, 0)
            done = f"{progress.done:,}" if progress.done else ""
        stage = progress.stage[:1].upper() + progress.stage[1:]
        self._stage.setText("  ·  ".join(part for part in (stage, done, progress.detail) if part))
        left = self._job.eta_seconds()
        self._left.setText("" if left is None else f"about {duration(left)} left")

    def _on_notice(self, text: str) -> None:
        self._notice.setText(text)
        self._notice.show()

    def _on_ended(self) -> None:
        self._job = None
        self.hide()
