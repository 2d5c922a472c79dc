"""Weights of pairs by how far what they teach agrees with what trusted pairs teach.

A confirmation that is wrong pulls the encoder elsewhere than the trusted ones do. Source: per-pair weights
from gradient agreement (Triplet Importance), method.md section 6; the proxy is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from engine.errors import InputError
from trainer.config import Recipe
from trainer.embedding import TokenTable, Vectors
from trainer.losses.batch import PairBatch, cell_matrix, make_batch
from trainer.losses.objective import PairWeights, TrainingObjective
from trainer.mining import HardNegatives, KnownPairs
from trainer.pairs import JudgedListing, PairSet

#: Fewer trusted pairs than this say more about themselves than about what is right.
LEAST_TRUSTED = 20
#: Trusted pairs that are encoded at every refresh.
MOST_TRUSTED = 128


class GradientAgreement(PairWeights):
    """Weighs the pairs of a batch by the cosine of their gradients with that of the trusted pairs.

    The gradient of a pair is taken as if a linear map W [d, d] on the listings' unit vectors, now the
    identity, were all that learns: ``G = u l^T`` with l the listing's vector and u the base loss's gradient
    there, without its part along l, which scaling to unit length undoes. With T the sum of the trusted pairs'
    G, the agreement of a pair is ``u^T T l / (|u| |T|)``. No text is embedded for it a second time.

    Weights are the agreements, negative ones cut to 0, divided by the mean of those above 0, and mixed with
    1: ``1 + strength (w - 1)``. Listings without a target keep 1; so does every pair of a batch in which
    none agrees, and of one before T is known.

    Args:
        base: the base loss, a function of the batch without state of its own.
        dimension: d.
        strength: 0 to 1; 1 weighs by agreement alone.
    """

    trusted: Tensor

    def __init__(self, base: nn.Module, dimension: int, strength: float) -> None:
        super().__init__()
        # In a tuple, so that the loss is a part of the objective once, not twice.
        self._base = (base,)
        self.strength = strength
        self.register_buffer("trusted", torch.zeros(dimension, dimension))

    def refresh(self, batch: PairBatch) -> None:
        """Take T from the trusted pairs as the encoder embeds them now."""
        gradient, listings = self._gradients(batch)
        self.trusted.copy_(gradient.T @ listings)

    def weights(self, batch: PairBatch) -> Tensor:
        """The weight of every listing's pair, float [B]."""
        agreement = self.agreement(batch).clamp_min(0)
        agreeing = agreement > 0
        ones = torch.ones_like(agreement)
        if not bool(agreeing.any()):
            return ones
        weight = agreement / agreement[agreeing].mean()
        return torch.where(batch.target.any(dim=1), 1 + self.strength * (weight - 1), ones)

    def agreement(self, batch: PairBatch) -> Tensor:
        """The cosine of each pair's gradient with T, float [B]; 0 where either is 0."""
        gradient, listings = self._gradients(batch)
        trusted = self.trusted.to(gradient.dtype)
        along = ((gradient @ trusted) * listings).sum(dim=1)
        size = gradient.norm(dim=1) * trusted.norm()
        return torch.where(size > 0, along / size.clamp_min(1e-30), torch.zeros_like(along))

    def weighed(self, batch: PairBatch) -> PairBatch:
        """The batch with each pair's weight times its agreement weight."""
        return replace(batch, weight=batch.weight * self.weights(batch).to(batch.weight.dtype))

    def _gradients(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Gradients u [B, d] of the unweighted base loss at the listings' vectors [B, d], and those."""
        with torch.enable_grad():
            listings = batch.listings.detach().requires_grad_()
            items = batch.items.detach()
            bare = replace(
                batch,
                listings=listings,
                items=items,
                similarity=listings @ items.T,
                weight=torch.ones_like(batch.weight),
            )
            (gradient,) = torch.autograd.grad(self._base[0](bare), listings)
        unit = listings.detach()
        return gradient - (gradient * unit).sum(dim=1, keepdim=True) * unit, unit


class TrustedPairs:
    """The trusted pairs as one batch: their items, and one rejected candidate each as hard negatives.

    Args:
        model: for its tokenizer.
        pairs: of the run, for the texts of items.
        trusted: their listings.
    """

    def __init__(self, model: SentenceTransformer, pairs: PairSet, trusted: Sequence[JudgedListing]) -> None:
        hard = HardNegatives(trusted, 1)
        matches = [max(one.matches, key=partial(_weight, one)) for one in trusted]
        items = list(dict.fromkeys([*matches, *(i for n in range(len(trusted)) for i in hard.choose(n, 0))]))
        known = KnownPairs(replace(pairs, train=tuple(trusted)))
        targets = [items.index(match) for match in matches]
        entries = torch.from_numpy(known.entries(range(len(trusted)), items, targets))
        self._cells = cell_matrix(entries, len(trusted), len(items))
        self._listings = TokenTable(model, [listing.text for listing in trusted])
        self._items = TokenTable(model, [pairs.item_texts[item] for item in items])

    def batch(self, encode: Callable[[TokenTable], Vectors], device: torch.device) -> PairBatch:
        """The batch, embedded by ``encode`` (n texts to unit vectors [n, d])."""
        tables = (self._listings, self._items)
        listings, items = (torch.from_numpy(encode(table)).to(device) for table in tables)
        return make_batch(listings, items, self._cells.to(device))


def split_trusted(pairs: PairSet, seed: int) -> tuple[PairSet, tuple[JudgedListing, ...]]:
    """The pairs of a run, and the listings whose pairs are trusted.

    Trusted are confirmed pairs of role train with a weight above 1, which is how a job says that they are
    surer than others (a second reviewer agreed). Where there are too few, every second listing of role
    validation that has a match is taken: its pairs are not trained on, and it validates no more, so that
    validation stays blind to what weighed the pairs.

    Raises:
        InputError: there are fewer than :data:`LEAST_TRUSTED` of either.
    """
    surer = [
        listing
        for listing in pairs.train
        if any(listing.weight[item] > 1 for item in listing.matches if item in listing.weight)
    ]
    if len(surer) >= LEAST_TRUSTED:
        return pairs, _some(surer, seed)
    matched = [number for number, listing in enumerate(pairs.validation) if listing.matches]
    taken = set(matched[::2])
    if len(taken) < LEAST_TRUSTED:
        raise InputError(
            f"gradient_agreement needs {LEAST_TRUSTED} trusted pairs: confirmed ones with a weight above 1 "
            f"(there are {len(surer)}), or twice as many validation listings with a match (there are "
            f"{len(matched)}); set it to 0."
        )
    rest = tuple(listing for number, listing in enumerate(pairs.validation) if number not in taken)
    return replace(pairs, validation=rest), _some(
        [pairs.validation[number] for number in sorted(taken)], seed
    )


def weigh_by_agreement(
    objective: TrainingObjective,
    recipe: Recipe,
    dimension: int,
    trusted: TrustedPairs,
    encode: Callable[[TokenTable], Vectors],
) -> Callable[[], None]:
    """Let the objective weigh pairs by agreement; returns what takes the trusted pairs' gradient anew."""
    agreement = GradientAgreement(objective.parts[recipe.base], dimension, recipe.gradient_agreement)
    objective.agreement = agreement

    def refresh() -> None:
        agreement.refresh(trusted.batch(encode, agreement.trusted.device))

    return refresh


def _weight(listing: JudgedListing, item: int) -> float:
    return listing.weight.get(item, 0.0)


def _some(listings: Sequence[JudgedListing], seed: int) -> tuple[JudgedListing, ...]:
    """At most :data:`MOST_TRUSTED` of them, at random."""
    if len(listings) <= MOST_TRUSTED:
        return tuple(listings)
    chosen = np.random.default_rng((seed, 8)).choice(len(listings), size=MOST_TRUSTED, replace=False)
    return tuple(listings[number] for number in sorted(chosen.tolist()))
