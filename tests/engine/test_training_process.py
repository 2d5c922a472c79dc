"""The trainer as a child process, played by small scripts that speak its protocol."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.contracts import ChangeSet, RunState
from engine.contracts.training import TrainingFinished, TrainingProgress, TrainingStarted
from engine.errors import EnvironmentError_, InputError, TrainingFailedError
from engine.training_process import CANCEL_FILE, TRAINER_LOG, run_training

PREAMBLE = """
import json, pathlib, sys

def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)

def started():
    say("started", run_id="t0001", device="cpu", precision="fp32", pairs=4, items=3, total_steps=2)

def progress(step):
    say("progress", step=step, total_steps=2, loss=0.5, learning_rate=0.1, pairs_per_second=9, eta_seconds=1)
"""


@dataclass
class ScriptedHost:
    """A workspace whose training command is a Python script of the test."""

    folder: Path
    script: str
    states: list[tuple[RunState, str]] = field(default_factory=list)

    def training_command(self, run_id: str) -> list[str]:
        path = self.folder / "script.py"
        path.write_text(PREAMBLE + textwrap.dedent(self.script), encoding="utf-8")
        return [sys.executable, str(path), str(self.folder)]

    def note_training(self, run_id: str, state: RunState, message: str = "") -> ChangeSet:
        self.states.append((state, message))
        return ChangeSet(training_runs=True)


def test_that_events_are_yielded_in_order_and_chatter_is_passed_over(tmp_path: Path) -> None:
    script = """
        started()
        print("some library says hello")
        print("{not json")
        progress(1)
        say("finished", step=2, seconds=1.0)
    """
    host = ScriptedHost(tmp_path, script)
    events = list(run_training(host, "t0001", tmp_path))
    assert [type(event) for event in events] == [TrainingStarted, TrainingProgress, TrainingFinished]
    assert [state for state, _ in host.states] == [RunState.RUNNING, RunState.FINISHED]


def test_that_a_crash_is_told_with_the_trainers_last_line(tmp_path: Path) -> None:
    host = ScriptedHost(tmp_path, "started()\nraise MemoryError('out of memory at step 1')")
    with pytest.raises(TrainingFailedError, match="out of memory at step 1"):
        list(run_training(host, "t0001", tmp_path))
    assert host.states[-1][0] is RunState.FAILED
    assert "Traceback" in (tmp_path / TRAINER_LOG).read_text(encoding="utf-8")


def test_that_a_trainer_that_stops_silently_counts_as_failed(tmp_path: Path) -> None:
    host = ScriptedHost(tmp_path, "started()")
    with pytest.raises(TrainingFailedError, match="exit code 0"):
        list(run_training(host, "t0001", tmp_path))
    assert host.states[-1][0] is RunState.FAILED


def test_that_finished_is_not_believed_when_the_process_fails_afterwards(tmp_path: Path) -> None:
    host = ScriptedHost(tmp_path, "say('finished', step=2, seconds=1.0)\nsys.exit(5)")
    with pytest.raises(TrainingFailedError, match="exit code 5"):
        list(run_training(host, "t0001", tmp_path))


@pytest.mark.parametrize(
    ("kind", "error"),
    [("input", InputError), ("environment", TrainingFailedError), ("bug", TrainingFailedError)],
)
def test_that_a_failure_says_whose_fault_it_is(tmp_path: Path, kind: str, error: type[Exception]) -> None:
    script = f"say('failed', kind='{kind}', message='only 3 pairs, 8 are needed')\nsys.exit(1)"
    host = ScriptedHost(tmp_path, script)
    with pytest.raises(error, match="only 3 pairs"):
        list(run_training(host, "t0001", tmp_path))
    assert host.states[-1] == (RunState.FAILED, "only 3 pairs, 8 are needed")


def test_that_closing_asks_the_trainer_to_stop_and_waits_for_it(tmp_path: Path) -> None:
    script = """
        folder = pathlib.Path(sys.argv[1])
        started()
        step = 0
        while not (folder / "cancel").exists():
            step += 1
            progress(step)
        (folder / "checkpoint-kept").touch()
        say("cancelled", step=step)
    """
    host = ScriptedHost(tmp_path, script)
    events = run_training(host, "t0001", tmp_path)
    next(events)
    next(events)
    events.close()
    assert (tmp_path / "checkpoint-kept").exists()
    assert host.states[-1][0] is RunState.CANCELLED


def test_that_resuming_takes_an_earlier_request_to_cancel_back(tmp_path: Path) -> None:
    (tmp_path / CANCEL_FILE).touch()
    script = """
        assert not (pathlib.Path(sys.argv[1]) / "cancel").exists()
        say("finished", step=2, seconds=1.0)
    """
    host = ScriptedHost(tmp_path, script)
    list(run_training(host, "t0001", tmp_path))
    assert host.states[-1][0] is RunState.FINISHED


def test_that_a_run_cancelled_from_elsewhere_is_no_success(tmp_path: Path) -> None:
    host = ScriptedHost(tmp_path, "say('cancelled', step=7)")
    with pytest.raises(TrainingFailedError, match="cancelled at step 7"):
        list(run_training(host, "t0001", tmp_path))
    assert host.states[-1][0] is RunState.CANCELLED


def test_that_a_command_that_does_not_exist_is_the_machines_fault(tmp_path: Path) -> None:
    host = ScriptedHost(tmp_path, "")
    host.training_command = lambda run_id: [str(tmp_path / "no-such-python")]  # type: ignore[method-assign]
    with pytest.raises(EnvironmentError_, match="could not be started"):
        list(run_training(host, "t0001", tmp_path))
