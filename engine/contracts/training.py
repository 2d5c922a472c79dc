"""Messages between Alcove and the trainer process.

A training run is a folder::

    job.json        TrainingJob
    pairs.parquet   PAIR_COLUMNS
    items.parquet   ITEM_COLUMNS
    start/          sentence-transformers folder to start from
    events.jsonl    one TrainingEvent a line (also on standard output)
    dynamics.parquet  how each confirmed pair fared while training: see DYNAMICS
    logs/           the same numbers for TensorBoard, where it is installed
    checkpoints/    to resume from
    encoder/        the trained sentence-transformers folder
    artefact/       the encoder to ship: see ENCODER_FILES
    averaged/       the same two of the trained encoder averaged with the start, where the recipe has it
    folds/          encoders that have each not seen a share of the listings: see FOLDS
    result.json     TrainingResult, written last

The folder is all the trainer needs: it can be carried to another machine and back.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

#: pairs.parquet. ``verdict`` is ``match``, ``variant``, ``none`` (shown and turned down) or ``mined`` (a
#: negative nobody judged); ``weight``, above 0, is what a confirmed pair counts, and 1 for the others;
#: ``role`` is ``train`` or ``validation``; one row per (listing, item).
PAIR_COLUMNS = ("listing_id", "listing_text", "item_id", "verdict", "weight", "role")
#: items.parquet: every item a pair names and a sample of the catalogue around them.
ITEM_COLUMNS = ("item_id", "item_text")
#: An encoder folder as the engine loads it. ``encoder.onnx`` takes ``input_ids`` and
#: ``attention_mask`` (int64, [batch, tokens]) and returns ``embedding`` (float32, [batch, d], unit).
ENCODER_FILES = (
    "encoder.onnx",
    "encoder.int8.onnx",
    "encoder.fp16.onnx",
    "tokenizer.json",
    "encoder.json",
)

#: Which ONNX file of an encoder folder a variant is.
VARIANT_FILES = {"fp32": "encoder.onnx", "int8": "encoder.int8.onnx", "fp16": "encoder.fp16.onnx"}

#: What a run is made of, beside its job and ``start/``.
INPUT_FILES = ("pairs.parquet", "items.parquet")
#: How each confirmed pair fared: ``listing_id``, ``item_id``, ``margin`` (mean over the run), ``times``.
DYNAMICS = "dynamics.parquet"
#: The folders a finished run leaves.
RESULT_FOLDERS = ("encoder", "artefact", "averaged", "folds")
#: One that a run may lack: an encoder nearer to the start, tried where the gate refuses the trained one.
AVERAGED = "averaged"
#: Another: ``folds/K`` holds ``encoder/`` and ``artefact/`` of an encoder that was trained like the run's
#: own, but for the listings of fold K (:func:`fold_of`). To the matcher it says what the run's encoder would
#: say of them if they were new.
FOLDS = "folds"
#: ``start-folds/K``, an input: what the encoder of fold K starts from, where that is not ``start/``.
FOLD_STARTS = "start-folds"
#: Number format of the trainer's matrix products.
NumberFormat = Literal["auto", "fp32", "bf16", "fp16"]


def fold_of(listing_id: str, folds: int) -> int:
    """The fold of a listing, 0 to ``folds`` - 1: the same in every run with as many folds."""
    digest = blake2b(listing_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % folds


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EncoderInfo(_Message):
    """``encoder.json``: how to feed the encoder and what it was made from.

    ``coverage`` is what each variant would automate of the validation listings of the training run that
    made it, on similarity alone (``C@90`` and so on, shares); empty for an encoder that no run made.
    """

    dimension: int
    max_tokens: int
    pad_token_id: int = 0
    source: str
    source_sha256: str
    parity: dict[str, float] = Field(default_factory=dict)
    coverage: dict[str, dict[str, float]] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)


class TrainingJob(_Message):
    """``job.json``. ``start_release`` is the release whose encoder the run starts from.

    ``precision`` is the number format of matrix products; ``auto`` takes what suits the device. ``mined``
    says what is known of the mined negatives, for recipes that use them.
    """

    format: Literal[1] = 1
    run_id: str
    start_release: str | None = None
    recipe: str = "default"
    overrides: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: NumberFormat = "auto"
    threads: int | None = None
    mined: str = ""


class TrainingStarted(_Message):
    """The trainer has read its job. ``resumed_from`` is the step of the checkpoint, or 0.

    ``tf32``: fp32 matrix products may round their inputs; ``processes`` share each batch.
    """

    event: Literal["started"] = "started"
    run_id: str
    device: str
    precision: str
    pairs: int
    items: int
    total_steps: int
    resumed_from: int = 0
    tf32: bool = False
    processes: int = 1


class TrainingProgress(_Message):
    """One reported step.

    ``losses`` holds the named parts of ``loss``; ``fold`` is whose encoder took it, None the run's own.
    """

    event: Literal["progress"] = "progress"
    step: int
    total_steps: int
    loss: float
    losses: dict[str, float] = Field(default_factory=dict)
    learning_rate: float
    pairs_per_second: float
    eta_seconds: float
    fold: int | None = None


class TrainingEvaluated(_Message):
    """Validation inside the trainer (torch module, similarity only): coverage at precision."""

    event: Literal["evaluated"] = "evaluated"
    step: int
    metrics: dict[str, float]


class TrainingCheckpoint(_Message):
    """A checkpoint is complete on disk."""

    event: Literal["checkpoint"] = "checkpoint"
    step: int


class TrainingNotice(_Message):
    """Something worth a line: a smaller batch after out-of-memory, a skipped pair."""

    event: Literal["notice"] = "notice"
    message: str


class TrainingExported(_Message):
    """The encoder folder is written; ``parity`` is the least cosine to the torch module per variant.

    ``coverage`` as in :class:`EncoderInfo`.
    """

    event: Literal["exported"] = "exported"
    parity: dict[str, float]
    coverage: dict[str, dict[str, float]] = Field(default_factory=dict)


class TrainingFinished(_Message):
    """The run ended well."""

    event: Literal["finished"] = "finished"
    step: int
    seconds: float
    metrics: dict[str, float] = Field(default_factory=dict)


class TrainingCancelled(_Message):
    """The run was asked to stop; it can be resumed from ``step``."""

    event: Literal["cancelled"] = "cancelled"
    step: int


class TrainingFailed(_Message):
    """The run failed; ``kind`` tells whose fault it is (input, environment, bug)."""

    event: Literal["failed"] = "failed"
    kind: Literal["input", "environment", "bug"]
    message: str


class AveragedEncoder(_Message):
    """What lies in ``averaged/``: ``share`` trained weights, chosen on validation, the rest the start's.

    ``metrics`` are its own in validation, as in :class:`TrainingEvaluated`.
    """

    share: float = Field(gt=0, lt=1)
    metrics: dict[str, float]
    parity: dict[str, float] = Field(default_factory=dict)


class TrainingResult(_Message):
    """``result.json``: the run is done, this came out of it, and of this it was made.

    ``folds`` is the number of encoders in FOLDS.

    ``files`` holds the sha256 of every file of RESULT_FOLDERS by its path in the run folder; ``inputs``
    that of INPUT_FILES and of the weights in ``start/``. Runs of older versions lack both, and ``job``.
    """

    fingerprint: str
    parity: dict[str, float]
    finished: TrainingFinished
    job: TrainingJob | None = None
    averaged: AveragedEncoder | None = None
    folds: int = 0
    coverage: dict[str, dict[str, float]] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict)


TrainingEvent = Annotated[
    TrainingStarted
    | TrainingProgress
    | TrainingEvaluated
    | TrainingCheckpoint
    | TrainingNotice
    | TrainingExported
    | TrainingFinished
    | TrainingCancelled
    | TrainingFailed,
    Field(discriminator="event"),
]

TRAINING_EVENT: TypeAdapter[TrainingEvent] = TypeAdapter(TrainingEvent)


def parse_training_event(line: str) -> TrainingEvent | None:
    """One line of ``events.jsonl`` as an event; None for a line that is not one (a library's chatter)."""
    line = line.strip()
    if not line.startswith("{"):
        return None
    try:
        return TRAINING_EVENT.validate_json(line)
    except ValueError:
        return None
