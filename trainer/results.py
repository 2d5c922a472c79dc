"""What a run leaves: the trained encoder, the artefact to ship, and the note that it is done."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sentence_transformers import SentenceTransformer

from engine.contracts.training import (
    ENCODER_FILES,
    FOLD_STARTS,
    INPUT_FILES,
    RESULT_FOLDERS,
    AveragedEncoder,
    EncoderInfo,
    TrainingEvent,
    TrainingExported,
    TrainingFinished,
    TrainingJob,
    TrainingNotice,
    TrainingResult,
)
from trainer import checkpoints
from trainer.artefact_coverage import Coverage, artefact_coverage
from trainer.validation import Validation

RESULT = "result.json"


class Exported(NamedTuple):
    """How near the exported files are to the torch module, and what each would automate, by variant."""

    parity: dict[str, float]
    coverage: Coverage


def write_encoder(
    model: SentenceTransformer,
    folder: Path,
    validation: Validation | None = None,
    *,
    between: Callable[[], None] | None = None,
) -> Exported:
    """Write ``encoder/`` and export it to ``artefact/``; each appears whole or not at all.

    Args:
        model: the encoder.
        folder: of the run, or another for an encoder beside the run's own.
        validation: what the exported files are measured on, beside the cosine.
        between: called before every pass of that; may raise to stop.
    """
    from trainer.export import export_encoder  # imports the ONNX exporter, which a cancelled run never needs

    aside = folder / "writing-encoder"
    shutil.rmtree(aside, ignore_errors=True)
    model.save_pretrained(str(aside), create_model_card=False)
    checkpoints.replace_folder(aside, folder / "encoder")
    aside = folder / "writing-artefact"
    shutil.rmtree(aside, ignore_errors=True)
    parity = export_encoder(folder / "encoder", aside)
    coverage = artefact_coverage(aside, validation, between=between) if validation else {}
    info = aside / "encoder.json"
    noted = EncoderInfo.model_validate_json(info.read_bytes()).model_copy(update={"coverage": coverage})
    info.write_text(noted.model_dump_json(indent=2) + "\n", encoding="utf-8")
    checkpoints.replace_folder(aside, folder / "artefact")
    return Exported(parity, coverage)


def write_result(
    job_folder: Path,
    job: TrainingJob,
    fingerprint: str,
    exported: Exported,
    finished: TrainingFinished,
    averaged: AveragedEncoder | None = None,
    *,
    folds: int = 0,
) -> None:
    """Note that the run is done, of what, and with which files.

    Starting it again does not train again, and whoever gets the folder back can tell that it is whole.
    """
    # What a fold notes of itself is for its next start, and says how long it took.
    results = [
        path for name in RESULT_FOLDERS for path in (job_folder / name).rglob("*") if path.name != RESULT
    ]
    inputs = [*(job_folder / name for name in INPUT_FILES), *start_weights(job_folder)]
    result = TrainingResult(
        fingerprint=fingerprint,
        parity=exported.parity,
        coverage=exported.coverage,
        finished=finished,
        job=job,
        averaged=averaged,
        folds=folds,
        files=_hashes(job_folder, results),
        inputs=_hashes(job_folder, inputs),
    )
    aside = job_folder / f"writing-{RESULT}"
    aside.write_text(result.model_dump_json(), encoding="utf-8")
    checkpoints.sync(aside)
    aside.replace(job_folder / RESULT)
    checkpoints.sync(job_folder)


def start_weights(job_folder: Path) -> list[Path]:
    """The weights that a run starts from."""
    folders = (job_folder / "start", job_folder / FOLD_STARTS)
    return sorted(path for folder in folders for path in folder.rglob("*.safetensors"))


def already_done(job_folder: Path, fingerprint: str, emit: Callable[[TrainingEvent], None]) -> bool:
    """Repeat the last events of a run that is done; False when there is (still) something to train."""
    try:
        text = (job_folder / RESULT).read_text(encoding="utf-8")
        result = TrainingResult.model_validate_json(text)
    except (OSError, ValueError):
        return False
    whole = all((job_folder / "artefact" / name).is_file() for name in ENCODER_FILES)
    if result.fingerprint != fingerprint or not whole:
        return False
    emit(TrainingNotice(message="This run is done already; nothing was trained again."))
    emit(TrainingExported(parity=result.parity, coverage=result.coverage))
    emit(result.finished)
    return True


def _hashes(job_folder: Path, paths: list[Path]) -> dict[str, str]:
    """The sha256 of every file among ``paths`` by its path in the run folder."""
    found = {}
    for path in sorted(path for path in paths if path.is_file()):
        with path.open("rb") as stream:
            found[path.relative_to(job_folder).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found
