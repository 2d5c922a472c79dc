"""A training run from top to bottom: pairs in, encoder and artefact out."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from transformers import set_seed

from engine.contracts.training import (
    AVERAGED,
    FOLD_STARTS,
    FOLDS,
    AveragedEncoder,
    TrainingCancelled,
    TrainingEvaluated,
    TrainingExported,
    TrainingFinished,
    TrainingJob,
    TrainingNotice,
    TrainingStarted,
)
from engine.errors import InputError
from trainer import checkpoints
from trainer.agreement import TrustedPairs, split_trusted, weigh_by_agreement
from trainer.artefact_coverage import coverage_notices
from trainer.averaging import average_with_start
from trainer.catalogue_texts import CatalogueTexts, text_pool
from trainer.config import Recipe, resolve_recipe
from trainer.data import read_job, read_pairs
from trainer.devices import ComputeDevice, choose_device
from trainer.embedding import TokenTable, Vectors, encode_together, load_encoder
from trainer.encoder_trainer import EncoderTrainer, TrainingRows, training_arguments
from trainer.folds import Fold, folds_of, of_a_fold, stretches
from trainer.launch import ALONE, Place
from trainer.losses import compose
from trainer.memory import BatchSize, fit_into_memory
from trainer.pairs import JudgedListing, PairSet
from trainer.ranks import Ranks, joined
from trainer.results import already_done, write_encoder, write_result
from trainer.run_callback import Emit, RunCallback
from trainer.sampling import LookAlikeBatches, inverse_propensity
from trainer.scalars import with_scalars
from trainer.validation import Validation

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """Raised between passes of long work when the run was asked to stop."""


def train(job_folder: Path, *, emit: Emit, cancelled: Callable[[], bool], place: Place = ALONE) -> None:
    """Run the job of a folder to its end, or until it is cancelled; resumes from its checkpoints.

    Args:
        job_folder: of the run; all of its processes see the same.
        emit: takes the events.
        cancelled: whether somebody asked the run to stop.
        place: of this process in the run; all of them call this.

    Raises:
        InputError: the job, its tables or its recipe are wrong.
        EnvironmentError_: the device is missing or too small.
        OSError: the disk cannot be written.
    """
    # The job, checked whole before anything heavy starts.
    job = read_job(job_folder)
    recipe = resolve_recipe(job.recipe, job.overrides)
    device = choose_device(job)
    device.prepare()
    pairs = read_pairs(job_folder)
    start = job_folder / "start"
    fingerprint = run_fingerprint(job, recipe, pairs, job_folder, start)
    if already_done(job_folder, fingerprint, emit):
        return
    run = Run(job_folder, job, recipe, device, pairs, fingerprint, start)
    logs = with_scalars(job_folder / "logs", emit) if place.rank == 0 else nullcontext(emit)
    with joined(place, device) as ranks, logs as emit_and_write:
        run_job(run, ranks, emit=emit_and_write, cancelled=cancelled)


@dataclass(frozen=True)
class Run:
    """An encoder to train, checked: what every step of it looks at.

    ``share`` is that of the trained weights in its average with the start, where validation is not asked.
    """

    folder: Path
    job: TrainingJob
    recipe: Recipe
    device: ComputeDevice
    pairs: PairSet
    fingerprint: str
    start: Path
    share: float | None = None


def run_job(run: Run, ranks: Ranks, *, emit: Emit, cancelled: Callable[[], bool]) -> bool:
    """Train, top to bottom; every process of the run is in here at the same time. False: it was cancelled."""
    began = time.monotonic()
    job, recipe, device, pairs, start = run.job, run.recipe, run.device, run.pairs, run.start
    trusted: Sequence[JudgedListing] = ()
    if recipe.gradient_agreement > 0:
        pairs, trusted = split_trusted(pairs, job.seed)
    folds = folds_of(recipe, run.pairs)

    def stop_if_cancelled() -> None:
        # Where others wait for this process, requests are looked at after a step only, by all at once.
        if ranks.size == 1 and cancelled():
            raise Stopped

    # 1. Encoder and tokens.
    if job.threads is not None:
        torch.set_num_threads(max(job.threads, 1))
    set_seed(job.seed)
    model, full_length = load_encoder(start, device.kind, recipe.max_tokens)
    listing_tokens = TokenTable(model, [listing.text for listing in pairs.train])
    item_tokens = TokenTable(model, pairs.item_texts)

    # 2. Batches of look-alikes, the same in every process.
    rows = TrainingRows(pairs, recipe, listing_tokens, item_tokens)
    listings = listing_tokens.subset(rows.listings)

    def encode_all(tokens: TokenTable) -> Vectors:
        return encode_together(ranks, model, tokens, half=device.half, between=stop_if_cancelled)

    def encode_listings() -> Vectors:
        return encode_all(listings)

    sampler = LookAlikeBatches(
        rows.rows_of,
        batch_size=recipe.batch_size,
        seed=job.seed,
        encode=encode_listings if recipe.look_alike else None,
        cluster_size=recipe.cluster_size,
        refresh_epochs=recipe.refresh_epochs,
        growth=recipe.cluster_growth,
        chances=inverse_propensity([item for _, item in rows.rows], recipe.inverse_propensity),
    )
    rows.sampler = sampler
    epochs = recipe.epochs_for(len(sampler))
    total_steps = recipe.steps_for(len(rows.rows_of))
    stretch, *others = stretches(total_steps, folds)
    emit_whole, emit = emit, stretch.within(emit)

    if recipe.distill_weight > 0:
        pool = item_tokens.subset(text_pool(pairs.same_text, job.seed))
        rows.catalogue = CatalogueTexts(pool, encode_all(pool), recipe.distilled_per_step, job.seed)

    # 3. Objective, made to fit into memory, and validation.
    dimension = model.get_embedding_dimension()
    if dimension is None:
        raise InputError(f"{start} does not say how long its vectors are; it is no text encoder to train.")
    objective = compose(recipe, model, dimension, chunk_rows=device.chunk_rows)
    objective.ranks, objective.cache_rows = ranks, recipe.cache_rows
    notices = [*pairs.notices, *fit_into_memory(model, objective, device, widest_batch(run, rows))]
    refresh = None
    if trusted:
        notices.append(f"Pairs are weighed by agreement with {len(trusted)} trusted ones.")
        batch = TrustedPairs(model, pairs, trusted)
        refresh = weigh_by_agreement(objective, recipe, dimension, batch, encode_all)
    validation = Validation(model, pairs, most_items=recipe.validation_items, seed=job.seed)

    def validate(encoder: SentenceTransformer) -> dict[str, float]:
        return validation(encoder, half=device.half, between=stop_if_cancelled)

    callback = RunCallback(
        recipe,
        emit=emit,
        cancelled=lambda: ranks.any(cancelled()),
        validate=validate if validation and ranks.is_first else None,
        steps_per_epoch=len(sampler),
        refresh=refresh,
    )

    # 4. The loop, from the newest whole checkpoint of this very run.
    folder = run.folder / "checkpoints"
    if ranks.is_first:
        checkpoints.clear_leftovers(folder)
        checkpoints.clear_leftovers(run.folder)
    resumed_from = ranks.from_first(checkpoints.newest_step(folder, run.fingerprint))
    checkpoint = checkpoints.checkpoint_path(folder, resumed_from) if resumed_from else None
    if ranks.rank:  # heads are drawn alike, dropout is not
        torch.manual_seed(job.seed + 1_000_003 * ranks.rank + resumed_from)
    trainer = EncoderTrainer(
        model=model,
        arguments=training_arguments(recipe, folder=folder, epochs=epochs, seed=job.seed, device=device),
        objective=objective,
        rows=rows,
        sampler=sampler,
        checkpoint_folder=folder,
        fingerprint=run.fingerprint,
        head_learning_rate=recipe.head_learning_rate,
        callback=callback,
        emit=emit,
    )
    emit(
        TrainingStarted(
            run_id=job.run_id,
            device=device.name,
            precision=device.precision,
            tf32=device.tf32,
            processes=ranks.size,
            pairs=pairs.pair_count,
            items=len(pairs.item_texts),
            total_steps=total_steps,
            resumed_from=resumed_from,
        )
    )
    if not validation:
        notices.append("No pair has role validation, so nothing is validated while training.")
    if recipe.mined_negatives and job.mined:
        notices.append(job.mined)
    for notice in notices:
        emit(TrainingNotice(message=notice))
    try:
        stop_if_cancelled()
        if checkpoint is not None and resumed_from >= total_steps:
            trainer.load_end(checkpoint, resumed_from)
        else:
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        step = trainer.state.global_step
        if callback.stopped:
            emit(TrainingCancelled(step=step))
            return False
        share, metrics, exported, averaged = 1.0, callback.metrics, None, None
        if ranks.is_first:  # all have the same encoder by now
            # 5. What came out, averaged with the start where the recipe asks for it.
            shares = recipe.average if run.share is None else (run.share,)
            if validation:
                metrics = validate(model)
            if shares and (validation or run.share is not None):
                untrained, _ = load_encoder(start, device.kind, recipe.max_tokens)
                share, metrics = average_with_start(
                    model,
                    untrained.state_dict(),
                    shares,
                    lambda: validate(model) if validation else {"aurc": 0.0},
                    trained_too=run.share is None,
                )
                emit(TrainingNotice(message=f"Averaged: {share:.0%} trained, {1 - share:.0%} start."))
            if validation:
                emit(TrainingEvaluated(step=step, metrics=metrics))
            stop_if_cancelled()

            # 6. The encoder, the artefact to ship, and the same nearer to the start.
            model.max_seq_length = full_length
            exported = write_encoder(model, run.folder, validation, between=stop_if_cancelled)
            emit(TrainingExported(parity=exported.parity, coverage=exported.coverage))
            for line in coverage_notices(exported.coverage, len(pairs.validation)):
                emit(TrainingNotice(message=line))
            if validation and recipe.fallback_average and not recipe.average:
                averaged = write_averaged(run, model, validation, between=stop_if_cancelled)
    except Stopped:
        emit(TrainingCancelled(step=checkpoints.newest_step(folder, run.fingerprint)))
        return False

    # 7. The encoders of the folds, and the end.
    if folds:
        emit(TrainingNotice(message=f"{len(folds)} more encoders follow, for the matcher to learn from."))
    share = ranks.from_first(round(1000 * share)) / 1000
    for fold, its_stretch in zip(folds, others, strict=True):
        told = of_a_fold(fold.number, its_stretch.within(emit_whole))
        if not train_fold(run, fold, share, ranks, emit=told, cancelled=cancelled):
            return False
    if exported is None:
        return True
    trainer.dynamics.write(run.folder, rows.rows, pairs)
    seconds = time.monotonic() - began
    finished = TrainingFinished(
        step=step + sum(fold.steps for fold in folds), seconds=seconds, metrics=metrics
    )
    write_result(run.folder, job, run.fingerprint, exported, finished, averaged, folds=len(folds))
    shutil.rmtree(folder, ignore_errors=True)
    emit(finished)
    return True


def train_fold(
    run: Run, fold: Fold, share: float, ranks: Ranks, *, emit: Emit, cancelled: Callable[[], bool]
) -> bool:
    """Train the encoder of a fold into ``folds/K`` of the run, or what is left of it to do."""
    folder = run.folder / FOLDS / str(fold.number)
    folder.mkdir(parents=True, exist_ok=True)
    # Folds are dealt by their number: those of a run that had more or fewer have seen these listings.
    starts = run.folder / FOLD_STARTS
    same = starts.is_dir() and len(list(starts.iterdir())) == run.recipe.folds
    start = starts / str(fold.number) if same else run.start
    fingerprint = f"{run_fingerprint(run.job, fold.recipe, fold.pairs, run.folder, start)} {share}"
    done = ranks.is_first and already_done(folder, fingerprint, emit)
    if ranks.from_first(int(done)):
        return True
    own = replace(
        run,
        folder=folder,
        recipe=fold.recipe,
        pairs=fold.pairs,
        fingerprint=fingerprint,
        start=start,
        share=share if share < 1 else None,
    )
    return run_job(own, ranks, emit=emit, cancelled=cancelled)


def write_averaged(
    run: Run, model: SentenceTransformer, validation: Validation, *, between: Callable[[], None]
) -> AveragedEncoder:
    """Write the average of the trained encoder and its start that validates best into ``averaged/``.

    The engine, which has no torch, tries it where the gate refuses the trained encoder. ``model`` is left
    at the average.
    """
    untrained, _ = load_encoder(run.start, run.device.kind, run.recipe.max_tokens)
    share, metrics = average_with_start(
        model,
        untrained.state_dict(),
        run.recipe.fallback_average,
        lambda: validation(model, half=run.device.half, between=between),
        trained_too=False,
    )
    # Most averages are never asked for; their files are not measured beyond the cosine.
    exported = write_encoder(model, run.folder / AVERAGED)
    return AveragedEncoder(share=share, metrics=metrics, parity=exported.parity)


def widest_batch(run: Run, rows: TrainingRows) -> BatchSize:
    """The most that one step of a run may look at."""
    listings = min(run.recipe.batch_size, len(rows.rows_of))
    items = min(listings * (1 + run.recipe.hard_negatives), len(run.pairs.item_texts))
    return BatchSize(listings, items + run.recipe.distilled_per_step, rows.longest_text())


def run_fingerprint(job: TrainingJob, recipe: Recipe, pairs: PairSet, job_folder: Path, start: Path) -> str:
    """Hash of all that decides the result; a checkpoint of anything else is not resumed from."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(recipe.model_dump_json().encode())
    digest.update(f"{job.seed} {pairs.fingerprint}".encode())
    fold_starts = (job_folder / FOLD_STARTS).rglob("*.safetensors") if recipe.folds else ()
    for path in (*sorted(start.rglob("*.safetensors")), *sorted(fold_starts)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
