"""The numbers of a run for TensorBoard, in ``logs/`` of its folder, where tensorboard is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engine.contracts.training import TrainingEvaluated, TrainingEvent, TrainingProgress, TrainingStarted

Emit = Callable[[TrainingEvent], None]


@contextmanager
def with_scalars(folder: Path, emit: Emit) -> Iterator[Emit]:
    """``emit``, which also writes losses, learning rate, pace and validation as scalars over steps.

    Args:
        folder: ``logs/`` of the run.
        emit: takes the events.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        yield emit
        return
    writer: SummaryWriter | None = None

    def emit_and_write(event: TrainingEvent) -> None:
        nonlocal writer
        emit(event)
        if isinstance(event, TrainingStarted) and writer is None:
            # Steps after the checkpoint are taken again, so TensorBoard is told to forget the old ones.
            again = event.resumed_from + 1 if event.resumed_from else None
            writer = SummaryWriter(str(folder), purge_step=again)
        elif isinstance(event, TrainingProgress | TrainingEvaluated) and writer is not None:
            for name, value in scalars(event).items():
                writer.add_scalar(name, value, event.step)
            writer.flush()

    try:
        yield emit_and_write
    finally:
        if writer is not None:
            writer.close()


def scalars(event: TrainingProgress | TrainingEvaluated) -> Mapping[str, float]:
    """The numbers of an event by their names in TensorBoard, which groups by what stands before the slash."""
    if isinstance(event, TrainingEvaluated):
        return {f"validation/{name.replace('@', '')}": value for name, value in event.metrics.items()}
    return {
        "loss/total": event.loss,
        **{f"loss/{name}": value for name, value in event.losses.items()},
        "pace/learning_rate": event.learning_rate,
        "pace/pairs_per_second": event.pairs_per_second,
    }
