"""The trainer as the host sees it: a process with events on standard output."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.contracts.training import (
    TrainingCancelled,
    TrainingEvent,
    TrainingExported,
    TrainingFailed,
    TrainingFinished,
    TrainingStarted,
    parse_training_event,
)
from engine.errors import BugError, EnvironmentError_, InputError
from tests.trainer.conftest import JobFolder
from trainer.__main__ import StopRequest, classify, run
from trainer.events import EventWriter

#: Long enough to be stopped in the middle of, a checkpoint every 5 steps.
LONG = {
    "recipe": "infonce", "min_steps": 0, "epochs": 12, "batch_size": 8, "cluster_size": 4,
    "log_steps": 1, "checkpoint_steps": 5,
}  # fmt: skip


@contextmanager
def _trainer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("HF_")},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _events(process: subprocess.Popen[str]) -> Iterator[TrainingEvent]:
    assert process.stdout is not None
    for line in process.stdout:
        event = parse_training_event(line)
        assert event is not None, f"not an event: {line!r}"
        yield event


def _run_here(folder: Path) -> tuple[int, list[TrainingEvent | None]]:
    """The same without a process of its own: exit code and events."""
    stream = io.StringIO()
    code = run(folder, EventWriter(folder, stream), StopRequest(folder))
    return code, [parse_training_event(line) for line in stream.getvalue().splitlines()]


def test_that_a_killed_and_a_terminated_run_go_on_and_standard_output_holds_events_only(
    make_job: JobFolder,
) -> None:
    folder = make_job(**LONG)
    with _trainer(folder) as process:
        for event in _events(process):
            if event.event == "checkpoint":
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    with _trainer(folder) as process:
        resumed = _events(process)
        started = next(event for event in resumed if isinstance(event, TrainingStarted))
        assert started.resumed_from >= 5
        process.send_signal(signal.SIGTERM)
        last = list(resumed)[-1]
        assert isinstance(last, TrainingCancelled)
        assert last.step >= started.resumed_from
        assert process.wait() == 0

    code, events = _run_here(folder)
    assert code == 0
    assert isinstance(events[-2], TrainingExported)
    assert isinstance(events[-1], TrainingFinished)
    assert events[-1].step == started.total_steps
    written = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [parse_training_event(line) for line in written[-len(events) :]] == events


def test_that_a_cancel_file_stops_the_run_once(make_job: JobFolder) -> None:
    folder = make_job(max_steps=1, **LONG)
    (folder / "cancel").touch()
    code, events = _run_here(folder)
    assert (code, events[-1]) == (0, TrainingCancelled(step=0))
    assert not (folder / "cancel").exists()


def test_that_a_wrong_job_is_one_event_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "job.json").write_text(json.dumps({"run_id": "t1", "recipe": "best"}))
    code, events = _run_here(tmp_path)
    assert code == 2
    assert len(events) == 1
    assert isinstance(events[0], TrainingFailed)
    assert events[0].kind == "input"
    assert "There is no recipe 'best'" in events[0].message
    assert capsys.readouterr().err.strip() == events[0].message


def test_that_a_folder_that_is_not_there_is_one_event_and_exit_code_2(tmp_path: Path) -> None:
    with _trainer(tmp_path / "nowhere") as process:
        output, errors = process.communicate()
    failed = parse_training_event(output)
    assert isinstance(failed, TrainingFailed)
    assert errors.strip() == failed.message
    assert process.returncode == 2


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (InputError("pairs.parquet is missing"), "input", "pairs.parquet is missing"),
        (EnvironmentError_("no GPU"), "environment", "no GPU"),
        (OSError(28, "No space left on device"), "environment", "No space left on device"),
        (PermissionError(13, "Permission denied", "/run"), "environment", "cannot be read or written"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "environment", "lower batch_size"),
        (MemoryError(), "environment", "not enough memory"),
        (BugError("parity is off"), "bug", "parity is off"),
        (
            ZeroDivisionError("division\nby zero"),
            "bug",
            "ZeroDivisionError: division by zero; see trainer.log",
        ),
    ],
)
def test_that_an_error_says_whose_fault_it_is(error: Exception, kind: str, words: str) -> None:
    found, message = classify(error)
    assert found == kind
    assert words in message
    assert "\n" not in message
