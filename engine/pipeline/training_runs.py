"""Decisions to a run folder for the trainer, and its artefact back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.contracts import RunState, TrainingRun
from engine.contracts.training import (
    AVERAGED,
    ENCODER_FILES,
    FOLD_STARTS,
    FOLDS,
    NumberFormat,
    TrainingJob,
    TrainingResult,
)
from engine.errors import InputError, TrainingFailedError
from engine.learning.families import TRAIN
from engine.learning.mining import MinedCounts
from engine.learning.pairs import build_pairs, write_job
from engine.pipeline.release_files import read_cross_fitted, read_trained_on
from engine.pipeline.search_side import TextRecipe
from engine.settings import WorkspaceSettings
from engine.store import Store

RUNS = "runs"
#: Fewer confirmed pairs than this teach an encoder nothing but noise.
LEAST_PAIRS = 30


def set_aside(folder: Path) -> None:
    """Rename a run folder that the database does not know, so that its number can be used.

    A process killed before the run was recorded left it, or the database was restored from a backup that
    is older than the run: then it may hold a trained encoder, which is not ours to delete.
    """
    count = 1
    while folder.exists():
        aside = folder.with_name(f"{folder.name}-unknown-{count}")
        if not aside.exists():
            folder.rename(aside)
        count += 1


def write_run(
    store: Store,
    *,
    run_id: str,
    recipe: str,
    device: Literal["auto", "cpu", "cuda"],
    precision: NumberFormat = "auto",
    seed: int,
    overrides: dict[str, object],
    start: Path,
    start_release: str,
    fold_starts: Sequence[Path] = (),
    settings: WorkspaceSettings,
    created_at: str,
    weights: Mapping[int, float] | None = None,
) -> TrainingRun:
    """Write ``runs/<id>/``: job, pairs, items and the models to start from.

    ``fold_starts``: what the encoders of the folds start from, where that is not ``start``. ``weights`` are
    of confirmed pairs, by listing number; all others count 1.

    Raises:
        InputError: there are too few confirmed pairs to train on.
    """
    with store.reading() as uow:
        # Families are held out by the workspace's seed: those of one run stay held out in all others.
        counts: list[MinedCounts] = []
        pairs, items = build_pairs(
            uow,
            text_of=TextRecipe.of(settings).text,
            seed=settings.seed,
            mined_counts=counts.append,
            weights=weights,
        )
    confirmed = sum(verdict == "match" for verdict in pairs.column("verdict").to_pylist())
    if confirmed < LEAST_PAIRS:
        raise InputError(
            f"training needs at least {LEAST_PAIRS} confirmed matches outside the random stream and there "
            f"are {confirmed}; review more listings first"
        )
    folder = store.folder / RUNS / run_id
    job = TrainingJob(
        run_id=run_id,
        start_release=start_release,
        recipe=recipe,
        overrides=overrides,
        seed=seed,
        device=device,
        precision=precision,
        mined=counts[0].in_words(),
    )
    set_aside(folder)
    write_job(folder, job, pairs, items, start, fold_starts)
    return TrainingRun(
        id=run_id,
        recipe=recipe,
        seed=seed,
        device=device,
        state=RunState.PREPARED,
        pairs=pairs.num_rows,
        created_at=created_at,
        folder=str(folder),
    )


def trained_model_folder(workspace: Path, run_id: str, *, averaged: bool = False) -> Path:
    """The sentence-transformers folder a run left, to train on from there."""
    folder = workspace / RUNS / run_id
    return (folder / AVERAGED if averaged else folder) / "encoder"


def averaged_share(run_folder: Path) -> float | None:
    """The share of trained weights in the averaged encoder that a finished run left beside its own.

    None: it left none, as its recipe averages already or there was nothing to validate on.
    """
    result = _result(run_folder)
    return result.averaged.share if result and result.averaged else None


def artefact_folder(run_folder: Path, *, averaged: bool = False) -> Path:
    """The encoder a finished run ships, or the averaged one beside it.

    Raises:
        TrainingFailedError: the run has not finished.
    """
    folder = (run_folder / AVERAGED if averaged else run_folder) / "artefact"
    missing = [name for name in ENCODER_FILES if not (folder / name).is_file()]
    if missing:
        raise TrainingFailedError(
            f"training run {run_folder.name} has no finished encoder ({missing[0]} is missing); resume it"
        )
    return folder


def fold_folders(run_folder: Path) -> list[Path]:
    """The folders of a finished run's folds, in order; none where it has none or one is not whole."""
    result = _result(run_folder)
    folders = [run_folder / FOLDS / str(number) for number in range(result.folds if result else 0)]
    whole = all((folder / "artefact" / name).is_file() for folder in folders for name in ENCODER_FILES)
    return folders if whole else []


def cross_fitted(run_folder: Path, releases: Path) -> npt.NDArray[np.int64]:
    """The listings of :func:`trained_on` that the encoder of their fold has never seen, ascending.

    Where the folds' encoders go on from those of the run before, these have not seen its listings either;
    else they start from an encoder that has.
    """
    own, start = _own_listings(run_folder)
    if start is None:
        return np.unique(own)
    fresh = np.setdiff1d(own, read_trained_on(releases / start))
    starts = [path for path in (run_folder / FOLD_STARTS).glob("*") if path.is_dir()]
    if starts and len(starts) == len(fold_folders(run_folder)):
        return np.union1d(fresh, read_cross_fitted(releases / start))
    return fresh


def trained_on(run_folder: Path, releases: Path) -> npt.NDArray[np.int64]:
    """The listings that a run's encoder has seen, and those that the encoder it started from had seen.

    Args:
        run_folder: of the run.
        releases: the folder of all releases.

    Returns:
        Listing numbers, ascending.

    Raises:
        InputError: the folder's job or pairs cannot be read.
    """
    own, start = _own_listings(run_folder)
    return np.union1d(own, read_trained_on(releases / start) if start else own[:0])


def _own_listings(run_folder: Path) -> tuple[npt.NDArray[np.int64], str | None]:
    """The listings of role train, and the release whose encoder a run starts from."""
    try:
        job = TrainingJob.model_validate_json((run_folder / "job.json").read_text())
        pairs = pl.read_parquet(run_folder / "pairs.parquet", columns=["listing_id", "role"])
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(f"training run {run_folder.name} cannot be read: {error}") from error
    return pairs.filter(pl.col("role") == TRAIN)["listing_id"].to_numpy(), job.start_release


def _result(run_folder: Path) -> TrainingResult | None:
    """What a run noted when it was done; None where it is not, or the note cannot be read."""
    try:
        return TrainingResult.model_validate_json((run_folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
