"""Decisions from files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.contracts import Listing, Stream, Verdict
from engine.errors import ColumnMappingError, InputError, UnreadableTableError
from engine.intake.record_text import text_key
from engine.review.decisions import decide_rows, read_decision_file
from tests.engine.small_workspace import NOW, RELEASE, SmallWorkspace


@pytest.fixture
def world(tmp_path):
    made = SmallWorkspace(tmp_path / "ws")
    yield made
    made.store.close()


def written(tmp_path: Path, text: str | bytes, name: str = "decisions.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def run(world, path, reviewer="ada"):
    file = read_decision_file(path)
    with world.writing() as uow:
        return decide_rows(uow, file, reviewer=reviewer, champion=RELEASE, now=NOW)


MIXED = """listing_id,verdict,item_id,decided_at,reviewer,note
L1,match,P1,2026-01-31T09:30:00+01:00,bob,sure
L2,none,,,,
,match,P1,,,
L3,perhaps,,,,
L4,match,,,,
L5,none,P5,,,
L6,match,P999,,,
L999,none,,,,
L7,new item,,yesterday,,
L1,none,,,,
L2,none,,,,
"""


def test_that_wrong_rows_are_refused_one_by_one_and_the_others_are_decided(world, tmp_path):
    report = run(world, written(tmp_path, MIXED))
    assert (report.rows, report.decided, report.unchanged) == (11, 2, 1)
    reasons = dict(report.refused)
    assert list(reasons) == [4, 5, 6, 7, 8, 9, 10, 11]
    assert reasons[4] == "the listing_id is empty"
    assert "'perhaps'" in reasons[5]
    assert "needs an item_id" in reasons[6]
    assert "takes no item_id" in reasons[7]
    assert "no item 'P999'" in reasons[8]
    assert "no listing 'L999'" in reasons[9]
    assert "decided_at is 'yesterday'" in reasons[10]
    assert "row 2 says something else" in reasons[11]
    with world.reading() as uow:
        one, two = uow.decisions.in_force()
    assert (one.listing_id, one.verdict, one.item_id) == (1, Verdict.MATCH, 1)
    assert (one.decided_at, one.reviewer, one.note) == ("2026-01-31T08:30:00.000+00:00", "bob", "sure")
    assert (two.listing_id, two.verdict, two.decided_at, two.reviewer) == (2, Verdict.NONE, NOW, "ada")


def test_that_the_same_file_again_changes_nothing(world, tmp_path):
    path = written(tmp_path, MIXED)
    first = run(world, path)
    with world.reading() as uow:
        before = uow.decisions.history(limit=100)
        aliases = uow.aliases.active(8)
    again = run(world, path, reviewer="somebody else")
    assert (again.decided, again.unchanged) == (0, first.decided + first.unchanged)
    assert again.refused == first.refused
    with world.reading() as uow:
        assert uow.decisions.history(limit=100) == before
        assert uow.aliases.active(8) == aliases


def test_that_a_file_changes_an_earlier_answer(world, tmp_path):
    world.decide(1, Verdict.NONE)
    report = run(world, written(tmp_path, "listing_id,verdict,item_id\nL1,match,P2\n"))
    assert (report.decided, report.unchanged) == (1, 0)
    with world.reading() as uow:
        assert uow.decisions.in_force_for(1).item_id == 2


def test_that_a_drawn_listing_in_a_file_is_an_audit_and_does_not_teach(world, tmp_path):
    drawn, learnt = world.learning_ids(2)
    world.draw(drawn)
    lines = [
        json.dumps({"listing_id": f"L{i}", "verdict": "match", "item_id": f"P{i}"}) for i in (drawn, learnt)
    ]
    report = run(world, written(tmp_path, "\n".join(lines), "d.jsonl"))
    assert report.decided == 2
    with world.reading() as uow:
        assert uow.decisions.in_force_for(drawn).stream == Stream.RANDOM
        assert [alias.listing_id for alias in uow.aliases.active(8)] == [learnt]


def test_that_json_lines_are_numbered_by_line_and_refused_one_by_one(world, tmp_path):
    text = (
        '{"listing_id": "L1", "verdict": "match", "item_id": "P1"}\n\n{"listing_id": \n[1]\n'
        '{"listing_id": "L2", "verdict": "none", "item_id": null}\n'
    )
    report = run(world, written(tmp_path, text, "d.jsonl"))
    assert (report.rows, report.decided) == (4, 2)
    assert report.refused == ((3, "this line is not JSON"), (4, "this line is not a JSON object"))


ALSO = """listing_id,verdict,item_id,also_item_ids
L1,match,P1,P2; P3;
L2,none,,P1
L3,match,P3,P4;P3
L4,match,P4,P5;P999
L5,match,P5,
"""


def test_that_a_file_names_every_right_item(world, tmp_path):
    path = written(tmp_path, ALSO)
    report = run(world, path)
    assert report.decided == 2
    assert report.refused == (
        (3, "the verdict none takes no also_item_ids, and there is 'P1'"),
        (4, "also_item_ids names 'P3', which is the item_id; name it once"),
        (5, "also_item_ids: there is no item 'P999' in the catalogue"),
    )
    with world.reading() as uow:
        assert uow.decisions.in_force_for(1).right_items == (1, 2, 3)
        assert uow.decisions.in_force_for(5).right_items == (5,)
    assert run(world, path).unchanged == 2


def test_that_a_file_without_the_column_leaves_what_is_also_right_and_one_with_it_changes_it(world, tmp_path):
    run(world, written(tmp_path, ALSO))
    assert run(world, written(tmp_path, "listing_id,verdict,item_id\nL1,match,P1\n")).unchanged == 1
    lines = '{"listing_id": "L1", "verdict": "match", "item_id": "P1", "also_item_ids": ["P3", "P2"]}\n'
    assert run(world, written(tmp_path, lines, "d.jsonl")).unchanged == 1
    lines = '{"listing_id": "L1", "verdict": "match", "item_id": "P1", "also_item_ids": null}\n'
    assert run(world, written(tmp_path, lines, "d.jsonl")).decided == 1
    with world.reading() as uow:
        assert uow.decisions.in_force_for(1).right_items == (1,)


def test_that_an_id_in_several_feeds_needs_the_feed(world, tmp_path):
    with world.writing() as uow:
        other = uow.feeds.ensure("tuesday")
        record = Listing(0, "L1", "a kettle again")
        uow.listings.upsert(other, [record], [text_key(record)])
    report = run(world, written(tmp_path, "listing_id,verdict\nL1,none\n"))
    assert report.refused == ((2, "listing 'L1' is in 2 feeds; say which in a column feed"),)
    report = run(
        world,
        written(
            tmp_path,
            "listing_id,verdict,feed\nL1,none,tuesday\nL2,none,monday\nL3,none,sunday\nL4,none,tuesday\n",
        ),
    )
    assert report.decided == 2
    assert [row for row, _ in report.refused] == [4, 5]
    with world.reading() as uow:
        assert {uow.listings.get(d.listing_id).feed_id for d in uow.decisions.in_force()} == {1, 2}


def test_that_all_rows_are_kept_or_none(world, tmp_path):
    file = read_decision_file(written(tmp_path, "listing_id,verdict\nL1,none\nL2,none\n"))

    def interrupt(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), world.writing() as uow:
        decide_rows(uow, file, reviewer="ada", champion=RELEASE, now=NOW, on_progress=interrupt)
    with world.reading() as uow:
        assert uow.decisions.counts().total == 0


@pytest.mark.parametrize(
    "content",
    [
        "﻿listing_id;Verdict ;item_id\nL1;MATCH;P1\n".encode(),
        "listing_id\tverdict\titem_id\r\nL1\tmatch\tP1\r\n".encode("utf-16"),
        'listing_id,verdict,item_id,note\nL1,match,P1,"caf\xe9, two\nlines"\n'.encode("cp1252"),
        b"\n\nverdict|item_id|listing_id|extra\nmatch|P1|L1|x\n",
    ],
)
def test_that_usual_encodings_and_delimiters_are_read(tmp_path, content):
    file = read_decision_file(written(tmp_path, content))
    assert [(row.row, row.listing_id, row.verdict, row.item_id) for row in file.rows] == [
        (2, "L1", "match", "P1")
    ]
    assert file.refused == ()


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("d.csv", b"listing_id,item_id\nL1,P1\n", ColumnMappingError, "no column verdict"),
        ("d.csv", b"listing_id,verdict\n", UnreadableTableError, "no rows"),
        ("d.csv", b"", ColumnMappingError, "no column listing_id"),
        ("d.jsonl", b"\n", UnreadableTableError, "no rows"),
        ("d.csv", b"PK\x03\x04\x00\x00", UnreadableTableError, "not text"),
        ("d.csv", b'{"listing_id": "L1"}\n', UnreadableTableError, ".jsonl"),
    ],
)
def test_that_what_is_not_a_decision_file_is_refused_in_one_line(tmp_path, name, content, error, message):
    with pytest.raises(error, match=message) as caught:
        read_decision_file(written(tmp_path, content, name))
    assert "\n" not in caught.value.message


def test_that_a_missing_file_and_a_folder_are_input_errors(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_decision_file(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_decision_file(tmp_path)
