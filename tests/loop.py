"""A real workspace over a tiny encoder and synthetic listings, and a scripted reviewer for it."""

from __future__ import annotations

import atexit
import csv
import shutil
import tempfile
from collections.abc import Generator, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar
from unittest import mock

from engine.contracts import ChangeSet, Finished, Promise, QueueEntry, RecordKind, Verdict, WorkEvent
from engine.contracts.training import (
    FOLDS,
    AveragedEncoder,
    EncoderInfo,
    TrainingFinished,
    TrainingResult,
)
from engine.demo_data import write_demo
from engine.pipeline.release_files import ENCODER_FOLDER
from engine.workspace import Workspace
from tests.fakes import make_tiny_encoder, make_tiny_sentence_transformer

T = TypeVar("T")
ITEMS, LISTINGS = 120, 400
FEED = "feed"


def returned(work: Generator[object, None, T]) -> T:
    """What a generator of progress returns."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            result: T = stop.value
            return result


def drain(events: Iterator[WorkEvent[T]]) -> T:
    """The result of long work."""
    for event in events:
        if isinstance(event, Finished):
            return event.result
    raise AssertionError("long work ended without Finished")


class Answers:
    """The reviewer of the synthetic listings: right item by listing."""

    def __init__(self, file: Path) -> None:
        with file.open(newline="", encoding="utf-8") as stream:
            self._items = {row["listing_id"]: row["item_id"] for row in csv.DictReader(stream)}

    def item(self, listing: str) -> str:
        """The right item's own id, empty for none."""
        return self._items[listing]

    def decide(self, workspace: Workspace, entry: QueueEntry) -> None:
        """Judge one listing as a careful person would."""
        right = self.item(entry.external_id)
        shown = [view for view in workspace.card(entry).candidates if view.item.external_id == right]
        found = (
            shown[0].item if shown else next(iter(workspace.search_items(right, 1)), None) if right else None
        )
        workspace.decide(
            listing_id=entry.listing_id,
            verdict=Verdict.MATCH if found else Verdict.NONE,
            item_id=found.id if found else None,
            reviewer="script",
            draw_id=entry.draw_id,
        )

    def review(self, workspace: Workspace, count: int) -> int:
        """Judge up to ``count`` listings of the queue; how many were."""
        done = 0
        while done < count:
            entries = workspace.queue(limit=count - done)
            if not entries:
                break
            for entry in entries:
                self.decide(workspace, entry)
            done += len(entries)
        return done


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="alcove-loop-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def sample_files() -> Path:
    """catalogue.csv, listings.csv and answers.csv of a small synthetic feed."""
    folder = _folder() / "files"
    write_demo(folder, 0, ITEMS, LISTINGS)
    return folder


def tiny_base() -> mock._patch[object]:
    """Patch: the base encoder is a tiny one; the start of training its sentence-transformers folder."""
    encoder = _folder() / "tiny-encoder"
    if not encoder.exists():
        make_tiny_encoder(encoder)

    def ensure(source: Path | None = None) -> Iterator[WorkEvent[Path]]:
        yield Finished(encoder, ChangeSet())

    return mock.patch("engine.workspace.matching.ensure_base_encoder", ensure)


@cache
def _matched() -> Path:
    folder = _folder() / "matched"
    files = sample_files()
    with tiny_base(), Workspace.create(folder) as workspace:
        workspace.use_base_model(make_tiny_sentence_transformer(_folder() / "tiny-model"))
        drain(workspace.import_table(files / "catalogue.csv", RecordKind.CATALOGUE))
        drain(workspace.import_table(files / "listings.csv", RecordKind.LISTINGS, feed=FEED))
        drain(workspace.match())
    return folder


@cache
def _certified() -> Path:
    folder = _folder() / "certified"
    shutil.copytree(_matched(), folder)
    answers = Answers(sample_files() / "answers.csv")
    with Workspace.open(folder) as workspace:
        workspace.update_settings(precision=0.65)
        answers.review(workspace, 80)
        drain(workspace.certify())
        answers.review(workspace, 180)
        drain(workspace.certify())
    return folder


def matched_workspace(folder: Path) -> Workspace:
    """A copy of a workspace with 400 matched listings and no decision."""
    shutil.copytree(_matched(), folder)
    return Workspace.open(folder)


def certified_workspace(folder: Path) -> Workspace:
    """A copy of a workspace with 260 decisions, refitted twice at a required precision of .65."""
    shutil.copytree(_certified(), folder)
    return Workspace.open(folder)


@cache
def _promised(promise: Promise) -> Path:
    folder = _folder() / f"promised-{promise.value}"
    if promise is Promise.EACH:
        shutil.copytree(_certified(), folder)
    else:
        shutil.copytree(_promised(Promise.EACH), folder)
    with Workspace.open(folder) as workspace:
        drain(workspace.certify(precision=0.55, promise=promise))
    return folder


def promised_workspace(folder: Path, promise: Promise) -> Workspace:
    """A copy of a workspace certified under a promise, at .55 so that so few labels suffice for either."""
    shutil.copytree(_promised(promise), folder)
    return Workspace.open(folder)


def answers() -> Answers:
    """The scripted reviewer."""
    return Answers(sample_files() / "answers.csv")


def pretend_trained(
    workspace: Workspace,
    run_id: str,
    *,
    folds: int = 0,
    averaged: float | None = None,
    coverage: Mapping[str, dict[str, float]] | None = None,
) -> Path:
    """A run's results without the training: the encoder it started from. Returns the run's folder.

    ``folds``: how many encoders of folds there are, each different; ``averaged``: the share of trained
    weights in an average beside it, which is the same encoder again; ``coverage``: what was measured of
    each file of the encoders.
    """
    folder = next(Path(run.folder) for run in workspace.runs() if run.id == run_id)
    encoder = workspace.path / "releases" / str(workspace.status().champion) / ENCODER_FOLDER
    for home in (folder,) if averaged is None else (folder, folder / "averaged"):
        shutil.copytree(encoder, home / "artefact")
        shutil.copytree(folder / "start", home / "encoder")
        info = EncoderInfo.model_validate_json((home / "artefact" / "encoder.json").read_bytes())
        noted = info.model_copy(update={"coverage": dict(coverage or {})})
        (home / "artefact" / "encoder.json").write_text(noted.model_dump_json())
    for number in range(folds):
        home = folder / FOLDS / str(number)
        make_tiny_encoder(home / "artefact", seed=number + 1)
        make_tiny_sentence_transformer(home / "encoder", seed=number + 1)
    result = TrainingResult(
        fingerprint="f",
        parity={},
        finished=TrainingFinished(step=1, seconds=1.0),
        averaged=None if averaged is None else AveragedEncoder(share=averaged, metrics={"aurc": 0.1}),
        folds=folds,
    )
    (folder / "result.json").write_text(result.model_dump_json())
    return folder
