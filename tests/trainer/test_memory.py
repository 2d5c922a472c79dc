"""What a run needs of memory, and what it does when there is less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from torch import Tensor

from engine.contracts.training import TrainingEvent, TrainingNotice, TrainingProgress, TrainingStarted
from engine.errors import EnvironmentError_
from tests.trainer.conftest import write_job
from trainer import recipe as recipe_module
from trainer.config import resolve_recipe
from trainer.devices import ComputeDevice
from trainer.losses import TrainingObjective, compose
from trainer.memory import BatchSize, EncoderShape, fit_into_memory, memory_need
from trainer.results import Exported

CPU = ComputeDevice("cpu", "cpu", "fp32")
MIB = 1024**2

SMALL: dict[str, Any] = {
    "folds": 0,
    "recipe": "default", "min_steps": 0, "batch_size": 8, "cluster_size": 4, "log_steps": 1,
    "checkpoint_steps": 50, "max_steps": 5, "learning_rate": 1e-3,
}  # fmt: skip


@pytest.fixture
def model(dropout_encoder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(dropout_encoder), device="cpu", local_files_only=True).train()


def _objective(model: SentenceTransformer) -> TrainingObjective:
    return compose(resolve_recipe("default", {}), model, 32)


def _saved_bytes(model: SentenceTransformer, texts: int, tokens: int) -> int:
    """Bytes that a forward pass keeps for its backward pass, weights left out."""
    sizes: dict[int, int] = {parameter.untyped_storage().data_ptr(): 0 for parameter in model.parameters()}
    held = []

    def keep(tensor: Tensor) -> Tensor:
        held.append(tensor)
        storage = tensor.untyped_storage()
        sizes.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    ids = torch.randint(5, 100, (texts, tokens))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model({"input_ids": ids, "attention_mask": torch.ones_like(ids)})["sentence_embedding"].sum()
    return sum(sizes.values())


@pytest.mark.parametrize("tokens", [12, 60])
def test_that_reckoned_activations_are_near_to_what_a_pass_keeps(
    model: SentenceTransformer, tokens: int
) -> None:
    shape = EncoderShape.of(model)
    assert shape == EncoderShape(layers=2, width=32, inner=64, heads=4)
    kept = _saved_bytes(model, 16, tokens)
    assert 0.9 < 16 * shape.activation_bytes(tokens, 4, fused=False) / kept < 1.1
    assert shape.activation_bytes(tokens, 4, fused=True) < shape.activation_bytes(tokens, 4, fused=False)


def test_that_half_precision_halves_activations_and_keeps_a_copy_of_the_weights(
    model: SentenceTransformer,
) -> None:
    batch = BatchSize(listings=8, items=16, tokens=20)
    full = memory_need(model, _objective(model), CPU, batch, 24)
    half = memory_need(model, _objective(model), ComputeDevice("cpu", "cpu", "bf16"), batch, 24)
    assert full is not None
    assert half is not None
    assert half.activations == full.activations // 2
    encoder = 4 * sum(parameter.numel() for parameter in model.parameters())
    assert half.weights - full.weights == encoder // 2
    assert full.optimizer == 2 * full.gradients == 2 * full.weights
    assert full.similarities == half.similarities > 8 * 16 * 4


def _with_free(patch: pytest.MonkeyPatch, size: int) -> None:
    patch.setattr(ComputeDevice, "free_bytes", lambda self: size)


def test_that_a_batch_that_does_not_fit_is_run_in_parts(
    model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, objective = BatchSize(listings=64, items=128, tokens=60), _objective(model)
    need = memory_need(model, objective, CPU, batch, 192)
    assert need is not None
    _with_free(monkeypatch, 2 * need.total)
    assert len(fit_into_memory(model, objective, CPU, batch)) == 1
    assert objective.cache_rows is None
    _with_free(monkeypatch, need.total - need.activations // 2)
    memory, cached = fit_into_memory(model, objective, CPU, batch)
    assert "weights" in memory
    assert objective.cache_rows is not None
    assert 1 < objective.cache_rows < 192
    assert f"192 texts of a step do not fit into memory at once: they run {objective.cache_rows}" in cached


def test_that_a_run_that_cannot_fit_is_refused_with_advice(
    model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_free(monkeypatch, 10_000)
    with pytest.raises(EnvironmentError_, match=r"does not fit cpu: about .* lower batch_size or max_tokens"):
        fit_into_memory(model, _objective(model), CPU, BatchSize(8, 16, 20))


def _train(folder: Path) -> list[TrainingEvent]:
    events: list[TrainingEvent] = []
    recipe_module.train(folder, emit=events.append, cancelled=lambda: False)
    return events


def _weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "encoder" / "model.safetensors")


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(model: SentenceTransformer, job_folder: Path, *_: object, **__: object) -> Exported:
        model.save_pretrained(str(job_folder / "encoder"), create_model_card=False)
        return Exported({}, {})

    monkeypatch.setattr(recipe_module, "write_encoder", write)


def _run_out(patch: pytest.MonkeyPatch, refuses: Any) -> None:
    """The encoder runs out of memory whenever ``refuses(texts, training pass number)`` says so."""
    real = TrainingObjective._encode
    passes = 0

    def encode(self: TrainingObjective, features: dict[str, Tensor]) -> Tensor:
        nonlocal passes
        passes += 1
        if refuses(len(features["input_ids"]), passes):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(self, features)

    patch.setattr(TrainingObjective, "_encode", encode)


def test_that_running_out_of_memory_costs_a_notice_and_no_step(
    tmp_path: Path, dropout_encoder: Path, no_export: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = write_job(tmp_path / "asked", dropout_encoder, cache_rows=2, **SMALL)
    expected = _train(asked)
    folder = write_job(tmp_path / "short", dropout_encoder, **SMALL)
    _run_out(monkeypatch, lambda texts, _: texts > 3)
    events = _train(folder)
    notices = [e.message for e in events if isinstance(e, TrainingNotice) and "Memory ran out" in e.message]
    assert len(notices) == 3
    assert notices[-1].startswith("Memory ran out at step 1, which is taken again with 2 instead of ")
    # From the step that failed on it is the run that was asked to go two texts at a time, dropout and all.
    losses = [[(e.step, e.loss, e.losses) for e in seen if isinstance(e, TrainingProgress)]
              for seen in (events, expected)]  # fmt: skip
    assert losses[0] == losses[1]
    assert len(losses[0]) == 5
    assert all(torch.equal(value, _weights(asked)[name]) for name, value in _weights(folder).items())


def test_that_running_out_in_the_second_pass_leaves_no_half_gradient(
    tmp_path: Path, tiny_encoder: Path, no_export: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_job(tmp_path / "whole", tiny_encoder, **SMALL)
    expected = [e.loss for e in _train(whole) if isinstance(e, TrainingProgress)]
    folder = write_job(tmp_path / "short", tiny_encoder, cache_rows=4, **SMALL)
    failed = []

    def refuses(texts: int, number: int) -> bool:
        # The second chunk of the second pass of some step: one chunk has given its gradient already.
        if torch.is_grad_enabled() and texts == 4:
            failed.append(number)
            return len(failed) == 12
        return False

    _run_out(monkeypatch, refuses)
    events = _train(folder)
    assert any("with 2 instead of 4 texts" in e.message for e in events if isinstance(e, TrainingNotice))
    found = [e.loss for e in events if isinstance(e, TrainingProgress)]
    assert found == pytest.approx(expected, rel=1e-3)
    trained = _weights(whole)
    assert all(torch.allclose(value, trained[name], atol=2e-4) for name, value in _weights(folder).items())


def test_that_a_text_that_does_not_fit_alone_ends_the_run(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_job(tmp_path / "job", tiny_encoder, **SMALL)
    _run_out(monkeypatch, lambda texts, _: True)
    with pytest.raises(EnvironmentError_, match="one text at a time either; lower batch_size"):
        _train(folder)


def test_that_the_memory_of_a_run_is_told_after_its_start(
    tmp_path: Path, tiny_encoder: Path, no_export: None
) -> None:
    events = _train(write_job(tmp_path / "job", tiny_encoder, **SMALL | {"max_steps": 1}))
    assert isinstance(events[0], TrainingStarted)
    assert isinstance(events[1], TrainingNotice)
    assert events[1].message.startswith("Memory: about ")


@pytest.mark.parametrize(("precision", "cache_rows"), [("fp32", None), ("bf16", None), ("bf16", 4)])
def test_that_a_cpu_trains_in_bf16_when_asked(
    tmp_path: Path, tiny_encoder: Path, no_export: None, precision: str, cache_rows: int | None
) -> None:
    folder = write_job(tmp_path / "job", tiny_encoder, cache_rows=cache_rows, **SMALL | {"max_steps": 20})
    job = (folder / "job.json").read_text().replace('"precision":"auto"', f'"precision":"{precision}"')
    (folder / "job.json").write_text(job)
    events = _train(folder)
    assert isinstance(events[0], TrainingStarted)
    assert events[0].precision == precision
    losses = [event.loss for event in events if isinstance(event, TrainingProgress)]
    assert losses[-1] < losses[0]
