from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.trainer import plain_losses as plain
from tests.trainer.loss_batches import DIMENSION, DTYPES, SHAPES, batch_of, cells_of, every_loss, plain_inputs
from trainer.losses import (
    BatchAware,
    BatchAwarePooled,
    BatchAwareSoftmax,
    DecoupledSoftmax,
    GradedCircle,
    InfoNCE,
    NgameTriplet,
    PrimeMargin,
    QueryLabel,
    ThresholdConsistentMargin,
    make_batch,
)

SIMPLE = {
    "infonce": (InfoNCE(0.05), lambda s, c, w: plain.infonce(s, c, w, 0.05, True)),
    "infonce one way": (
        InfoNCE(0.1, symmetric=False),
        lambda s, c, w: plain.infonce(s, c, w, 0.1, False),
    ),
    "decoupled": (DecoupledSoftmax(0.05), lambda s, c, w: plain.decoupled(s, c, w, 0.05)),
    "ngame": (
        NgameTriplet(0.3, negatives=2),
        lambda s, c, w: plain.triplet(s, c, w, count=2, sharpness=0.1, margin=0.3),
    ),
    "prime": (
        PrimeMargin(negatives=10),
        lambda s, c, w: plain.triplet(s, c, w, count=10, sharpness=0.1, margin=None),
    ),
    "tcm": (
        ThresholdConsistentMargin(0.9, 0.1),
        lambda s, c, w: plain.threshold_margin(s, c, w, 0.9, 0.1),
    ),
    "graded circle": (
        GradedCircle((0.1, 0.2, 0.5, 0.7), scale=20.0),
        lambda s, c, w: plain.graded_circle(s, c, w, (0.1, 0.2, 0.5, 0.7), 20.0),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", SIMPLE)
def test_that_a_loss_equals_its_plain_loops(name: str, shape: str) -> None:
    loss, loops = SIMPLE[name]
    for seed in range(5):
        batch, _ = batch_of(shape, seed=seed)
        assert loss(batch).item() == pytest.approx(loops(*plain_inputs(shape, batch)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("shape", ["square", "known positives", "listing without a match", "no negative"])
def test_that_the_query_label_loss_equals_its_plain_loops(shape: str) -> None:
    torch.manual_seed(0)
    loss = QueryLabel(DIMENSION, hidden=5).double()
    batch, _ = batch_of(shape)
    similarity, cells, weight = plain_inputs(shape, batch)
    terms = []
    for i, c, is_match in plain.judged(similarity, cells):
        pair = plain.representation(batch.listings[i].tolist(), batch.items[c].tolist())
        hidden = nn.functional.gelu(loss.hidden(torch.tensor(pair, dtype=torch.float64)))
        terms.append((plain.binary_cross_entropy(loss.head(hidden).item(), is_match), weight[i]))
    expected = sum(v * w for v, w in terms) / sum(w for _, w in terms)
    assert loss(batch).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", ["square", "known positives", "listing without a match", "no negative"])
def test_that_the_batch_aware_loss_equals_attention_in_plain_loops(shape: str) -> None:
    torch.manual_seed(0)
    loss = BatchAware(DIMENSION, width=4, heads=1).double()
    batch, _ = batch_of(shape)
    similarity, cells, weight = plain_inputs(shape, batch)
    judged = plain.judged(similarity, cells)
    rows = [
        loss.project(
            torch.tensor(
                plain.representation(batch.listings[i].tolist(), batch.items[c].tolist()),
                dtype=torch.float64,
            )
        )
        for i, c, _ in judged
    ]
    layer = loss.attend
    to_q, to_k, to_v = layer.self_attn.in_proj_weight.chunk(3)
    of_q, of_k, of_v = layer.self_attn.in_proj_bias.chunk(3)
    terms = []
    for (i, _, is_match), row in zip(judged, rows, strict=True):
        scores = torch.stack([(to_q @ row + of_q) @ (to_k @ other + of_k) / 4**0.5 for other in rows])
        shares = scores.exp() / scores.exp().sum()
        seen = sum(
            (share * (to_v @ other + of_v) for share, other in zip(shares, rows, strict=True)),
            torch.zeros(4, dtype=torch.float64),
        )
        state = layer.norm1(row + layer.self_attn.out_proj(seen))
        state = layer.norm2(state + layer.linear2(nn.functional.gelu(layer.linear1(state))))
        terms.append((plain.binary_cross_entropy(loss.head(state).item(), is_match), weight[i]))
    expected = sum(v * w for v, w in terms) / sum(w for _, w in terms)
    assert loss(batch).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("variant", [BatchAware, BatchAwareSoftmax, BatchAwarePooled])
def test_that_the_batch_aware_loss_depends_on_the_other_pairs_of_the_batch(variant: type[nn.Module]) -> None:
    torch.manual_seed(0)
    loss = variant(DIMENSION)
    _, raw = batch_of("square", torch.float32)
    alone = make_batch(raw[:1], raw[4:5])
    pair_only = loss(alone)
    first = make_batch(raw[:2], raw[4:6])
    assert pair_only.item() != pytest.approx(loss(first).item(), abs=1e-6)


@pytest.mark.parametrize("negatives", [1, 2, 10, None])
@pytest.mark.parametrize("shape", SHAPES)
def test_that_the_batch_aware_softmax_equals_its_plain_loops(shape: str, negatives: int | None) -> None:
    torch.manual_seed(0)
    loss = BatchAwareSoftmax(DIMENSION, hidden=5, negatives=negatives).double()
    batch, _ = batch_of(shape)
    similarity, cells, weight = plain_inputs(shape, batch)

    def score(i: int, c: int) -> float:
        pair = plain.representation(batch.listings[i].tolist(), batch.items[c].tolist())
        hidden = nn.functional.gelu(loss.hidden(torch.tensor(pair, dtype=torch.float64)))
        return loss.head(hidden).item()

    terms = []
    for i, row in enumerate(cells):
        for c, cell in enumerate(row):
            if cell == plain.TARGET:
                rivals = [math.exp(score(i, k)) for k in plain.hardest(similarity, cells, i, negatives)]
                own = math.exp(score(i, c))
                terms.append((-math.log(own / (own + sum(rivals))), weight[i]))
    expected = sum(v * w for v, w in terms) / sum(w for _, w in terms) if terms else 0.0
    assert loss(batch).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_that_the_pooled_batch_aware_loss_equals_its_plain_loops(shape: str) -> None:
    torch.manual_seed(0)
    loss = BatchAwarePooled(DIMENSION, width=4).double()
    batch, _ = batch_of(shape)
    similarity, cells, weight = plain_inputs(shape, batch)
    judged = plain.judged(similarity, cells)
    states = []
    for i, c, _ in judged:
        pair = plain.representation(batch.listings[i].tolist(), batch.items[c].tolist())
        states.append(nn.functional.gelu(loss.project(torch.tensor(pair, dtype=torch.float64))))
    terms = []
    for n, (i, _, is_match) in enumerate(judged):
        others = states[:n] + states[n + 1 :]
        shares = [math.exp((loss.query(states[n]) @ loss.key(other)).item() / 4**0.5) for other in others]
        context = torch.zeros(4, dtype=torch.float64)
        for share, other in zip(shares, others, strict=True):
            context = context + share / sum(shares) * loss.value(other)
        logit = loss.head(nn.functional.gelu(loss.hidden(torch.cat([states[n], context]))))
        terms.append((plain.binary_cross_entropy(logit.item(), is_match), weight[i]))
    expected = sum(v * w for v, w in terms) / sum(w for _, w in terms) if terms else 0.0
    assert loss(batch).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", ["known positives", "rejected candidates"])
@pytest.mark.parametrize("name", list(every_loss()))
def test_that_a_loss_is_close_in_every_dtype(name: str, shape: str, dtype: torch.dtype) -> None:
    loss = every_loss()[name]
    batch, raw = batch_of(shape, dtype)
    cells = torch.tensor(cells_of(shape))
    listings, items = raw.detach().double().split([len(cells), cells.shape[1]])
    exact = make_batch(listings, items, cells, batch.weight, batch.agreement)
    value = loss(batch)
    assert value.dtype in (torch.float32, torch.float64)
    assert value.item() == pytest.approx(loss(exact).item(), rel=1e-4, abs=1e-5)
    value.backward()
    assert raw.grad is not None
    assert torch.isfinite(raw.grad).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", ["no negative", "one pair", "nothing but negatives", "nothing but known"])
@pytest.mark.parametrize("name", list(every_loss()))
def test_that_a_batch_without_a_valid_pair_gives_a_finite_loss_and_gradient(
    name: str, shape: str, dtype: torch.dtype
) -> None:
    batch, raw = batch_of(shape, dtype)
    value = every_loss()[name](batch)
    value.backward()
    assert torch.isfinite(value)
    assert raw.grad is not None
    assert torch.isfinite(raw.grad).all()


@pytest.mark.parametrize("name", [name for name in every_loss() if name != "tcm"])
def test_that_nothing_to_compare_costs_nothing(name: str) -> None:
    batch, _ = batch_of("nothing but known")
    if name == "decoupled":  # known items are its positives, but there is nothing to tell them from
        assert every_loss()[name](batch).item() == pytest.approx(0.0, abs=1e-12)
    else:
        assert every_loss()[name](batch).item() == 0.0


@pytest.mark.parametrize(
    "name", [name for name in every_loss() if name not in ("decoupled", "tcm", "graded circle")]
)
def test_that_a_masked_positive_gets_no_gradient(name: str) -> None:
    cells = torch.tensor([[1, 2], [2, 2]], dtype=torch.int8)
    raw = torch.randn(4, DIMENSION, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    every_loss()[name](make_batch(raw[:2], raw[2:], cells)).backward()
    assert raw.grad is not None
    assert torch.count_nonzero(raw.grad[3]) == 0


def test_that_a_heavier_pair_pulls_the_mean_towards_its_loss() -> None:
    batch, raw = batch_of("square")

    def value(weight: list[float]) -> float:
        again = make_batch(raw[:4], raw[4:], batch.target.to(torch.int8), torch.tensor(weight))
        return float(InfoNCE()(again).detach())

    single = [value([float(k == i) for k in range(4)]) for i in range(4)]
    assert value([1, 1, 1, 1]) == pytest.approx(sum(single) / 4)
    assert value([3, 1, 1, 1]) == pytest.approx((3 * single[0] + sum(single[1:])) / 6)


def test_that_primes_margin_leaves_alone_what_is_a_tenth_below_and_widens_up_to_three_tenths() -> None:
    def gradient(positive: float, negative: float) -> tuple[float, float]:
        angle = torch.tensor([[positive, (1 - positive**2) ** 0.5], [negative, (1 - negative**2) ** 0.5]])
        items = angle.double().requires_grad_(True)
        value = PrimeMargin()(make_batch(torch.tensor([[1.0, 0.0]], dtype=torch.float64), items))
        return float(value.detach()), float(torch.autograd.grad(value, items)[0].abs().sum())

    assert gradient(0.8, 0.65) == (0.0, 0.0)
    assert gradient(0.8, 0.75)[0] == pytest.approx(0.05)
    assert gradient(0.6, 0.8)[0] == pytest.approx(0.4)
    assert gradient(0.2, 0.9)[0] == pytest.approx(1.0)
