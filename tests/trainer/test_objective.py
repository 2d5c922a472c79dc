from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from trainer.config import resolve_recipe
from trainer.embedding import TokenTable, encode
from trainer.losses import InfoNCE, ThresholdConsistentMargin, TrainingObjective, compose, make_batch

LISTINGS = ["acme phone", "a drill that is called by a far longer name than the others", "kettle", "bolt x1"]
ITEMS = ["acme phone 64gb", "drill", "kettle, stainless, 2 l", "bolt"]


@pytest.fixture
def model(tiny_encoder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(tiny_encoder), device="cpu", local_files_only=True).eval()


def _columns(model: SentenceTransformer) -> list[dict[str, Tensor]]:
    return [TokenTable(model, texts).features(range(4)) for texts in (LISTINGS, ITEMS)]


def _unit(model: SentenceTransformer, texts: list[str]) -> Tensor:
    return torch.from_numpy(model.encode(texts, normalize_embeddings=True))


def test_that_without_labels_item_i_is_the_target_of_listing_i(model: SentenceTransformer) -> None:
    objective = TrainingObjective(model, {"infonce": InfoNCE()}, {"infonce": 1.0})
    expected = InfoNCE()(make_batch(_unit(model, LISTINGS), _unit(model, ITEMS)))
    assert objective(_columns(model))["infonce"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_that_parts_are_weighted_and_named(model: SentenceTransformer) -> None:
    parts = {"infonce": InfoNCE(), "tcm": ThresholdConsistentMargin()}
    once = TrainingObjective(model, parts, {"infonce": 1.0, "tcm": 1.0})(_columns(model))
    twice = TrainingObjective(model, parts, {"infonce": 1.0, "tcm": 2.0})(_columns(model))
    assert twice["infonce"].item() == pytest.approx(once["infonce"].item())
    assert twice["tcm"].item() == pytest.approx(2 * once["tcm"].item())


@pytest.mark.parametrize("chunk_rows", [1, 3, 8])
def test_that_chunks_by_length_change_neither_loss_nor_gradient(
    model: SentenceTransformer, chunk_rows: int
) -> None:
    def run(rows: int | None) -> tuple[float, Tensor]:
        model.zero_grad()
        objective = TrainingObjective(model, {"infonce": InfoNCE()}, {"infonce": 1.0}, chunk_rows=rows)
        loss = objective(_columns(model))["infonce"]
        loss.backward()
        weight = next(model.parameters())
        assert weight.grad is not None
        return loss.item(), weight.grad.clone()

    whole_loss, whole_gradient = run(None)
    loss, gradient = run(chunk_rows)
    assert loss == pytest.approx(whole_loss, rel=1e-4)
    assert torch.allclose(gradient, whole_gradient, atol=1e-5)


def test_that_losses_stay_in_full_precision_under_mixed_precision(model: SentenceTransformer) -> None:
    objective = compose(resolve_recipe("default", {}), model, 32)
    with torch.autocast("cpu", torch.bfloat16):
        parts = objective(_columns(model), {"cells": torch.eye(4), "weight": torch.ones(4)})
    assert {part.dtype for part in parts.values()} == {torch.float32}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("prime", {"prototypes": True, "batch_aware_variant": "pooled", "graded_weight": 0.2}),
        ("default", {"base": "soft_targets", "batch_aware_variant": "softmax"}),
        ("default", {"base": "soft_targets", "soft_target_source": "weight", "graded_weight": 0.2}),
    ],
)
def test_that_objectives_of_a_recipe_train_together_in_full_precision(
    model: SentenceTransformer, name: str, changes: dict[str, Any]
) -> None:
    objective = compose(resolve_recipe(name, changes), model, 32)
    cells = torch.tensor([[1, 2, 0, 3], [0, 1, 0, 0], [3, 0, 1, 0], [0, 0, 2, 1]])
    with torch.autocast("cpu", torch.bfloat16):
        parts = objective(_columns(model), {"cells": cells, "weight": torch.tensor([1.0, 0.7, 1.0, 2.0])})
    assert set(parts) == set(objective.weights)
    assert {part.dtype for part in parts.values()} == {torch.float32}
    torch.stack(list(parts.values())).sum().backward()
    gradients = {name: parameter.grad for name, parameter in objective.named_parameters()}
    assert all(gradient is None or torch.isfinite(gradient).all() for gradient in gradients.values())
    assert all(gradient is not None for name, gradient in gradients.items() if name.startswith("parts."))


def test_that_texts_are_encoded_as_sentence_transformers_does(model: SentenceTransformer) -> None:
    texts = [*LISTINGS, *ITEMS, "", "x"]
    vectors = encode(model, TokenTable(model, texts), batch_rows=3)
    assert torch.allclose(torch.from_numpy(vectors), _unit(model, texts), atol=1e-5)


def test_that_encoding_draws_no_random_number(model: SentenceTransformer) -> None:
    before = torch.random.get_rng_state()
    encode(model.train(), TokenTable(model, LISTINGS))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_that_a_part_of_a_token_table_holds_the_chosen_texts(model: SentenceTransformer) -> None:
    table = TokenTable(model, LISTINGS)
    part = table.subset([3, 0])
    assert part.lengths().tolist() == [table.lengths()[3], table.lengths()[0]]
    assert torch.equal(part.features([1])["input_ids"], table.features([0])["input_ids"])
