"""Soft targets: InfoNCE that claims no more than the reviewers agree on."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from trainer.losses.batch import PairBatch, weighted_mean


class SoftTargets(nn.Module):
    """Decoupled KL divergence from a distribution that leaves 1 - a of a pair to its look-alikes.

    Reviewers agree to a share a on the target of a listing; the rest is spread over its negatives by
    ``q = softmax(s / spread)``, gradient stopped, because the item that a dissenting reviewer has in mind
    is a look-alike rather than any item. With p the softmax of target and negatives at ``temperature``,
    p+ its target and p- its negatives among themselves, the loss is the target part
    ``a log(a / p+) + (1 - a) log((1 - a) / (1 - p+))`` plus ``non_target_weight`` times the non-target
    part ``(1 - a) KL(q || p-)``; with weight 1 that is the whole KL divergence. Along the row of the
    listing and, if symmetric, the column of its item, as in
    :class:`~trainer.losses.infonce.InfoNCE`, which it equals where all agree.

    A base, not an auxiliary: beside a loss that is sure of every pair it would only halve the harm.
    Source: Decoupled Knowledge Distillation, Zhao et al., 2203.08679. That drops the factor 1 - a of the
    non-target part; here it stays, because a pair without dissent has no such part to learn.

    Args:
        temperature: of the softmax.
        symmetric: the listings of each item are ranked too.
        non_target_weight: of the non-target part; 0 leaves it out.
        spread: temperature of q; wider than ``temperature``, or the hardest negative would take it all.
        source: where a comes from: ``agreement`` of the batch, or its ``weight`` (above 1 counts as 1),
            which then does not weigh the mean a second time.
    """

    def __init__(
        self,
        temperature: float = 0.05,
        *,
        symmetric: bool = True,
        non_target_weight: float = 1.0,
        spread: float = 0.1,
        source: Literal["agreement", "weight"] = "agreement",
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.symmetric = symmetric
        self.non_target_weight = non_target_weight
        self.spread = spread
        self.source = source

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss, a mean over the listings that have a target; else the graph zero."""
        row, column = batch.target.nonzero(as_tuple=True)
        if row.numel() == 0:
            return batch.zero
        by_agreement = self.source == "agreement"
        agreement = (batch.agreement if by_agreement else batch.weight)[row].clamp(0, 1)
        weight = batch.weight[row] if by_agreement else torch.ones_like(agreement)
        positive = batch.similarity[row, column]
        by_listing = self._divergence(positive, batch.similarity[row], batch.negative[row], agreement)
        loss = weighted_mean(by_listing, weight, batch)
        if not self.symmetric:
            return loss
        by_item = self._divergence(positive, batch.similarity.T[column], batch.negative.T[column], agreement)
        return (loss + weighted_mean(by_item, weight, batch)) / 2

    def _divergence(self, positive: Tensor, others: Tensor, negative: Tensor, agreement: Tensor) -> Tensor:
        """The divergence [n] of each target; 0 where it has no negative to leave anything to.

        Args:
            positive: similarity of each target, [n].
            others: similarities of its row or column, [n, m].
            negative: which of them are negatives, bool [n, m].
            agreement: a, [n].
        """
        some = negative.any(dim=1)
        # Without negatives the logarithms below are infinite; such rows are computed over all and dropped.
        off = ~(negative | ~some[:, None])
        logits = others / self.temperature
        rest = logits.masked_fill(off, -torch.inf).logsumexp(dim=1)
        whole = torch.logaddexp(positive / self.temperature, rest)
        dissent = 1 - agreement
        target_part = (
            torch.xlogy(agreement, agreement)
            + torch.xlogy(dissent, dissent)
            - agreement * (positive / self.temperature - whole)
            - dissent * (rest - whole)
        )
        log_spread = (others.detach() / self.spread).masked_fill(off, -torch.inf).log_softmax(dim=1)
        gap = (log_spread - (logits - rest[:, None])).masked_fill(off, 0)
        non_target_part = dissent * (log_spread.exp() * gap).sum(dim=1)
        return torch.where(
            some, target_part + self.non_target_weight * non_target_part, torch.zeros_like(rest) * positive
        )
