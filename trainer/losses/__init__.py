"""The training objectives, one class per file, and how a recipe composes them."""

from __future__ import annotations

from torch import nn

from trainer.config import DEFAULT_MARGIN, DEFAULT_TEMPERATURE, Recipe
from trainer.losses.batch import Cell, PairBatch, make_batch
from trainer.losses.batch_aware import BatchAware
from trainer.losses.decoupled import DecoupledSoftmax
from trainer.losses.infonce import InfoNCE
from trainer.losses.objective import TrainingObjective
from trainer.losses.prime import PrimeMargin
from trainer.losses.query_label import QueryLabel
from trainer.losses.threshold_margin import ThresholdConsistentMargin
from trainer.losses.triplet import NgameTriplet

__all__ = [
    "BatchAware",
    "Cell",
    "DecoupledSoftmax",
    "InfoNCE",
    "NgameTriplet",
    "PairBatch",
    "PrimeMargin",
    "QueryLabel",
    "ThresholdConsistentMargin",
    "TrainingObjective",
    "compose",
    "make_batch",
]


def compose(
    recipe: Recipe, model: nn.Module, dimension: int, *, chunk_rows: int | None = None
) -> TrainingObjective:
    """The training objective that a recipe describes: its base loss and the auxiliaries with a weight."""
    parts: dict[str, nn.Module] = {recipe.base: _base_loss(recipe)}
    weights: dict[str, float] = {recipe.base: 1.0}
    if recipe.query_label_weight > 0:
        parts["query_label"] = QueryLabel(dimension)
        weights["query_label"] = recipe.query_label_weight
    if recipe.batch_aware_weight > 0:
        parts["batch_aware"] = BatchAware(dimension)
        weights["batch_aware"] = recipe.batch_aware_weight
    if recipe.tcm_weight > 0:
        parts["tcm"] = ThresholdConsistentMargin(recipe.tcm_positive, recipe.tcm_negative)
        weights["tcm"] = recipe.tcm_weight
    return TrainingObjective(model, parts, weights, chunk_rows=chunk_rows)


def _base_loss(recipe: Recipe) -> nn.Module:
    temperature = DEFAULT_TEMPERATURE if recipe.temperature is None else recipe.temperature
    if recipe.base == "infonce":
        return InfoNCE(temperature, symmetric=recipe.symmetric)
    if recipe.base == "decoupled":
        return DecoupledSoftmax(temperature)
    if recipe.base == "ngame":
        margin = DEFAULT_MARGIN if recipe.margin is None else recipe.margin
        return NgameTriplet(margin, recipe.triplet_negatives)
    return PrimeMargin(negatives=recipe.triplet_negatives)
