"""The whole loop from the command line: a real workspace, a tiny encoder, a real (tiny) training run."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.cli.app import run
from engine.demo_data import write_demo
from engine.workspace import Workspace
from tests.fakes import make_tiny_sentence_transformer

Alcove = Callable[..., dict[str, Any]]
ITEMS, LISTINGS = 60, 240


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """catalogue.csv, listings.csv, answers.csv."""
    folder = tmp_path_factory.mktemp("sample")
    write_demo(folder, seed=3, items=ITEMS, listings=LISTINGS)
    return folder


@pytest.fixture(scope="module")
def answers(sample: Path) -> dict[str, str]:
    with (sample / "answers.csv").open(encoding="utf-8", newline="") as file:
        return {row["listing_id"]: row["item_id"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def matched(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with everything imported and matched, made from the command line."""
    folder = tmp_path_factory.mktemp("matched") / "shop"
    assert run(["init", str(folder)]) == 0
    with Workspace.open(folder) as workspace:
        workspace.use_base_model(make_tiny_sentence_transformer(tmp_path_factory.mktemp("base")))
    assert run(["import", str(folder), "catalogue", str(sample / "catalogue.csv")]) == 0
    assert run(["import", str(folder), "listings", str(sample / "listings.csv"), "--feed", "monday"]) == 0
    assert run(["match", str(folder)]) == 0
    return folder


@pytest.fixture
def shop(matched: Path, tmp_path: Path) -> Path:
    """A copy of the matched workspace that a test may change."""
    folder = tmp_path / "shop"
    shutil.copytree(matched, folder)
    return folder


def write_decisions(path: Path, shown: dict[str, Any], answers: dict[str, str]) -> int:
    """Answer every listing of ``alcove queue --json`` in a decisions file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["listing_id", "verdict", "item_id"])
        for listing in shown["listings"]:
            item = answers[listing["listing_id"]]
            rows.writerow([listing["listing_id"], "match" if item else "none", item])
    return len(shown["listings"])


def test_that_the_loop_closes(shop: Path, answers: dict[str, str], tmp_path: Path, alcove: Alcove) -> None:
    alcove("certify", shop, "--precision", "0.8")
    for limit in (80, 80):
        decided = write_decisions(tmp_path / "d.csv", alcove("queue", shop, "--limit", limit), answers)
        report = alcove("decide", shop, "--from", tmp_path / "d.csv", "--reviewer", "Kim")
        assert (report["decided"], report["refused"]) == (decided, [])
        certified = alcove("certify", shop)
    assert certified["champion"]
    assert certified["certificate"]["precision"] == 0.8
    status = alcove("status", shop)
    assert status["counts"]["decisions"] == 160
    assert status["counts"]["random_decisions"] > 0
    assert status["champion"] == certified["release"]
    audited = alcove("audit", shop)
    assert audited["champion"] == certified["release"]
    assert [feed["feed"] for feed in audited["drift"]] == ["monday"]
    assert audited["next_step"]

    trained = alcove("train", shop, "--recipe", "quick", "--device", "cpu")
    challenger = trained["release"]["release"]
    assert trained["training_run"]["state"] == "finished"
    assert not trained["release"]["champion"]
    again = alcove("train", shop, "--resume", trained["training_run"]["id"])
    assert again["release"]["release"] == challenger
    assert alcove("status", shop)["champion"] == certified["release"]
    comparison = alcove("evaluate", shop, "--release", challenger)
    assert comparison["challenger"]["release"] == challenger
    assert comparison["gate"]["passed"] == trained["comparison"]["gate"]["passed"]

    assert alcove("promote", shop, challenger, "--force")["release"] == challenger
    assert alcove("status", shop)["champion"] == challenger
    assert alcove("rollback", shop)["release"] == certified["release"]
    assert alcove("status", shop)["champion"] == certified["release"]


def test_that_importing_the_same_files_again_changes_nothing(
    shop: Path, sample: Path, alcove: Alcove
) -> None:
    items = alcove("import", shop, "catalogue", sample / "catalogue.csv")
    listings = alcove("import", shop, "listings", sample / "listings.csv", "--feed", "monday")
    assert (items["added"], items["updated"], items["unchanged"]) == (0, 0, ITEMS)
    assert (listings["added"], listings["updated"], listings["unchanged"]) == (0, 0, LISTINGS)
    assert alcove("status", shop)["counts"]["unmatched"] == 0


def test_that_a_dry_run_imports_nothing(shop: Path, sample: Path, alcove: Alcove) -> None:
    preview = alcove("import", shop, "listings", sample / "listings.csv", "--feed", "tuesday", "--dry-run")
    assert preview["rows"] == LISTINGS
    assert preview["mapping"]["title"] == "title"
    assert alcove("status", shop)["counts"]["listings"] == LISTINGS


def test_that_refused_rows_are_listed_and_the_rest_is_imported(
    shop: Path, tmp_path: Path, alcove: Alcove
) -> None:
    path = tmp_path / "feed.csv"
    path.write_text("id,title\nQ1,Lamp\nQ2,\nQ1,Lamp again\n", encoding="utf-8")
    report = alcove("import", shop, "listings", path)
    assert report["added"] == 1
    assert [row["row"] for row in report["refused"]] == [3, 4]


def test_that_everything_waits_for_review_before_the_first_certificate(shop: Path, alcove: Alcove) -> None:
    status = alcove("status", shop)
    assert (status["coverage"], status["automation_rate"]) == (0, 0)
    assert status["certificate"] is None
    assert status["counts"]["review"] == LISTINGS
    assert status["next_steps"]


def test_that_the_queue_offers_candidates_for_every_listing(shop: Path, alcove: Alcove) -> None:
    queue = alcove("queue", shop, "--limit", 30)
    ids = [listing["listing_id"] for listing in queue["listings"]]
    assert len(set(ids)) == 30
    assert all(listing["candidates"] for listing in queue["listings"])


@pytest.mark.parametrize("order", ["gain", "uncertain", "oldest", "family", "random"])
def test_that_every_order_of_the_queue_works(shop: Path, order: str, alcove: Alcove) -> None:
    assert len(alcove("queue", shop, "--order", order, "--limit", 5)["listings"]) == 5


def test_that_undo_returns_the_listing_to_the_queue(
    shop: Path, answers: dict[str, str], tmp_path: Path, alcove: Alcove
) -> None:
    shown = alcove("queue", shop, "--limit", 1)
    write_decisions(tmp_path / "d.csv", shown, answers)
    alcove("decide", shop, "--from", tmp_path / "d.csv", "--reviewer", "Kim")
    undone = alcove("undo", shop)
    assert undone["listing_id"] == shown["listings"][0]["listing_id"]
    assert undone["undone"]
    assert alcove("status", shop)["counts"]["decisions"] == 0
    assert alcove("queue", shop, "--limit", LISTINGS)["waiting"] == LISTINGS


def test_that_there_may_be_nothing_to_undo(shop: Path, alcove: Alcove) -> None:
    assert alcove("undo", shop, exit_code=2) == {}


def test_that_wrong_decisions_are_refused_with_their_rows(shop: Path, tmp_path: Path, alcove: Alcove) -> None:
    path = tmp_path / "d.csv"
    path.write_text("listing_id,verdict,item_id\nnobody,none,\nL000001,perhaps,\n", encoding="utf-8")
    report = alcove("decide", shop, "--from", path, exit_code=2)
    assert report["decided"] == 0
    assert [row["row"] for row in report["refused"]] == [2, 3]


def test_that_one_line_says_how_many_decisions_were_refused(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, half = tmp_path / "wrong.csv", tmp_path / "half.csv"
    wrong.write_text("listing_id,verdict\nnobody,none\n", encoding="utf-8")
    half.write_text("listing_id,verdict\nL000001,unsure\nnobody,none\n", encoding="utf-8")
    assert run(["decide", str(shop), "--from", str(wrong)]) == 2
    assert "none of its 1 rows could be taken; row 2: there is no listing 'nobody'" in capsys.readouterr().err
    assert run(["decide", str(shop), "--from", str(half)]) == 0
    assert capsys.readouterr().err == "note: half.csv: 1 of 2 rows were refused\n"


def test_that_exported_pairs_have_the_users_own_ids_and_both_texts(
    shop: Path, answers: dict[str, str], tmp_path: Path, alcove: Alcove
) -> None:
    write_decisions(tmp_path / "d.csv", alcove("queue", shop, "--limit", 40), answers)
    alcove("decide", shop, "--from", tmp_path / "d.csv", "--reviewer", "Kim")
    assert alcove("export", shop, "pairs", "--to", tmp_path / "pairs.csv")["written"] > 0
    with (tmp_path / "pairs.csv").open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    assert {pair["feed"] for pair in pairs} == {"monday"}
    for pair in pairs:
        right = answers[pair["listing_id"]] == pair["item_id"]
        assert right is (pair["verdict"] == "match")
        assert pair["listing_text"]
        assert pair["item_text"]


def test_that_a_champion_beside_itself_passes_no_gate(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(shop)]) == 0
    shown = capsys.readouterr().out
    assert "no challenger yet" in shown
    assert "Gate" not in shown


@pytest.mark.parametrize("format_", ["csv", "xlsx", "parquet", "jsonl"])
def test_that_matches_are_exported_in_every_format(
    shop: Path, tmp_path: Path, format_: str, alcove: Alcove
) -> None:
    target = tmp_path / f"matches.{format_}"
    assert alcove("export", shop, "matches", "--to", target, "--format", format_)["written"] == LISTINGS
    assert target.stat().st_size > 0


def test_that_the_encoder_is_exported_as_a_folder(shop: Path, tmp_path: Path, alcove: Alcove) -> None:
    alcove("export", shop, "encoder", "--to", tmp_path / "encoder")
    assert (tmp_path / "encoder" / "encoder.onnx").is_file()


def test_that_a_second_program_may_read_while_one_writes(shop: Path, alcove: Alcove) -> None:
    with Workspace.open(shop):
        assert alcove("status", shop)["read_only"]
        assert alcove("queue", shop, "--limit", 3)["listings"]
        assert alcove("match", shop, exit_code=1) == {}


def test_that_verbs_print_tables_without_json(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["status", shop], ["queue", shop], ["match", shop], ["doctor"]):
        assert run([*map(str, arguments)]) == 0
        assert len(capsys.readouterr().out.splitlines()) > 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("match",),
        ("certify",),
        ("audit",),
        ("train",),
        ("rollback",),
        ("promote", "r0009"),
        ("evaluate", "--release", "r0009"),
        ("queue", "--feed", "nosuchfeed"),
        ("decide", "--from", "nosuchfile.csv"),
        ("export", "matches", "--to", "nosuchfolder/matches.csv"),
        ("export", "matches", "--to", "matches.doc"),
    ],
    ids=" ".join,
)
def test_that_wrong_input_on_an_empty_workspace_is_one_line(
    arguments: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "shop"]) == 0
    capsys.readouterr()
    verb, *rest = arguments
    exit_code = run([verb, "shop", *rest])
    shown = capsys.readouterr()
    if verb in {"status", "audit"}:
        assert exit_code == 0
    else:
        assert exit_code in {1, 2}, shown.err
        assert shown.err.count("\n") == 1
        assert shown.out == ""


def test_that_init_refuses_a_folder_with_something_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    assert run(["init", str(tmp_path)]) == 2
    assert "letter.txt" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
