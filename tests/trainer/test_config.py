from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.errors import InputError
from trainer.config import RECIPES, resolve_recipe
from trainer.losses import (
    BatchAware,
    BatchAwarePooled,
    BatchAwareSoftmax,
    GradedCircle,
    InfoNCE,
    ItemPrototypes,
    PrimeMargin,
    QueryLabel,
    SoftTargets,
    ThresholdConsistentMargin,
    compose,
)


def test_that_the_default_recipe_is_infonce_with_both_alc_objectives_and_tcm() -> None:
    objective = compose(resolve_recipe("default", {}), torch.nn.Identity(), 8)
    kinds = {type(part) for part in objective.parts.values()}
    assert kinds == {InfoNCE, QueryLabel, BatchAware, ThresholdConsistentMargin}


def test_that_an_objective_without_weight_is_left_out() -> None:
    recipe = resolve_recipe("prime", {"batch_aware_weight": 0, "tcm_weight": 0})
    objective = compose(recipe, torch.nn.Identity(), 8)
    assert [type(part) for part in objective.parts.values()] == [PrimeMargin, QueryLabel]


def test_that_overrides_reach_the_losses() -> None:
    recipe = resolve_recipe("default", {"temperature": 0.2, "tcm_positive": 0.8, "query_label_weight": 0.7})
    objective = compose(recipe, torch.nn.Identity(), 8)
    assert objective.parts["infonce"].temperature == 0.2
    assert objective.parts["tcm"].positive_margin == 0.8
    assert objective.weights["query_label"] == 0.7


@pytest.mark.parametrize(
    ("variant", "kind"),
    [("attention", BatchAware), ("softmax", BatchAwareSoftmax), ("pooled", BatchAwarePooled)],
)
def test_that_a_recipe_chooses_how_the_batch_is_seen(variant: str, kind: type[torch.nn.Module]) -> None:
    recipe = resolve_recipe("default", {"batch_aware_variant": variant})
    assert type(compose(recipe, torch.nn.Identity(), 8).parts["batch_aware"]) is kind


def test_that_the_softmax_variant_takes_its_number_of_negatives() -> None:
    changes = {"batch_aware_variant": "softmax", "batch_aware_negatives": 3}
    parts = compose(resolve_recipe("default", changes), torch.nn.Identity(), 8).parts
    assert parts["batch_aware"].negatives == 3


def test_that_prime_gets_prototypes_where_a_recipe_asks_for_them() -> None:
    assert compose(resolve_recipe("prime", {}), torch.nn.Identity(), 8).parts["prime"].prototypes is None
    parts = compose(resolve_recipe("prime", {"prototypes": True}), torch.nn.Identity(), 8).parts
    assert type(parts["prime"].prototypes) is ItemPrototypes


def test_that_soft_targets_are_a_base_with_their_own_settings() -> None:
    changes = {"base": "soft_targets", "symmetric": False, "temperature": 0.1, "non_target_weight": 2.0}
    loss = compose(resolve_recipe("infonce", changes), torch.nn.Identity(), 8).parts["soft_targets"]
    assert type(loss) is SoftTargets
    assert (loss.symmetric, loss.temperature, loss.non_target_weight, loss.source) == (
        False,
        0.1,
        2.0,
        "agreement",
    )
    changes["soft_target_source"] = "weight"
    loss = compose(resolve_recipe("infonce", changes), torch.nn.Identity(), 8).parts["soft_targets"]
    assert loss.source == "weight"


def test_that_the_graded_loss_joins_any_base_with_its_weight() -> None:
    changes = {"graded_weight": 0.3, "graded_levels": [0.2, 0.5, 0.6, 0.9]}
    objective = compose(resolve_recipe("ngame", changes), torch.nn.Identity(), 8)
    assert type(objective.parts["graded"]) is GradedCircle
    assert objective.parts["graded"].bands == ((-0.2, 0.2), (0.5, 0.6), (0.9, 1.1))
    assert objective.weights == {"ngame": 1.0, "graded": 0.3}


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_that_every_recipe_can_be_trained_as_it_is(name: str) -> None:
    assert resolve_recipe(name, {}).name == name


@pytest.mark.parametrize(
    ("name", "overrides", "words"),
    [
        ("best", {}, "no recipe 'best'; choose one of decoupled, default"),
        ("default", {"epoch": 4}, "no setting epoch; its settings are"),
        ("default", {"name": "mine"}, "no setting name"),
        ("default", {"epochs": 0}, "setting epochs is wrong"),
        ("default", {"epochs": "many"}, "setting epochs is wrong"),
        ("default", {"temperature": 0}, "setting temperature is wrong"),
        ("default", {"learning_rate": float("nan")}, "setting learning_rate is wrong"),
        ("default", {"base": "cosine"}, "setting base is wrong"),
        ("prime", {"temperature": 0.1}, "temperature belongs to a softmax loss"),
        ("default", {"margin": 0.2}, "margin belongs to base ngame"),
        ("default", {"tcm_positive": 0.4}, "tcm_negative must be below tcm_positive"),
        ("default", {"batch_size": 4}, "cluster_size 8 is above batch_size 4"),
        ("default", {"hard_negatives": 0}, "unmatched_listings needs hard_negatives"),
        ("default", {"prototypes": True}, "prototypes belong to base prime, and base is infonce"),
        ("default", {"non_target_weight": 2}, "non_target_weight belongs to base soft_targets"),
        ("default", {"soft_target_source": "weight"}, "soft_target_source belongs to base soft_targets"),
        ("default", {"base": "soft_targets", "soft_target_source": "me"}, "soft_target_source is wrong"),
        ("default", {"base": "soft_targets", "non_target_weight": -1}, "non_target_weight is wrong"),
        ("default", {"base": "soft_targets", "margin": 0.2}, "margin belongs to base ngame"),
        ("infonce", {"batch_aware_variant": "softmax"}, "softmax needs a batch_aware_weight above 0"),
        ("default", {"batch_aware_variant": "mean"}, "batch_aware_variant is wrong"),
        ("default", {"batch_aware_negatives": 5}, "batch_aware_negatives belongs to .* that is attention"),
        ("default", {"graded_weight": 1, "graded_levels": [0.4, 0.7, 0.5, 0.8]}, "graded_levels must rise"),
        ("default", {"graded_levels": [0.4, 0.5, 0.8]}, "graded_levels.* is wrong"),
        ("default", {"graded_weight": 1, "tcm_negative": 0.3}, "tcm_negative 0.3 is below 0.5"),
        ("default", {"graded_weight": -1}, "graded_weight is wrong"),
        ("quick", {"epochs": 50}, "max_epochs 10 is below epochs 50"),
        ("default", {"average": [0.5, 1.5]}, "average must hold shares"),
    ],
)
def test_that_a_recipe_that_cannot_be_trained_is_refused_by_name(
    name: str, overrides: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as refusal:
        resolve_recipe(name, overrides)
    assert "\n" not in refusal.value.message


def test_that_few_listings_get_more_epochs_but_not_endlessly_many() -> None:
    recipe = resolve_recipe("default", {"epochs": 3, "min_steps": 100, "max_epochs": 20})
    assert recipe.epochs_for(60) == 3
    assert recipe.epochs_for(20) == 5
    assert recipe.epochs_for(1) == 20
