"""Runs that train the encoders of folds beside their own."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from safetensors.torch import load_file

from engine.contracts.training import (
    ENCODER_FILES,
    TrainingCancelled,
    TrainingEvaluated,
    TrainingFinished,
    TrainingNotice,
    TrainingProgress,
    TrainingResult,
    TrainingStarted,
    fold_of,
)
from tests.trainer.conftest import JobFolder, make_tables, write_job
from tests.trainer.test_run import SMALL, Host, _run, _write_without_artefact, no_export
from trainer import recipe as recipe_module
from trainer.config import resolve_recipe
from trainer.folds import Stretch, folds_of
from trainer.pairs import JudgedListing, PairSet

__all__ = ["no_export"]
TWO = SMALL | {"recipe": "default", "folds": 2, "min_steps": 0, "epochs": 2, "average": [0.5]}


def _all_weights(folder: Path) -> dict[str, bytes]:
    homes = (folder, folder / "folds" / "0", folder / "folds" / "1")
    return {
        f"{number} {name}": value.numpy().tobytes()
        for number, home in enumerate(homes)
        for name, value in load_file(home / "encoder" / "model.safetensors").items()
    }


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[Path, Host]:
    """Two epochs and both folds, which nothing disturbed."""
    folder = write_job(tmp_path_factory.mktemp("whole") / "job", tiny_encoder, **TWO)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe_module, "write_encoder", _write_without_artefact)
        return folder, _run(folder)


def test_that_the_encoder_of_a_fold_has_not_seen_its_listings(whole_run: tuple[Path, Host]) -> None:
    folder, _ = whole_run
    seen = [
        set(pl.read_parquet(home / "dynamics.parquet")["listing_id"].to_list())
        for home in (folder, folder / "folds" / "0", folder / "folds" / "1")
    ]
    assert all(seen)
    assert seen[0] == seen[1] | seen[2]
    for number in (0, 1):
        assert {fold_of(listing, 2) for listing in seen[1 + number]} == {1 - number}


def test_that_the_steps_of_all_encoders_are_counted_as_one_run(whole_run: tuple[Path, Host]) -> None:
    _, host = whole_run
    total = host.of(TrainingStarted)[0].total_steps
    assert len(host.of(TrainingStarted)) == 1
    assert [event.step for event in host.of(TrainingProgress)] == list(range(1, total + 1))
    assert {event.total_steps for event in host.of(TrainingProgress)} == {total}
    assert [event.step for event in host.of(TrainingFinished)] == [total]
    folds = [event.fold for event in host.of(TrainingProgress)]
    assert folds == [None] * 20 + [0] * folds.count(0) + [1] * folds.count(1)
    left = [event.eta_seconds for event in host.of(TrainingProgress)]
    assert left[0] > left[-2] > left[-1] == 0
    assert {event.step for event in host.of(TrainingEvaluated)} <= set(range(21))
    assert any("2 more encoders follow" in event.message for event in host.of(TrainingNotice))


# The run's own encoder takes 20 steps, and each fold about half as many.
@pytest.mark.parametrize("stops", [(6,), (20,), (23,), (22, 28, 33)])
def test_that_a_cancelled_run_resumes_to_the_same_encoders_bit_by_bit(
    make_job: JobFolder, no_export: None, whole_run: tuple[Path, Host], stops: tuple[int, ...]
) -> None:
    whole_folder, whole = whole_run
    folder = make_job("parts", **TWO)
    losses: dict[int, tuple[float, dict[str, float]]] = {}
    for stop in stops:
        host = _run(folder, stop)
        assert len(host.of(TrainingCancelled)) == 1
        assert not (folder / "result.json").exists()
        losses |= host.losses()
    rest = _run(folder)
    assert losses | rest.losses() == whole.losses()
    assert rest.of(TrainingFinished)[0].step == whole.of(TrainingFinished)[0].step
    assert _all_weights(folder) == _all_weights(whole_folder)


def test_that_each_fold_leaves_an_encoder_to_ship_and_the_run_its_hashes(make_job: JobFolder) -> None:
    folder = make_job(**TWO | {"max_steps": 2})
    _run(folder)
    result = TrainingResult.model_validate_json((folder / "result.json").read_text())
    assert result.folds == 2
    for number in (0, 1):
        names = {f"folds/{number}/artefact/{name}" for name in ENCODER_FILES}
        assert names <= set(result.files)
    assert not [name for name in result.files if name.endswith("result.json")]
    assert not list(folder.rglob("checkpoints"))
    again = _run(folder)
    assert not again.of(TrainingProgress)


def test_that_a_fold_goes_on_from_where_its_encoder_was_left_by_an_earlier_run(
    make_job: JobFolder, no_export: None, whole_run: tuple[Path, Host]
) -> None:
    earlier, _ = whole_run
    folder = make_job(**TWO | {"max_steps": 1, "average": [1e-6]})
    for number in ("0", "1"):
        (folder / "start-folds").mkdir(exist_ok=True)
        (folder / "start-folds" / number).symlink_to(earlier / "folds" / number / "encoder")
    _run(folder)
    for number in ("0", "1"):
        before = load_file(earlier / "folds" / number / "encoder" / "model.safetensors")
        after = load_file(folder / "folds" / number / "encoder" / "model.safetensors")
        assert all((after[name] - value).abs().max() < 1e-4 for name, value in before.items())


def test_that_folds_are_left_out_where_one_would_leave_too_little_to_train_on() -> None:
    few = tuple(JudgedListing(f"text {n}", (n,), (), (), {n: 1.0}, listing_id=str(n)) for n in range(2))
    pairs = PairSet(("a", "b"), few, (), (0, 1))
    assert folds_of(resolve_recipe("default", {}), pairs) == ()
    assert folds_of(resolve_recipe("infonce", {}), pairs) == ()


def test_that_folds_make_as_many_passes_in_fewer_steps() -> None:
    many = tuple(JudgedListing(f"text {n}", (n,), (), (), {n: 1.0}, listing_id=str(n)) for n in range(640))
    pairs = PairSet(tuple(map(str, range(640))), many, (), tuple(range(640)))
    recipe = resolve_recipe("default", {"folds": 4})
    folds = folds_of(recipe, pairs)
    assert len(folds) == 4
    assert all(0.6 * recipe.steps_for(640) < fold.steps < 0.9 * recipe.steps_for(640) for fold in folds)
    limited = folds_of(resolve_recipe("default", {"folds": 2, "max_steps": 10}), pairs)
    assert [fold.steps for fold in limited] == [5, 5]


def test_that_the_last_encoder_has_nothing_after_it() -> None:
    said: list[object] = []
    tell = Stretch(before=20, steps=10, after=0).within(said.append)
    tell(TrainingProgress(step=4, total_steps=10, loss=1, learning_rate=1, pairs_per_second=1, eta_seconds=6))
    (event,) = said
    assert isinstance(event, TrainingProgress)
    assert (event.step, event.total_steps, event.eta_seconds) == (24, 30, 6)


def test_that_the_tables_of_these_tests_have_listings_of_both_folds() -> None:
    listings = {str(pair["listing_id"]) for pair in make_tables()[0]}
    assert {fold_of(listing, 2) for listing in listings} == {0, 1}
