"""Embedding distillation: catalogue texts that no pair of the batch is about keep the vectors they had."""

from __future__ import annotations

from torch import Tensor, nn

from trainer.losses.batch import PairBatch


class Distillation(nn.Module):
    """``1 - cos(z, z0)``, a mean over random catalogue texts: z the encoder's vector, z0 the start's.

    Training on a new feed's pairs moves every vector; where nothing was learnt the champion's place is kept
    to. For unit vectors it is half the squared distance. The champion's vectors are constants, made once
    before the first step. Source: embedding distillation against forgetting, method.md section 6; the form
    is ours.
    """

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss; the graph zero when the batch brings no such texts."""
        if batch.distilled is None or batch.champion is None or not len(batch.distilled):
            return batch.zero
        return (1 - (batch.distilled * batch.champion).sum(dim=1)).mean()
