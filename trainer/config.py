"""Recipes: every number of a training run, typed, frozen, and checked before the first step.

A recipe is plain data without inheritance; a variation is a copy with some fields changed, which is
also what the overrides of a job do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import InputError

BaseLoss = Literal["infonce", "prime", "ngame", "decoupled", "soft_targets"]
BatchAwareVariant = Literal["attention", "softmax", "pooled"]
AgreementSource = Literal["agreement", "weight"]
Level = Annotated[float, Field(gt=0, lt=1)]

#: Temperature of the softmax losses and margin of the triplet losses where a recipe names none.
DEFAULT_TEMPERATURE = 0.05
DEFAULT_MARGIN = 0.3
#: Negatives that the softmax variant of the batch-aware objective scores where a recipe names no number.
DEFAULT_BATCH_AWARE_NEGATIVES = 10
#: Steps between two looks at the trusted pairs where a recipe names no number.
DEFAULT_AGREEMENT_STEPS = 10
#: Catalogue texts of a step of distillation where a recipe names no number.
DEFAULT_DISTILL_TEXTS = 32
#: Weight of what the non-targets are to one another in soft targets where a recipe names none.
DEFAULT_NON_TARGET_WEIGHT = 1.0


class Recipe(BaseModel):
    """Everything that decides the outcome of a training run, apart from its pairs and seed.

    Attributes:
        name: how a job asks for it.
        base: the base loss.
        temperature: of ``infonce``, ``decoupled`` and ``soft_targets``; None takes their default, .05.
        symmetric: ``infonce`` and ``soft_targets`` also rank the listings of each item.
        margin: of ``ngame`` (fixed, default .3).
        triplet_negatives: hardest in-batch negatives that ``ngame`` and ``prime`` look at.
        prototypes: ``prime`` also compares listings with item prototypes.
        soft_target_source: what ``soft_targets`` takes for the agreement on a pair: ``agreement`` (the
            default, 1 where a batch says nothing) or the pair's ``weight``, above 1 counting as 1.
        non_target_weight: of the non-target part of ``soft_targets``; None takes its default, 1.
        query_label_weight: beta1 of the ALC query-label objective; 0 leaves it out.
        batch_aware_weight: beta2 of the ALC batch-aware objective; 0 leaves it out.
        batch_aware_variant: how it sees the batch: ``attention`` between the pairs, ``softmax`` over the
            head's scores of the batch's items, or the batch ``pooled`` into a context of each pair.
        batch_aware_negatives: hardest negatives that ``softmax`` scores (default 10).
        tcm_weight: weight of the threshold-consistent margin; 0 leaves it out.
        tcm_positive: similarity that positives should exceed.
        tcm_negative: similarity that negatives should stay under.
        graded_weight: weight of the graded circle loss; 0 leaves it out.
        graded_levels: its similarities, rising: none stays under the first, variants lie between the
            second and the third, matches exceed the fourth.
        distill_weight: weight of the distillation to the start encoder on random catalogue texts, against
            forgetting; 0 leaves it out.
        distill_texts: texts of a step that are distilled (default 32).
        gradient_agreement: how far pairs are weighed by the agreement of their gradients with those of
            trusted pairs, 0 to 1; 0 leaves it out.
        agreement_steps: the trusted pairs' gradient is taken anew after so many steps (default 10).
        epochs: passes over the listings.
        min_steps: more passes are made until this many steps, so that a few hundred decisions
            are not seen for a handful of steps only.
        max_epochs: the most passes that ``min_steps`` may ask for.
        max_steps: stop after so many steps; None runs all epochs.
        batch_size: listings per step.
        learning_rate: peak, of the encoder.
        head_learning_rate: peak, of the heads of the auxiliary objectives.
        warmup_share: share of the steps in which the learning rate rises from 0.
        weight_decay: of AdamW.
        max_grad_norm: gradients are scaled down to this norm.
        max_tokens: longer texts are cut while training.
        cache_rows: texts whose activations fit in memory; larger batches cache their gradients and run
            in parts. None: found out from the memory that is free.
        hard_negatives: rejected candidates that join a batch per listing.
        mined_negatives: candidates that nobody judged and that the duplicate guard kept may join too, after
            the rejected ones.
        unmatched_listings: listings that matched nothing join with their rejected candidates.
        look_alike: batches are made of clusters of listings that look alike.
        cluster_size: listings of a cluster; a batch concatenates several.
        cluster_growth: clusters grow by this factor whenever they are made anew, up to a batch.
        inverse_propensity: how much rarer items of a listing are preferred to popular ones, 0 to 1.
        refresh_epochs: clusters are made anew with the current encoder after so many epochs.
        validation_items: items searched in validation at most (all that pairs name, then a sample).
        evaluate_steps: validate after an epoch when so many steps have passed (and always at the end).
        average: shares of the trained weights to try in weight averaging with the start
            (WiSE-FT); the best on validation is kept. Empty: no averaging.
        fallback_average: where ``average`` is empty, the best of these on validation is exported beside the
            trained encoder, for the case that the gate refuses that. Empty: nothing beside it.
        folds: so many further encoders are trained, each on all listings but a share, so that the matcher
            can learn from the others what new listings are like; 0 trains none, and the matcher hardly
            learns from listings that were trained on.
        log_steps: report progress after so many steps.
        checkpoint_steps: write a checkpoint after so many steps (and always at the end).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    base: BaseLoss = "infonce"
    temperature: float | None = Field(default=None, gt=0, le=1)
    symmetric: bool = True
    margin: float | None = Field(default=None, gt=0, le=2)
    triplet_negatives: int = Field(default=10, ge=1)
    prototypes: bool = False
    soft_target_source: AgreementSource | None = None
    non_target_weight: float | None = Field(default=None, ge=0, le=10)
    query_label_weight: float = Field(default=0.0, ge=0)
    batch_aware_weight: float = Field(default=0.0, ge=0)
    batch_aware_variant: BatchAwareVariant = "attention"
    batch_aware_negatives: int | None = Field(default=None, ge=1)
    tcm_weight: float = Field(default=0.0, ge=0)
    tcm_positive: float = Field(default=0.9, ge=-1, le=1)
    tcm_negative: float = Field(default=0.5, ge=-1, le=1)
    graded_weight: float = Field(default=0.0, ge=0)
    graded_levels: tuple[Level, Level, Level, Level] = (0.4, 0.5, 0.7, 0.8)
    distill_weight: float = Field(default=0.0, ge=0)
    distill_texts: int | None = Field(default=None, ge=1)
    gradient_agreement: float = Field(default=0.0, ge=0, le=1)
    agreement_steps: int | None = Field(default=None, ge=1)
    epochs: int = Field(default=3, ge=1)
    min_steps: int = Field(default=0, ge=0)
    max_epochs: int = Field(default=20, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=64, ge=2)
    learning_rate: float = Field(default=1e-4, gt=0, le=1)
    head_learning_rate: float = Field(default=1e-3, gt=0, le=1)
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    max_tokens: int = Field(default=64, ge=8)
    cache_rows: int | None = Field(default=None, ge=1)
    hard_negatives: int = Field(default=1, ge=0)
    mined_negatives: bool = False
    unmatched_listings: bool = True
    look_alike: bool = True
    cluster_size: int = Field(default=8, ge=2)
    cluster_growth: float = Field(default=1.0, ge=1, le=4)
    inverse_propensity: float = Field(default=0.0, ge=0, le=1)
    refresh_epochs: int = Field(default=1, ge=1)
    validation_items: int = Field(default=4000, ge=1)
    evaluate_steps: int = Field(default=40, ge=1)
    average: tuple[float, ...] = ()
    fallback_average: tuple[float, ...] = (0.5, 0.75)
    folds: int = Field(default=0, ge=0, le=10)
    log_steps: int = Field(default=5, ge=1)
    checkpoint_steps: int = Field(default=50, ge=1)

    def check(self) -> Recipe:
        """The recipe itself, or an input error when its parts contradict each other."""
        softmax = self.base in ("infonce", "decoupled", "soft_targets")
        problems: list[str] = [*self._contradictions_of_objectives()]
        if self.temperature is not None and not softmax:
            problems.append(f"temperature belongs to a softmax loss, and base is {self.base}")
        if self.margin is not None and self.base != "ngame":
            problems.append(f"margin belongs to base ngame, and base is {self.base}")
        if self.tcm_weight > 0 and self.tcm_negative >= self.tcm_positive:
            problems.append("tcm_negative must be below tcm_positive")
        if self.look_alike and self.cluster_size > self.batch_size:
            problems.append(f"cluster_size {self.cluster_size} is above batch_size {self.batch_size}")
        if self.max_epochs < self.epochs:
            problems.append(f"max_epochs {self.max_epochs} is below epochs {self.epochs}")
        if self.unmatched_listings and self.hard_negatives == 0:
            problems.append("unmatched_listings needs hard_negatives of at least 1")
        if self.folds == 1:
            problems.append("folds must be 0, or 2 and more")
        if any(not 0 < share <= 1 for share in self.average):
            problems.append("average must hold shares above 0 and up to 1")
        if any(not 0 < share < 1 for share in self.fallback_average):
            problems.append("fallback_average must hold shares above 0 and below 1")
        if problems:
            raise InputError(f"Recipe {self.name} cannot be trained: {'; '.join(problems)}.")
        return self

    def _contradictions_of_objectives(self) -> Iterator[str]:
        """What is asked of an objective that the recipe does not use, or of two that pull apart."""
        if self.prototypes and self.base != "prime":
            yield f"prototypes belong to base prime, and base is {self.base}"
        for name in ("soft_target_source", "non_target_weight"):
            if getattr(self, name) is not None and self.base != "soft_targets":
                yield f"{name} belongs to base soft_targets, and base is {self.base}"
        variant = self.batch_aware_variant
        if variant != "attention" and self.batch_aware_weight == 0:
            yield f"batch_aware_variant {variant} needs a batch_aware_weight above 0"
        if self.batch_aware_negatives is not None and variant != "softmax":
            yield f"batch_aware_negatives belongs to batch_aware_variant softmax, and that is {variant}"
        if self.gradient_agreement > 0 and self.prototypes:
            yield "gradient_agreement weighs by the listings' vectors alone, and prototypes learn beside them"
        if self.gradient_agreement > 0 and self.soft_target_source == "weight":
            yield "gradient_agreement changes the weights that soft_target_source weight takes for agreement"
        if self.agreement_steps is not None and self.gradient_agreement == 0:
            yield "agreement_steps needs a gradient_agreement above 0"
        if self.distill_texts is not None and self.distill_weight == 0:
            yield "distill_texts needs a distill_weight above 0"
        if self.graded_weight > 0:
            levels = self.graded_levels
            if any(low >= high for low, high in pairwise(levels)):
                yield "graded_levels must rise"
            elif self.tcm_weight > 0 and self.tcm_negative < levels[1]:
                yield (
                    f"tcm_negative {self.tcm_negative} is below {levels[1]}, where graded_levels wants "
                    "variants to begin: to the threshold-consistent margin a variant is a negative"
                )

    @property
    def distilled_per_step(self) -> int:
        """Catalogue texts that join a step for distillation."""
        return (self.distill_texts or DEFAULT_DISTILL_TEXTS) if self.distill_weight > 0 else 0

    def epochs_for(self, steps_per_epoch: int) -> int:
        """How many epochs to run so that ``min_steps`` is reached, within ``max_epochs``."""
        wanted = math.ceil(self.min_steps / max(steps_per_epoch, 1))
        return max(self.epochs, min(wanted, self.max_epochs))

    def steps_for(self, listings: int) -> int:
        """How many steps a run over so many listings takes."""
        per_epoch = math.ceil(listings / self.batch_size)
        steps = self.epochs_for(per_epoch) * per_epoch
        return min(steps, self.max_steps or steps)


_ALC_AND_TCM: dict[str, Any] = {
    "query_label_weight": 0.1,
    "batch_aware_weight": 0.1,
    "tcm_weight": 1.0,
}

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe.check()
    for recipe in (
        Recipe(
            name="default", min_steps=300, learning_rate=2e-4, average=(0.5, 0.75), folds=2, **_ALC_AND_TCM
        ),
        Recipe(name="thorough", min_steps=300, batch_size=128, average=(0.5, 0.75), folds=2, **_ALC_AND_TCM),
        Recipe(name="infonce", min_steps=150),
        Recipe(name="prime", base="prime", min_steps=150, **_ALC_AND_TCM),
        Recipe(name="ngame", base="ngame", min_steps=150),
        Recipe(name="decoupled", base="decoupled", min_steps=150),
        Recipe(name="quick", epochs=1, min_steps=60, max_epochs=10, **_ALC_AND_TCM),
    )
}


def resolve_recipe(name: str, overrides: Mapping[str, Any]) -> Recipe:
    """The named recipe with the overrides applied.

    Raises:
        InputError: an unknown recipe or field, a value out of range, or parts that contradict
            each other; the message names what is possible.
    """
    if name not in RECIPES:
        raise InputError(f"There is no recipe {name!r}; choose one of {', '.join(sorted(RECIPES))}.")
    unknown = sorted(set(overrides) - (set(Recipe.model_fields) - {"name"}))
    if unknown:
        possible = ", ".join(sorted(set(Recipe.model_fields) - {"name"}))
        raise InputError(f"Recipe {name} has no setting {', '.join(unknown)}; its settings are {possible}.")
    try:
        changed = Recipe.model_validate({**RECIPES[name].model_dump(), **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"Recipe {name}: setting {where} is wrong: {first['msg']}.") from error
    return changed.check()
