"""ALC's query-label objective: is this listing this item?"""

from __future__ import annotations

import torch.nn.functional as functional
from torch import Tensor, nn

from trainer.losses.batch import PairBatch, weighted_mean
from trainer.losses.judged_pairs import judged_pairs


class QueryLabel(nn.Module):
    """L_ql: binary cross-entropy of a small head on each judged pair's representation.

    The head (4d -> hidden -> 1) is used in training only. Source: ALC, 2510.04551; the width and the
    activation of the head are our reconstruction.
    """

    def __init__(self, dimension: int, hidden: int = 256) -> None:
        super().__init__()
        self.hidden = nn.Linear(4 * dimension, hidden)
        self.head = nn.Linear(hidden, 1)

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss; the graph zero when there is nothing to judge."""
        pairs = judged_pairs(batch)
        dtype = self.head.weight.dtype
        logits = self.head(functional.gelu(self.hidden(pairs.representation.to(dtype)))).squeeze(-1)
        values = functional.binary_cross_entropy_with_logits(
            logits, pairs.is_match.to(dtype), reduction="none"
        )
        return weighted_mean(values, pairs.weight.to(dtype), batch)
