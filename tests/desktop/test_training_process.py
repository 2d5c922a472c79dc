"""The trainer as a child process, with a small script in the trainer's place."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from desktop.training_process import CANCEL_FILE, TrainingProcess, read_training_events
from engine.contracts import RunState
from engine.contracts.training import TrainingCheckpoint, TrainingProgress, TrainingStarted

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

STARTED = (
    '{"event":"started","run_id":"t0001","device":"cpu","precision":"fp32",'
    '"pairs":4,"items":4,"total_steps":2}'
)
PROGRESS = (
    '{"event":"progress","step":1,"total_steps":2,"loss":0.5,"losses":{"base":0.5},'
    '"learning_rate":0.1,"pairs_per_second":8.0,"eta_seconds":1.0}'
)
FINISHED = '{"event":"finished","step":2,"seconds":1.5}'

WAITS_FOR_CANCEL = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
print(STARTED, flush=True)
while not (folder / "cancel").exists():
    pass
print('{"event":"cancelled","step":1}', flush=True)
"""


def trainer(body: str, folder: Path) -> list[str]:
    head = f"STARTED = {STARTED!r}\nPROGRESS = {PROGRESS!r}\nFINISHED = {FINISHED!r}\n"
    return [sys.executable, "-c", head + body, str(folder)]


class Record:
    """What one process told, in order."""

    def __init__(self, process: TrainingProcess) -> None:
        self.events: list[object] = []
        self.chatter: list[str] = []
        self.ends: list[tuple[RunState, str]] = []
        process.happened.connect(self.events.append)
        process.chatter.connect(self.chatter.append)
        process.ended.connect(lambda state, message: self.ends.append((state, message)))


@pytest.fixture
def process(qtbot: QtBot) -> TrainingProcess:
    return TrainingProcess()


def run_to_the_end(qtbot: QtBot, process: TrainingProcess, command: list[str], folder: Path) -> Record:
    record = Record(process)
    with qtbot.waitSignal(process.ended, timeout=20_000):
        process.start(command, folder)
    return record


def test_that_json_lines_become_typed_events_and_other_lines_chatter(
    qtbot: QtBot, process: TrainingProcess, tmp_path: Path
) -> None:
    body = "print('loading', flush=True)\nprint(STARTED)\nprint(PROGRESS)\nprint(FINISHED)"
    record = run_to_the_end(qtbot, process, trainer(body, tmp_path), tmp_path)
    assert [type(event).__name__ for event in record.events] == [
        "TrainingStarted",
        "TrainingProgress",
        "TrainingFinished",
    ]
    assert record.chatter == ["loading"]
    assert record.ends == [(RunState.FINISHED, "Finished after 2 steps.")]
    assert not process.running


def test_that_a_last_line_without_newline_is_read(
    qtbot: QtBot, process: TrainingProcess, tmp_path: Path
) -> None:
    body = "import sys\nprint(STARTED)\nsys.stdout.write(FINISHED)"
    record = run_to_the_end(qtbot, process, trainer(body, tmp_path), tmp_path)
    assert record.ends[0][0] is RunState.FINISHED


def test_that_cancelling_writes_the_cancel_file_and_the_trainer_stops_itself(
    qtbot: QtBot, process: TrainingProcess, tmp_path: Path
) -> None:
    record = Record(process)
    with qtbot.waitSignal(process.happened, timeout=20_000):
        process.start(trainer(WAITS_FOR_CANCEL, tmp_path), tmp_path)
    with qtbot.waitSignal(process.ended, timeout=20_000):
        process.cancel()
    assert (tmp_path / CANCEL_FILE).exists()
    assert record.ends == [(RunState.CANCELLED, "Cancelled at step 1; it can be resumed.")]


def test_that_resuming_takes_back_an_earlier_request_to_cancel(
    qtbot: QtBot, process: TrainingProcess, tmp_path: Path
) -> None:
    (tmp_path / CANCEL_FILE).touch()
    body = "import pathlib\nassert not (pathlib.Path(sys.argv[1]) / 'cancel').exists()\nprint(FINISHED)"
    record = run_to_the_end(qtbot, process, trainer("import sys\n" + body, tmp_path), tmp_path)
    assert record.ends[0][0] is RunState.FINISHED


def test_that_a_crash_is_reported_with_the_trainers_last_words(
    qtbot: QtBot, process: TrainingProcess, tmp_path: Path
) -> None:
    body = (
        "import os, signal, sys\nprint(STARTED, flush=True)\n"
        "print('device lost', file=sys.stderr, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    record = run_to_the_end(qtbot, process, trainer(body, tmp_path), tmp_path)
    assert record.ends == [
        (RunState.FAILED, "The trainer crashed; it can be resumed. Its last words: device lost")
    ]


def test_that_an_exit_without_a_last_event_is_a_failure(
    qtbot: QtBot, process: TrainingProcess, tmp_path: Path
) -> None:
    body = "import sys\nprint(STARTED)\nsys.exit(7)"
    record = run_to_the_end(qtbot, process, trainer(body, tmp_path), tmp_path)
    assert record.ends[0][0] is RunState.FAILED
    assert "exit code 7" in record.ends[0][1]


def test_that_the_trainers_own_words_for_a_failure_are_kept(
    qtbot: QtBot, process: TrainingProcess, tmp_path: Path
) -> None:
    body = """print('{"event":"failed","kind":"input","message":"Only 3 pairs; train needs 16."}')"""
    record = run_to_the_end(qtbot, process, trainer(body, tmp_path), tmp_path)
    assert record.ends == [(RunState.FAILED, "Only 3 pairs; train needs 16.")]


def test_that_a_trainer_that_cannot_be_started_ends_once_as_failed(
    qtbot: QtBot, process: TrainingProcess, tmp_path: Path
) -> None:
    record = run_to_the_end(qtbot, process, [str(tmp_path / "no-such-program")], tmp_path)
    assert len(record.ends) == 1
    assert record.ends[0][0] is RunState.FAILED
    assert "could not be started" in record.ends[0][1]
    assert not process.running


def test_that_a_second_start_is_refused_while_a_trainer_runs(
    qtbot: QtBot, process: TrainingProcess, tmp_path: Path
) -> None:
    with qtbot.waitSignal(process.happened, timeout=20_000):
        process.start(trainer(WAITS_FOR_CANCEL, tmp_path), tmp_path)
    with pytest.raises(RuntimeError, match="already running"):
        process.start(trainer(WAITS_FOR_CANCEL, tmp_path), tmp_path)
    process.close(20_000)
    assert not process.running


def test_that_a_trainer_that_hears_nothing_is_stopped_with_the_window_and_counts_as_cancelled(
    qtbot: QtBot, process: TrainingProcess, tmp_path: Path
) -> None:
    record = Record(process)
    with qtbot.waitSignal(process.happened, timeout=20_000):
        process.start(trainer("print(STARTED, flush=True)\nwhile True:\n    pass", tmp_path), tmp_path)
    process.close(50)
    assert not process.running
    assert record.ends == [(RunState.CANCELLED, "Stopped with the window; it can be resumed.")]


def test_that_the_events_of_an_earlier_run_are_read_and_a_half_line_is_passed_over(tmp_path: Path) -> None:
    lines = [STARTED, "some library says hello", PROGRESS, '{"event":"checkpoint","step":1}', PROGRESS[:30]]
    (tmp_path / "events.jsonl").write_text("\n".join(lines), encoding="utf-8")
    kinds = [type(event) for event in read_training_events(tmp_path)]
    assert kinds == [TrainingStarted, TrainingProgress, TrainingCheckpoint]


def test_that_a_run_that_never_started_has_no_events(tmp_path: Path) -> None:
    assert read_training_events(tmp_path) == []
