"""Where a run computes and in which number format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psutil
import torch

from engine.contracts.training import TrainingJob
from engine.errors import EnvironmentError_

#: tf32 came with Ampere.
_AMPERE = 8
#: Texts of one pass: few enough that titles of one length meet, enough of them to fill the cores of a CPU.
CPU_CHUNK_ROWS = 16
#: The same for a GPU, which needs thousands of tokens before it computes longer than it is told what to do.
CUDA_CHUNK_ROWS = 512


@dataclass(frozen=True)
class ComputeDevice:
    """A device and how it computes.

    Attributes:
        kind: cpu or cuda.
        name: how to call it in front of people.
        precision: fp32, or the half precision of matrix products under autocast; weights, losses and
            heads stay fp32 in any case, and fp16 scales its gradients.
        tf32: whether fp32 matrix products may round their inputs to tf32.
    """

    kind: Literal["cpu", "cuda"]
    name: str
    precision: Literal["fp32", "bf16", "fp16"]
    tf32: bool = False

    @property
    def half(self) -> torch.dtype | None:
        """The dtype of autocast; None computes in fp32."""
        return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)

    @property
    def chunk_rows(self) -> int:
        """Texts of one pass, which are of similar length, so that little of it is padding."""
        return CPU_CHUNK_ROWS if self.kind == "cpu" else CUDA_CHUNK_ROWS

    def prepare(self) -> None:
        """Set what torch keeps for the whole process."""
        torch.set_float32_matmul_precision("high" if self.tf32 else "highest")

    def free_bytes(self) -> int:
        """Memory that nobody uses yet."""
        if self.kind == "cpu":
            return int(psutil.virtual_memory().available)
        free, _ = torch.cuda.mem_get_info()
        # Freed tensors stay with torch, which hands them out again.
        return int(free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated())


def choose_device(job: TrainingJob) -> ComputeDevice:
    """The device and the precision of a job.

    ``auto`` is bf16 on a GPU that computes in it, fp16 on an older one, fp32 on a CPU. A job that asks
    for fp32 gets it to the last bit: no tf32 either.

    Raises:
        EnvironmentError_: the job insists on a GPU or a precision that is not to be had here.
    """
    if job.device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentError_("No CUDA device can be used here; train with device auto or cpu.")
    if job.device == "cpu" or not torch.cuda.is_available():
        if job.precision == "fp16":
            raise EnvironmentError_(
                "Precision fp16 needs a CUDA device and this run computes on the CPU; "
                "choose auto, fp32 or bf16."
            )
        return ComputeDevice("cpu", "cpu", "bf16" if job.precision == "bf16" else "fp32")
    name = torch.cuda.get_device_name()
    # Emulated bf16 would be slower than fp32.
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    if job.precision == "bf16" and not has_bf16:
        raise EnvironmentError_(f"{name} does not compute in bf16; choose auto, fp32 or fp16.")
    tf32 = job.precision != "fp32" and torch.cuda.get_device_capability()[0] >= _AMPERE
    if job.precision == "auto":
        return ComputeDevice("cuda", name, "bf16" if has_bf16 else "fp16", tf32)
    return ComputeDevice("cuda", name, job.precision, tf32)
