from __future__ import annotations

import io
import json
from pathlib import Path

from engine.contracts.training import TrainingCheckpoint, TrainingNotice, parse_training_event
from trainer.events import EventWriter


def _lines(folder: Path) -> list[str]:
    return (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()


def test_that_an_event_is_one_line_on_the_stream_and_in_the_file(tmp_path: Path) -> None:
    stream = io.StringIO()
    writer = EventWriter(tmp_path, stream)
    writer(TrainingNotice(message="two\nlines"))
    writer(TrainingCheckpoint(step=3))
    writer.close()
    assert stream.getvalue().splitlines() == _lines(tmp_path)
    assert parse_training_event(_lines(tmp_path)[0]) == TrainingNotice(message="two\nlines")
    assert parse_training_event(_lines(tmp_path)[1]) == TrainingCheckpoint(step=3)


def test_that_a_line_cut_short_by_a_kill_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"event":"checkpoint","step":1}\n{"event":"chec')
    writer = EventWriter(tmp_path, None)
    writer(TrainingCheckpoint(step=2))
    writer.close()
    parsed = [parse_training_event(line) for line in _lines(tmp_path)]
    assert parsed == [TrainingCheckpoint(step=1), None, TrainingCheckpoint(step=2)]


def test_that_a_host_that_went_away_does_not_end_the_run(tmp_path: Path) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    writer = EventWriter(tmp_path, Closed())
    writer(TrainingCheckpoint(step=1))
    writer(TrainingCheckpoint(step=2))
    writer.close()
    assert [json.loads(line)["step"] for line in _lines(tmp_path)] == [1, 2]
