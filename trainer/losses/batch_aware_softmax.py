"""ALC's batch-aware objective as a choice: which of the batch's items is this listing?"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from trainer.losses.batch import PairBatch, weighted_mean
from trainer.losses.judged_pairs import pair_representation


class BatchAwareSoftmax(nn.Module):
    """L_qb: cross-entropy on the target, over a pair head's scores of a listing with the batch's items.

    ``-log(e^{h(l, q+)} / (e^{h(l, q+)} + sum over negatives q of e^{h(l, q)}))`` with a head h
    (4d -> hidden -> 1) on the pair representation. Where
    :class:`~trainer.losses.query_label.QueryLabel` judges a pair alone, here the head has to score the
    target above its rivals. Known further positives are not among them. Used in training only. Source:
    ALC, 2510.04551; the exact form of the term is not public, this is one of our reconstructions.

    Args:
        dimension: d of the encoder.
        hidden: width of the head.
        negatives: most similar negatives of each listing that are scored; None scores all, which costs
            B * C representations of 4d numbers.
    """

    def __init__(self, dimension: int, hidden: int = 256, negatives: int | None = 10) -> None:
        super().__init__()
        self.negatives = negatives
        self.hidden = nn.Linear(4 * dimension, hidden)
        self.head = nn.Linear(hidden, 1)

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss, a mean over the listings that have a target; else the graph zero."""
        row, column = batch.target.nonzero(as_tuple=True)
        if row.numel() == 0:
            return batch.zero
        masked = batch.similarity.detach()[row].masked_fill(~batch.negative[row], -torch.inf)
        count = masked.shape[1] if self.negatives is None else min(self.negatives, masked.shape[1])
        hardest, rivals = masked.topk(count, dim=1)
        chosen = torch.cat([column[:, None], rivals], dim=1)
        dtype = self.head.weight.dtype
        pairs = pair_representation(batch.listings[row, None].to(dtype), batch.items[chosen].to(dtype))
        scores = self.head(functional.gelu(self.hidden(pairs))).squeeze(-1)
        # A listing may have fewer negatives than are asked for; what fills up the rest does not count.
        filler = functional.pad(~torch.isfinite(hardest), (1, 0), value=False)
        scores = scores.masked_fill(filler, -torch.inf)
        values = scores.logsumexp(dim=1) - scores[:, 0]
        return weighted_mean(values, batch.weight[row].to(dtype), batch)
