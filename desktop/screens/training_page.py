"""Training: start a run, watch it, cancel, resume, and build a challenger from it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QSizePolicy, QSpinBox, QSplitter, QVBoxLayout, QWidget

from desktop.item_models.rows_model import Column, RowsModel
from desktop.operations import releasing, training
from desktop.operations.releasing import Shelf
from desktop.operations.training import DEVICES, StartableRun
from desktop.session import Session
from desktop.training_process import TrainingProcess
from desktop.widgets.basics import (
    Badge,
    Card,
    Tone,
    form,
    form_row,
    primary_button,
    row,
    secondary_button,
    set_apart,
    words,
)
from desktop.widgets.job_panel import JobPanel
from desktop.widgets.pieces import Banner, table
from desktop.widgets.training_view import TrainingView
from desktop.widgets.wording import count, counted, run_state, when
from engine.contracts import ReleaseSummary, RunState, TrainingRun
from engine.contracts.training import TrainingEvent

_RUN_COLUMNS: tuple[Column[TrainingRun], ...] = (
    Column("Run", lambda run: run.id),
    Column("State", lambda run: run_state(run.state), tip=lambda run: run.message or run_state(run.state)),
    Column("Pairs", lambda run: count(run.pairs), right=True),
    Column("Made", lambda run: when(run.created_at)),
)
_TONES: dict[RunState, Tone] = {
    RunState.PREPARED: "neutral",
    RunState.RUNNING: "accent",
    RunState.CANCELLED: "warn",
    RunState.FAILED: "bad",
    RunState.FINISHED: "good",
}
_CLOSING_MS = 8_000


class TrainingPage(QWidget):
    """Training runs and the one trainer this window may have at work.

    ``built`` carries the challenger made of a run, ``wanted`` the release a run has become.
    """

    built = Signal(object)
    wanted = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._run: TrainingRun | None = None
        #: The run the trainer is at work on, and all it has told so far.
        self._live: TrainingRun | None = None
        self._events: list[TrainingEvent] = []
        self.process = TrainingProcess(self)
        self.process.happened.connect(self._on_event)
        self.process.chatter.connect(self._on_chatter)
        self.process.ended.connect(self._on_ended)
        self._build()
        self._show_run()

    # -- building ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.banner = Banner()
        self.job_panel = JobPanel()
        left = QWidget()
        aside = QVBoxLayout(left)
        aside.setContentsMargins(0, 0, 0, 0)
        aside.setSpacing(12)
        aside.addWidget(self._build_form())
        aside.addWidget(self._build_runs(), 1)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(12)
        split.addWidget(left)
        split.addWidget(self._build_detail())
        split.setSizes([380, 760])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 12, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(self.banner)
        layout.addWidget(self.job_panel)
        layout.addWidget(split, 1)

    def _build_form(self) -> Card:
        card = Card("New training run")
        self.recipe_choice = QComboBox()
        self.device_choice = QComboBox()
        for code, name in DEVICES:
            self.device_choice.addItem(name, code)
        for choice in (self.recipe_choice, self.device_choice):
            choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.seed_edit = QSpinBox()
        set_apart(self.seed_edit)
        self.seed_edit.setRange(0, 999_999)
        self.start_button = primary_button("Start training", self.start, icon_name="play")
        fields = form()
        form_row(fields, "Recipe", self.recipe_choice)
        form_row(fields, "Device", self.device_choice)
        form_row(fields, "Seed", self.seed_edit)
        card.add(fields, row(self.start_button, None))
        card.add(
            words("Review goes on meanwhile; the trainer is a process of its own.", "caption", wrap=True)
        )
        return card

    def _build_runs(self) -> Card:
        card = Card("Training runs")
        self._runs: RowsModel[TrainingRun] = RowsModel(_RUN_COLUMNS, self)
        self.runs_view = table(self._runs, "Training runs", stretch=(1,))
        self.runs_view.selectionModel().currentRowChanged.connect(lambda _now, _before: self._on_selected())
        card.body.addWidget(self.runs_view, 1)
        return card

    def _build_detail(self) -> Card:
        card = Card()
        self._name = words("", "heading")
        self._state = Badge()
        self._about = words("", "caption", wrap=True, selectable=True)
        self.cancel_button = secondary_button("Cancel", self.cancel, icon_name="stop")
        self.resume_button = secondary_button("Resume", self.resume, icon_name="play")
        self.build_button = primary_button("Build challenger", self.build_challenger, icon_name="model")
        self.show_button = secondary_button("Show release", self._show_release, icon_name="releases")
        card.add(
            row(
                self._name,
                self._state,
                None,
                self.cancel_button,
                self.resume_button,
                self.show_button,
                self.build_button,
            ),
            self._about,
        )
        self.view = TrainingView()
        card.body.addWidget(self.view, 1)
        return card

    # -- showing -------------------------------------------------------------------------------

    def show_shelf(self, shelf: Shelf) -> None:
        """Show these runs and recipes; the run in front stays in front."""
        if not self.recipe_choice.count():
            self.recipe_choice.addItems(list(shelf.recipes))
        chosen = self._run.id if self._run else None
        self._runs.show_rows(shelf.runs)
        self.select(chosen or (shelf.runs[0].id if shelf.runs else None))

    def select(self, run_id: str | None) -> None:
        """Bring a run to the front."""
        for number, run in enumerate(self._runs.rows):
            if run.id == run_id:
                self.runs_view.setCurrentIndex(self._runs.index(number, 0))
                self._run = run  # the same row may hold a newer state
                break
        self._show_run()

    def _on_selected(self) -> None:
        index = self.runs_view.currentIndex()
        if not index.isValid():
            return
        run = self._runs.row(index.row())
        if self._run is not None and run.id == self._run.id:
            return
        self._run = run
        self._show_run()
        self._show_events(run)

    def _show_events(self, run: TrainingRun) -> None:
        if self._is_live(run):
            self.view.show_events(self._events)
            return

        def read(events: list[TrainingEvent]) -> None:
            if self._run is not None and self._run.id == run.id and not self._is_live(run):
                self.view.show_events(events)

        training.events(self._session, folder=Path(run.folder), done=read)

    def _show_run(self) -> None:
        run = self._run
        writable = not self._session.read_only
        idle = not self.process.running and not self.job_panel.busy
        self.start_button.setEnabled(writable and idle and self.recipe_choice.count() > 0)
        for part in (self.cancel_button, self.resume_button, self.build_button, self.show_button):
            part.hide()
        if run is None:
            self._name.setText("No training run yet")
            self._state.hide()
            self._about.setText("A few hundred decisions are enough for a first one.")
            return
        live = self._is_live(run)
        state = RunState.RUNNING if live else run.state
        self._name.setText(run.id)
        self._state.show_as(run_state(state), _TONES[state])
        self._state.show()
        self._about.setText(about_words(run, live=live))
        self.cancel_button.setVisible(live)
        finished = run.state is RunState.FINISHED and not live
        self.resume_button.setVisible(not live and not finished)
        self.resume_button.setText("Start" if run.state is RunState.PREPARED else "Resume")
        self.resume_button.setEnabled(writable and idle)
        self.build_button.setVisible(finished and run.release_id is None)
        self.build_button.setEnabled(writable and not self.job_panel.busy)
        self.show_button.setVisible(run.release_id is not None)

    def _is_live(self, run: TrainingRun) -> bool:
        return self._live is not None and self._live.id == run.id

    # -- training ------------------------------------------------------------------------------

    def start(self) -> None:
        """Prepare a new run and start its trainer."""
        if self.job_panel.busy or self.process.running:
            return
        self.banner.say("")
        job = training.prepare(
            self._session,
            recipe=self.recipe_choice.currentText(),
            device=self.device_choice.currentData(),
            seed=self.seed_edit.value(),
            initiator=None,
            done=self._prepared,
        )
        self.job_panel.watch(job)
        job.ended.connect(self._show_run)
        self.start_button.setEnabled(False)

    def _prepared(self, startable: StartableRun) -> None:
        self._run = startable.run
        self._launch(startable, [])

    def resume(self) -> None:
        """Carry the run in front on from its last checkpoint."""
        run = self._run
        if run is None or self.process.running:
            return
        self.banner.say("")

        def read(events: list[TrainingEvent]) -> None:
            training.resume(self._session, run=run, done=lambda startable: self._launch(startable, events))

        training.events(self._session, folder=Path(run.folder), done=read)

    def _launch(self, startable: StartableRun, events: list[TrainingEvent]) -> None:
        if self.process.running:
            return
        run = startable.run
        self._live, self._events = run, events
        self.view.show_events(events)
        self.process.start(startable.command, Path(run.folder))
        if self.process.running:
            self._note(run.id, RunState.RUNNING, "")
        self._show_run()

    def cancel(self) -> None:
        """Ask the trainer to stop after its current step."""
        self.process.cancel()
        self.cancel_button.setEnabled(False)
        self.cancel_button.setText("Cancelling")

    def _on_event(self, event: TrainingEvent) -> None:
        self._events.append(event)
        if self._run is not None and self._is_live(self._run):
            self.view.add(event)

    def _on_chatter(self, line: str) -> None:
        if self._run is not None and self._is_live(self._run):
            self.view.say(line)

    def _on_ended(self, state: RunState, message: str) -> None:
        run, self._live = self._live, None
        self.cancel_button.setEnabled(True)
        self.cancel_button.setText("Cancel")
        self._show_run()
        if run is None:
            return
        tone: Tone = _TONES[state]
        after = (
            " Build a challenger from it to see what it would change." if state is RunState.FINISHED else ""
        )
        self.banner.say(f"{run.id}: {message}{after}", tone)
        self._note(run.id, state, message)

    def _note(self, run_id: str, state: RunState, message: str) -> None:
        training.note(
            self._session,
            run_id=run_id,
            state=state,
            message=message,
            initiator=None,
            done=lambda _none: None,
        )

    def close_down(self) -> None:
        """The window closes: the trainer stops, with its run noted as one that can be resumed."""
        self.process.close(_CLOSING_MS)

    # -- challenger ----------------------------------------------------------------------------

    def build_challenger(self) -> None:
        """Make a release of the finished run in front."""
        run = self._run
        if run is None or self.job_panel.busy:
            return
        self.banner.say("")
        job = releasing.build_challenger(self._session, run_id=run.id, initiator=None, done=self._on_built)
        self.job_panel.watch(job)
        job.ended.connect(self._show_run)
        self.build_button.setEnabled(False)

    def _on_built(self, release: ReleaseSummary) -> None:
        self.banner.say(f"{release.id} is ready to be compared with the champion.", "good")
        self.built.emit(release)

    def _show_release(self) -> None:
        if self._run is not None and self._run.release_id is not None:
            self.wanted.emit(self._run.release_id)


def about_words(run: TrainingRun, *, live: bool) -> str:
    """A run's particulars on one line, and how it ended."""
    facts = f"{run.recipe} recipe  ·  {run.device}  ·  seed {run.seed}  ·  {counted(run.pairs, 'pair')}"
    facts += f"  ·  made {when(run.created_at)}"
    if live:
        return facts
    if run.state is RunState.RUNNING:
        return f"{facts}\nNo trainer of this window works on it. If none runs elsewhere, resume it."
    return f"{facts}\n{run.message}" if run.message else facts
