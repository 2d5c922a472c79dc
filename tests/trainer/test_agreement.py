"""Weights of pairs by the agreement of their gradients with those of trusted pairs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from engine.contracts.training import TrainingEvaluated, TrainingFinished, TrainingNotice
from engine.errors import InputError
from tests.trainer.conftest import JobFolder, make_tables
from tests.trainer.loss_batches import DIMENSION, SHAPES, batch_of
from tests.trainer.test_run import TWO_EPOCHS, _run, _weights, no_export  # noqa: F401
from trainer.agreement import LEAST_TRUSTED, GradientAgreement, split_trusted
from trainer.config import resolve_recipe
from trainer.data import read_pairs
from trainer.dynamics import PairDynamics
from trainer.losses import DecoupledSoftmax, InfoNCE, NgameTriplet, make_batch
from trainer.losses.batch import PairBatch

BASES: dict[str, nn.Module] = {
    "infonce": InfoNCE(0.1),
    "infonce one way": InfoNCE(0.1, symmetric=False),
    "decoupled": DecoupledSoftmax(0.1),
    "ngame": NgameTriplet(0.3),
}


def plain_gradients(base: nn.Module, batch: PairBatch) -> list[Tensor]:
    """The gradient at a map of each listing's own that is the identity, by autograd: [d, d] each."""
    maps = [torch.eye(DIMENSION, dtype=torch.float64, requires_grad=True) for _ in batch.listings]
    pairs = zip(maps, batch.listings.detach(), strict=True)
    listings = torch.stack([functional.normalize(map_ @ listing, dim=0) for map_, listing in pairs])
    items = batch.items.detach()
    mapped = replace(
        batch,
        listings=listings,
        similarity=listings @ items.T,
        weight=torch.ones_like(batch.weight),
    )
    return list(torch.autograd.grad(base(mapped), maps))


def agreement_of(base: nn.Module, trusted: PairBatch, strength: float = 1.0) -> GradientAgreement:
    agreement = GradientAgreement(base, DIMENSION, strength).double()
    agreement.refresh(trusted)
    return agreement


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", BASES)
def test_that_weights_equal_their_plain_loops(name: str, shape: str) -> None:
    base = BASES[name]
    trusted, _ = batch_of("rejected candidates", seed=9)
    total = torch.stack(plain_gradients(base, trusted)).sum(dim=0)
    batch, _ = batch_of(shape, seed=1)
    cosines = []
    for gradient in plain_gradients(base, batch):
        size = float(gradient.norm() * total.norm())
        cosines.append(float((gradient * total).sum()) / size if size > 1e-12 else 0.0)
    agreement = agreement_of(base, trusted)
    assert agreement.agreement(batch).tolist() == pytest.approx(cosines, abs=1e-6)
    above = [cosine for cosine in cosines if cosine > 0]
    has_target = batch.target.any(dim=1).tolist()
    expected = [
        max(cosine, 0.0) / (sum(above) / len(above)) if above and target else 1.0
        for cosine, target in zip(cosines, has_target, strict=True)
    ]
    assert agreement.weights(batch).tolist() == pytest.approx(expected, abs=1e-5)
    half = agreement_of(base, trusted, strength=0.5).weights(batch).tolist()
    assert half == pytest.approx([(1 + weight) / 2 for weight in expected], abs=1e-5)


def test_that_a_wrong_confirmation_weighs_nothing_and_right_ones_one_in_the_mean() -> None:
    axes = torch.eye(DIMENSION, dtype=torch.float64)
    # Every listing lies between its own item and the next one; what is trusted turns it to its own.
    listings = functional.normalize(axes[:4] + axes[[1, 2, 3, 0]] + 0.1 * axes[4], dim=1)
    trusted = make_batch(listings, axes[:4])
    cells = torch.eye(4, dtype=torch.int8)
    cells[3] = torch.tensor([1, 0, 0, 0])  # confirmed for the next listing's item
    batch = make_batch(listings, axes[:4], cells)
    weights = agreement_of(InfoNCE(0.1), trusted).weights(batch)
    assert weights[3] == 0
    assert weights[:3].mean() == pytest.approx(1)


def test_that_weights_multiply_and_bring_no_gradient() -> None:
    trusted, _ = batch_of("square", seed=4)
    batch, raw = batch_of("square", seed=5)
    agreement = agreement_of(InfoNCE(0.1), trusted)
    weighed = agreement.weighed(batch)
    assert torch.allclose(weighed.weight, batch.weight * agreement.weights(batch))
    assert not weighed.weight.requires_grad
    assert raw.grad is None
    assert not list(agreement.parameters())


@pytest.mark.parametrize("shape", SHAPES)
def test_that_before_the_first_look_all_pairs_weigh_the_same(shape: str) -> None:
    batch, _ = batch_of(shape)
    assert GradientAgreement(InfoNCE(), DIMENSION, 1.0).weights(batch).tolist() == [1.0] * len(batch.weight)


def test_that_surer_pairs_are_trusted_and_else_half_of_validation(make_job: JobFolder) -> None:
    pairs = read_pairs(make_job("plain", pairs=_many()))
    rest, trusted = split_trusted(pairs, 0)
    matched = [listing for listing in pairs.validation if listing.matches]
    assert trusted == tuple(matched[::2])
    assert len(rest.validation) + len(trusted) == len(pairs.validation)
    assert not {listing.listing_id for listing in trusted} & {one.listing_id for one in rest.validation}
    assert rest.train == pairs.train

    surer = [pair | {"weight": 2.0} if pair["role"] == "train" else pair for pair in make_tables()[0]]
    pairs = read_pairs(make_job("surer", pairs=surer))
    rest, trusted = split_trusted(pairs, 0)
    assert rest is pairs
    assert {listing.listing_id for listing in trusted} <= {listing.listing_id for listing in pairs.train}
    assert len(trusted) >= LEAST_TRUSTED


def _many() -> list[dict[str, Any]]:
    """Enough validation listings to trust half of them."""
    pairs, _ = make_tables(listings_per_item=4)
    for pair in pairs:
        pair["role"] = "validation" if int(pair["item_id"]) % 3 == 0 else "train"
    return pairs


def test_that_too_few_trusted_pairs_are_refused(make_job: JobFolder) -> None:
    with pytest.raises(InputError, match=r"needs 20 trusted pairs: .*there are 0.* set it to 0"):
        _run(make_job(gradient_agreement=1.0, **TWO_EPOCHS))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base": "prime", "temperature": None, "prototypes": True}, "prototypes learn beside them"),
        ({"base": "soft_targets", "soft_target_source": "weight"}, "takes for agreement"),
        ({"gradient_agreement": 0.0, "agreement_steps": 5}, "needs a gradient_agreement above 0"),
    ],
)
def test_that_contradictions_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        resolve_recipe("default", {"gradient_agreement": 1.0} | changes)


SETTINGS = TWO_EPOCHS | {"gradient_agreement": 1.0, "agreement_steps": 5, "max_steps": 20}


@pytest.mark.usefixtures("no_export")
def test_that_a_cancelled_run_that_weighs_pairs_resumes_bit_by_bit(make_job: JobFolder) -> None:
    whole, parts = (make_job(name, pairs=_many(), **SETTINGS) for name in ("whole", "parts"))
    expected = _run(whole)
    assert any("weighed by agreement with" in event.message for event in expected.of(TrainingNotice))
    pairs = read_pairs(whole)
    validated = len(pairs.validation) - len(split_trusted(pairs, 0)[1])
    assert expected.of(TrainingEvaluated)[-1].metrics["listings"] == validated
    losses = _run(parts, 5).losses() | _run(parts, 13).losses()
    rest = _run(parts)
    assert rest.of(TrainingFinished)[0].step == 20
    assert losses | rest.losses() == expected.losses()
    assert _weights(parts) == _weights(whole)
    without = SETTINGS | {"gradient_agreement": 0.0, "agreement_steps": None}
    unweighed = make_job("unweighed", pairs=_many(), **without)
    assert _run(unweighed).losses() != expected.losses()


@pytest.mark.usefixtures("no_export")
def test_that_cached_gradients_are_weighed_as_those_of_one_pass(make_job: JobFolder) -> None:
    settings = SETTINGS | {"max_steps": 6}
    whole = _run(make_job("whole", pairs=_many(), **settings)).losses()
    cached = _run(make_job("cached", pairs=_many(), **settings, cache_rows=5)).losses()
    for step, (loss, _) in whole.items():
        assert cached[step][0] == pytest.approx(loss, rel=2e-3)


@pytest.mark.usefixtures("no_export")
def test_that_flipped_confirmations_come_to_weigh_less_than_right_ones(
    make_job: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    pairs, _ = make_tables(listings_per_item=8)
    flipped = set()
    for pair in pairs:
        pair["role"] = "validation" if pair["listing_id"] % 3 == 0 else "train"
        if pair["role"] == "train" and pair["verdict"] == "match" and random.random() < 0.15:
            pair["item_id"] = int(random.integers(1, 49))
            flipped.add(str(pair["listing_id"]))
    folder = make_job(
        pairs=pairs, **TWO_EPOCHS | {"batch_size": 32, "epochs": 4}, gradient_agreement=1.0, agreement_steps=5
    )
    # One match each: a row of training is a listing that has one, or something rejected.
    listings = [one for one in read_pairs(folder).train if one.matches or one.variants or one.rejected]
    weights: dict[bool, list[float]] = {True: [], False: []}

    def note(_: PairDynamics, rows: Tensor, batch: PairBatch) -> None:
        for row, weight in zip(rows.tolist(), batch.weight.tolist(), strict=True):
            if listings[row].matches:
                weights[listings[row].listing_id in flipped].append(weight)

    monkeypatch.setattr(PairDynamics, "note", note)
    _run(folder)
    assert sum(weights[True]) / len(weights[True]) < 0.5 * sum(weights[False]) / len(weights[False])
