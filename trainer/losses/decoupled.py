"""Decoupled softmax: every confirmed item of a listing against the negatives alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.losses.batch import PairBatch, weighted_mean


class DecoupledSoftmax(nn.Module):
    """``-log(e^{s+/t} / (e^{s+/t} + sum over negatives of e^{s-/t}))``, a mean over a listing's positives.

    Unlike :class:`~trainer.losses.infonce.InfoNCE` all confirmed items that the batch happens to hold
    are trained, not the sampled one only, and listings are compared along the row alone. Source: DEXML,
    Gupta et al., 2310.10636.
    """

    def __init__(self, temperature: float = 0.05) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss; the graph zero when no listing has a confirmed item in the batch."""
        positive_cells = batch.target | batch.known
        row, column = positive_cells.nonzero(as_tuple=True)
        if row.numel() == 0:
            return batch.zero
        logits = batch.similarity / self.temperature
        positive = logits[row, column]
        negatives = logits.masked_fill(~batch.negative, -torch.inf).logsumexp(dim=1)[row]
        # A listing with three confirmed items in the batch weighs as much as one with a single item.
        share = batch.weight[row] / positive_cells.sum(dim=1)[row]
        return weighted_mean(torch.logaddexp(positive, negatives) - positive, share, batch)
