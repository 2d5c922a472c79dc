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
    masked = batch.similarity.detach().masked_fill(~batch.negative, -torch.inf)
    hardest, negative = masked.max(dim=1)
    there = torch.cat([batch.target.any(dim=1), torch.isfinite(hardest)])
    # How many there are is asked once, because a GPU has to be waited for.
    chosen = there.nonzero(as_tuple=True)[0]
    row = chosen % len(hardest)
    columns = torch.cat([batch.target.to(torch.uint8).argmax(dim=1), negative])
    item = batch.items[columns[chosen]]
    listing = batch.listings[row]
    is_match = (chosen < len(hardest)).to(batch.similarity.dtype)
    return JudgedPairs(
        representation=pair_representation(listing, item),
        is_match=is_match,
        weight=batch.weight[row],
    )
