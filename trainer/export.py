"""Turns a sentence-transformers folder into the encoder folder that the engine loads.

``python -m trainer.export SOURCE OUT`` prints one JSON object a line: the step it is at, then the parity.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.transformers.float16 import convert_float_to_float16
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from engine.errors import EngineError, InputError
from trainer.bert_graph import OPSET, Pooling, bert_shape
from trainer.encoder_files import (
    Encoder,
    Graphs,
    Tokens,
    Verification,
    bert_graphs,
    sha256_of,
    tokenise,
    write_encoder,
)
from trainer.sample_texts import SAMPLE_TEXTS

#: Record texts are short: 128 tokens hold practically all of them, and what is longer is cut.
MAX_TOKENS = 128
STEPS = ("loading the model", "writing the graph", "quantising and comparing")


def export_encoder(
    sentence_transformers_folder: Path,
    out: Path,
    *,
    verify_texts: Sequence[str] | None = None,
    max_tokens: int = MAX_TOKENS,
    on_step: Callable[[str, int, int], None] | None = None,
) -> dict[str, float]:
    """Write ``contracts.training.ENCODER_FILES`` into ``out``.

    Pooling and scaling to unit length are part of the graph. Architectures like BERT's are written as
    onnxruntime's fused operators (``trainer.bert_graph``), any other is traced.

    Args:
        sentence_transformers_folder: a local folder with ``modules.json`` and ``model.safetensors``.
        out: the encoder folder; made where it is missing, files of the same names are replaced.
        verify_texts: texts on which the files are compared with the torch module and, with
            ``SAMPLE_TEXTS``, the ranges of int8 are found; those alone where there are none.
        max_tokens: longest input of the encoder; the model's own limit where that is less.
        on_step: called with (what is being done, steps done, steps in all).

    Returns:
        The least cosine to the torch module of each file (``fp32``, ``int8``, ``fp16``) and the mean
        ones (``int8_mean``, ``fp16_mean``).

    Raises:
        InputError: the folder is not a sentence-transformers folder that can be exported.
        BugError: the float32 file does not compute what the torch module computes.
    """
    step = on_step or (lambda *_: None)
    texts = list(verify_texts) if verify_texts else list(SAMPLE_TEXTS)
    step(STEPS[0], 0, len(STEPS))
    model, tokenizer = _load(sentence_transformers_folder)
    limit = model.max_seq_length = _token_limit(model, max_tokens)
    pad = int(model.tokenizer.pad_token_id or 0)
    wanted = np.asarray(model.encode(texts, normalize_embeddings=True, show_progress_bar=False), np.float32)
    step(STEPS[1], 1, len(STEPS))
    encoder = Encoder(
        graphs=_graphs(model, tokenise(tokenizer, dict.fromkeys((*SAMPLE_TEXTS, *texts)), limit, pad)),
        tokenizer=tokenizer,
        dimension=int(wanted.shape[1]),
        max_tokens=limit,
        pad_token_id=pad,
        source=sentence_transformers_folder.resolve().name,
        source_sha256=sha256_of(sentence_transformers_folder / "model.safetensors"),
    )
    step(STEPS[2], 2, len(STEPS))
    return write_encoder(out, encoder, Verification(tokenise(tokenizer, texts, limit, pad), wanted))


def _load(folder: Path) -> tuple[SentenceTransformer, Tokenizer]:
    for name in ("modules.json", "config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise InputError(
                f"{folder} is not a sentence-transformers folder with safetensors weights: {name} is missing"
            )
    try:
        model = SentenceTransformer(
            str(folder),
            device="cpu",
            local_files_only=True,
            model_kwargs={"attn_implementation": "eager", "dtype": "float32"},
        ).eval()
    except (OSError, ValueError, KeyError, TypeError, ImportError, SafetensorError) as error:
        raise InputError(f"{folder} cannot be loaded by sentence-transformers: {error}") from error
    tokenizer = getattr(model.tokenizer, "backend_tokenizer", None)
    if not hasattr(model[0], "auto_model") or tokenizer is None:
        raise InputError(f"{folder} is not a text encoder with a fast tokenizer (tokenizer.json)")
    tokenizer = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return model, tokenizer


def _token_limit(model: SentenceTransformer, max_tokens: int) -> int:
    config = model[0].auto_model.config
    limits = [max_tokens]
    if model.max_seq_length:
        limits.append(int(model.max_seq_length))
    positions = getattr(config, "max_position_embeddings", None)
    if positions:
        taken = 0 if config.model_type == "bert" else int(getattr(config, "pad_token_id", None) or 0) + 1
        limits.append(int(positions) - taken)
    return min(limits)


def _pad_token_id(model: SentenceTransformer) -> int:
    return int(model.tokenizer.pad_token_id or 0)


def _graphs(model: SentenceTransformer, samples: Tokens) -> Graphs:
    """The encoder in every precision; ``samples`` show how large activations get."""
    pooling = _simple_pooling(model)
    transformer = model[0].auto_model
    shape = bert_shape(transformer.config.to_dict())
    if pooling is not None and shape is not None:
        weights = {name: value.numpy() for name, value in transformer.state_dict().items()}
        return bert_graphs(weights, shape, pooling, samples)
    full = _traced(model)
    with warnings.catch_warnings():
        # The converter says so for every constant that half precision cannot hold, as the mask's.
        warnings.simplefilter("ignore")
        copy = onnx.ModelProto.FromString(full.SerializeToString())
        return Graphs(full, convert_float_to_float16(copy, keep_io_types=True), None)


def _simple_pooling(model: SentenceTransformer) -> Pooling | None:
    """How the model pools where that is the mean or the first token and nothing but scaling follows."""
    kinds = [type(module).__name__ for module in list(model)[1:]]
    if kinds not in (["Pooling"], ["Pooling", "Normalize"]):
        return None
    pooling = model[1]
    # sentence-transformers 6 keeps the name, 5 has a method for it.
    mode = getattr(pooling, "pooling_mode", None) or pooling.get_pooling_mode_str()
    return mode if mode in ("mean", "cls") else None


class _Traceable(torch.nn.Module):
    """The whole encoder as one function of ids and mask."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.transformer = model[0].auto_model
        self.others = torch.nn.ModuleList(list(model)[1:])

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        features = {"token_embeddings": hidden, "attention_mask": attention_mask}
        for module in self.others:
            features = module(features)
        return torch.nn.functional.normalize(features["sentence_embedding"], dim=1)


def _traced(model: SentenceTransformer) -> onnx.ModelProto:
    """Any other architecture, as torch's exporter writes it; onnxruntime fuses what it recognises."""
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 4]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    rows = {0: "batch", 1: "tokens"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Tracing warns of every branch on a shape; the comparison with the torch module is the check.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Traceable(model).eval(),
            (ids, mask),
            str(Path(folder) / "traced.onnx"),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={"input_ids": rows, "attention_mask": rows, "embedding": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return onnx.load(str(Path(folder) / "traced.onnx"))


def main(arguments: Iterable[str] | None = None) -> int:
    """``python -m trainer.export SOURCE OUT``; the exit code is that of the error's kind."""
    parser = argparse.ArgumentParser(prog="python -m trainer.export", description=__doc__)
    parser.add_argument("source", type=Path, help="a local sentence-transformers folder")
    parser.add_argument("out", type=Path, help="the encoder folder to write")
    options = parser.parse_args(None if arguments is None else list(arguments))

    def tell(step: str, done: int, total: int) -> None:
        print(json.dumps({"step": step, "done": done, "total": total}), flush=True)

    try:
        parity = export_encoder(options.source, options.out, on_step=tell)
    except EngineError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    print(json.dumps({"parity": parity}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
