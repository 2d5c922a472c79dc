"""Writes an encoder folder from ONNX models: files, comparison, ``encoder.json``. Without torch."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer

from engine.contracts.training import ENCODER_FILES, EncoderInfo
from engine.errors import BugError
from trainer.bert_graph import BertShape, Pooling, Weights, bert_graph
from trainer.bert_int8 import bert_int8_graph, calibrate

#: Least cosine of the float32 file to the model it was made from; they differ by rounding only.
LEAST_FP32 = 0.9999

#: Below this mean cosine the int8 file with fixed scales gives way to dynamic ones, if those are closer.
LEAST_INT8_MEAN = 0.99

Vectors = npt.NDArray[np.float32]
#: ``input_ids`` and ``attention_mask``, int64 [texts, tokens], as the engine feeds them.
Tokens = Mapping[str, npt.NDArray[np.int64]]


class Graphs(NamedTuple):
    """An encoder in every precision; without ``int8``, ``full`` is quantised dynamically."""

    full: onnx.ModelProto
    half: onnx.ModelProto
    int8: onnx.ModelProto | None


@dataclass(frozen=True, slots=True)
class Verification:
    """Texts as the engine feeds them, and the vectors [texts, dimension] that should come out."""

    tokens: Tokens
    wanted: Vectors


@dataclass(frozen=True, slots=True)
class Encoder:
    """What an encoder folder is made of. ``tokenizer`` neither pads nor cuts."""

    graphs: Graphs
    tokenizer: Tokenizer
    dimension: int
    max_tokens: int
    pad_token_id: int
    source: str
    source_sha256: str


def bert_graphs(weights: Weights, shape: BertShape, pooling: Pooling, samples: Tokens) -> Graphs:
    """A BERT-like encoder in every precision; ``samples`` show how large its activations get."""
    full = bert_graph(weights, shape, pooling)
    return Graphs(
        full,
        bert_graph(weights, shape, pooling, half=True),
        bert_int8_graph(weights, shape, pooling, calibrate(full, shape, samples)),
    )


def tokenise(tokenizer: Tokenizer, texts: Iterable[str], max_tokens: int, pad: int) -> Tokens:
    """Texts as the engine feeds them, in one batch."""
    tokenizer.enable_truncation(max_tokens)
    rows = [encoding.ids or [pad] for encoding in tokenizer.encode_batch(list(texts))]
    tokenizer.no_truncation()
    ids = np.full((len(rows), max(map(len, rows))), pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def write_encoder(out: Path, encoder: Encoder, verification: Verification) -> dict[str, float]:
    """Write ``contracts.training.ENCODER_FILES``; see ``trainer.export.export_encoder`` for what returns.

    ``encoder.json`` is written last: a folder without it is not an encoder folder, so an interrupted
    export is never taken for a whole one.

    Raises:
        BugError: the float32 file does not compute what it was made from.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / "encoder.json").unlink(missing_ok=True)
    encoder.tokenizer.save(str(out / "tokenizer.json"))
    full, half, int8 = encoder.graphs
    onnx.save(full, str(out / "encoder.onnx"))
    least, _ = _parity(out / "encoder.onnx", verification)
    if not least > LEAST_FP32:
        raise BugError(
            f"the exported encoder differs from {encoder.source}: cosine {least:.5f} where more than "
            f"{LEAST_FP32} was expected"
        )
    parity = {"fp32": least}
    parity["int8"], parity["int8_mean"] = _write_int8(full, int8, out / "encoder.int8.onnx", verification)
    onnx.save(half, str(out / "encoder.fp16.onnx"))
    parity["fp16"], parity["fp16_mean"] = _parity(out / "encoder.fp16.onnx", verification)
    info = EncoderInfo(
        dimension=encoder.dimension,
        max_tokens=encoder.max_tokens,
        pad_token_id=encoder.pad_token_id,
        source=encoder.source,
        source_sha256=encoder.source_sha256,
        parity=parity,
        files={name: sha256_of(out / name) for name in ENCODER_FILES if name != "encoder.json"},
    )
    (out / "encoder.json").write_text(info.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return parity


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_int8(
    full: onnx.ModelProto, int8: onnx.ModelProto | None, path: Path, verification: Verification
) -> tuple[float, float]:
    """The int8 file, with fixed scales where they do; returns the least and the mean cosine."""
    fixed = (-1.0, -1.0)
    if int8 is not None:
        onnx.save(int8, str(path))
        fixed = _parity(path, verification)
        if fixed[1] >= LEAST_INT8_MEAN:
            return fixed
    _quantise_dynamically(full, path)
    dynamic = _parity(path, verification)
    if int8 is not None and fixed[1] > dynamic[1]:
        onnx.save(int8, str(path))
        return fixed
    return dynamic


def _quantise_dynamically(full: onnx.ModelProto, path: Path) -> None:
    """Dynamic quantisation of the weighted products, a scale for every output channel.

    One scale for a whole matrix loses too much: mean cosine .953 instead of .992 on product titles.
    """
    with _quiet_root_logger():
        quantize_dynamic(
            full,
            path,
            op_types_to_quantize=["MatMul", "Attention"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )


@contextmanager
def _quiet_root_logger() -> Iterator[None]:
    """The quantizer advises the root logger to do what was done already."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _parity(path: Path, verification: Verification) -> tuple[float, float]:
    """The least and the mean cosine between a file's vectors and the wanted ones."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (vectors,) = session.run(["embedding"], dict(verification.tokens))
    # The engine scales to unit length again, which float16 pooling of traced models needs.
    lengths = np.linalg.norm(vectors, axis=1)
    cosines = np.sum(vectors * verification.wanted, axis=1) / np.maximum(lengths, 1e-12)
    return float(cosines.min()), float(cosines.mean())
