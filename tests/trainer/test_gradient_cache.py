"""Cached gradients are those of one pass: under dropout, with heads, under mixed precision, when scaled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from trainer.config import resolve_recipe
from trainer.embedding import TokenTable
from trainer.losses import TrainingObjective, compose

LISTINGS = ["acme phone", "a drill that is called by a far longer name than the others", "kettle", "bolt x1"]
ITEMS = ["acme phone 64gb", "drill", "kettle, stainless, 2 l", "bolt", "bolt x2 boxed", "kettle 1 l"]
CATALOGUE = ["a lamp", "chair of oak, oiled", "usb cable"]

Gradients = dict[str, Tensor]


@pytest.fixture
def objective(dropout_encoder: Path) -> TrainingObjective:
    """All five parts, the heads among them, over a model in training mode."""
    torch.manual_seed(3)
    model = SentenceTransformer(str(dropout_encoder), device="cpu", local_files_only=True)
    return compose(resolve_recipe("default", {"distill_weight": 0.5}), model, 32).train()


def _columns(objective: TrainingObjective) -> list[dict[str, Tensor]]:
    tables = (TokenTable(objective.model, texts) for texts in (LISTINGS, ITEMS, CATALOGUE))
    return [table.features(range(len(table))) for table in tables]


def _labels() -> dict[str, Tensor]:
    return {
        "cells": torch.eye(4, 6, dtype=torch.int8),
        "weight": torch.tensor([1.0, 0.5, 2.0, 1.0]),
        "champion": torch.eye(3, 32),
    }


def _step(
    objective: TrainingObjective,
    backward: Callable[[Tensor], None] = lambda loss: loss.backward(),
    precision: torch.dtype | None = None,
) -> tuple[dict[str, float], Gradients, Tensor]:
    """Loss by part, gradients by name, and the generator's state after a step from a fixed seed."""
    objective.zero_grad()
    columns = _columns(objective)
    torch.manual_seed(11)
    with torch.autocast("cpu", precision, enabled=precision is not None):
        parts = objective(columns, _labels())
    backward(torch.stack(list(parts.values())).sum())
    gradients = {n: p.grad.clone() for n, p in objective.named_parameters() if p.grad is not None}
    return {name: part.item() for name, part in parts.items()}, gradients, torch.random.get_rng_state()


def _assert_same(found: Gradients, expected: Gradients, tolerance: float) -> None:
    assert found.keys() == expected.keys()
    # Some gradients, of the key's bias for one, are nothing but rounding.
    largest = max(float(value.abs().max()) for value in expected.values())
    for name, value in expected.items():
        scale = max(float(value.abs().max()), 1e-3 * largest)
        assert torch.allclose(found[name], value, rtol=0, atol=tolerance * scale), name


@pytest.mark.parametrize("rows", [1, 3, 4, 9])
def test_that_cached_gradients_are_those_of_the_same_chunks_kept_in_memory(
    objective: TrainingObjective, rows: int
) -> None:
    objective.chunk_rows = rows
    kept_parts, kept, kept_state = _step(objective)
    objective.chunk_rows, objective.cache_rows = None, rows
    parts, cached, state = _step(objective)
    assert parts == kept_parts
    assert any(name.startswith("parts.query_label.") for name in cached)
    assert any(name.startswith("parts.batch_aware.") for name in cached)
    _assert_same(cached, kept, 1e-5)
    # The second pass draws no number of its own, so the next step draws the same ones.
    assert torch.equal(state, kept_state)


def test_that_dropout_is_on_in_these_tests(objective: TrainingObjective) -> None:
    _, first, _ = _step(objective)
    objective.eval()
    _, second, _ = _step(objective)
    assert any(not torch.allclose(first[name], second[name]) for name in first)


def test_that_a_second_pass_with_other_dropout_would_be_noticed(
    objective: TrainingObjective, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import nullcontext

    from trainer.losses import objective as module

    objective.chunk_rows = 3
    _, kept, _ = _step(objective)
    monkeypatch.setattr(module._RandomState, "restored", lambda self: nullcontext())
    objective.cache_rows = 3
    _, wrong, _ = _step(objective)
    with pytest.raises(AssertionError):
        _assert_same(wrong, kept, 1e-2)


def test_that_one_pass_and_cached_chunks_agree_without_dropout(objective: TrainingObjective) -> None:
    for module in objective.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    objective.model.eval()
    whole_parts, whole, _ = _step(objective)
    objective.cache_rows = 2
    parts, cached, _ = _step(objective)
    assert parts == pytest.approx(whole_parts, rel=1e-4)
    _assert_same(cached, whole, 1e-4)


def test_that_chunks_within_what_fits_are_not_cached(objective: TrainingObjective) -> None:
    objective.cache_rows, objective.chunk_rows = 13, 3
    calls = _counting(objective)
    _step(objective)
    assert calls == [3, 3, 3, 3, 1]
    objective.cache_rows = 12
    calls.clear()
    _step(objective)
    assert len(calls) == 2 * 5


def test_that_only_one_chunk_is_in_memory_at_a_time(objective: TrainingObjective) -> None:
    peak = {}
    for cache_rows in (None, 2):
        objective.chunk_rows, objective.cache_rows = 2, cache_rows
        alive, most = 0, 0

        class Held:
            def __init__(self, tensor: Tensor) -> None:
                nonlocal alive, most
                self.tensor = tensor
                self.size = tensor.numel()
                alive += self.size
                most = max(most, alive)

            def __del__(self) -> None:
                nonlocal alive
                alive -= self.size

        with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
            _step(objective)
        peak[cache_rows] = most
    assert peak[2] < 0.5 * peak[None]


def test_that_a_scaled_loss_scales_cached_gradients(objective: TrainingObjective) -> None:
    objective.cache_rows = 3
    _, plain, _ = _step(objective)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    _, scaled, _ = _step(objective, backward=lambda loss: scaler.scale(loss).backward())
    _assert_same({name: value / 1024 for name, value in scaled.items()}, plain, 1e-5)


def test_that_cached_gradients_are_right_under_mixed_precision(objective: TrainingObjective) -> None:
    objective.chunk_rows = 3
    kept_parts, kept, _ = _step(objective, precision=torch.bfloat16)
    objective.cache_rows = 3
    parts, cached, _ = _step(objective, precision=torch.bfloat16)
    assert parts == kept_parts
    _assert_same(cached, kept, 0.02)


def test_that_without_gradients_nothing_is_run_twice(objective: TrainingObjective) -> None:
    objective.cache_rows = 3
    calls = _counting(objective)
    with torch.no_grad():
        objective(_columns(objective), _labels())
    assert calls == [3, 3, 3, 3, 1]


def _counting(objective: TrainingObjective) -> list[int]:
    """The texts of every pass of the encoder from now on."""
    calls: list[int] = []
    objective.model.register_forward_pre_hook(
        lambda module, inputs: calls.append(len(inputs[0]["input_ids"]))
    )
    return calls
