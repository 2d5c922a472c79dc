from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from trainer import checkpoints


def _write(folder: Path, step: int, fingerprint: str = "run", value: float = 0.0) -> Path:
    return checkpoints.write_checkpoint(
        folder,
        step,
        fingerprint=fingerprint,
        tensors={"weights": {"a": torch.full((3,), value)}},
        arrays={"clusters": np.arange(4, dtype=np.int32)},
        documents={"run": {"step": step}},
    )


def test_that_everything_written_can_be_read_back(tmp_path: Path) -> None:
    path = _write(tmp_path, 7, value=2.5)
    assert checkpoints.newest_checkpoint(tmp_path, "run") == path
    assert torch.equal(checkpoints.read_tensors(path, "weights")["a"], torch.full((3,), 2.5))
    assert checkpoints.read_arrays(path)["clusters"].tolist() == [0, 1, 2, 3]
    assert checkpoints.read_document(path, "run") == {"step": 7}


def test_that_only_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 100):
        _write(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-100"]


def test_that_a_checkpoint_of_the_same_step_is_replaced(tmp_path: Path) -> None:
    _write(tmp_path, 5, value=1.0)
    path = _write(tmp_path, 5, value=2.0)
    assert checkpoints.read_tensors(path, "weights")["a"].tolist() == [2.0, 2.0, 2.0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint-5"]


def test_that_a_checkpoint_of_another_run_is_passed_over(tmp_path: Path) -> None:
    mine = _write(tmp_path, 5)
    _write(tmp_path, 9, fingerprint="other pairs")
    assert checkpoints.newest_checkpoint(tmp_path, "run") == mine


@pytest.mark.parametrize("damage", ["truncated", "missing file", "no manifest", "garbled manifest"])
def test_that_a_damaged_checkpoint_is_passed_over(tmp_path: Path, damage: str) -> None:
    good = _write(tmp_path, 5)
    bad = _write(tmp_path, 9)
    if damage == "truncated":
        os.truncate(bad / "weights.safetensors", 10)
    elif damage == "missing file":
        (bad / "arrays.npz").unlink()
    elif damage == "no manifest":
        (bad / "complete.json").unlink()
    else:
        (bad / "complete.json").write_text("[1")
    assert checkpoints.newest_checkpoint(tmp_path, "run") == good


def test_that_a_process_killed_while_it_drops_an_old_checkpoint_leaves_whole_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (5, 7):
        _write(tmp_path, step)
    deleted = shutil.rmtree

    def dies(path: Path, ignore_errors: bool = False) -> None:
        if path.exists():
            (path / "weights.safetensors").unlink()
            raise KeyboardInterrupt
        deleted(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(checkpoints.shutil, "rmtree", dies)
    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path, 9)
    monkeypatch.undo()
    for path in tmp_path.glob("checkpoint-*"):
        assert (path / "weights.safetensors").exists()
    checkpoints.clear_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-7", "checkpoint-9"]


@pytest.mark.parametrize("broken", ["save_file", "replace_folder"])
def test_that_a_write_that_dies_half_way_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    good = _write(tmp_path, 5)

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, broken, die)
    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path, 9)
    assert checkpoints.newest_checkpoint(tmp_path, "run") == good
    checkpoints.clear_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]


def test_that_an_optimizer_goes_on_exactly_after_the_round_trip_through_json() -> None:
    def make() -> tuple[torch.nn.Linear, torch.optim.AdamW]:
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 2)
        return layer, torch.optim.AdamW(
            [{"params": [layer.weight], "weight_decay": 0.1}, {"params": [layer.bias], "lr": 0.3}], lr=0.07
        )

    def step(layer: torch.nn.Linear, optimizer: torch.optim.AdamW) -> None:
        optimizer.zero_grad()
        layer(torch.arange(3.0)).square().sum().backward()
        optimizer.step()

    layer, optimizer = make()
    step(layer, optimizer)
    tensors, values = checkpoints.split_optimizer_state(optimizer.state_dict())
    weights = {name: value.clone() for name, value in layer.state_dict().items()}
    tensors = {name: value.clone() for name, value in tensors.items()}
    step(layer, optimizer)

    resumed_layer, resumed = make()
    resumed_layer.load_state_dict(weights)
    resumed.load_state_dict(checkpoints.join_optimizer_state(tensors, json.loads(json.dumps(values))))
    step(resumed_layer, resumed)
    assert torch.equal(layer.weight, resumed_layer.weight)
    assert torch.equal(layer.bias, resumed_layer.bias)


def test_that_random_numbers_go_on_after_a_restore() -> None:
    random.seed(1)
    torch.manual_seed(1)
    tensors, python = checkpoints.random_state()
    python = json.loads(json.dumps(python))
    expected = (random.random(), torch.rand(3).tolist())
    checkpoints.restore_random_state(tensors, python)
    assert (random.random(), torch.rand(3).tolist()) == expected
