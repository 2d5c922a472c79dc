"""Distillation to the start encoder: the loss, the texts of a step, and whole runs with it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from engine.contracts.training import TrainingFinished
from engine.errors import InputError
from tests.trainer.conftest import JobFolder
from tests.trainer.loss_batches import DTYPES, SHAPES, batch_of
from tests.trainer.test_run import SMALL, TWO_EPOCHS, _run, _weights, no_export  # noqa: F401
from trainer.catalogue_texts import CatalogueTexts, text_pool
from trainer.config import resolve_recipe
from trainer.embedding import TokenTable, encode
from trainer.losses import Distillation, make_batch


@pytest.mark.parametrize("shape", SHAPES)
def test_that_distillation_equals_its_plain_loops(shape: str) -> None:
    batch, _ = batch_of(shape)
    assert batch.distilled is not None
    assert batch.champion is not None
    distances = [
        1 - sum(a * b for a, b in zip(own, wanted, strict=True))
        for own, wanted in zip(batch.distilled.tolist(), batch.champion.tolist(), strict=True)
    ]
    assert Distillation()(batch).item() == pytest.approx(sum(distances) / len(distances), rel=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_that_only_the_encoder_learns_from_distillation(dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(0)
    raw = torch.randn(7, 8, generator=draw, dtype=torch.float64).to(dtype).requires_grad_()
    champion = torch.randn(3, 8, generator=draw).requires_grad_()
    loss = Distillation()(make_batch(raw[:2], raw[2:4], distilled=raw[4:], champion=champion))
    loss.backward()
    assert raw.grad is not None
    assert raw.grad[4:].abs().sum() > 0
    assert raw.grad[:4].abs().sum() == 0
    assert champion.grad is None
    same = make_batch(raw[:2], raw[2:4], distilled=raw[4:], champion=raw[4:].detach())
    assert Distillation()(same).item() == pytest.approx(0, abs=1e-6)


def test_that_a_batch_without_catalogue_texts_gives_the_graph_zero() -> None:
    raw = torch.eye(4).requires_grad_()
    for batch in (
        make_batch(raw[:2], raw[2:]),
        make_batch(raw[:2], raw[2:], None, None, None, raw[:0], raw[:0]),
    ):
        loss = Distillation()(batch)
        assert loss.item() == 0
        loss.backward()


def test_that_a_batch_draws_the_same_texts_again_and_another_batch_others(tiny_encoder: Path) -> None:
    model = SentenceTransformer(str(tiny_encoder), device="cpu", local_files_only=True)
    tokens = TokenTable(model, [f"lamp no {number}" for number in range(60)])
    texts = CatalogueTexts(tokens, np.arange(120, dtype=np.float32).reshape(60, 2), 8, seed=3)
    features, vectors = texts.draw(1, [4, 2])
    again, same = texts.draw(1, [4, 2])
    assert torch.equal(vectors, same)
    assert torch.equal(features["input_ids"], again["input_ids"])
    assert len(features["input_ids"]) == len(vectors) == len({float(v) for v in vectors[:, 0]}) == 8
    for epoch, rows in ((2, [4, 2]), (1, [2, 4])):
        assert not torch.equal(texts.draw(epoch, rows)[1], vectors)
    few = CatalogueTexts(tokens.subset([1, 2]), np.ones((2, 2), np.float32), 8, seed=3)
    assert len(few.draw(0, [0])[1]) == 2


def test_that_a_text_is_in_the_pool_once() -> None:
    assert text_pool([0, 1, 1, 3], seed=0) == [0, 1, 3]
    many = text_pool(range(10_000), seed=0)
    assert len(many) == len(set(many)) == 4096
    assert many != text_pool(range(10_000), seed=1)


def test_that_distil_texts_without_distillation_are_refused() -> None:
    with pytest.raises(InputError, match="distill_texts needs a distill_weight above 0"):
        resolve_recipe("default", {"distill_texts": 8})


def _moved(folder: Path) -> float:
    """How far training moved the vectors of texts that no pair is about."""
    texts = [f"lamp no {number}" for number in range(40)]
    vectors = []
    for name in ("start", "encoder"):
        model = SentenceTransformer(str(folder / name), device="cpu", local_files_only=True)
        vectors.append(encode(model, TokenTable(model, texts)))
    return float(1 - (vectors[0] * vectors[1]).sum(axis=1).mean())


@pytest.mark.usefixtures("no_export")
def test_that_distillation_keeps_the_champions_vectors(make_job: JobFolder) -> None:
    settings = {"recipe": "infonce", "min_steps": 0, "epochs": 4, **SMALL}
    free, held = make_job("free", **settings), make_job("held", **settings, distill_weight=10.0)
    host = _run(free)
    assert "distillation" not in next(iter(host.losses().values()))[1]
    host = _run(held)
    losses = [parts["distillation"] for _, parts in host.losses().values()]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[0] == pytest.approx(0, abs=1e-4)  # nothing has moved before the first step
    assert _moved(held) < _moved(free) / 2


@pytest.mark.usefixtures("no_export")
def test_that_a_cancelled_run_with_distillation_resumes_bit_by_bit(make_job: JobFolder) -> None:
    settings = TWO_EPOCHS | {"distill_weight": 1.0, "distill_texts": 8}
    whole, parts = make_job("whole", **settings), make_job("parts", **settings)
    expected = _run(whole)
    losses = _run(parts, 6).losses()
    rest = _run(parts)
    assert rest.of(TrainingFinished)[0].step == 20
    assert losses | rest.losses() == expected.losses()
    assert _weights(parts) == _weights(whole)
