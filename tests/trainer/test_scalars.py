from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.contracts.training import TrainingEvaluated, TrainingEvent, TrainingProgress, TrainingStarted
from trainer.scalars import with_scalars


def _started(resumed_from: int = 0) -> TrainingStarted:
    return TrainingStarted(
        run_id="t1",
        device="cpu",
        precision="fp32",
        pairs=4,
        items=4,
        total_steps=9,
        resumed_from=resumed_from,
    )


def _progress(step: int, loss: float) -> TrainingProgress:
    return TrainingProgress(
        step=step, total_steps=9, loss=loss, losses={"infonce": loss / 2}, learning_rate=0.1,
        pairs_per_second=50, eta_seconds=1,
    )  # fmt: skip


def _read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return {
        name: [(point.step, round(point.value, 4)) for point in accumulator.Scalars(name)]
        for name in accumulator.Tags()["scalars"]
    }


def test_that_tensorboard_reads_the_numbers_of_a_run_and_forgets_steps_taken_again(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    passed_on: list[TrainingEvent] = []
    with with_scalars(tmp_path / "logs", passed_on.append) as emit:
        emit(_started())
        emit(TrainingEvaluated(step=0, metrics={"C@95": 0.25}))
        for step in (1, 2, 3):
            emit(_progress(step, 1.0))
    with with_scalars(tmp_path / "logs", passed_on.append) as emit:
        emit(_started(resumed_from=2))
        emit(_progress(3, 0.5))
    assert len(passed_on) == 7
    found = _read(tmp_path / "logs")
    assert found["loss/total"] == [(1, 1.0), (2, 1.0), (3, 0.5)]
    assert found["loss/infonce"] == [(1, 0.5), (2, 0.5), (3, 0.25)]
    assert found["validation/C95"] == [(0, 0.25)]
    assert {"pace/learning_rate", "pace/pairs_per_second"} < found.keys()


def test_that_a_run_goes_on_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    passed_on: list[TrainingEvent] = []
    with with_scalars(tmp_path / "logs", passed_on.append) as emit:
        emit(_started())
        emit(_progress(1, 1.0))
    assert len(passed_on) == 2
    assert not (tmp_path / "logs").exists()
