"""Kills the trainer at random moments and lets it go on: does it always end with the same encoder?

    python -m tests.benchmarks.killed_training --kills 20
    python -m tests.benchmarks.killed_training --kills 5 --json

A run of a tiny encoder with dropout on an invented catalogue is left alone once. Then runs of the same
job are killed (SIGKILL, so nothing can be tidied up) again and again: at a random time after the start,
or shortly after a random event. After every kill the run folder is read as the next start would read
it. At its end a run must have reported the same losses and hold the same weights and artefact, bit by
bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from safetensors.numpy import load_file

from engine.contracts.training import (
    TrainingJob,
    TrainingProgress,
    TrainingResult,
    TrainingStarted,
    parse_training_event,
)
from trainer import checkpoints

#: 10 steps an epoch, a checkpoint every 3 steps.
RECIPE: dict[str, Any] = {
    "min_steps": 0, "epochs": 6, "batch_size": 8, "cluster_size": 4, "hard_negatives": 1,
    "log_steps": 1, "checkpoint_steps": 3, "evaluate_steps": 20, "learning_rate": 1e-3,
}  # fmt: skip
#: So many kills at most before a run may end.
KILLS_PER_RUN = 5

Losses = dict[int, tuple[float, dict[str, float]]]


@dataclass(frozen=True)
class Ending:
    """What a finished run left: losses by step, and sha256 of its files by path."""

    losses: Losses
    files: dict[str, str]


@dataclass
class Kill:
    """One kill: the last thing the trainer had said, and where the next start went on."""

    moment: str
    resumed_from: int | None = None


@dataclass
class Report:
    """What came out of all kills."""

    kills: list[Kill] = field(default_factory=list)
    runs: int = 0
    different: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every run ended the same and no folder was ever unreadable."""
        return self.runs > 0 and not self.different and not self.unreadable


def write_job(folder: Path, start: Path, pairs: list[dict[str, Any]], items: list[dict[str, Any]]) -> Path:
    """The folder of a run that takes a few seconds."""
    folder.mkdir(parents=True)
    pl.DataFrame(pairs).write_parquet(folder / "pairs.parquet")
    pl.DataFrame(items).write_parquet(folder / "items.parquet")
    job = TrainingJob(run_id="t0001", recipe="default", overrides=RECIPE, seed=7, device="cpu", threads=1)
    (folder / "job.json").write_text(job.model_dump_json(), encoding="utf-8")
    shutil.copytree(start, folder / "start")
    return folder


@contextmanager
def trainer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The trainer of a run as a process; it is gone at the end of the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment | {"OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run_and_kill(folder: Path, draws: random.Random, usual_seconds: float, usual_events: int) -> str | None:
    """Start a run and kill it at a random moment.

    Args:
        folder: of the run.
        draws: the moment.
        usual_seconds: that an undisturbed run takes.
        usual_events: that it reports.

    Returns:
        The last thing it had said; None when it ended before the moment came.
    """
    by_time = draws.random() < 0.4
    events_left = draws.randrange(1, usual_events) if not by_time else sys.maxsize
    delay = draws.uniform(0.0, usual_seconds) if by_time else draws.uniform(0.0, 0.08)
    last = "loading"
    with trainer(folder) as process:
        assert process.stdout is not None
        timer = threading.Timer(delay, process.send_signal, [signal.SIGKILL])
        if by_time:
            timer.start()
        try:
            for line in process.stdout:
                event = parse_training_event(line)
                last = event.event if event is not None else last
                events_left -= 1
                if events_left == 0:
                    timer.start()
            code = process.wait()
        finally:
            timer.cancel()
            if timer.ident is not None:
                timer.join()
    if code not in {0, -signal.SIGKILL}:
        raise RuntimeError(f"the trainer ended with exit code {code}: {_log(folder)}")
    return None if code == 0 else last


def run_to_the_end(folder: Path) -> tuple[float, int]:
    """Let a run come to its end; seconds and events."""
    began = time.monotonic()
    with trainer(folder) as process:
        assert process.stdout is not None
        events = len(process.stdout.readlines())
        code = process.wait()
    if code:
        raise RuntimeError(f"the trainer ended with exit code {code}: {_log(folder)}")
    return time.monotonic() - began, events


def ending(folder: Path) -> Ending:
    """What a finished run left."""
    result = TrainingResult.model_validate_json((folder / "result.json").read_text(encoding="utf-8"))
    losses = {e.step: (e.loss, e.losses) for e in _events(folder) if isinstance(e, TrainingProgress)}
    return Ending(losses, {path: _sha256(folder / path) for path in result.files})


def check_readable(folder: Path) -> list[str]:
    """What the next start could not read of a run folder, with the reason; [] when all is well.

    Folders called ``writing-...`` are what a killed process leaves aside, and are not looked at.
    """
    problems: list[str] = []

    def attempt(what: str, read: Callable[[], object]) -> None:
        try:
            read()
        except Exception as error:
            problems.append(f"{what}: {type(error).__name__}: {error}")

    attempt("job.json", lambda: TrainingJob.model_validate_json((folder / "job.json").read_text()))
    for name in ("pairs.parquet", "items.parquet"):
        attempt(name, lambda name=name: pl.read_parquet(folder / name))
    for path in sorted((folder / "checkpoints").glob(f"{checkpoints.PREFIX}*")):
        attempt(path.name, lambda path=path: _read_checkpoint(path))
    if (folder / "encoder").exists():
        attempt("encoder", lambda: load_file(folder / "encoder" / "model.safetensors"))
    if (folder / "result.json").exists():
        attempt("result.json", lambda: _read_result(folder))
    return problems


def kill_again_and_again(
    folder: Path,
    start: Path,
    tables: tuple[list[dict[str, Any]], list[dict[str, Any]]],
    kills: int,
    seed: int,
) -> Report:
    """Kill runs of one job so many times; all of them come to their end.

    Args:
        folder: for the run folders.
        start: a sentence-transformers folder.
        tables: rows of pairs and items.
        kills: in all.
        seed: of the moments.
    """
    began = time.monotonic()
    draws, report = random.Random(seed), Report()
    undisturbed = write_job(folder / "undisturbed", start, *tables)
    seconds, events = run_to_the_end(undisturbed)
    expected = ending(undisturbed)
    while len(report.kills) < kills:
        report.runs += 1
        job = write_job(folder / f"run-{report.runs}", start, *tables)
        mine: list[Kill] = []
        while len(mine) < KILLS_PER_RUN and len(report.kills) < kills:
            starts = len(_starts(job))
            moment = run_and_kill(job, draws, seconds, events)
            _note_resumption(mine, job, starts)
            report.unreadable += [f"after {moment}: {problem}" for problem in check_readable(job)]
            if moment is None:
                break
            mine.append(Kill(moment))
            report.kills.append(mine[-1])
        starts = len(_starts(job))
        run_to_the_end(job)
        _note_resumption(mine, job, starts)
        report.unreadable += check_readable(job)
        found = ending(job)
        if found.losses != expected.losses:
            report.different.append(f"{job.name}: losses")
        report.different += [
            f"{job.name}: {path}" for path, sha in expected.files.items() if found.files.get(path) != sha
        ]
    report.seconds = time.monotonic() - began
    return report


def _note_resumption(kills: list[Kill], folder: Path, starts: int) -> None:
    """Where the start after the last kill went on, if it got so far."""
    resumed = _starts(folder)[starts:]
    if kills and resumed and kills[-1].resumed_from is None:
        kills[-1].resumed_from = resumed[0].resumed_from


def _starts(folder: Path) -> list[TrainingStarted]:
    return [event for event in _events(folder) if isinstance(event, TrainingStarted)]


def _events(folder: Path) -> list[Any]:
    path = folder / "events.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [event for line in lines if (event := parse_training_event(line)) is not None]


def _read_checkpoint(path: Path) -> None:
    """Every byte of a checkpoint."""
    manifest = checkpoints.read_document(path, "complete")
    if checkpoints.newest_step(path.parent, manifest["fingerprint"]) < manifest["step"]:
        raise OSError("it is passed over")
    for name in ("weights", "optimizer", "random"):
        checkpoints.read_tensors(path, name)
    checkpoints.read_arrays(path)
    checkpoints.read_document(path, "run")
    checkpoints.read_document(path, "trainer_state")


def _read_result(folder: Path) -> None:
    result = TrainingResult.model_validate_json((folder / "result.json").read_text(encoding="utf-8"))
    changed = [path for path, sha in result.files.items() if _sha256(folder / path) != sha]
    if changed or not result.files:
        raise OSError(f"files are not as they were written: {changed}")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _log(folder: Path) -> str:
    lines = (folder / "trainer.log").read_text(encoding="utf-8").splitlines()
    return lines[-1] if lines else "no word"


def tiny_start(folder: Path) -> Path:
    """A tiny sentence-transformers folder with dropout."""
    from tests.fakes import make_tiny_sentence_transformer

    make_tiny_sentence_transformer(folder, dimension=32, layers=2)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def main() -> int:
    """Run as a command; exit code 1 when a run ended differently or a folder could not be read."""
    from tests.trainer.conftest import make_tables

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.killed_training", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="how many (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = tiny_start(folder / "start")
        report = kill_again_and_again(folder, start, make_tables(), options.kills, options.seed)
    print(json.dumps(asdict(report), indent=2) if options.json else _as_text(report))
    return 0 if report.passed else 1


def _as_text(report: Report) -> str:
    moments = Counter(kill.moment for kill in report.kills)
    resumed = [kill.resumed_from for kill in report.kills if kill.resumed_from is not None]
    told = ", ".join(f"{moment} {count}" for moment, count in moments.most_common())
    return "\n".join(
        [
            f"{len(report.kills)} kills in {report.runs} runs, {report.seconds:.0f} s",
            f"last word before the kill: {told}",
            f"resumed from steps: {', '.join(map(str, resumed))}",
            f"runs that ended differently: {', '.join(report.different) or 'none'}",
            f"unreadable after a kill: {', '.join(report.unreadable) or 'nothing'}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
