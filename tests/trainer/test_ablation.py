"""The benchmark of the training objectives, on a world of a few listings."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import objectives
from tests.benchmarks._objectives_plan import Cross, Line
from tests.benchmarks._objectives_table import tables
from tests.benchmarks._objectives_world import World, read_results, worlds_in
from tests.loop import sample_files, tiny_base

ROOT = Path(__file__).resolve().parents[2]
#: Runs the command twice, and says what it loaded that a machine that only trains lacks.
PROGRAM = """
import sys
from tests.benchmarks import objectives
lacking = ("polars", "sqlalchemy", "PySide6", "hnswlib", "engine.store", "engine.workspace")
wrong = objectives.main() or objectives.main()
sys.exit(wrong or [name for name in lacking if name in sys.modules] or 0)
"""
ALL = {"query_label_weight": 0.1, "batch_aware_weight": 0.1, "tcm_weight": 1.0}


def _data_set(folder: Path) -> Path:
    """The synthetic feed in the form of the data sets that are measured."""
    folder.mkdir()
    files = sample_files()
    (folder / "catalogue.csv").write_bytes((files / "catalogue.csv").read_bytes())
    with (files / "listings.csv").open(newline="", encoding="utf-8") as stream:
        listings = list(csv.DictReader(stream))
    with (folder / "queries.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["query_id", *list(listings[0])[1:]])
        writer.writeheader()
        for row in listings:
            writer.writerow({"query_id": row.pop("listing_id"), **row})
    with (files / "answers.csv").open(newline="", encoding="utf-8") as stream:
        answers = [(row["listing_id"], row["item_id"]) for row in csv.DictReader(stream) if row["item_id"]]
    (folder / "matches.csv").write_text(
        "\n".join(["query_id,item_id", *(f"{query},{item}" for query, item in answers)])
    )
    return folder


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one world."""
    folder = tmp_path_factory.mktemp("worlds")
    data = _data_set(tmp_path_factory.mktemp("data") / "tiny")
    with tiny_base():
        assert objectives.main(["pack", str(data), "--out", str(folder), "--seeds", "1"]) == 0
    return folder


def test_that_a_world_deals_listings_that_nothing_was_learnt_from(worlds: Path) -> None:
    assert list(worlds_in(worlds)) == [("tiny", 0, ["A", "AF", "L"])]
    world = World.read(worlds, "tiny", 0)
    for kind, deal in world.deals.items():
        held, taught = set(deal.held), {one.row for one in deal.train}
        assert held
        assert not held & (taught | set(deal.judged))
        assert world.pairs(kind).pair_count
    assert not set(world.deals["A"].judged) & {one.row for one in world.deals["A"].train}
    flips = world.deals["AF"].flips
    assert flips
    assert all(
        one.matches and not set(one.matches) & set(world.answers.get(one.row, ()))
        for one in world.deals["AF"].train
        if one.row in flips and one.row in world.answers
    )


def test_that_one_command_trains_and_measures_without_polars_or_a_database(
    worlds: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    lines = [
        Line(data="tiny", seed=0, kind="L", variant="untrained"),
        Line(data="tiny", seed=0, kind="AF", variant="flipped infonce none", steps=3, second="untrained"),
        Line(data="tiny", seed=0, kind="A", variant="peer", steps=2, peer=8),
        Line(
            data="tiny",
            seed=0,
            kind="L",
            variant="cross",
            steps=2,
            over=ALL,
            second="pair head",
            cross=Cross(epochs=1, candidates=3, from_trained=True),
        ),
    ]
    plan, out = tmp_path / "plan.jsonl", tmp_path / "results.jsonl"
    plan.write_text("\n".join(line.model_dump_json(exclude_defaults=True) for line in lines))
    words = ["run", str(worlds), "--plan", str(plan), "--out", str(out), "--device", "cpu"]
    words += ["--encoder", str(tiny_encoder)]
    # The second time everything is there already.
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr + (out.read_text() if out.exists() else "")
    assert len(out.read_text().splitlines()) == len(lines)

    found = {row["variant"]: row["result"] for row in read_results(out)}
    assert set(found) == {line.variant for line in lines}
    for result in found.values():
        assert 0 <= result["matcher"]["C@95"] <= result["matcher"]["C@90"] <= 1
    assert found["cross"]["steps"] == 2
    assert len(found["cross"]["band_half"]) == 3
    assert 0 <= found["flipped infonce none"]["recheck"]["all"] <= 1


def test_that_tables_compare_a_variant_with_its_base_seed_by_seed() -> None:
    def row(variant: str, seed: int, coverage: float) -> dict[str, object]:
        figures = {metric: coverage for metric in ("C@90", "C@95", "C@98", "AURC", "P@1")}
        return {"data": "d", "seed": seed, "kind": "A", "variant": variant, "result": {"matcher": figures}}

    rows = [row("prime tcm", 0, 0.6), row("prime tcm", 1, 0.8), row("prime none", 0, 0.5)]
    said = "\n".join(tables(json.loads(json.dumps(rows))))
    assert "| prime tcm | .700 ± .141 (+.100)" in said
    assert "| 2 | prime none | +.100 |" in said
