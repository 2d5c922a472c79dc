"""The training objectives, one class per file, and how a recipe composes them."""

from __future__ import annotations

from torch import nn

from trainer.config import (
    DEFAULT_BATCH_AWARE_NEGATIVES,
    DEFAULT_MARGIN,
    DEFAULT_NON_TARGET_WEIGHT,
    DEFAULT_TEMPERATURE,
    Recipe,
)
from trainer.losses.batch import Cell, PairBatch, make_batch
from trainer.losses.batch_aware import BatchAware
from trainer.losses.batch_aware_pooled import BatchAwarePooled
from trainer.losses.batch_aware_softmax import BatchAwareSoftmax
from trainer.losses.decoupled import DecoupledSoftmax
from trainer.losses.distillation import Distillation
from trainer.losses.graded_circle import GradedCircle
from trainer.losses.infonce import InfoNCE
from trainer.losses.objective import TrainingObjective
from trainer.losses.prime import PrimeMargin
from trainer.losses.prototypes import ItemPrototypes
from trainer.losses.query_label import QueryLabel
from trainer.losses.soft_targets import SoftTargets
from trainer.losses.standalone import StandaloneLoss
from trainer.losses.threshold_margin import ThresholdConsistentMargin
from trainer.losses.triplet import NgameTriplet

__all__ = [
    "BatchAware",
    "BatchAwarePooled",
    "BatchAwareSoftmax",
    "Cell",
    "DecoupledSoftmax",
    "Distillation",
    "GradedCircle",
    "InfoNCE",
    "ItemPrototypes",
    "NgameTriplet",
    "PairBatch",
    "PrimeMargin",
    "QueryLabel",
    "SoftTargets",
    "StandaloneLoss",
    "ThresholdConsistentMargin",
    "TrainingObjective",
    "compose",
    "make_batch",
]


def compose(
    recipe: Recipe, model: nn.Module, dimension: int, *, chunk_rows: int | None = None
) -> TrainingObjective:
    """The training objective that a recipe describes: its base loss and the auxiliaries with a weight."""
    parts: dict[str, nn.Module] = {recipe.base: _base_loss(recipe, dimension)}
    weights: dict[str, float] = {recipe.base: 1.0}
    if recipe.query_label_weight > 0:
        parts["query_label"] = QueryLabel(dimension)
        weights["query_label"] = recipe.query_label_weight
    if recipe.batch_aware_weight > 0:
        parts["batch_aware"] = _batch_aware(recipe, dimension)
        weights["batch_aware"] = recipe.batch_aware_weight
    if recipe.tcm_weight > 0:
        parts["tcm"] = ThresholdConsistentMargin(recipe.tcm_positive, recipe.tcm_negative)
        weights["tcm"] = recipe.tcm_weight
    if recipe.graded_weight > 0:
        parts["graded"] = GradedCircle(recipe.graded_levels)
        weights["graded"] = recipe.graded_weight
    if recipe.distill_weight > 0:
        parts["distillation"] = Distillation()
        weights["distillation"] = recipe.distill_weight
    return TrainingObjective(model, parts, weights, chunk_rows=chunk_rows)


def _base_loss(recipe: Recipe, dimension: int) -> nn.Module:
    temperature = DEFAULT_TEMPERATURE if recipe.temperature is None else recipe.temperature
    if recipe.base == "infonce":
        return InfoNCE(temperature, symmetric=recipe.symmetric)
    if recipe.base == "decoupled":
        return DecoupledSoftmax(temperature)
    if recipe.base == "ngame":
        margin = DEFAULT_MARGIN if recipe.margin is None else recipe.margin
        return NgameTriplet(margin, recipe.triplet_negatives)
    if recipe.base == "soft_targets":
        weight = recipe.non_target_weight
        return SoftTargets(
            temperature,
            symmetric=recipe.symmetric,
            non_target_weight=DEFAULT_NON_TARGET_WEIGHT if weight is None else weight,
            source=recipe.soft_target_source or "agreement",
        )
    prototypes = ItemPrototypes(dimension) if recipe.prototypes else None
    return PrimeMargin(negatives=recipe.triplet_negatives, prototypes=prototypes)


def _batch_aware(recipe: Recipe, dimension: int) -> nn.Module:
    if recipe.batch_aware_variant == "softmax":
        negatives = recipe.batch_aware_negatives or DEFAULT_BATCH_AWARE_NEGATIVES
        return BatchAwareSoftmax(dimension, negatives=negatives)
    if recipe.batch_aware_variant == "pooled":
        return BatchAwarePooled(dimension)
    return BatchAware(dimension)
