"""A training run's pairs carry what a matcher that has not seen their decisions thinks of them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from engine.automation.pair_weights import LEAST_WEIGHT
from engine.contracts import TrainingRun, Verdict
from engine.errors import InputError
from engine.workspace import Workspace
from tests.loop import answers, certified_workspace, matched_workspace


def _pairs(run: TrainingRun) -> pl.DataFrame:
    return pl.read_parquet(Path(run.folder) / "pairs.parquet")


def _confirm_wrongly(workspace: Workspace, listings: list[int]) -> None:
    """Confirm for some listings the last of the candidates that a reviewer had before them."""
    decisions = {e.decision.listing_id: e.decision for e in workspace.history(limit=1000)}
    for listing in listings:
        wrong = [item for item in decisions[listing].shown if item not in decisions[listing].right_items]
        workspace.decide(listing_id=listing, verdict=Verdict.MATCH, item_id=wrong[-1], reviewer="script")


def test_that_a_wrong_confirmation_counts_little_and_all_that_is_no_confirmation_counts_1(
    tmp_path: Path,
) -> None:
    with certified_workspace(tmp_path / "w") as workspace:
        before = _pairs(workspace.prepare_training(recipe="quick"))
        matches = before.filter(pl.col("verdict") == "match")
        sure = matches.filter(pl.col("weight") == 1)["listing_id"].to_list()
        assert len(sure) > len(matches) / 2
        wrong = sure[:4]
        _confirm_wrongly(workspace, wrong)
        after = _pairs(workspace.prepare_training(recipe="quick"))
    confirmed = after.filter(pl.col("verdict") == "match")
    planted = confirmed.filter(pl.col("listing_id").is_in(wrong))["weight"]
    others = confirmed.filter(~pl.col("listing_id").is_in(wrong))["weight"]
    assert len(planted) == len(wrong)
    assert planted.max() < 0.5
    assert planted.min() == pytest.approx(LEAST_WEIGHT)
    assert others.median() == 1
    assert (after.filter(pl.col("verdict") != "match")["weight"] == 1).all()


def test_that_all_pairs_count_1_before_there_is_a_matcher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.pipeline.training_runs.LEAST_PAIRS", 5)
    with matched_workspace(tmp_path / "w") as workspace:
        # Without a decision there is nothing to weigh, and it is said what is missing.
        with pytest.raises(InputError, match="training needs at least 5 confirmed matches"):
            workspace.prepare_training(recipe="quick")
        answers().review(workspace, 24)
        pairs = _pairs(workspace.prepare_training(recipe="quick"))
    assert "match" in pairs["verdict"]
    assert (pairs["weight"] == 1).all()
