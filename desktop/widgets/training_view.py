"""A training run as its events tell it: progress, loss, validation, log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QPlainTextEdit, QProgressBar, QStackedWidget, QVBoxLayout, QWidget

from desktop.widgets.basics import EmptyState, row, words
from desktop.widgets.curve_plot import Curve, CurvePlot
from desktop.widgets.wording import THIN, counted, duration, percent
from engine.contracts.training import (
    TrainingCancelled,
    TrainingCheckpoint,
    TrainingEvaluated,
    TrainingEvent,
    TrainingExported,
    TrainingFailed,
    TrainingFinished,
    TrainingNotice,
    TrainingProgress,
    TrainingStarted,
)

# A redraw a fifth of a second is smooth to the eye and nothing to the processor.
_REDRAW_MS = 200
_SMOOTHING = 0.9
_BAR_STEPS = 1000
_LOG_LINES = 2000
_DRAWN_METRICS = 3


class TrainingView(QWidget):
    """Draws the events of one run; give it all of them, then each new one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._progress: list[TrainingProgress] = []
        self._evaluated: list[TrainingEvaluated] = []
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(_REDRAW_MS)
        self._redraw.timeout.connect(self._draw)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Training progress")
        self._stage = words("", "caption")
        self._pace = words("", "caption")
        self.loss_plot = CurvePlot(x_label="step", y_label="loss")
        self.validation_plot = CurvePlot(x_label="step", share_y=True)
        self._plots = QStackedWidget()
        self._plots.addWidget(
            EmptyState("No steps yet", "The loss is drawn as soon as the trainer has taken some.")
        )
        drawn = QWidget()
        both = row(
            _titled("Loss", self.loss_plot), _titled("Validation coverage", self.validation_plot), spacing=20
        )
        both.setStretch(0, 3)
        both.setStretch(1, 2)
        drawn.setLayout(both)
        self._plots.addWidget(drawn)
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(_LOG_LINES)
        self.log.setAccessibleName("What the trainer said")
        self.log.setMinimumHeight(110)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addLayout(row(self._stage, None, self._pace))
        layout.addWidget(self._bar)
        layout.addWidget(self._plots, 3)
        layout.addWidget(words("Log", "heading"))
        layout.addWidget(self.log, 2)
        self.show_events(())

    @property
    def losses(self) -> tuple[tuple[int, float], ...]:
        """The points of the loss curve, which is the run's own encoder's: step, loss."""
        return tuple((event.step, event.loss) for event in self._progress)

    def show_events(self, events: Sequence[TrainingEvent]) -> None:
        """Start over with these events."""
        self._progress.clear()
        self._evaluated.clear()
        self.log.clear()
        self._stage.setText("Not started" if not events else "")
        self._pace.clear()
        self._bar.setRange(0, _BAR_STEPS)
        self._bar.setValue(0)
        for event in events:
            self._take(event)
        self._draw()

    def add(self, event: TrainingEvent) -> None:
        """One more event, as it happens."""
        self._take(event)
        if not self._redraw.isActive():
            self._redraw.start()

    def say(self, text: str) -> None:
        """A line of the log that is not an event."""
        self.log.appendPlainText(text)

    def _take(self, event: TrainingEvent) -> None:
        match event:
            case TrainingStarted(resumed_from=step, total_steps=total):
                self._show_steps(total)
                # Steps after the checkpoint are taken again; the old ones would fold the curve back.
                self._progress = [one for one in self._progress if one.step <= step]
                self._evaluated = [one for one in self._evaluated if one.step <= step]
                self._stage.setText("Loading")
                self._bar.setRange(0, 0)
            case TrainingProgress():
                if event.fold is None:
                    self._progress.append(event)
                elif self._progress:
                    self._show_steps(self._progress[-1].step)
                self._show_progress(event)
            case TrainingEvaluated():
                self._evaluated.append(event)
            case TrainingExported() | TrainingFinished() | TrainingCancelled() | TrainingFailed():
                self._pace.clear()
                self._bar.setRange(0, _BAR_STEPS)
                if isinstance(event, TrainingFinished):
                    self._bar.setValue(_BAR_STEPS)
                self._stage.setText(event_words(event))
            case _:
                pass
        text = event_words(event)
        if text:
            self.log.appendPlainText(text)

    def _show_steps(self, last: int) -> None:
        """Let the plots reach to that step: the encoders of the folds that follow are not drawn."""
        for plot in (self.loss_plot, self.validation_plot):
            plot.set_range(x=(0.0, float(last)))

    def _show_progress(self, event: TrainingProgress) -> None:
        self._bar.setRange(0, _BAR_STEPS)
        self._bar.setValue(round(_BAR_STEPS * event.step / max(1, event.total_steps)))
        whose = "" if event.fold is None else f"  ·  encoder of fold {event.fold + 1}, for the matcher"
        self._stage.setText(f"Step {event.step:,} of {event.total_steps:,}  ·  loss {event.loss:.4f}{whose}")
        self._pace.setText(
            f"{event.pairs_per_second:,.0f} pairs per second  ·  about {duration(event.eta_seconds)} left"
        )

    def _draw(self) -> None:
        self._plots.setCurrentIndex(1 if self._progress else 0)
        self.loss_plot.show_curves(loss_curves(self._progress))
        self.validation_plot.show_curves(validation_curves(self._evaluated))


def loss_curves(events: Sequence[TrainingProgress]) -> tuple[Curve, ...]:
    """The loss of every reported step, and its running mean."""
    if not events:
        return ()
    steps = tuple(float(event.step) for event in events)
    smooth: list[float] = []
    mean, weight = 0.0, 0.0
    for event in events:
        # Divided by the weight so far, so that the first steps do not hold the mean up.
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * event.loss
        weight = _SMOOTHING * weight + (1 - _SMOOTHING)
        smooth.append(mean / weight)
    return (
        Curve("each step", steps, tuple(event.loss for event in events), "line_strong", width=1.0),
        Curve("running mean", steps, tuple(smooth), "accent"),
    )


def validation_curves(events: Sequence[TrainingEvaluated]) -> tuple[Curve, ...]:
    """The coverages among the trainer's own validation figures."""
    if not events:
        return ()
    names = [name for name in events[-1].metrics if _is_coverage(name)]
    roles = ("accent", "good", "warn")
    return tuple(
        Curve(
            metric_name(name),
            tuple(float(event.step) for event in events if name in event.metrics),
            tuple(event.metrics[name] for event in events if name in event.metrics),
            role,
            marked=True,
        )
        for name, role in zip(names[:_DRAWN_METRICS], roles, strict=False)
    )


def metric_name(name: str) -> str:
    """The trainer's ``C@95`` (coverage at 95 % precision) as ``at 95 %``, other names opened up."""
    if name.startswith("C@"):
        return f"at {name[2:]}{THIN}%"
    return name.replace("_", " ")


def metrics_words(metrics: Mapping[str, float]) -> str:
    """Validation figures on one line: the coverages first, the others as the trainer names them."""
    coverages = [
        f"{percent(value, 1)} {metric_name(name)}" for name, value in metrics.items() if _is_coverage(name)
    ]
    others = [f"{metric_name(name)} {value:.4g}" for name, value in metrics.items() if not _is_coverage(name)]
    return "; ".join(part for part in (", ".join(coverages), ", ".join(others)) if part)


def _is_coverage(name: str) -> bool:
    return name.startswith("C@")


def event_words(event: TrainingEvent) -> str:
    """A line of the log for an event, "" for the steps, which the curve tells."""
    match event:
        case TrainingStarted():
            how = f"resumed from step {event.resumed_from:,}" if event.resumed_from else "started"
            return (
                f"Training {how} on {event.device} ({event.precision}): "
                f"{counted(event.pairs, 'pair')}, {counted(event.items, 'item')}, "
                f"{counted(event.total_steps, 'step')}."
            )
        case TrainingEvaluated():
            return f"Validated at step {event.step:,}: coverage {metrics_words(event.metrics)}."
        case TrainingCheckpoint():
            return f"Checkpoint at step {event.step:,}."
        case TrainingNotice():
            return event.message
        case TrainingExported():
            parity = ", ".join(f"{name} {value:.4f}" for name, value in event.parity.items())
            words = f"Encoder exported; least cosine to the trained one: {parity}."
            automated = ", ".join(
                f"{name} {percent(levels['C@95'], 1)}" for name, levels in event.coverage.items()
            )
            return f"{words} Validation coverage at 95 %: {automated}." if automated else words
        case TrainingFinished():
            return f"Finished after {counted(event.step, 'step')} in {duration(event.seconds)}."
        case TrainingCancelled():
            return f"Cancelled at step {event.step:,}; it can be resumed."
        case TrainingFailed():
            return f"Failed: {event.message}"
        case _:
            return ""


def _titled(title: str, plot: CurvePlot) -> QWidget:
    inner = QWidget()
    layout = QVBoxLayout(inner)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(words(title, "heading"))
    layout.addWidget(plot, 1)
    plot.setAccessibleName(title)
    return inner
