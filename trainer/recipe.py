"""A training run from top to bottom: pairs in, encoder and artefact out."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from transformers import set_seed

from engine.contracts.training import (
    ENCODER_FILES,
    TrainingCancelled,
    TrainingEvaluated,
    TrainingExported,
    TrainingFinished,
    TrainingJob,
    TrainingNotice,
    TrainingStarted,
)
from engine.errors import EnvironmentError_, InputError
from trainer import checkpoints
from trainer.averaging import average_with_start
from trainer.config import Recipe, resolve_recipe
from trainer.data import PairSet, read_job, read_pairs
from trainer.embedding import TokenTable, Vectors, encode
from trainer.encoder_trainer import EncoderTrainer, TrainingRows, training_arguments
from trainer.losses import compose
from trainer.run_callback import Emit, RunCallback
from trainer.sampling import LookAlikeBatches, inverse_propensity
from trainer.validation import Validation

logger = logging.getLogger(__name__)

#: Rows of one pass on a CPU: small enough that titles of one length meet, large enough to fill the cores.
CPU_CHUNK_ROWS = 32


class Stopped(Exception):
    """Raised between passes of long work when the run was asked to stop."""


def train(job_folder: Path, *, emit: Emit, cancelled: Callable[[], bool]) -> None:
    """Run the job of a folder to its end, or until it is cancelled; resumes from its checkpoints.

    Raises:
        InputError: the job, its tables or its recipe are wrong.
        EnvironmentError_: the device is missing or too small.
        OSError: the disk cannot be written.
    """
    began = time.monotonic()

    # 1. The job, checked whole before anything heavy starts.
    job = read_job(job_folder)
    recipe = resolve_recipe(job.recipe, job.overrides)
    device, precision = choose_device(job)
    pairs = read_pairs(job_folder)
    start = job_folder / "start"
    fingerprint = run_fingerprint(job, recipe, pairs, start)
    if _already_done(job_folder, fingerprint, emit):
        return

    def stop_if_cancelled() -> None:
        if cancelled():
            raise Stopped

    # 2. Encoder and tokens.
    if job.threads is not None:
        torch.set_num_threads(max(job.threads, 1))
    set_seed(job.seed)
    model, full_length = load_encoder(start, device, recipe.max_tokens)
    listing_tokens = TokenTable(model, [listing.text for listing in pairs.train])
    item_tokens = TokenTable(model, pairs.item_texts)

    # 3. Batches of look-alikes.
    rows = TrainingRows(pairs, recipe, listing_tokens, item_tokens)
    listings = listing_tokens.subset(rows.listings)

    def encode_listings() -> Vectors:
        return encode(model, listings, between=stop_if_cancelled)

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
    total_steps = min(epochs * len(sampler), recipe.max_steps or epochs * len(sampler))

    # 4. Objective and validation.
    dimension = model.get_embedding_dimension()
    if dimension is None:
        raise InputError(f"{start} does not say how long its vectors are; it is no text encoder to train.")
    chunk_rows = CPU_CHUNK_ROWS if device == "cpu" else None
    objective = compose(recipe, model, dimension, chunk_rows=chunk_rows)
    validation = Validation(model, pairs, most_items=recipe.validation_items, seed=job.seed)

    def validate(encoder: SentenceTransformer) -> dict[str, float]:
        return validation(encoder, between=stop_if_cancelled)

    callback = RunCallback(
        recipe,
        emit=emit,
        cancelled=cancelled,
        validate=validate if validation else None,
        steps_per_epoch=len(sampler),
    )

    # 5. The loop, from the newest whole checkpoint of this very run.
    folder = job_folder / "checkpoints"
    checkpoints.clear_leftovers(folder)
    checkpoints.clear_leftovers(job_folder)
    checkpoint = checkpoints.newest_checkpoint(folder, fingerprint)
    resumed_from = 0 if checkpoint is None else int(checkpoint.name.removeprefix(checkpoints.PREFIX))
    trainer = EncoderTrainer(
        model=model,
        arguments=training_arguments(
            recipe, folder=folder, epochs=epochs, seed=job.seed, device=device, precision=precision
        ),
        objective=objective,
        rows=rows,
        sampler=sampler,
        checkpoint_folder=folder,
        fingerprint=fingerprint,
        head_learning_rate=recipe.head_learning_rate,
        callback=callback,
    )
    emit(
        TrainingStarted(
            run_id=job.run_id,
            device=device_name(device),
            precision=precision,
            pairs=pairs.pair_count,
            items=len(pairs.item_texts),
            total_steps=total_steps,
            resumed_from=resumed_from,
        )
    )
    for notice in pairs.notices:
        emit(TrainingNotice(message=notice))
    if not validation:
        emit(TrainingNotice(message="No pair has role validation, so nothing is validated while training."))
    try:
        stop_if_cancelled()
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        step = trainer.state.global_step
        if callback.stopped:
            emit(TrainingCancelled(step=step))
            return

        # 6. What came out, averaged with the start where the recipe asks for it.
        metrics = callback.metrics
        if validation:
            metrics = validate(model)
            if recipe.average:
                untrained, _ = load_encoder(start, device, recipe.max_tokens)
                share, metrics = average_with_start(
                    model, untrained.state_dict(), recipe.average, lambda: validate(model)
                )
                emit(TrainingNotice(message=f"Averaged: {share:.0%} trained, {1 - share:.0%} start."))
            emit(TrainingEvaluated(step=step, metrics=metrics))
        stop_if_cancelled()
    except Stopped:
        newest = checkpoints.newest_checkpoint(folder, fingerprint)
        step = 0 if newest is None else int(newest.name.removeprefix(checkpoints.PREFIX))
        emit(TrainingCancelled(step=step))
        return

    # 7. The encoder, the artefact to ship, and the end.
    model.max_seq_length = full_length
    parity = write_encoder(model, job_folder)
    emit(TrainingExported(parity=parity))
    finished = TrainingFinished(step=step, seconds=time.monotonic() - began, metrics=metrics)
    _write_result(job_folder, fingerprint, parity, finished)
    shutil.rmtree(folder, ignore_errors=True)
    emit(finished)


def choose_device(job: TrainingJob) -> tuple[str, str]:
    """Device (cpu, cuda) and precision (fp32, bf16) of a job.

    Raises:
        EnvironmentError_: the job insists on a GPU and there is none.
    """
    if job.device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentError_("No CUDA device can be used here; train with device auto or cpu.")
    if job.device == "cpu" or not torch.cuda.is_available():
        return "cpu", "fp32"
    return "cuda", "bf16" if torch.cuda.is_bf16_supported() else "fp32"


def device_name(device: str) -> str:
    """How to call the device in front of people."""
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def load_encoder(folder: Path, device: str, max_tokens: int) -> tuple[SentenceTransformer, int]:
    """The sentence-transformers model of a folder, cut to ``max_tokens``, and its own length in tokens.

    Raises:
        InputError: the folder holds no such model.
    """
    if not (folder / "modules.json").is_file():
        raise InputError(f"{folder} is not a sentence-transformers folder; write the job again.")
    try:
        model = SentenceTransformer(str(folder), device=device, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder} cannot be loaded: {error}") from error
    full_length = int(model.max_seq_length or max_tokens)
    model.max_seq_length = min(full_length, max_tokens)
    return model, full_length


def run_fingerprint(job: TrainingJob, recipe: Recipe, pairs: PairSet, start: Path) -> str:
    """Hash of all that decides the result; a checkpoint of anything else is not resumed from."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(recipe.model_dump_json().encode())
    digest.update(f"{job.seed} {pairs.fingerprint}".encode())
    for path in sorted(start.rglob("*.safetensors")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def write_encoder(model: SentenceTransformer, job_folder: Path) -> dict[str, float]:
    """Write ``encoder/`` and export it to ``artefact/``; each appears whole or not at all.

    Returns:
        Parity of the exported variants with the torch module.
    """
    from trainer.export import export_encoder  # imports the ONNX exporter, which a cancelled run never needs

    aside = job_folder / "writing-encoder"
    shutil.rmtree(aside, ignore_errors=True)
    model.save_pretrained(str(aside), create_model_card=False)
    checkpoints.replace_folder(aside, job_folder / "encoder")
    aside = job_folder / "writing-artefact"
    shutil.rmtree(aside, ignore_errors=True)
    parity = export_encoder(job_folder / "encoder", aside)
    checkpoints.replace_folder(aside, job_folder / "artefact")
    return parity


def _write_result(
    job_folder: Path, fingerprint: str, parity: dict[str, float], finished: TrainingFinished
) -> None:
    """Note that the run is done, so that starting it again does not train again."""
    aside = job_folder / "writing-result.json"
    document = {"fingerprint": fingerprint, "parity": parity, "finished": finished.model_dump()}
    aside.write_text(json.dumps(document), encoding="utf-8")
    aside.replace(job_folder / "result.json")


def _already_done(job_folder: Path, fingerprint: str, emit: Emit) -> bool:
    """Repeat the last events of a run that is done; False when there is (still) something to train."""
    try:
        document = json.loads((job_folder / "result.json").read_text(encoding="utf-8"))
        finished = TrainingFinished.model_validate(document["finished"])
        parity = {name: float(value) for name, value in document["parity"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    whole = all((job_folder / "artefact" / name).is_file() for name in ENCODER_FILES)
    if document.get("fingerprint") != fingerprint or not whole:
        return False
    emit(TrainingNotice(message="This run is done already; nothing was trained again."))
    emit(TrainingExported(parity=parity))
    emit(finished)
    return True
