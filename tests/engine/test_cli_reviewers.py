"""alcove reviewers and adjudicate, and second opinions through queue, decide and undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.cli.app import run
from engine.contracts import Verdict
from tests.engine.small_workspace import SmallWorkspace

Alcove = Callable[..., dict[str, Any]]


@pytest.fixture
def decided(tmp_path: Path) -> tuple[Path, list[int]]:
    """A workspace in which ann has decided twelve listings as matches of their best candidates."""
    small = SmallWorkspace(tmp_path / "shop", listings=40, items=50)
    listings = small.learning_ids(12)
    for listing in listings:
        small.decide(listing, reviewer="ann")
    small.store.close()
    return tmp_path / "shop", listings


def rows(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("listing_id,verdict,item_id,note", *lines)) + "\n", encoding="utf-8")
    return path


def test_that_second_opinions_go_from_the_queue_to_adjudication_and_back(
    decided: tuple[Path, list[int]], alcove: Alcove, tmp_path: Path
) -> None:
    shop, listings = decided
    names = {f"L{listing}" for listing in listings}
    assert alcove("reviewers", shop, "--overlap-share", 1)["overlap_share"] == 1.0
    shown = alcove("queue", shop, "--limit", 40, "--reviewer", "bob")["listings"]
    asked = [one for one in shown if one["listing_id"] in names]
    assert {one["listing_id"] for one in asked} == names
    assert all(one["candidates"][0]["confidence"] is None for one in asked)
    own = alcove("queue", shop, "--limit", 40, "--reviewer", "ann")["listings"]
    assert not names & {one["listing_id"] for one in own}

    answers = [f"L{n},match,P{n}," for n in listings[2:]]
    file = rows(tmp_path / "bob.csv", f"L{listings[0]},none,,", f"L{listings[1]},unsure,,", *answers)
    report = alcove("decide", shop, "--from", file, "--reviewer", "bob")
    assert (report["second_opinions"], report["decided"], report["unchanged"]) == (12, 0, 0)
    assert alcove("decide", shop, "--from", file, "--reviewer", "bob")["unchanged"] == 12
    other = rows(tmp_path / "other.csv", f"L{listings[0]},new_item,,")
    refused = alcove("decide", shop, "--from", other, "--reviewer", "bob", exit_code=2)["refused"]
    assert "another second opinion" in refused[0]["reason"]

    found = alcove("reviewers", shop)
    assert (found["waiting"], found["answered"], found["to_adjudicate"]) == (0, 12, 2)
    [pair] = found["pairs"]
    assert (pair["verdicts"]["agreed"], pair["verdicts"]["judged"]) == (10, 12)
    bob = next(one for one in found["reviewers"] if one["reviewer"] == "bob")
    assert (bob["decisions"], bob["second_opinions"]) == (0, 12)
    assert bob["answers"]["words"].endswith("12 judged")
    assert bob["gold"]["words"] == "too few to say"

    waiting = alcove("adjudicate", shop)
    assert {one["listing_id"] for one in waiting["listings"]} == {f"L{n}" for n in listings[:2]}
    first = next(one for one in waiting["listings"] if one["listing_id"] == f"L{listings[0]}")
    assert (first["decision"]["reviewer"], first["decision"]["verdict"]) == ("ann", "match")
    assert (first["second_opinion"]["reviewer"], first["second_opinion"]["verdict"]) == ("bob", "none")

    file = rows(tmp_path / "eve.csv", f"L{listings[0]},none,,seen it", f"L{listings[5]},none,,")
    report = alcove("adjudicate", shop, "--from", file, "--reviewer", "eve")
    assert (report["rows"], report["adjudicated"]) == (2, 1)
    assert "no disagreement" in report["refused"][0]["reason"]
    assert alcove("adjudicate", shop)["to_adjudicate"] == 1
    undone = alcove("undo", shop)
    assert (undone["second_opinion"], undone["reviewer"], undone["verdict"]) == (False, "eve", "none")
    assert alcove("adjudicate", shop)["to_adjudicate"] == 2
    assert alcove("undo", shop)["second_opinion"] is True
    assert alcove("reviewers", shop)["waiting"] == 1


def test_that_gold_decisions_are_marked_by_listing_and_judge_others(
    decided: tuple[Path, list[int]], alcove: Alcove, tmp_path: Path
) -> None:
    shop, listings = decided
    marks = [word for listing in listings[:10] for word in ("--gold", f"L{listing}")]
    assert alcove("reviewers", shop, *marks)["gold"] == 10
    answers = [f"L{n},match,P{n}," for n in listings[1:10]]
    file = rows(tmp_path / "bob.csv", f"L{listings[0]},none,,", *answers)
    assert alcove("decide", shop, "--from", file, "--reviewer", "bob")["second_opinions"] == 10
    found = alcove("reviewers", shop)
    bob = next(one for one in found["reviewers"] if one["reviewer"] == "bob")
    assert bob["gold"]["words"] == "0.90 (0.60-0.98), 10 judged"
    assert found["to_adjudicate"] == 0
    assert alcove("reviewers", shop, "--not-gold", f"L{listings[0]}")["to_adjudicate"] == 1
    alcove("reviewers", shop, "--gold", "L4711", exit_code=2)


def test_that_people_get_tables(
    decided: tuple[Path, list[int]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shop, listings = decided
    assert run(["reviewers", str(shop), "--overlap-share", "1"]) == 0
    assert run(["queue", str(shop), "--limit", "40", "--reviewer", "bob"]) == 0
    file = rows(tmp_path / "bob.csv", *(f"L{n},{Verdict.NONE.value},," for n in listings))
    assert run(["decide", str(shop), "--from", str(file), "--reviewer", "bob"]) == 0
    assert "12 second opinions" in capsys.readouterr().out
    assert run(["reviewers", str(shop)]) == 0
    shown = capsys.readouterr().out
    assert "ann and bob" in shown
    assert "0 of 12" in shown
    assert "12 to adjudicate" in shown
    assert run(["adjudicate", str(shop)]) == 0
    assert f"ann: match P{listings[0]}" in capsys.readouterr().out
    assert run(["undo", str(shop)]) == 0
    assert "Undone: second opinion none" in capsys.readouterr().out
