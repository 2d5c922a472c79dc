from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.contracts.training import TrainingJob
from engine.errors import EnvironmentError_
from trainer.devices import ComputeDevice, choose_device


def _job(**changes: Any) -> TrainingJob:
    return TrainingJob.model_validate({"run_id": "t0001", **changes})


def _play_gpu(patch: pytest.MonkeyPatch, *, capability: int) -> None:
    """A GPU of a generation; bf16 came with capability 8 and is emulated below it."""
    patch.setattr("torch.cuda.is_available", lambda: True)
    patch.setattr("torch.cuda.get_device_name", lambda: "a GPU")
    patch.setattr("torch.cuda.get_device_capability", lambda: (capability, 0))
    patch.setattr(
        "torch.cuda.is_bf16_supported",
        lambda including_emulation=True: including_emulation or capability >= 8,
    )


@pytest.mark.parametrize(
    ("capability", "asked", "precision", "tf32"),
    [
        (9, "auto", "bf16", True),
        (8, "fp16", "fp16", True),
        (8, "bf16", "bf16", True),
        (9, "fp32", "fp32", False),
        (7, "auto", "fp16", False),
        (7, "fp32", "fp32", False),
    ],
)
def test_that_a_gpu_computes_in_what_it_is_good_at(
    monkeypatch: pytest.MonkeyPatch, capability: int, asked: str, precision: str, tf32: bool
) -> None:
    _play_gpu(monkeypatch, capability=capability)
    found = choose_device(_job(precision=asked))
    assert found == ComputeDevice("cuda", "a GPU", precision, tf32)  # type: ignore[arg-type]


def test_that_bf16_on_an_old_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _play_gpu(monkeypatch, capability=7)
    with pytest.raises(EnvironmentError_, match="a GPU does not compute in bf16; choose auto, fp32 or fp16"):
        choose_device(_job(precision="bf16"))


@pytest.mark.parametrize(
    ("asked", "precision", "half"),
    [("auto", "fp32", None), ("fp32", "fp32", None), ("bf16", "bf16", torch.bfloat16)],
)
def test_that_a_cpu_computes_in_fp32_unless_asked(
    asked: str, precision: str, half: torch.dtype | None
) -> None:
    found = choose_device(_job(device="cpu", precision=asked))
    assert (found.kind, found.precision, found.half, found.tf32) == ("cpu", precision, half, False)


def test_that_fp16_on_a_cpu_is_refused() -> None:
    with pytest.raises(EnvironmentError_, match="fp16 needs a CUDA device"):
        choose_device(_job(device="cpu", precision="fp16"))


def test_that_tf32_is_set_for_the_process_and_taken_back() -> None:
    try:
        ComputeDevice("cuda", "a GPU", "bf16", tf32=True).prepare()
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        ComputeDevice("cpu", "cpu", "fp32").prepare()
    assert torch.get_float32_matmul_precision() == "highest"


def test_that_a_cpu_says_how_much_memory_is_free() -> None:
    assert 0 < ComputeDevice("cpu", "cpu", "fp32").free_bytes() < 2**50
