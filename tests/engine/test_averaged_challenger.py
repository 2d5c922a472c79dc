"""A challenger that the gate refuses is tried once more, averaged with the encoder it started from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.contracts import Comparison, Finished, Notice, WorkEvent
from engine.pipeline.release_files import read_manifest
from engine.workspace import Workspace, learning
from tests.loop import certified_workspace, drain, pretend_trained

COVERAGE = {"fp32": {"C@95": 0.5}, "int8": {"C@95": 0.25}}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with certified_workspace(tmp_path / "w") as opened:
        yield opened


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The gate's verdict is scripted: it passes the releases of this set; all else is measured as ever."""
    passed: set[str] = set()
    measured = learning.compare_releases

    def scripted(*arguments, challenger: str, **options):
        found = yield from measured(*arguments, challenger=challenger, **options)
        return replace(found, gate=replace(found.gate, passed=challenger in passed))

    monkeypatch.setattr(learning, "compare_releases", scripted)
    return passed


def _challenge(workspace: Workspace, release_id: str) -> tuple[Comparison, list[str]]:
    events: list[WorkEvent[Comparison]] = list(workspace.challenge(release_id))
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert isinstance(events[-1], Finished)
    return events[-1].result, notices


def test_that_a_refused_challenger_is_tried_as_an_average_which_says_what_it_is(
    workspace: Workspace, passing: set[str]
) -> None:
    run = workspace.prepare_training(recipe="quick")
    folder = pretend_trained(workspace, run.id, averaged=0.25, coverage=COVERAGE)
    challenger = drain(workspace.build_challenger(run.id))
    passing.add("r0005")
    comparison, notices = _challenge(workspace, challenger.id)
    made = workspace.releases()[0]
    assert comparison.challenger.release_id == made.id == "r0005"
    assert (made.origin, made.trained_share, made.run_id) == ("averaged", 0.25, run.id)
    assert made.gate is not None
    assert made.gate.passed
    assert "25% trained" in notices[0]
    assert notices[1] == f"the gate passes {made.id}, which is {challenger.id} averaged with its start"
    # The run itself stands for what it trained.
    assert workspace.runs()[0].release_id == challenger.id

    # A refit keeps the average's encoder, and the next run starts from the average.
    drain(workspace.promote(made.id))
    shutil.rmtree(folder / "encoder")
    refitted = drain(workspace.certify())
    assert read_manifest(workspace.path / "releases" / refitted.id).trained_share == 0.25
    assert Path(workspace.prepare_training(recipe="quick", seed=1).folder, "start", "modules.json").is_file()


def test_that_where_both_are_refused_the_first_is_shown_and_no_further_one_is_made(
    workspace: Workspace, passing: set[str]
) -> None:
    run = workspace.prepare_training(recipe="quick")
    pretend_trained(workspace, run.id, averaged=0.25, coverage=COVERAGE)
    challenger = drain(workspace.build_challenger(run.id))
    for _ in range(2):
        comparison, notices = _challenge(workspace, challenger.id)
        assert comparison.challenger.release_id == challenger.id
        assert notices[-1].startswith("the gate refuses r0005")
    assert [one.origin for one in workspace.releases()].count("averaged") == 1


def test_that_a_challenger_that_passes_is_not_averaged(workspace: Workspace, passing: set[str]) -> None:
    run = workspace.prepare_training(recipe="quick")
    pretend_trained(workspace, run.id, averaged=0.25, coverage=COVERAGE)
    challenger = drain(workspace.build_challenger(run.id))
    passing.add(challenger.id)
    comparison, notices = _challenge(workspace, challenger.id)
    assert comparison.challenger.release_id == challenger.id
    assert not notices
    assert workspace.releases()[0].id == challenger.id
    assert comparison.challenger.encoder_coverage == COVERAGE
    assert comparison.champion.encoder_coverage == {}


def test_that_a_run_that_left_no_average_is_refused_as_it_is(workspace: Workspace, passing: set[str]) -> None:
    run = workspace.prepare_training(recipe="quick")
    pretend_trained(workspace, run.id, coverage=COVERAGE)
    challenger = drain(workspace.build_challenger(run.id))
    comparison, notices = _challenge(workspace, challenger.id)
    assert not comparison.gate.passed
    assert not notices
