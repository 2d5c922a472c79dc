"""The encoder, texts as token lists made once, and unit vectors of them with the encoder as it is now."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from torch import Tensor

from engine.errors import InputError
from trainer.ranks import Ranks

Vectors = NDArray[np.float32]


class TokenTable:
    """The tokens of a fixed list of texts, cut at the model's ``max_seq_length``, padded on demand.

    Tokenising is a tenth of a step on a CPU, and every text is needed once per epoch and once per
    refresh of the clusters, so it is done once.
    """

    def __init__(self, model: SentenceTransformer, texts: Sequence[str]) -> None:
        tokens: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        lengths: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        for start in range(0, len(texts), 1024):
            features: dict[str, Any] = model.preprocess(list(texts[start : start + 1024]))
            mask = features["attention_mask"].bool()
            tokens.append(features["input_ids"][mask].numpy())
            lengths.append(mask.sum(dim=1).numpy())
        # All texts end to end, and where each begins: a batch is cut out of it without a loop over texts.
        self._tokens = np.concatenate(tokens)
        self._lengths = np.concatenate(lengths)
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._pad = int(getattr(model.tokenizer, "pad_token_id", None) or 0)

    def __len__(self) -> int:
        return len(self._lengths)

    def subset(self, rows: Sequence[int]) -> TokenTable:
        """A table of some of the texts, sharing their tokens."""
        table = copy.copy(self)
        index = np.asarray(rows, dtype=np.int64)
        table._starts, table._lengths = self._starts[index], self._lengths[index]
        return table

    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of every text."""
        return self._lengths

    def features(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """``input_ids`` and ``attention_mask`` [n, tokens] of some texts, padded to their longest."""
        index = np.asarray(rows, dtype=np.int64)
        lengths = self._lengths[index]
        places = np.arange(lengths.max(initial=0))
        real = places < lengths[:, None]
        padded = np.full(real.shape, self._pad, dtype=np.int64)
        padded[real] = self._tokens[(self._starts[index][:, None] + places)[real]]
        return {
            "input_ids": torch.from_numpy(padded),
            "attention_mask": torch.from_numpy(real.astype(np.int64)),
        }


def load_encoder(folder: Path, device: str, max_tokens: int) -> tuple[SentenceTransformer, int]:
    """The sentence-transformers model of a folder, cut to ``max_tokens``, and its own length in tokens.

    Its weights are float32, whatever the folder keeps them in: half of AdamW's small steps would be lost in
    half precision.

    Raises:
        InputError: the folder holds no such model.
    """
    if not (folder / "modules.json").is_file():
        raise InputError(f"{folder} is not a sentence-transformers folder; write the job again.")
    try:
        model = SentenceTransformer(str(folder), device=device, local_files_only=True).float()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder} cannot be loaded: {error}") from error
    full_length = int(model.max_seq_length or max_tokens)
    model.max_seq_length = min(full_length, max_tokens)
    return model, full_length


def encode(
    model: SentenceTransformer,
    tokens: TokenTable,
    *,
    batch_rows: int = 128,
    half: torch.dtype | None = None,
    between: Callable[[], None] | None = None,
) -> Vectors:
    """Unit vectors float32 [n, d] of a whole table; no dropout, no gradient, no random number drawn.

    Args:
        model: left in evaluation mode; a training step sets its own mode.
        tokens: the texts.
        batch_rows: texts of similar length per pass.
        half: dtype of autocast; None computes in fp32.
        between: called before every pass; may raise to stop.

    Raises:
        InputError: the weights have run off to infinity.
    """
    model.eval()
    order = np.argsort(tokens.lengths(), kind="stable")
    found: Vectors | None = None
    with torch.inference_mode(), torch.autocast(model.device.type, half, enabled=half is not None):
        for start in range(0, len(order), batch_rows):
            if between is not None:
                between()
            rows = order[start : start + batch_rows]
            features = {
                name: value.to(model.device) for name, value in tokens.features(rows.tolist()).items()
            }
            embedding = model(features)["sentence_embedding"].float()
            unit = functional.normalize(embedding, dim=-1).cpu().numpy()
            if found is None:
                found = np.empty((len(tokens), unit.shape[1]), dtype=np.float32)
            found[rows] = unit
    if found is None:
        raise ValueError("There are no texts to encode.")
    if not np.isfinite(found).all():
        raise InputError(
            "The encoder gives vectors that are no numbers; lower learning_rate and train again."
        )
    return found


def encode_together(
    ranks: Ranks,
    model: SentenceTransformer,
    tokens: TokenTable,
    *,
    half: torch.dtype | None = None,
    between: Callable[[], None] | None = None,
) -> Vectors:
    """:func:`encode` with the texts shared among the ranks; every rank gets the same bits of all vectors."""
    own = ranks.share(len(tokens)).tolist()
    # A rank without texts encodes one all the same, to know how long a vector is.
    vectors = encode(model, tokens.subset(own or [0]), half=half, between=between)[: len(own)]
    return ranks.gather(torch.from_numpy(vectors), len(tokens)).numpy()
