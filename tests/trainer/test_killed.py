"""Killed at random moments, a run ends as if nothing had happened; the benchmark kills more often."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.killed_training import check_readable, kill_again_and_again, write_job
from tests.trainer.conftest import make_tables
from trainer import checkpoints


def test_that_a_run_killed_twice_ends_with_the_same_bits(tmp_path: Path, dropout_encoder: Path) -> None:
    report = kill_again_and_again(tmp_path, dropout_encoder, make_tables(), kills=2, seed=4)
    assert len(report.kills) == 2
    assert report.different == []
    assert report.unreadable == []
    assert report.passed


def test_that_a_damaged_folder_would_be_noticed(tmp_path: Path, tiny_encoder: Path) -> None:
    folder = write_job(tmp_path / "run", tiny_encoder, *make_tables())
    assert check_readable(folder) == []
    checkpoint = checkpoints.write_checkpoint(
        folder / "checkpoints", 3, fingerprint="run", tensors={}, arrays={}, documents={}
    )
    (checkpoint / "complete.json").write_text('{"step": 3')
    (folder / "result.json").write_text("{}")
    assert [problem.partition(":")[0] for problem in check_readable(folder)] == [
        "checkpoint-3",
        "result.json",
    ]
