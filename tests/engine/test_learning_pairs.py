"""Pairs from decisions, roles by family, and the folder of a training run."""

from __future__ import annotations

import errno
import shutil

import pyarrow.parquet as parquet
import pytest

from engine.contracts import Decision, Stream, Verdict
from engine.contracts.training import ITEM_COLUMNS, PAIR_COLUMNS, TrainingJob
from engine.errors import DiskFullError, InputError
from engine.learning.families import VALIDATION_SHARE, role_of
from engine.learning.pairs import build_pairs, pairs_of, write_job
from tests.engine.small_workspace import NOW, SmallWorkspace


@pytest.fixture
def world(tmp_path):
    made = SmallWorkspace(tmp_path / "ws", listings=200, items=210)
    yield made
    made.store.close()


def decision(verdict, item_id=None, shown=(1, 2, 3, 4, 5, 6), rejected=(), also_right=()):
    return Decision(
        1, 7, verdict, item_id, "ada", NOW, Stream.LEARNING, None, shown, rejected, also_right=also_right
    )


def said(made):
    return [(pair.item_id, pair.verdict) for pair in made]


def tables(world, seed=0, **options):
    with world.reading() as uow:
        return build_pairs(uow, text_of=lambda record: record.title, seed=seed, **options)


def test_that_a_match_teaches_the_item_and_against_what_was_shown_above_it():
    assert said(pairs_of(decision(Verdict.MATCH, 3))) == [(3, "match"), (1, "none"), (2, "none")]
    assert said(pairs_of(decision(Verdict.MATCH, 1))) == [(1, "match")]
    assert said(pairs_of(decision(Verdict.MATCH, 99))) == [(99, "match")]
    assert said(pairs_of(decision(Verdict.MATCH, 6), shown_negatives=2)) == [
        (6, "match"),
        (4, "none"),
        (5, "none"),
    ]


def test_that_every_right_item_is_taught_and_none_of_them_is_a_counterexample():
    assert said(pairs_of(decision(Verdict.MATCH, 1, also_right=(4, 99)))) == [
        (1, "match"),
        (4, "match"),
        (99, "match"),
        (2, "none"),
        (3, "none"),
    ]
    assert said(pairs_of(decision(Verdict.MATCH, 3, rejected=(5,), also_right=(2,)))) == [
        (3, "match"),
        (2, "match"),
        (1, "none"),
        (5, "none"),
    ]
    # Found by search, with another right one on screen.
    assert said(pairs_of(decision(Verdict.MATCH, 99, also_right=(2,)))) == [
        (99, "match"),
        (2, "match"),
        (1, "none"),
    ]


def test_that_single_rejected_candidates_are_counterexamples():
    assert said(pairs_of(decision(Verdict.MATCH, 1, rejected=(5, 9)))) == [
        (1, "match"),
        (5, "none"),
        (9, "none"),
    ]
    assert said(pairs_of(decision(Verdict.VARIANT, 2, rejected=(4,)))) == [
        (2, "variant"),
        (1, "none"),
        (4, "none"),
    ]


def test_that_none_turns_down_what_was_shown_first():
    expected = [(1, "none"), (2, "none"), (3, "none"), (6, "none")]
    assert said(pairs_of(decision(Verdict.NONE, rejected=(6, 2)), shown_negatives=3)) == expected
    assert said(pairs_of(decision(Verdict.NEW_ITEM, shown=()))) == []


@pytest.mark.parametrize("verdict", [Verdict.UNSURE, Verdict.BAD_LISTING])
def test_that_no_answer_teaches_nothing(verdict):
    assert said(pairs_of(decision(verdict, rejected=(1,)))) == []


def test_that_the_tables_have_the_trainers_columns(world):
    listing = next(i for i in world.learning_ids(20) if role_of(i, 0) == role_of(i + 1, 0) == "train")
    world.decide(listing, Verdict.MATCH, listing + 1)
    pairs, items = tables(world, catalogue_sample=5)
    assert tuple(pairs.column_names) == PAIR_COLUMNS
    assert tuple(items.column_names) == ITEM_COLUMNS
    assert pairs.to_pylist() == [
        {
            "listing_id": listing,
            "listing_text": f"acme kettle no {listing}",
            "item_id": item,
            "verdict": verdict,
            "weight": 1.0,
            "role": "train",
        }
        for item, verdict in ((listing + 1, "match"), (listing, "none"))
    ]
    numbers = items.column("item_id").to_pylist()
    assert set(numbers) >= {listing, listing + 1, listing + 2}
    assert 5 <= len(numbers) <= 8
    assert items.to_pylist()[0]["item_text"] == f"Acme kettle {numbers[0]} steel"


def test_that_an_empty_workspace_gives_empty_tables(world):
    pairs, items = tables(world)
    assert pairs.num_rows == 0
    assert tuple(pairs.column_names) == PAIR_COLUMNS
    assert items.num_rows == 210


def test_that_no_item_is_on_both_sides(world):
    verdicts = (Verdict.MATCH, Verdict.NONE, Verdict.VARIANT)
    for turn, listing in enumerate(world.learning_ids(60)):
        verdict = verdicts[turn % 3]
        world.decide(
            listing, verdict, None if verdict == Verdict.NONE else listing + 1, rejected=[listing + 2]
        )
    pairs, _ = tables(world)
    sides = {role: set() for role in ("train", "validation")}
    listings = {role: set() for role in sides}
    for row in pairs.to_pylist():
        sides[row["role"]].add(row["item_id"])
        listings[row["role"]].add(row["listing_id"])
    assert sides["train"]
    assert sides["validation"]
    assert not sides["train"] & sides["validation"]
    assert not listings["train"] & listings["validation"]


def test_that_roles_are_stable_and_have_their_share():
    roles = [role_of(family, seed=3) for family in range(20_000)]
    assert roles == [role_of(family, seed=3) for family in range(20_000)]
    assert roles.count("validation") / 20_000 == pytest.approx(VALIDATION_SHARE, abs=0.01)
    assert roles != [role_of(family, seed=4) for family in range(20_000)]


def test_that_identical_listings_count_once_and_a_match_is_no_counterexample(tmp_path):
    world = SmallWorkspace(tmp_path / "twins", titles=["Acme kettle red"] * 12)
    one, two, three, *_ = world.learning_ids(4)
    item = next(i for i in range(one + 1, 40) if role_of(i, 0) == role_of(one, 0))
    world.decide(one, Verdict.MATCH, item)
    world.decide(two, Verdict.MATCH, item)
    world.decide(three, Verdict.MATCH, one, rejected=[item])
    rows = tables(world).pairs.to_pylist()
    assert [row["verdict"] for row in rows if row["item_id"] == item] == ["match"]
    assert [row["verdict"] for row in rows if row["item_id"] == one] == ["match"]
    world.store.close()


def test_that_a_weight_given_for_a_listing_is_that_of_its_confirmed_pairs_only(world):
    one, two, three = [i for i in world.learning_ids(60) if role_of(i, 0) == role_of(i + 1, 0)][:3]
    world.decide(one, Verdict.MATCH, one + 1)
    world.decide(two, Verdict.MATCH, two + 1)
    world.decide(three, Verdict.NONE)
    rows = tables(world, weights={one: 0.25, three: 0.5}).pairs.to_pylist()
    matches = [(row["listing_id"], row["weight"]) for row in rows if row["verdict"] == "match"]
    assert matches == [(one, 0.25), (two, 1.0)]
    others = [(row["listing_id"], row["weight"]) for row in rows if row["verdict"] != "match"]
    assert {listing for listing, _ in others} == {one, two, three}
    assert {weight for _, weight in others} == {1.0}


class TestWriteJob:
    @pytest.fixture
    def start(self, tmp_path):
        folder = tmp_path / "start-model"
        (folder / "1_Pooling").mkdir(parents=True)
        (folder / "modules.json").write_text("[]")
        (folder / "1_Pooling" / "config.json").write_text("{}")
        return folder

    @pytest.fixture
    def taught(self, world):
        for listing in world.learning_ids(10):
            world.decide(listing)
        return tables(world)

    def test_that_the_folder_holds_all_the_trainer_needs(self, taught, start, tmp_path):
        folder = tmp_path / "runs" / "t0001"
        write_job(folder, TrainingJob(run_id="t0001", seed=5), taught.pairs, taught.items, start)
        assert sorted(path.name for path in folder.iterdir()) == [
            "items.parquet",
            "job.json",
            "pairs.parquet",
            "start",
        ]
        assert TrainingJob.model_validate_json((folder / "job.json").read_text()).seed == 5
        assert parquet.read_table(folder / "pairs.parquet").equals(taught.pairs)
        assert parquet.read_table(folder / "items.parquet").equals(taught.items)
        assert (folder / "start" / "1_Pooling" / "config.json").read_text() == "{}"
        assert [path.name for path in folder.parent.iterdir()] == ["t0001"]

    def test_that_a_full_disk_leaves_nothing(self, taught, start, tmp_path, monkeypatch):
        def full(*_args, **_options):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(shutil, "copytree", full)
        folder = tmp_path / "runs" / "t0001"
        with pytest.raises(DiskFullError, match="t0001 was not written"):
            write_job(folder, TrainingJob(run_id="t0001"), taught.pairs, taught.items, start)
        assert list(folder.parent.iterdir()) == []

    def test_that_an_interrupted_run_can_be_written_again(self, taught, start, tmp_path):
        leftover = tmp_path / "runs" / ".t0001.writing"
        leftover.mkdir(parents=True)
        (leftover / "pairs.parquet").write_text("half")
        folder = tmp_path / "runs" / "t0001"
        write_job(folder, TrainingJob(run_id="t0001"), taught.pairs, taught.items, start)
        assert parquet.read_table(folder / "pairs.parquet").num_rows == taught.pairs.num_rows
        with pytest.raises(InputError, match="exists already"):
            write_job(folder, TrainingJob(run_id="t0001"), taught.pairs, taught.items, start)

    def test_that_nothing_to_train_on_or_from_is_said(self, world, taught, start, tmp_path):
        empty = taught.pairs.slice(0, 0)
        with pytest.raises(InputError, match="no confirmed match"):
            write_job(tmp_path / "t0001", TrainingJob(run_id="t0001"), empty, taught.items, start)
        with pytest.raises(InputError, match="no encoder to start from"):
            write_job(
                tmp_path / "t0001", TrainingJob(run_id="t0001"), taught.pairs, taught.items, tmp_path / "none"
            )
