"""What happens between the steps of a run: reports, validation, checkpoints, a cooperative stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol, cast

from sentence_transformers import SentenceTransformer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from engine.contracts.training import TrainingCheckpoint, TrainingEvaluated, TrainingEvent, TrainingProgress
from engine.errors import InputError
from trainer.config import DEFAULT_AGREEMENT_STEPS, Recipe

Emit = Callable[[TrainingEvent], None]


class RunningTrainer(Protocol):
    """What the callback needs of the trainer that calls it."""

    @property
    def part_names(self) -> frozenset[str]:
        """Names of the parts of the loss."""

    def restore_running_loss(self) -> None:
        """Go on with the mean loss of the run that is resumed."""


class RunCallback(TrainerCallback):
    """Turns the trainer's calls into events, validation, checkpoints and a cooperative stop.

    Args:
        recipe: says how often.
        emit: takes the events.
        cancelled: asked after every step.
        validate: metrics of the model as it is now; None without validation listings.
        steps_per_epoch: of the run.
        refresh: called before the first step and then every ``agreement_steps``.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        emit: Emit,
        cancelled: Callable[[], bool],
        validate: Callable[[SentenceTransformer], dict[str, float]] | None,
        steps_per_epoch: int,
        refresh: Callable[[], None] | None = None,
    ) -> None:
        self._recipe = recipe
        self._emit = emit
        self._cancelled = cancelled
        self._validate = validate
        self._steps_per_epoch = steps_per_epoch
        self._refresh = refresh
        self._clock = self._began = 0.0
        self._clock_step = self._began_step = 0
        self.trainer: RunningTrainer | None = None
        self.stopped = False
        self.metrics: dict[str, float] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Start the clock; validate the untrained encoder, for comparison."""
        if self.trainer is not None:
            self.trainer.restore_running_loss()
        if state.global_step == 0 and self._validate is not None:
            self._evaluate(0, cast(SentenceTransformer, kwargs["model"]))
        self._clock, self._clock_step = time.monotonic(), state.global_step
        self._began, self._began_step = self._clock, self._clock_step

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Look at the trusted pairs again when it is time to."""
        every = self._recipe.agreement_steps or DEFAULT_AGREEMENT_STEPS
        # From the step alone, so that a resumed run looks at the same steps.
        if self._refresh is not None and state.global_step % every == 0:
            self._refresh()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Report, write a checkpoint or stop when it is time to."""
        recipe = self._recipe
        if state.global_step % recipe.log_steps == 0 or state.global_step == state.max_steps:
            control.should_log = True
        if self._cancelled():
            self.stopped = True
            control.should_training_stop = True
            control.should_save = True
        elif state.global_step % recipe.checkpoint_steps == 0 or state.global_step == state.max_steps:
            control.should_save = True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Validate between epochs, but not after each of many short ones."""
        step = state.global_step
        if self.stopped or self._validate is None or step >= state.max_steps:
            return  # the recipe validates what comes out at the end
        # From the step alone, so that a resumed run validates at the same steps.
        every = self._recipe.evaluate_steps
        if step // every > (step - self._steps_per_epoch) // every:
            self._evaluate(step, cast(SentenceTransformer, kwargs["model"]))

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """A checkpoint is on disk."""
        self._emit(TrainingCheckpoint(step=state.global_step))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        """Report the mean loss since the last report."""
        if not logs or "loss" not in logs or self.trainer is None:
            return
        if not math.isfinite(logs["loss"]):
            raise InputError(
                f"The loss is no longer a number at step {state.global_step}; "
                f"lower learning_rate (now {self._recipe.learning_rate:g}) and train again."
            )
        names = self.trainer.part_names
        seconds = max(time.monotonic() - self._clock, 1e-9)
        steps = max(state.global_step - self._clock_step, 1)
        self._clock, self._clock_step = time.monotonic(), state.global_step
        # Over the whole run, because clusters, validation and checkpoints recur.
        per_step = (self._clock - self._began) / max(state.global_step - self._began_step, 1)
        self._emit(
            TrainingProgress(
                step=state.global_step,
                total_steps=state.max_steps,
                loss=logs["loss"],
                losses={name: value for name, value in logs.items() if name in names},
                learning_rate=logs.get("learning_rate", 0.0),
                pairs_per_second=steps * self._recipe.batch_size / seconds,
                eta_seconds=(state.max_steps - state.global_step) * per_step,
            )
        )

    def _evaluate(self, step: int, model: SentenceTransformer) -> None:
        assert self._validate is not None
        started = time.monotonic()
        self.metrics = self._validate(model)
        self._emit(TrainingEvaluated(step=step, metrics=self.metrics))
        self._clock += time.monotonic() - started
