"""The demo on a small scale: a tiny encoder, a real training run, what it reports and what it leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from engine.cli.app import run
from engine.cli.measuring_verbs import Scale
from engine.demo import SCALES, DemoReport, run_demo
from engine.errors import InputError, WorkspaceLockedError
from engine.workspace import Workspace
from tests.fakes import make_tiny_sentence_transformer
from tests.loop import tiny_base
from trainer.config import resolve_recipe


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> DemoReport:
    """One demo, run once for all tests that only look at it."""
    folder = tmp_path_factory.mktemp("demo")
    base = make_tiny_sentence_transformer(folder / "base")
    with tiny_base():
        return run_demo(folder / "workspace", SCALES["tiny"], base_model=base)


def test_that_the_report_compares_the_same_decisions(finished: DemoReport) -> None:
    with Workspace.open(finished.workspace, read_only=True) as workspace:
        status = workspace.status()
        runs = workspace.runs()
    assert finished.decisions == status.counts.decisions == SCALES["tiny"].decisions
    assert (finished.items, finished.listings) == (SCALES["tiny"].items, SCALES["tiny"].listings)
    assert finished.after.automation_rate == status.automation_rate
    assert finished.after.certified_coverage == status.coverage
    assert finished.after.release == status.champion
    assert [run.state.value for run in runs] == ["finished"]


def test_that_the_champion_changes_only_through_the_gate(finished: DemoReport) -> None:
    assert (finished.before.release != finished.after.release) == finished.promoted
    words = " ".join(finished.sentences())
    assert ("passed the gate" if finished.promoted else "refused") in words


def test_that_the_demo_leaves_its_files_picture_and_report(finished: DemoReport) -> None:
    folder = finished.workspace / "demo"
    assert {"catalogue.csv", "listings.csv", "answers.csv"} <= {path.name for path in folder.iterdir()}
    assert finished.picture.read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == finished.document()


def test_that_some_decisions_are_random_and_some_teach(finished: DemoReport) -> None:
    with Workspace.open(finished.workspace, read_only=True) as workspace:
        counts = workspace.status().counts
    assert counts.random_decisions > 0
    assert counts.learning_decisions > 0


def test_that_an_earlier_demo_is_only_removed_when_asked(finished: DemoReport, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    shutil.copytree(finished.workspace, folder)
    with pytest.raises(InputError, match="--again"):
        run_demo(folder, SCALES["tiny"])
    with Workspace.open(folder) as workspace:
        assert workspace.status().counts.decisions == SCALES["tiny"].decisions


def test_that_a_demo_in_use_is_not_removed(finished: DemoReport, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    shutil.copytree(finished.workspace, folder)
    with Workspace.open(folder), pytest.raises(WorkspaceLockedError):
        run_demo(folder, SCALES["tiny"], again=True)
    assert (folder / "workspace.db").is_file()


def test_that_a_folder_of_the_users_own_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError):
        run_demo(tmp_path, SCALES["tiny"], again=True)
    assert (tmp_path / "demo" / "letter.txt").read_text(encoding="utf-8") == "mine"


def test_that_a_workspace_of_the_users_own_is_never_removed(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "shop"):
        pass
    with pytest.raises(InputError):
        run_demo(tmp_path / "shop", SCALES["tiny"], again=True)
    assert (tmp_path / "shop" / "workspace.db").is_file()


@pytest.mark.parametrize("scale", list(SCALES))
def test_that_the_trainer_knows_every_setting_the_demo_changes(scale: str) -> None:
    recipe = resolve_recipe(SCALES[scale].recipe, SCALES[scale].overrides)
    assert recipe.name == SCALES[scale].recipe


def test_that_the_command_line_offers_every_scale() -> None:
    assert {scale.value for scale in Scale} == set(SCALES)


def test_that_the_demo_verb_refuses_a_folder_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    assert run(["demo", str(tmp_path), "--headless", "--again"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
