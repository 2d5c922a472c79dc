"""ALC's batch-aware objective: the same question, asked with the rest of the batch in view."""

from __future__ import annotations

import torch.nn.functional as functional
from torch import Tensor, nn

from trainer.losses.batch import PairBatch, weighted_mean
from trainer.losses.judged_pairs import judged_pairs


class BatchAware(nn.Module):
    """L_qb: binary cross-entropy on pair representations that first attend to each other.

    Representations [n, 4d] are projected to ``width``, pass one transformer encoder layer over the
    whole batch as one sequence (no positions, no dropout), then a linear head. Used in training only.
    Source: ALC, 2510.04551; the exact form of the term is not public, this is our reconstruction. The
    variants of it are :class:`~trainer.losses.batch_aware_softmax.BatchAwareSoftmax` and
    :class:`~trainer.losses.batch_aware_pooled.BatchAwarePooled`.
    """

    def __init__(self, dimension: int, width: int = 128, heads: int = 4) -> None:
        super().__init__()
        self.project = nn.Linear(4 * dimension, width)
        self.attend = nn.TransformerEncoderLayer(
            width, heads, dim_feedforward=2 * width, dropout=0.0, activation="gelu", batch_first=True
        )
        self.head = nn.Linear(width, 1)

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss; the graph zero when there is nothing to judge."""
        pairs = judged_pairs(batch)
        if len(pairs.is_match) == 0:
            return batch.zero
        dtype = self.head.weight.dtype
        context = self.attend(self.project(pairs.representation.to(dtype))[None])[0]
        values = functional.binary_cross_entropy_with_logits(
            self.head(context).squeeze(-1), pairs.is_match.to(dtype), reduction="none"
        )
        return weighted_mean(values, pairs.weight.to(dtype), batch)
