"""Cross-fitted encoders: what the matcher learns from of listings that the encoder was trained on.

To its own training listings an encoder is kinder than to new ones, so a matcher that learnt from what it
says of them would trust similarity too far. Each fold's encoder was trained in the same way on the others,
and what it says of the fold is what the encoder would say of new listings. Source: stacking, Wolpert 1992;
cross-fitting, Chernozhukov et al., 1608.00060. What that is worth: docs/ablation.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.contracts.training import (
    TrainingCancelled,
    TrainingCheckpoint,
    TrainingEvaluated,
    TrainingEvent,
    TrainingFinished,
    TrainingProgress,
    TrainingStarted,
    fold_of,
)
from trainer.config import Recipe
from trainer.pairs import PairSet
from trainer.run_callback import Emit

#: Fewer confirmed pairs than this are nothing to train an encoder on.
LEAST_PAIRS = 2


@dataclass(frozen=True)
class Fold:
    """One encoder to train beside a run's own: on ``pairs``, by ``recipe``, in ``steps`` steps."""

    number: int
    pairs: PairSet
    recipe: Recipe
    steps: int


def folds_of(recipe: Recipe, pairs: PairSet) -> tuple[Fold, ...]:
    """The folds of a run; none where the recipe has none, or where a fold leaves too few pairs.

    Each makes as many passes over its pairs as the run makes over all. Nothing is validated: the run's own
    encoder was, and they are averaged with the start as that is. Where trusted pairs weigh the others they
    come out of the validation pairs, so these are kept.
    """
    share = 1 - 1 / max(recipe.folds, 1)
    own = recipe.model_copy(
        update={
            "folds": 0,
            "average": (),
            "fallback_average": (),
            "min_steps": round(recipe.min_steps * share),
            "max_steps": recipe.max_steps and max(1, round(recipe.max_steps * share)),
        }
    )
    found = []
    for number in range(recipe.folds):
        train = tuple(one for one in pairs.train if fold_of(one.listing_id, recipe.folds) != number)
        rest = replace(
            pairs,
            train=train,
            validation=pairs.validation if recipe.gradient_agreement > 0 else (),
            notices=(),
            fingerprint=f"{pairs.fingerprint} without fold {number} of {recipe.folds}",
        )
        listings = sum(one.teaches(recipe.unmatched_listings) for one in train)
        found.append(Fold(number, rest, own, own.steps_for(listings)))
    return tuple(found) if all(fold.pairs.pair_count >= LEAST_PAIRS for fold in found) else ()


@dataclass(frozen=True)
class Stretch:
    """The steps of one encoder within those of a whole run: ``before`` and ``after`` are the others'."""

    before: int
    steps: int
    after: int

    def within(self, emit: Emit) -> Emit:
        """An ``emit`` that is told of the whole run."""

        def told(event: TrainingEvent) -> None:
            emit(self._counted(event))

        return told

    def _counted(self, event: TrainingEvent) -> TrainingEvent:
        match event:
            case TrainingStarted():
                resumed = event.resumed_from + self.before
                whole = self.before + self.steps + self.after
                return event.model_copy(update={"total_steps": whole, "resumed_from": resumed})
            case TrainingProgress():
                left = max(event.total_steps - event.step, 1)
                # Nobody knows yet how long the others' steps take; these are like them.
                more = event.eta_seconds / left * self.after if event.step < event.total_steps else 0.0
                return event.model_copy(
                    update={
                        "step": event.step + self.before,
                        "total_steps": self.before + self.steps + self.after,
                        "eta_seconds": event.eta_seconds + more,
                    }
                )
            case TrainingEvaluated() | TrainingCheckpoint() | TrainingCancelled() | TrainingFinished():
                return event.model_copy(update={"step": event.step + self.before})
            case _:
                return event


def stretches(first: int, folds: tuple[Fold, ...]) -> Iterator[Stretch]:
    """Where the run's own encoder and each fold's are in the steps of the run."""
    steps = [first, *(fold.steps for fold in folds)]
    for place, own in enumerate(steps):
        yield Stretch(sum(steps[:place]), own, sum(steps[place + 1 :]))


def of_a_fold(number: int, emit: Emit) -> Emit:
    """An ``emit`` that hears of the steps of a fold's encoder only: what comes out of it is not the run's."""

    def told(event: TrainingEvent) -> None:
        if isinstance(event, TrainingProgress):
            emit(event.model_copy(update={"fold": number}))
        elif isinstance(event, TrainingCheckpoint | TrainingCancelled):
            emit(event)

    return told
