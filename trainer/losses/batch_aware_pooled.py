"""ALC's batch-aware objective with the rest of the batch pooled into one context vector per pair."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from trainer.losses.batch import PairBatch, weighted_mean
from trainer.losses.judged_pairs import judged_pairs


class BatchAwarePooled(nn.Module):
    """L_qb: binary cross-entropy of a head on each judged pair beside what it sees of the others.

    Representations [n, 4d] become states [n, width]; the context of a pair is the mean of the *other*
    pairs' values, weighted by dot-product attention; the head (2 width -> width -> 1) reads state and
    context side by side. Unlike :class:`~trainer.losses.batch_aware.BatchAware` the pair's own state
    reaches the head unmixed. A batch of one pair has an all-zero context. Used in training only. Source:
    ALC, 2510.04551; the exact form of the term is not public, this is one of our reconstructions.

    Args:
        dimension: d of the encoder.
        width: of states and contexts.
    """

    def __init__(self, dimension: int, width: int = 128) -> None:
        super().__init__()
        self.project = nn.Linear(4 * dimension, width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.hidden = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, 1)

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss; the graph zero when there is nothing to judge."""
        pairs = judged_pairs(batch)
        dtype = self.head.weight.dtype
        if len(pairs.is_match) == 0:
            return batch.zero
        state = functional.gelu(self.project(pairs.representation.to(dtype)))
        seen = torch.cat([state, self._context(state)], dim=1)
        logits = self.head(functional.gelu(self.hidden(seen))).squeeze(-1)
        values = functional.binary_cross_entropy_with_logits(
            logits, pairs.is_match.to(dtype), reduction="none"
        )
        return weighted_mean(values, pairs.weight.to(dtype), batch)

    def _context(self, state: Tensor) -> Tensor:
        """For each state [n, width] the attention-weighted mean of the others' values, [n, width]."""
        if len(state) == 1:
            return torch.zeros_like(state)
        scores = self.query(state) @ self.key(state).T / math.sqrt(state.shape[1])
        own = torch.eye(len(state), dtype=torch.bool, device=state.device)
        context: Tensor = scores.masked_fill(own, -torch.inf).softmax(dim=1) @ self.value(state)
        return context
