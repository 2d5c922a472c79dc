"""The cross-encoder of ``objectives``: both texts in one pass, over the candidates the matcher puts first.

It learns to choose among the first candidates of a listing and "none of them" (a softmax over both; source:
listwise rerankers, Nogueira and Cho, 1901.04085, with the loss over a listing's candidates), from the judged
listings that the encoder was trained on. What it says is tried as evidence for the matcher, and as an order
of the candidates that a reviewer would be shown.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer, set_seed

from engine.automation.matcher import fit_matcher
from engine.automation.ranking import rank_in_group
from engine.backends.onnx_matcher import OnnxMatcher
from tests.benchmarks._objectives_measure import Behind, behind_matcher, learning_set
from tests.benchmarks._objectives_plan import Cross, Line
from tests.benchmarks._objectives_train import Trained
from tests.benchmarks._objectives_world import SPARE, Deal, World, set_with_margin
from trainer.devices import ComputeDevice

LISTINGS, TOKENS, PASS_ROWS = 16, 96, 1024
HEAD_LEARNING_RATE, WARMUP, MAX_NORM = 1e-3, 0.1, 1.0
#: What a candidate gets that the cross-encoder was not asked about: less than any it was asked about.
NOT_ASKED = -12.0
#: The review band is what the best threshold for this precision leaves to people.
PRECISION = 0.95
FIRST = (1, 3, 5)


class CrossEncoder(nn.Module):
    """A transformer over both texts, its mean state to one score; ``none`` is the score of no candidate."""

    def __init__(self, start: Path, device: ComputeDevice) -> None:
        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(str(start))
        self.net = AutoModel.from_pretrained(str(start)).float()
        self.head = nn.Linear(int(self.net.config.hidden_size), 1)
        self.none = nn.Parameter(torch.zeros(1))
        self._tokens = min(TOKENS, int(self.net.config.max_position_embeddings))
        self._device = device
        self.to(device.kind)

    def forward(self, listings: list[str], items: list[str]) -> Tensor:
        """Scores [n] of n pairs of texts."""
        features = self.tokenizer(
            listings, items, padding=True, truncation=True, max_length=self._tokens, return_tensors="pt"
        ).to(self._device.kind)
        half = self._device.half
        with torch.autocast(self._device.kind, half, enabled=half is not None):
            states = self.net(**features).last_hidden_state
            mask = features["attention_mask"][..., None]
            score = self.head((states * mask).sum(1) / mask.sum(1)).squeeze(-1)
        return torch.as_tensor(score.float())


class Texts:
    """The two texts of candidate pairs."""

    def __init__(self, world: World) -> None:
        self._world = world

    def of(self, pairs: list[int]) -> tuple[list[str], list[str]]:
        """Listing and item texts of pairs."""
        world, found = self._world, self._world.candidates
        return (
            [world.texts[int(found.listing_row[pair])] for pair in pairs],
            [world.item_texts[int(found.item_row[pair])] for pair in pairs],
        )


def fit(
    net: CrossEncoder, texts: Texts, groups: list[list[int]], named: np.ndarray, settings: Cross, seed: int
) -> None:
    """Train on the candidates of some listings, one group each."""
    random = np.random.default_rng(seed)
    rates = (settings.learning_rate, HEAD_LEARNING_RATE)
    slow, fast = list(net.net.parameters()), [*net.head.parameters(), net.none]
    optimizer = torch.optim.AdamW(
        [{"params": slow, "lr": rates[0]}, {"params": fast, "lr": rates[1]}], weight_decay=0.01
    )
    total = settings.epochs * -(-len(groups) // LISTINGS)
    done = 0
    net.train()
    for _ in range(settings.epochs):
        order = random.permutation(len(groups))
        for start in range(0, len(order), LISTINGS):
            some = [groups[n] for n in order[start : start + LISTINGS]]
            share = min(1.0, (done + 1) / (WARMUP * total)) * (1 - done / total)
            for parameters, rate in zip(optimizer.param_groups, rates, strict=True):
                parameters["lr"] = rate * share
            scores = net(*texts.of([pair for pairs in some for pair in pairs]))
            loss = torch.zeros((), device=scores.device)
            for pairs, own in zip(some, scores.split([len(pairs) for pairs in some]), strict=True):
                right = named[pairs].tolist()
                target = torch.tensor([*right, not any(right)], device=scores.device)
                all_ = torch.cat([own, net.none])
                loss = loss + torch.logsumexp(all_, 0) - torch.logsumexp(all_[target], 0)
            optimizer.zero_grad()
            torch.autograd.backward(loss / len(some))
            nn.utils.clip_grad_norm_(net.parameters(), MAX_NORM)
            optimizer.step()
            done += 1


def score(net: CrossEncoder, texts: Texts, pairs: np.ndarray) -> np.ndarray:
    """Log odds of pairs against none of them, texts of similar length together."""
    net.eval()
    lengths = [sum(map(len, both)) for both in zip(*texts.of(pairs.tolist()), strict=True)]
    order = np.argsort(lengths)
    out = np.empty(len(pairs), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), PASS_ROWS):
            part = order[start : start + PASS_ROWS]
            out[part] = (net(*texts.of(pairs[part].tolist())) - net.none).cpu().numpy()
    return out


def cross(
    world: World,
    line: Line,
    evidence: np.ndarray,
    behind: Behind,
    trained: Trained,
    base: Path,
    device: ComputeDevice,
) -> dict[str, object]:
    """Train a cross-encoder and measure it: what joins the result of a line."""
    settings, deal, candidates = line.cross, world.deals[line.kind], world.candidates
    assert settings is not None
    first = _first(world, deal, evidence, behind, settings.candidates)
    seen = sorted(set(deal.judged) - set(deal.unseen or ()))
    groups: dict[int, list[int]] = {row: [] for row in seen}
    for pair in first.tolist():
        row = int(candidates.listing_row[pair])
        if row in groups:
            groups[row].append(pair)
    set_seed(line.seed)
    net = CrossEncoder(base, device)
    if settings.from_trained:
        net.net.load_state_dict(trained.model[0].auto_model.state_dict())
    texts = Texts(world)
    began = time.perf_counter()
    fit(net, texts, [group for group in groups.values() if group], candidates.named, settings, line.seed)
    seconds = time.perf_counter() - began
    said = np.full(len(evidence), NOT_ASKED, np.float32)
    said[first] = np.maximum(score(net, texts, first), NOT_ASKED)
    wider = evidence.copy()
    set_with_margin(wider, candidates.listing_row, said, SPARE)
    asked = np.zeros(len(evidence), dtype=bool)
    asked[first] = True
    return {
        "ce_train_s": round(seconds, 1),
        "matcher_ce": behind_matcher(world, deal, wider, seen=True).figures,
        **_in_band(world, deal, behind, said[behind.held], asked[behind.held]),
    }


def _first(world: World, deal: Deal, evidence: np.ndarray, behind: Behind, count: int) -> np.ndarray:
    """The pairs that the matcher puts first, of the judged and the held-out listings."""
    fitted = fit_matcher(learning_set(world, deal, evidence, seen=False))
    assert fitted is not None, "behind_matcher fitted one to the same listings"
    judged = world.candidates.of(deal.judged)
    strength = np.full(len(evidence), -np.inf, np.float32)
    strength[judged] = OnnxMatcher(fitted.graphs).log_odds(evidence[judged])
    strength[behind.held] = behind.strength
    pairs = np.flatnonzero(judged | behind.held)
    rows = world.candidates.listing_row
    order = pairs[np.lexsort((-strength[pairs], rows[pairs]))]
    return order[rank_in_group(rows[order]) < count]


def _in_band(
    world: World, deal: Deal, behind: Behind, said: np.ndarray, asked: np.ndarray
) -> dict[str, object]:
    """P(right among the first 1, 3, 5) of the listings left to people, by whose order."""
    rows, right = world.candidates.listing_row[behind.held], world.candidates.right[behind.held]
    order = np.argsort(-behind.confidence, kind="stable")
    precision = np.cumsum(right[behind.best][order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(precision >= PRECISION)
    left = rows[behind.best][order[good[-1] + 1 if len(good) else 0 :]]
    mine = np.isin(rows, left)
    rows, right, strength = rows[mine], right[mine], behind.strength[mine]
    # Those the cross-encoder was not asked about follow in the matcher's order.
    after = -1e3 + 1e-2 * strength
    orders = {
        "matcher": strength,
        "ce": np.where(asked[mine], said[mine], after),
        "sum": np.where(asked[mine], strength + said[mine], after),
        "half": np.where(asked[mine], strength + 0.5 * said[mine], after),
    }
    return {"band": len(left) / max(1, len(deal.held))} | {
        f"band_{name}": [round(_among_first(rows, right, value, k), 4) for k in FIRST]
        for name, value in orders.items()
    }


def _among_first(rows: np.ndarray, right: np.ndarray, value: np.ndarray, count: int) -> float:
    order = np.lexsort((-value, rows))
    found = right[order] & (rank_in_group(rows[order]) < count)
    listings = len(np.unique(rows))
    return len(np.unique(rows[order][found])) / listings if listings else 0.0
