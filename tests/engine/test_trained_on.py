"""What an encoder was trained on goes with its releases, and the matcher learns from the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.contracts.training import TrainingJob
from engine.errors import InputError
from engine.pipeline import certify_release
from engine.pipeline.release_files import read_trained_on
from engine.pipeline.training_runs import trained_on
from tests.loop import answers, certified_workspace, drain, pretend_trained


def test_that_releases_remember_what_their_encoder_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[tuple[set[int], set[int]]] = []
    kept = certify_release.fit_matcher

    def listening(learning):
        listings = np.unique(learning.listing_row)
        learnt.append((set(listings[learning.seen].tolist()), set(listings[~learning.seen].tolist())))
        return kept(learning)

    monkeypatch.setattr(certify_release, "fit_matcher", listening)
    releases = tmp_path / "w" / "releases"
    with certified_workspace(tmp_path / "w") as workspace:
        first = workspace.prepare_training(recipe="quick")
        job = TrainingJob.model_validate_json((Path(first.folder) / "job.json").read_text())
        assert job.start_release == workspace.status().champion
        pretend_trained(workspace, first.id)
        challenger = drain(workspace.build_challenger(first.id))
        pairs = pl.read_parquet(Path(first.folder) / "pairs.parquet")
        seen = set(pairs.filter(pl.col("role") == "train")["listing_id"].to_list())
        assert set(read_trained_on(releases / challenger.id).tolist()) == seen
        of_encoder, others = learnt[-1]
        assert of_encoder
        assert of_encoder <= seen
        assert others
        assert not others & seen

        # A refit has the same encoder; a run from it has seen what it saw before.
        drain(workspace.promote(challenger.id, force=True))
        drain(workspace.certify())
        refitted = workspace.status().champion
        assert set(read_trained_on(releases / str(refitted)).tolist()) == seen
        answers().review(workspace, 60)
        second = workspace.prepare_training(recipe="quick", seed=1)
        later = pl.read_parquet(Path(second.folder) / "pairs.parquet")
        own = later.filter(pl.col("role") == "train")
        # What the encoder learnt before is replayed: the old pairs are among the new run's, in their roles.
        columns = ["listing_id", "item_id", "verdict", "role"]
        assert pairs.filter(pl.col("verdict") != "mined").join(later, on=columns, how="anti").is_empty()
        both = trained_on(Path(second.folder), releases)
        assert set(both.tolist()) == seen | set(own["listing_id"].to_list())
        assert (np.diff(both) > 0).all()


def test_that_a_run_folder_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="training run gone cannot be read"):
        trained_on(tmp_path / "gone", tmp_path)
