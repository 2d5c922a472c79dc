"""What the processes of one run tell each other: flags, rows, gradients.

Every process ("rank") holds the whole encoder and makes the same batches, embeds its share of each
batch's texts, and computes the loss of the whole batch from everybody's embeddings. So the loss knows
nothing of ranks, and a run of N processes takes the steps that one process would take.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from engine.errors import EnvironmentError_
from trainer.devices import ComputeDevice
from trainer.launch import Place

#: Others wait for the first rank while it validates a large catalogue.
_PATIENCE = timedelta(hours=6)


@dataclass(frozen=True)
class Ranks:
    """The processes of a run as one of them sees them; all of them call the same methods in the same order.

    Attributes:
        rank: of this process.
        size: processes.
        device: where tensors must lie to be sent.
        group: connects the GPUs; None connects the processes on the CPU.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    group: dist.ProcessGroup | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes checkpoints, events and the encoder."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether any rank says yes."""
        if self.size == 1:
            return flag
        votes = torch.tensor([int(flag)], device=self.device)
        dist.all_reduce(votes, dist.ReduceOp.MAX, group=self.group)
        return bool(votes.item())

    def from_first(self, number: int) -> int:
        """The number that the first rank gives."""
        if self.size == 1:
            return number
        said = torch.tensor([number], device=self.device)
        dist.broadcast(said, 0, group=self.group)
        return int(said.item())

    def share(self, rows: int) -> Tensor:
        """Which of ``rows`` rows are this rank's: every ``size``-th, long and short ones alike."""
        return torch.arange(self.rank, rows, self.size)

    def gather(self, own: Tensor, rows: int) -> Tensor:
        """All rows, [rows, ...], of which each rank has its :meth:`share`; no gradient flows through it."""
        if self.size == 1:
            return own.detach()
        # Messages must be of one size, and shares differ by a row.
        longest = -(-rows // self.size)
        padded = torch.zeros((longest, *own.shape[1:]), dtype=own.dtype, device=self.device)
        padded[: len(own)] = own.detach()
        received = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(received, padded, group=self.group)
        whole = torch.empty((rows, *own.shape[1:]), dtype=own.dtype, device=self.device)
        for rank, part in enumerate(received):
            target = whole[rank :: self.size]
            target.copy_(part[: len(target)])
        return whole.to(own.device)

    def gather_states(self, state: Tensor) -> list[Tensor]:
        """A tensor of the same shape from every rank, on the CPU, in their order."""
        if self.size == 1:
            return [state]
        sent = state.to(self.device)
        received = [torch.empty_like(sent) for _ in range(self.size)]
        dist.all_gather(received, sent, group=self.group)
        return [part.cpu() for part in received]

    def join_gradients(self, shared: Iterable[nn.Parameter], repeated: Iterable[nn.Parameter]) -> None:
        """Make the gradients of the whole batch out of those of all ranks; the same bits on every rank.

        Args:
            shared: parameters to which each rank gave the gradient of its share: summed.
            repeated: parameters whose gradient every rank computed over the whole batch: averaged,
                which changes no more than the last bits.
        """
        if self.size == 1:
            return
        summed, averaged = list(shared), list(repeated)
        parameters = [parameter for parameter in (*summed, *averaged) if parameter.requires_grad]
        # A rank without texts has no gradients, and what the loss does not reach has none anywhere.
        present = torch.tensor([parameter.grad is not None for parameter in parameters], device=self.device)
        present = present.to(torch.int32)
        dist.all_reduce(present, dist.ReduceOp.MAX, group=self.group)
        waiting = []
        for parameter, used in zip(parameters, present.tolist(), strict=True):
            if used:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                waiting.append(dist.all_reduce(parameter.grad, group=self.group, async_op=True))
        for work in waiting:
            work.wait()
        for parameter in averaged:
            if parameter.grad is not None:
                parameter.grad /= self.size


@contextmanager
def joined(place: Place, device: ComputeDevice) -> Iterator[Ranks]:
    """The ranks of a run, connected for as long as the block lasts.

    Raises:
        EnvironmentError_: some ranks have a GPU and others none, or GPUs cannot talk to each other here.
    """
    if place.size == 1:
        yield Ranks(device=torch.device(device.kind))
        return
    dist.init_process_group("gloo", rank=place.rank, world_size=place.size, timeout=_PATIENCE)
    try:
        cuda = device.kind == "cuda"
        _refuse_mixed_devices(place, cuda)
        group = dist.new_group(backend="nccl", timeout=_PATIENCE) if cuda else None
        yield Ranks(place.rank, place.size, torch.device(device.kind), group)
    finally:
        dist.destroy_process_group()


def _refuse_mixed_devices(place: Place, cuda: bool) -> None:
    having = torch.tensor([int(cuda)])
    dist.all_reduce(having)
    found = int(having.item())
    if 0 < found < place.size:
        raise EnvironmentError_(
            f"{place.size} processes were started and {found} of them have a CUDA device of their own; "
            f"start {found}, or train with device cpu."
        )
    if found and not dist.is_nccl_available():
        raise EnvironmentError_("Several GPUs need NCCL, which this torch lacks; start one process.")
