"""Two processes over gloo take the steps of one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.contracts.training import (
    TrainingCancelled,
    TrainingEvent,
    TrainingFinished,
    TrainingProgress,
    TrainingStarted,
    parse_training_event,
)
from engine.errors import InputError
from tests.trainer.conftest import make_tables, write_job
from tests.trainer.rank_worker import steps
from trainer.launch import ALONE, Place, claim_place
from trainer.ranks import Ranks

SMALL: dict[str, Any] = {
    "recipe": "default", "min_steps": 0, "batch_size": 8, "cluster_size": 4, "log_steps": 1,
    "checkpoint_steps": 50, "max_steps": 5, "learning_rate": 1e-3, "distill_weight": 0.5,
    "gradient_agreement": 1.0, "agreement_steps": 2,
}  # fmt: skip


def _environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return kept | {"OMP_NUM_THREADS": "1"} | changes


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def two_ranks(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, torch.Tensor]]:
    """What each of two processes found."""
    out = tmp_path_factory.mktemp("ranks")
    port = str(_free_port())
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.trainer.rank_worker", str(tiny_encoder), str(out)],
            env=_environment(
                RANK=str(rank),
                WORLD_SIZE="2",
                LOCAL_RANK=str(rank),
                MASTER_ADDR="127.0.0.1",
                MASTER_PORT=port,
            ),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [worker.communicate(timeout=200)[1] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert [worker.returncode for worker in workers] == [0, 0], said
    return [load_file(out / f"{rank}.st") for rank in range(2)]


def test_that_two_ranks_find_the_losses_and_gradients_of_one_process(
    two_ranks: list[dict[str, torch.Tensor]], tiny_encoder: Path
) -> None:
    alone = steps(tiny_encoder, Ranks())
    gradients = [name for name in alone if ":gradient:" in name]
    assert len(gradients) > 100
    largest = max(float(alone[name].abs().max()) for name in gradients)
    for found in two_ranks:
        assert found.keys() - {"out_of_memory"} == alone.keys()
        for name, value in alone.items():
            if ":gradient:" in name:
                scale = max(float(value.abs().max()), 1e-3 * largest)
                assert torch.allclose(found[name], value, rtol=0, atol=1e-4 * scale), name
            elif ":loss:" in name:
                assert found[name].item() == pytest.approx(value.item(), rel=1e-4), name
    assert torch.allclose(two_ranks[0]["vectors"], alone["vectors"], atol=1e-6)


def test_that_both_ranks_end_with_the_same_bits(two_ranks: list[dict[str, torch.Tensor]]) -> None:
    first, second = two_ranks
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_that_ranks_agree(two_ranks: list[dict[str, torch.Tensor]]) -> None:
    for found in two_ranks:
        assert found["any"].tolist() == [False, True]
        assert found["first"].tolist() == [7]
        assert found["out_of_memory"].tolist() == [True]


def _torchrun(folder: Path) -> list[TrainingEvent]:
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
         "-m", "trainer", str(folder)],
        env=_environment(), capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    events = [parse_training_event(line) for line in done.stdout.splitlines()]
    assert None not in events, done.stdout
    return [event for event in events if event is not None]


def test_that_a_run_of_two_processes_stops_resumes_and_ends_like_a_run_of_one(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    from trainer.recipe import train

    surer = [pair | {"weight": 2.0} for pair in make_tables()[0]]
    alone = write_job(tmp_path / "alone", tiny_encoder, pairs=surer, **SMALL)
    expected: list[TrainingEvent] = []
    train(alone, emit=expected.append, cancelled=lambda: False)

    folder = write_job(tmp_path / "both", tiny_encoder, pairs=surer, **SMALL)
    (folder / "cancel").touch()
    stopped = _torchrun(folder)
    assert isinstance(stopped[0], TrainingStarted)
    assert stopped[0].processes == 2
    assert stopped[-1] == TrainingCancelled(step=1)
    resumed = _torchrun(folder)
    assert isinstance(resumed[0], TrainingStarted)
    assert resumed[0].resumed_from == 1
    assert isinstance(resumed[-1], TrainingFinished)

    losses = [e.loss for e in (*stopped, *resumed) if isinstance(e, TrainingProgress)]
    wanted = [e.loss for e in expected if isinstance(e, TrainingProgress)]
    assert losses == pytest.approx(wanted, rel=1e-3)
    trained = load_file(alone / "encoder" / "model.safetensors")
    for name, value in load_file(folder / "encoder" / "model.safetensors").items():
        assert torch.allclose(value, trained[name], atol=2e-4), name
    assert (folder / "result.json").is_file()
    assert (folder / "trainer-1.log").is_file()
    for number in ("0", "1"):
        own = load_file(alone / "folds" / number / "encoder" / "model.safetensors")
        for name, value in load_file(folder / "folds" / number / "encoder" / "model.safetensors").items():
            assert torch.allclose(value, own[name], atol=2e-4), name


def test_that_the_place_is_taken_out_of_the_environment() -> None:
    environment = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "HOME": "/"}
    assert claim_place(environment) == Place(3, 4, 1)
    assert environment == {"HOME": "/", "CUDA_VISIBLE_DEVICES": "1"}


@pytest.mark.parametrize(
    ("visible", "rank", "left"),
    [("4,5", "1", "5"), ("GPU-a,GPU-b", "0", "GPU-a"), ("4", "1", ""), ("", "0", "")],
)
def test_that_a_rank_sees_the_gpu_of_its_number(visible: str, rank: str, left: str) -> None:
    environment = {"RANK": rank, "WORLD_SIZE": "2", "LOCAL_RANK": rank, "CUDA_VISIBLE_DEVICES": visible}
    claim_place(environment)
    assert environment["CUDA_VISIBLE_DEVICES"] == left


def test_that_a_process_of_its_own_is_alone_with_the_first_gpu() -> None:
    environment: dict[str, str] = {}
    assert claim_place(environment) == ALONE
    assert environment == {"CUDA_VISIBLE_DEVICES": "0"}


@pytest.mark.parametrize(("rank", "size"), [("2", "2"), ("-1", "2"), ("one", "2")])
def test_that_a_place_outside_the_run_is_refused(rank: str, size: str) -> None:
    with pytest.raises(InputError, match="start with torchrun"):
        claim_place({"RANK": rank, "WORLD_SIZE": size})
