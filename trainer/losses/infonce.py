"""InfoNCE over the batch, in both directions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.losses.batch import PairBatch, weighted_mean


class InfoNCE(nn.Module):
    """Each target against the negatives of its listing and, if symmetric, of its item.

    For a target cell (i, c): ``-log(e^{s_ic/t} / (e^{s_ic/t} + sum over negatives of e^{s/t}))``, the
    negatives once along the row of listing i and once down the column of item c; the mean of both.
    Known further positives are in neither sum. Source: Oord et al., 1807.03748; symmetric as in CLIP,
    2103.00020.
    """

    def __init__(self, temperature: float = 0.05, *, symmetric: bool = True) -> None:
        super().__init__()
        self.temperature = temperature
        self.symmetric = symmetric

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss; the graph zero when no listing has a target."""
        if 0 in batch.target.shape:
            return batch.zero
        # Listings without a target are reckoned with and weigh nothing: looking for the others would make
        # a GPU wait.
        column = batch.target.to(torch.uint8).argmax(dim=1)
        weight = batch.weight * batch.target.any(dim=1)
        logits = batch.similarity / self.temperature
        positive = logits.gather(1, column[:, None]).squeeze(1)
        negatives = logits.masked_fill(~batch.negative, -torch.inf)
        by_listing = torch.logaddexp(positive, negatives.logsumexp(dim=1)) - positive
        loss = weighted_mean(by_listing, weight, batch)
        if not self.symmetric:
            return loss
        by_item = torch.logaddexp(positive, negatives.logsumexp(dim=0)[column]) - positive
        return (loss + weighted_mean(by_item, weight, batch)) / 2
