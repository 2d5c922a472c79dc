"""Whole training runs of the tiny encoder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TypeVar

import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from engine.contracts.training import (
    ENCODER_FILES,
    EncoderInfo,
    TrainingCancelled,
    TrainingCheckpoint,
    TrainingEvaluated,
    TrainingEvent,
    TrainingExported,
    TrainingFinished,
    TrainingNotice,
    TrainingProgress,
    TrainingResult,
    TrainingStarted,
)
from engine.errors import EnvironmentError_, InputError
from tests.trainer.conftest import JobFolder, make_tables, write_job
from trainer import checkpoints
from trainer import recipe as recipe_module
from trainer.recipe import train
from trainer.results import Exported

Event = TypeVar("Event", bound=TrainingEvent)

#: Batches of 8 listings: 10 steps an epoch. test_folds.py has runs with folds.
SMALL = {
    "folds": 0,
    "batch_size": 8,
    "cluster_size": 4,
    "log_steps": 1,
    "checkpoint_steps": 4,
    "evaluate_steps": 10,
    "learning_rate": 1e-3,
}


class Host:
    """Collects the events of a run and asks it to stop with the given step."""

    def __init__(self, stop_with_step: int | None = None) -> None:
        self.events: list[TrainingEvent] = []
        self._stop_with_step = stop_with_step
        self._step = 0

    def emit(self, event: TrainingEvent) -> None:
        self.events.append(event)
        if isinstance(event, TrainingProgress | TrainingCheckpoint):
            self._step = event.step

    def cancelled(self) -> bool:
        return self._stop_with_step is not None and self._step >= self._stop_with_step - 1

    def losses(self) -> dict[int, tuple[float, dict[str, float]]]:
        return {e.step: (e.loss, e.losses) for e in self.of(TrainingProgress)}

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


def _run(folder: Path, stop_with_step: int | None = None) -> Host:
    host = Host(stop_with_step)
    train(folder, emit=host.emit, cancelled=host.cancelled)
    return host


def _weights(folder: Path) -> dict[str, bytes]:
    tensors = load_file(folder / "encoder" / "model.safetensors")
    return {name: value.numpy().tobytes() for name, value in tensors.items()}


def _write_without_artefact(
    model: SentenceTransformer, job_folder: Path, *_: object, **__: object
) -> Exported:
    model.save_pretrained(str(job_folder / "encoder"), create_model_card=False)
    return Exported({}, {})


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that are compared by their weights need no ONNX files."""
    monkeypatch.setattr(recipe_module, "write_encoder", _write_without_artefact)


def test_that_a_run_ends_with_an_encoder_folder_and_tells_what_it_did(make_job: JobFolder) -> None:
    folder = make_job(**TWO_EPOCHS)
    host = _run(folder)
    kinds = [type(event) for event in host.events]
    assert kinds[0] is TrainingStarted
    assert kinds[-2:] == [TrainingExported, TrainingFinished]
    started, finished = host.of(TrainingStarted)[0], host.of(TrainingFinished)[0]
    assert (started.device, started.precision, started.resumed_from) == ("cpu", "fp32", 0)
    assert started.items == 48
    assert sorted(host.losses()) == list(range(1, started.total_steps + 1))
    assert finished.step == started.total_steps
    assert [event.step for event in host.of(TrainingEvaluated)] == [0, finished.step // 2, finished.step]
    assert finished.metrics == host.of(TrainingEvaluated)[-1].metrics
    assert set(finished.metrics) == {"C@90", "C@95", "C@98", "aurc", "best_right", "listings"}
    for loss, parts in host.losses().values():
        assert set(parts) == {"infonce", "query_label", "batch_aware", "tcm"}
        assert sum(parts.values()) == pytest.approx(loss, abs=3e-4)
    assert sorted(path.name for path in (folder / "artefact").iterdir()) == sorted(ENCODER_FILES)
    exported = host.of(TrainingExported)[0]
    assert exported.parity["fp32"] > 0.9999
    assert {name: set(levels) for name, levels in exported.coverage.items()} == {
        name: {"C@90", "C@95", "C@98"} for name in ("fp32", "int8", "fp16")
    }
    assert exported.coverage["fp32"]["C@90"] == pytest.approx(finished.metrics["C@90"])
    info = EncoderInfo.model_validate_json((folder / "artefact" / "encoder.json").read_bytes())
    assert info.coverage == exported.coverage
    assert not (folder / "checkpoints").exists()
    trained = SentenceTransformer(str(folder / "encoder"), device="cpu", local_files_only=True)
    start = SentenceTransformer(str(folder / "start"), device="cpu", local_files_only=True)
    assert trained.max_seq_length == start.max_seq_length


def test_that_training_raises_what_can_be_automated(make_job: JobFolder, no_export: None) -> None:
    host = _run(make_job(recipe="default", min_steps=0, epochs=6, **SMALL))
    first, last = host.of(TrainingEvaluated)[0].metrics, host.of(TrainingEvaluated)[-1].metrics
    assert last["aurc"] < first["aurc"] / 2
    assert last["best_right"] > first["best_right"]


def test_that_starting_a_finished_run_again_trains_nothing(make_job: JobFolder) -> None:
    folder = make_job(max_steps=2, **SMALL)
    first = _run(folder)
    before = (folder / "artefact" / "encoder.onnx").stat().st_mtime_ns
    again = _run(folder)
    assert not again.of(TrainingProgress)
    assert again.events[-1] == first.events[-1]
    assert again.of(TrainingExported) == first.of(TrainingExported)
    assert (folder / "artefact" / "encoder.onnx").stat().st_mtime_ns == before


TWO_EPOCHS = {"recipe": "default", "min_steps": 0, "epochs": 2, **SMALL}


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[Path, Host]:
    """Two epochs that nothing disturbed."""
    folder = write_job(tmp_path_factory.mktemp("whole") / "job", tiny_encoder, **TWO_EPOCHS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe_module, "write_encoder", _write_without_artefact)
        return folder, _run(folder)


# An epoch has 10 steps and a checkpoint is written every 4: in the middle of an epoch, with it, after it.
@pytest.mark.parametrize("stops", [(1,), (6,), (10,), (11,), (3, 9, 14), (20,)])
def test_that_a_cancelled_run_resumes_to_the_same_weights_bit_by_bit(
    make_job: JobFolder, no_export: None, whole_run: tuple[Path, Host], stops: tuple[int, ...]
) -> None:
    whole_folder, whole = whole_run
    assert whole.of(TrainingStarted)[0].total_steps == 20
    folder = make_job("parts", **TWO_EPOCHS)
    losses: dict[int, tuple[float, dict[str, float]]] = {}
    reached = 0
    for stop in stops:
        host = _run(folder, stop)
        assert host.of(TrainingStarted)[0].resumed_from == reached
        cancelled = host.of(TrainingCancelled)
        assert len(cancelled) == 1
        reached = cancelled[0].step
        losses |= host.losses()
        assert not (folder / "encoder").exists()
    rest = _run(folder)
    assert rest.of(TrainingStarted)[0].resumed_from == reached
    assert losses | rest.losses() == whole.losses()
    assert rest.of(TrainingFinished)[0].metrics == whole.of(TrainingFinished)[0].metrics
    assert _weights(folder) == _weights(whole_folder)


def test_that_a_run_killed_while_it_writes_a_checkpoint_goes_on_from_the_one_before(
    make_job: JobFolder, no_export: None, whole_run: tuple[Path, Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_job("killed", **TWO_EPOCHS)
    real = checkpoints.replace_folder

    def die_at_step_eight(aside: Path, final: Path) -> None:
        if final.name == "checkpoint-8":
            raise KeyboardInterrupt
        real(aside, final)

    monkeypatch.setattr(checkpoints, "replace_folder", die_at_step_eight)
    with pytest.raises(KeyboardInterrupt):
        _run(folder)
    assert any(path.name.startswith("writing-8-") for path in (folder / "checkpoints").iterdir())
    monkeypatch.setattr(checkpoints, "replace_folder", real)
    rest = _run(folder)
    assert rest.of(TrainingStarted)[0].resumed_from == 4
    assert _weights(folder) == _weights(whole_run[0])


def test_that_a_checkpoint_of_other_pairs_is_not_resumed_from(make_job: JobFolder, no_export: None) -> None:
    folder = make_job(**TWO_EPOCHS)
    _run(folder, stop_with_step=5)
    pairs, _ = make_tables(seed=1)
    pl.DataFrame(pairs).write_parquet(folder / "pairs.parquet")
    assert _run(folder, stop_with_step=2).of(TrainingStarted)[0].resumed_from == 0


def test_that_short_epochs_are_not_validated_each(make_job: JobFolder, no_export: None) -> None:
    host = _run(make_job(recipe="infonce", min_steps=0, epochs=4, **SMALL | {"evaluate_steps": 25}))
    assert [event.step for event in host.of(TrainingEvaluated)] == [0, 30, 40]


def test_that_another_seed_trains_another_encoder(make_job: JobFolder, no_export: None) -> None:
    first, second = (make_job(f"seed{seed}", seed=seed, max_steps=3, **SMALL) for seed in (0, 1))
    _run(first)
    _run(second)
    assert _weights(first) != _weights(second)


@pytest.mark.parametrize("name", ["infonce", "prime", "ngame", "decoupled", "quick"])
def test_that_every_recipe_trains(make_job: JobFolder, no_export: None, name: str) -> None:
    host = _run(make_job(recipe=name, min_steps=0, max_steps=3, **SMALL))
    assert host.of(TrainingFinished)[0].step == 3


def test_that_averaging_with_the_start_is_reported(make_job: JobFolder, no_export: None) -> None:
    host = _run(make_job(max_steps=3, average=[0.3, 0.7], **SMALL))
    assert any(event.message.startswith("Averaged: ") for event in host.of(TrainingNotice))
    assert host.of(TrainingEvaluated)[-1].metrics["aurc"] <= 1


def test_that_an_average_lies_beside_the_encoder_unless_the_recipe_averages(
    make_job: JobFolder, no_export: None
) -> None:
    folder = make_job(max_steps=3, **SMALL)
    host = _run(folder)
    result = TrainingResult.model_validate_json((folder / "result.json").read_text())
    assert result.averaged is not None
    assert result.averaged.share in (0.5, 0.75)
    assert set(result.averaged.metrics) == set(host.of(TrainingFinished)[0].metrics)
    start, trained, averaged = (
        load_file(home / "model.safetensors")
        for home in (folder / "start", folder / "encoder", folder / "averaged" / "encoder")
    )
    for name, value in averaged.items():
        torch.testing.assert_close(value, torch.lerp(start[name], trained[name], result.averaged.share))
    for name, overrides in (("chosen", {"average": [0.5]}), ("off", {"fallback_average": []})):
        folder = make_job(name, max_steps=1, **overrides, **SMALL)
        _run(folder)
        assert not (folder / "averaged").exists()


def test_that_a_run_cancelled_while_it_averages_ends_as_an_undisturbed_one(
    make_job: JobFolder, no_export: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_job(max_steps=3, **SMALL)

    def cancelled(*_: object, **__: object) -> None:
        raise recipe_module.Stopped

    with monkeypatch.context() as patch:
        patch.setattr(recipe_module, "write_averaged", cancelled)
        assert _run(folder).of(TrainingCancelled)[0].step == 3
    assert not (folder / "result.json").exists()
    assert _run(folder).of(TrainingFinished)[0].step == 3
    assert (folder / "averaged" / "encoder").is_dir()


def test_that_only_a_run_with_mined_negatives_says_what_is_known_of_them(
    make_job: JobFolder, no_export: None
) -> None:
    for mined in (False, True):
        folder = make_job(f"mined-{mined}", max_steps=1, mined_negatives=mined, **SMALL)
        job = json.loads((folder / "job.json").read_text())
        (folder / "job.json").write_text(json.dumps(job | {"mined": "Mined negatives: some."}))
        said = [event.message for event in _run(folder).of(TrainingNotice)]
        assert ("Mined negatives: some." in said) == mined


def test_that_a_single_confirmed_pair_can_be_trained_on(make_job: JobFolder, no_export: None) -> None:
    pairs = [pair for pair in make_tables()[0] if pair["role"] == "train" and pair["verdict"] == "match"][:1]
    host = _run(make_job(recipe="default", pairs=pairs, min_steps=0))
    assert host.of(TrainingFinished)[0].step == 3
    assert any("nothing is validated" in event.message for event in host.of(TrainingNotice))


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        (("train", "validation"), "vectors that are no numbers; lower learning_rate"),
        (("train",), "no longer a number at step 1; lower learning_rate"),
    ],
)
def test_that_weights_that_ran_off_end_the_run(
    make_job: JobFolder, no_export: None, roles: tuple[str, ...], words: str
) -> None:
    pairs = [pair for pair in make_tables()[0] if pair["role"] in roles]
    folder = make_job(pairs=pairs, look_alike=False, **SMALL)
    weights = load_file(folder / "start" / "model.safetensors")
    source = (folder / "start").resolve()
    (folder / "start").unlink()
    shutil.copytree(source, folder / "start")
    broken = {name: value * float("nan") for name, value in weights.items()}
    save_file(broken, folder / "start" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=words):
        _run(folder)


def test_that_a_missing_gpu_is_said_in_one_line(make_job: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    folder = make_job()
    job = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps(job | {"device": "cuda"}))
    with pytest.raises(EnvironmentError_, match="No CUDA device can be used here"):
        _run(folder)


def test_that_a_folder_without_an_encoder_to_start_from_is_refused(make_job: JobFolder) -> None:
    folder = make_job()
    (folder / "start").unlink()
    with pytest.raises(InputError, match="is not a sentence-transformers folder"):
        _run(folder)


def test_that_a_wrong_recipe_is_refused_before_anything_is_loaded(make_job: JobFolder) -> None:
    folder = make_job(recipe="default", temperature=0.1, base="prime")
    (folder / "start").unlink()
    with pytest.raises(InputError, match="temperature belongs to a softmax loss"):
        _run(folder)
