"""The encoder at run time: record texts to unit vectors, with onnxruntime and tokenizers only."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnxruntime
from pydantic import ValidationError
from tokenizers import Tokenizer

from engine.backends.devices import CPU, CUDA, Device, choose_device, usable_cores
from engine.contracts.training import VARIANT_FILES, EncoderInfo
from engine.errors import ArtefactDamagedError, EnvironmentError_, InputError

Vectors = npt.NDArray[np.float32]

_BEST_VARIANT = {"cpu": "int8", "cuda": "fp16"}
#: Tokens of one batch, padding included. On a CPU this many for each thread keep a layer's activations in
#: the caches (twice as many are slower); a card wants far more work at once.
_CPU_BATCH_TOKENS_PER_THREAD = 512
_CUDA_BATCH_TOKENS = 65_536
#: Texts tokenised and sorted together; bounds the memory and is how often progress can be told.
_WINDOW = 8192


class OnnxEncoder:
    """Encodes texts with one ONNX file of an encoder folder (``contracts.training.ENCODER_FILES``).

    Attributes:
        dimension: length of a vector.
        sha256: of the ONNX file in use; vectors of different files must not be mixed.
        variant: ``fp32``, ``int8`` or ``fp16``.
        device: ``cpu`` or ``cuda``, as the session really opened.
        why: one line on why this device and variant.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tokenizer: Tokenizer,
        info: EncoderInfo,
        variant: str,
        device: Device,
        sha256: str,
        threads: int,
    ) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._pad = info.pad_token_id
        self.info = info
        self.dimension = info.dimension
        self.sha256 = sha256
        self.variant = variant
        self.device: str = device.name
        self._batch_tokens = (
            _CUDA_BATCH_TOKENS if device.name == "cuda" else _CPU_BATCH_TOKENS_PER_THREAD * threads
        )
        self.why = f"{variant} on {device.name}: {device.why}"

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        variant: str | None = None,
        threads: int | None = None,
        device: Literal["cpu"] | None = None,
    ) -> OnnxEncoder:
        """Load an encoder folder, its files checked against the sha256 sums in ``encoder.json``.

        Args:
            folder: the encoder folder.
            variant: ``fp32``, ``int8`` or ``fp16``; None picks fp16 on CUDA and int8 on the CPU.
            threads: CPU threads of onnxruntime; None means every core the process may use.
            device: ``cpu`` keeps off a CUDA card; None takes the best that answers.

        Raises:
            InputError: the folder is not an encoder folder, or there is no such variant.
            ArtefactDamagedError: a file is missing or is not the one that was written.
            EnvironmentError_: onnxruntime cannot run the file.
        """
        info = read_info(folder)
        chosen = choose_device() if device is None else Device("cpu", (CPU,), "asked for")
        used = variant or _BEST_VARIANT[chosen.name]
        if used not in VARIANT_FILES:
            raise InputError(f"encoder variant {used!r} is unknown; use one of {', '.join(VARIANT_FILES)}")
        sha256 = _checked(folder / VARIANT_FILES[used], info)
        _checked(folder / "tokenizer.json", info)
        threads = threads or usable_cores()
        session = _open_session(folder / VARIANT_FILES[used], chosen, threads)
        if chosen.name not in _devices_of(session):
            # The card answers, but not for this file: encode on the CPU with what suits the CPU.
            encoder = cls.load(folder, variant=variant, threads=threads, device="cpu")
            encoder.why = f"{encoder.variant} on cpu: CUDA refused this encoder"
            return encoder
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(info.max_tokens)
        return cls(session, tokenizer, info, used, chosen, sha256, threads)

    def encode(
        self,
        texts: Sequence[str],
        *,
        batch_tokens: int | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Vectors:
        """Encode texts; an empty text has a vector too.

        Args:
            texts: any number of texts; what exceeds the encoder's ``max_tokens`` is cut off.
            batch_tokens: how many tokens (padding included) go through the model at once.
            on_progress: called with (texts done, texts in all) from time to time.

        Returns:
            float32 [n, dimension], unit rows, in the order of ``texts``.
        """
        limit = batch_tokens or self._batch_tokens
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _WINDOW):
            window = texts[start : start + _WINDOW]
            done = start
            for rows, ids, mask in self._batches(window, limit):
                found = self._session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})[0]
                # The graph scales to unit length too, but in whatever precision its variant has.
                vectors[start + rows] = found / np.maximum(
                    np.linalg.norm(found, axis=1, keepdims=True), 1e-12
                )
                done += len(rows)
                if on_progress is not None:
                    on_progress(done, len(texts))
        return vectors

    def _batches(
        self, texts: Sequence[str], limit: int
    ) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Rows, token ids and mask of each batch: longest texts first, so that little is padding."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        token_ids = [encoding.ids or [self._pad] for encoding in encodings]
        lengths = np.fromiter(map(len, token_ids), dtype=np.int64, count=len(token_ids))
        order = np.argsort(-lengths, kind="stable")
        start = 0
        while start < len(order):
            width = int(lengths[order[start]])
            rows = order[start : start + max(1, limit // width)]
            mask = (np.arange(width) < lengths[rows, None]).astype(np.int64)
            ids = np.full((len(rows), width), self._pad, dtype=np.int64)
            ids[mask.astype(bool)] = np.concatenate([token_ids[row] for row in rows])
            yield rows, ids, mask
            start += len(rows)


def file_sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_info(folder: Path) -> EncoderInfo:
    """``encoder.json`` of an encoder folder.

    Raises:
        InputError: there is none.
        ArtefactDamagedError: it cannot be read.
    """
    path = folder / "encoder.json"
    try:
        return EncoderInfo.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{folder} is not an encoder folder: it holds no encoder.json") from error
    except ValidationError as error:
        raise ArtefactDamagedError(f"{path} is damaged; export the encoder again") from error


def _checked(path: Path, info: EncoderInfo) -> str:
    """The sha256 of a file that ``encoder.json`` vouches for."""
    expected = info.files.get(path.name)
    if expected is None or not path.is_file():
        raise ArtefactDamagedError(f"{path} is missing from the encoder; export the encoder again")
    if file_sha256(path) != expected:
        raise ArtefactDamagedError(f"{path} is not the file that was exported; export the encoder again")
    return expected


def _devices_of(session: onnxruntime.InferenceSession) -> set[str]:
    return {"cuda" if provider == CUDA else "cpu" for provider in session.get_providers()}


def _open_session(path: Path, device: Device, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        # onnxruntime prints to standard output when a provider refuses a file.
        with contextlib.redirect_stdout(io.StringIO()):
            return onnxruntime.InferenceSession(str(path), options, providers=list(device.providers))
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        raise EnvironmentError_(f"onnxruntime cannot run {path}: {error}") from error
