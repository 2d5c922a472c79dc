from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.errors import InputError
from trainer.config import RECIPES, resolve_recipe
from trainer.losses import BatchAware, InfoNCE, PrimeMargin, QueryLabel, ThresholdConsistentMargin, compose


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
