"""The replay keeps the future unseen and reports the fields that measuring asks for."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.replay import ReplaySettings, _final, replay
from tests.loop import sample_files, tiny_base

GOLDEN = Path(__file__).parent.parent / "golden" / "replay_fields.json"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """The synthetic sample in the layout of a data set."""
    source, folder = sample_files(), tmp_path / "sample"
    folder.mkdir()
    (folder / "catalogue.csv").write_bytes((source / "catalogue.csv").read_bytes())
    listings = (source / "listings.csv").read_text(encoding="utf-8")
    (folder / "queries.csv").write_text(listings.replace("listing_id", "query_id", 1), encoding="utf-8")
    with (source / "answers.csv").open(newline="", encoding="utf-8") as answers:
        rows = [(r["listing_id"], r["item_id"]) for r in csv.DictReader(answers) if r["item_id"]]
    with (folder / "matches.csv").open("w", newline="", encoding="utf-8") as matches:
        csv.writer(matches).writerows([("query_id", "item_id"), *rows])
    return folder


def test_that_a_replay_reports_every_field_and_repeats_itself(dataset: Path) -> None:
    settings = ReplaySettings(decisions=120, rounds=2, precision=0.7, seeds=1)
    with tiny_base():
        first, second = replay(dataset, settings), replay(dataset, settings)
    assert sorted(first["rounds"][0]) == json.loads(GOLDEN.read_text())
    for document in (first, second):
        for entry in document["rounds"]:
            entry.pop("seconds")
    assert first["rounds"] == second["rounds"]
    last = first["rounds"][-1]
    assert last["decisions"] == last["random"] + last["learning"] == 120
    assert first["final"]["mean"]["oracle_C@90"] == last["oracle"]["C@90"]
    assert first["final"]["uncertified_seeds"] == int(last["threshold"] is None)
    assert 0 < last["best_right"] <= last["candidate_recall"]


def test_that_a_replay_judges_everything_that_one_promise_automates(dataset: Path) -> None:
    settings = ReplaySettings(decisions=200, rounds=2, precision=0.55, promise="together")
    with tiny_base():
        document = replay(dataset, settings)
    assert document["settings"]["promise"] == "together"
    last = document["rounds"][-1]
    assert last["threshold"] is not None
    assert last["certified_none_rate"] > 0
    matches, none, memory = last["certified_coverage"], last["certified_none_rate"], last["memory_rate"]
    assert last["automation_rate"] == pytest.approx(matches + none + memory, abs=2e-4)
    # Right answers of either kind over all that the certificate automates.
    right = last["realised_precision"] * (matches + none) - last["none_precision"] * none
    assert 0 <= right <= matches + 1e-3
    assert 0 < last["automated_precision"] <= 1
    if not memory:
        assert last["automated_precision"] == last["realised_precision"]


def test_that_what_was_there_before_training_is_averaged_beside_what_came_of_it() -> None:
    def entry(seed: int, before: float, after: float) -> dict[str, object]:
        return {
            "seed": seed,
            "threshold": 0.9,
            "certified_coverage": after,
            "before_training": {"certified_coverage": before, "oracle": {"C@90": before}, "threshold": None},
        }

    final = _final([entry(0, 0.2, 0.3), entry(1, 0.4, 0.6)])

    assert final["mean"]["certified_coverage"] == pytest.approx(0.45)
    assert final["mean"]["before_training_certified_coverage"] == pytest.approx(0.3)
    assert final["mean"]["before_training_oracle_C@90"] == pytest.approx(0.3)


def test_that_a_folder_without_gold_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"catalogue\.csv is missing"):
        replay(tmp_path, ReplaySettings())
