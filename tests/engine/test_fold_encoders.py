"""The matcher learns from listings that were trained on as if they were new, where the run has folds."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.automation.evidence_columns import column
from engine.automation.matcher import LearningSet
from engine.contracts.training import FOLDS, TrainingJob, fold_of
from engine.pipeline import certify_release
from engine.pipeline.release_files import read_cross_fitted, read_trained_on
from engine.pipeline.training_runs import cross_fitted
from tests.loop import answers, certified_workspace, drain, pretend_trained


@pytest.fixture
def learnt(monkeypatch: pytest.MonkeyPatch) -> list[LearningSet]:
    """The learning sets that matchers were fitted to."""
    sets: list[LearningSet] = []
    kept = certify_release.fit_matcher

    def listening(learning: LearningSet) -> object:
        sets.append(learning)
        return kept(learning)

    monkeypatch.setattr(certify_release, "fit_matcher", listening)
    return sets


def _train_listings(folder: Path) -> set[int]:
    pairs = pl.read_parquet(folder / "pairs.parquet")
    return set(pairs.filter(pl.col("role") == "train")["listing_id"].to_list())


def test_that_listings_that_were_trained_on_are_learnt_from_as_if_they_were_new(
    tmp_path: Path, learnt: list[LearningSet]
) -> None:
    releases = tmp_path / "w" / "releases"
    with certified_workspace(tmp_path / "w") as workspace:
        drain(workspace.certify())
        before = _LearningPairs(learnt[-1])
        run = workspace.prepare_training(recipe="quick")
        folder = pretend_trained(workspace, run.id, folds=2)
        challenger = drain(workspace.build_challenger(run.id))
        seen = _train_listings(folder)
        assert set(read_trained_on(releases / challenger.id).tolist()) == seen
        assert set(read_cross_fitted(releases / challenger.id).tolist()) == seen
        learning = learnt[-1]
        assert learning.seen is not None
        assert not learning.seen.any()
        # The encoder is the champion's: only what the folds say of their own listings differs.
        after = _LearningPairs(learning)
        assert after.rows.tolist() == before.rows.tolist()
        of_seen = np.isin(after.rows, list(seen))
        assert of_seen.any()
        assert (after.similarity != before.similarity)[of_seen].mean() > 0.9
        assert (after.similarity == before.similarity)[~of_seen].all()
        assert (after.margin != before.margin)[of_seen].mean() > 0.9

        # A refit learns as the challenger did; without the run's folder, from the others alone.
        drain(workspace.promote(challenger.id, force=True))
        answers().review(workspace, 10)
        refitted = drain(workspace.certify())
        assert learnt[-1].seen is not None
        assert not learnt[-1].seen.any()
        assert set(read_cross_fitted(releases / refitted.id).tolist()) == seen
        shutil.rmtree(folder / FOLDS)
        answers().review(workspace, 10)
        drain(workspace.certify())
        assert learnt[-1].seen is not None
        assert learnt[-1].seen.any()


class _LearningPairs:
    """Copies of what is compared of a learning set."""

    def __init__(self, learning: LearningSet) -> None:
        self.rows = learning.listing_row.copy()
        self.similarity = learning.evidence[:, column("similarity")].copy()
        self.margin = learning.evidence[:, column("similarity_margin")].copy()


def test_that_folds_go_on_from_those_of_the_run_before(tmp_path: Path) -> None:
    releases = tmp_path / "w" / "releases"
    with certified_workspace(tmp_path / "w") as workspace:
        first = pretend_trained(workspace, workspace.prepare_training(recipe="quick").id, folds=2)
        challenger = drain(workspace.build_challenger("t0001"))
        drain(workspace.promote(challenger.id, force=True))
        answers().review(workspace, 60)
        second = Path(workspace.prepare_training(recipe="quick", seed=1).folder)
        for number in ("0", "1"):
            start = second / "start-folds" / number / "model.safetensors"
            assert (
                start.read_bytes() == (first / FOLDS / number / "encoder" / "model.safetensors").read_bytes()
            )
        pretend_trained(workspace, second.name, folds=2)
        assert set(cross_fitted(second, releases).tolist()) == _train_listings(first) | _train_listings(
            second
        )
        # Encoders that start where the champion did have seen what it was trained on.
        shutil.rmtree(second / "start-folds")
        assert set(cross_fitted(second, releases).tolist()) == _train_listings(second) - _train_listings(
            first
        )


def test_that_a_run_without_a_start_release_has_only_its_own_listings(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "job.json").write_text(TrainingJob(run_id="run").model_dump_json())
    pl.DataFrame(
        {"listing_id": [3, 1, 1, 2], "role": ["train", "train", "train", "validation"]}
    ).write_parquet(run / "pairs.parquet")
    assert cross_fitted(run, tmp_path).tolist() == [1, 3]


def test_that_the_fold_of_a_listing_depends_on_its_number_alone() -> None:
    folds = [fold_of(str(number), 3) for number in range(3000)]
    assert folds == [fold_of(str(number), 3) for number in range(3000)]
    assert np.bincount(folds, minlength=3).min() > 900
