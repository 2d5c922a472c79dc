"""The losses of a recipe put together as one sentence-transformers loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainer.losses.batch import make_batch


class TrainingObjective(nn.Module):
    """A weighted sum of losses over one forward pass of the encoder.

    It has the shape of a sentence-transformers loss: ``forward(sentence_features, labels)``. The first
    column of features holds the listings, all further columns are items. Without labels, item i of the
    second column is the target of listing i, as in ``MultipleNegativesRankingLoss``.

    Args:
        model: the SentenceTransformer.
        parts: losses over a :class:`~trainer.losses.batch.PairBatch` by name.
        weights: by the same names.
        chunk_rows: texts are sorted by length and run in chunks of so many, each padded to its own
            longest (a third less work on a CPU for titles); None: one pass, which a GPU likes better.
    """

    def __init__(
        self,
        model: nn.Module,
        parts: Mapping[str, nn.Module],
        weights: Mapping[str, float],
        *,
        chunk_rows: int | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.parts = nn.ModuleDict(dict(parts))
        self.weights = dict(weights)
        self.chunk_rows = chunk_rows

    def forward(
        self,
        sentence_features: Iterable[dict[str, Tensor]],
        labels: Mapping[str, Tensor] | Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The weighted parts by name; the trainer sums them and reports each.

        Args:
            sentence_features: ``input_ids`` and ``attention_mask`` [n, tokens] per column.
            labels: ``cells`` of :class:`~trainer.losses.batch.Cell` [B, C] and ``weight`` [B] of each
                listing's pair, or a tensor of cells alone.
        """
        columns = list(sentence_features)
        embeddings = self._embed(columns)
        count = len(columns[0]["input_ids"])
        listings, items = embeddings[:count], embeddings[count:]
        cells = labels["cells"] if isinstance(labels, Mapping) else labels
        weight = labels["weight"] if isinstance(labels, Mapping) else None
        # Cosines, softmax and heads stay in full precision under mixed precision.
        with torch.autocast(device_type=embeddings.device.type, enabled=False):
            batch = make_batch(listings, items, cells, weight)
            return {name: self.weights[name] * part(batch) for name, part in self.parts.items()}

    def _embed(self, columns: list[dict[str, Tensor]]) -> Tensor:
        """Embeddings of all texts of all columns, [sum of rows, d], in order."""
        features = _concatenate(columns)
        lengths = features["attention_mask"].sum(dim=1)
        rows = len(lengths)
        if self.chunk_rows is None or rows <= self.chunk_rows:
            longest = int(lengths.max())
            cut = {name: values[:, :longest] for name, values in features.items()}
            return self._encode(cut)
        order = torch.argsort(lengths, stable=True)
        chunks = []
        for start in range(0, rows, self.chunk_rows):
            index = order[start : start + self.chunk_rows]
            longest = int(lengths[index].max())
            chunks.append(self._encode({name: values[index, :longest] for name, values in features.items()}))
        back = torch.empty_like(order)
        back[order] = torch.arange(rows, device=order.device)
        return torch.cat(chunks)[back]

    def _encode(self, features: dict[str, Tensor]) -> Tensor:
        embedding: Tensor = self.model(features)["sentence_embedding"]
        return embedding


def _concatenate(columns: list[dict[str, Any]]) -> dict[str, Tensor]:
    """The token matrices of all columns under each other, padded on the right to the widest."""
    names = [
        name for name in ("input_ids", "attention_mask", "token_type_ids") if all(name in c for c in columns)
    ]
    width = max(column["input_ids"].shape[1] for column in columns)
    return {
        name: torch.cat(
            [nn.functional.pad(column[name], (0, width - column[name].shape[1])) for column in columns]
        )
        for name in names
    }
