"""The pairs that both ALC objectives judge: each listing's target and its hardest in-batch negative."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from trainer.losses.batch import PairBatch


class JudgedPairs(NamedTuple):
    """Pair representations float [n, 4d], whether each is a match float [n], and weights float [n]."""

    representation: Tensor
    is_match: Tensor
    weight: Tensor


def pair_representation(listing: Tensor, item: Tensor) -> Tensor:
    """``[q, l, |q - l|, q * l]`` of items q [..., d] and listings l that expand to their shape: [..., 4d].

    Source: ALC, 2510.04551.
    """
    listing = listing.expand_as(item)
    return torch.cat([item, listing, (item - listing).abs(), item * listing], dim=-1)


def judged_pairs(batch: PairBatch) -> JudgedPairs:
    """Targets first, then hardest negatives; listings that lack one or the other contribute what they have.

    Source: ALC, 2510.04551.
    """
    target_row, target_column = batch.target.nonzero(as_tuple=True)
    masked = batch.similarity.detach().masked_fill(~batch.negative, -torch.inf)
    hardest, column = masked.max(dim=1)
    negative_row = torch.isfinite(hardest).nonzero(as_tuple=True)[0]
    row = torch.cat([target_row, negative_row])
    item = batch.items[torch.cat([target_column, column[negative_row]])]
    listing = batch.listings[row]
    is_match = torch.zeros(len(row), dtype=batch.similarity.dtype, device=batch.similarity.device)
    is_match[: len(target_row)] = 1.0
    return JudgedPairs(
        representation=pair_representation(listing, item),
        is_match=is_match,
        weight=batch.weight[row],
    )
