from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from trainer.averaging import average_with_start
from trainer.pairs import JudgedListing, PairSet
from trainer.validation import Validation, best_items


@pytest.fixture
def model(tiny_encoder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(tiny_encoder), device="cpu", local_files_only=True)


def _pairs(listings: list[tuple[str, tuple[int, ...]]], items: tuple[str, ...]) -> PairSet:
    first: dict[str, int] = {}
    return PairSet(
        item_texts=items,
        train=(),
        validation=tuple(
            JudgedListing(text, matches, (), () if matches else (0,), dict.fromkeys(matches or (None,), 1.0))
            for text, matches in listings
        ),
        same_text=tuple(first.setdefault(text, row) for row, text in enumerate(items)),
    )


def test_that_listings_with_the_text_of_their_item_are_all_automated(model: SentenceTransformer) -> None:
    items = ("acme phone", "bolt drill", "corvo kettle")
    metrics = Validation(
        model, _pairs([(text, (n,)) for n, text in enumerate(items)], items), most_items=10, seed=0
    )(model)
    assert metrics == {
        "C@90": 1.0, "C@95": 1.0, "C@98": 1.0, "aurc": 0.0, "best_right": 1.0, "listings": 3.0
    }  # fmt: skip


def test_that_a_listing_without_a_match_is_never_right(model: SentenceTransformer) -> None:
    items = ("acme phone", "bolt drill")
    listings = [("acme phone", (0,)), ("bolt drill", ())]
    metrics = Validation(model, _pairs(listings, items), most_items=10, seed=0)(model)
    assert metrics["best_right"] == 0.5
    assert metrics["aurc"] > 0


def test_that_any_item_with_the_confirmed_text_is_right(model: SentenceTransformer) -> None:
    items = ("bolt drill", "acme phone", "acme phone")
    metrics = Validation(model, _pairs([("acme phone", (2,))], items), most_items=10, seed=0)(model)
    assert metrics["best_right"] == 1.0


def test_that_no_validation_listing_means_no_validation(model: SentenceTransformer) -> None:
    assert not Validation(model, _pairs([], ("acme phone",)), most_items=10, seed=0)


def test_that_the_items_of_pairs_are_always_searched_and_others_up_to_the_limit(
    model: SentenceTransformer,
) -> None:
    items = tuple(f"item {n}" for n in range(50))
    validation = Validation(model, _pairs([("item 49", (49,))], items), most_items=10, seed=0)
    assert len(validation._items) == 10
    assert 49 in validation._items


def test_that_the_best_item_is_found_across_blocks() -> None:
    random = np.random.default_rng(0)
    listings = random.normal(size=(7, 4)).astype(np.float32)
    items = random.normal(size=(9, 4)).astype(np.float32)
    similarity, best = best_items(listings, items, block=3)
    for row in range(7):
        scores = [float(listings[row] @ item) for item in items]
        assert best[row] == int(np.argmax(scores))
        assert similarity[row] == pytest.approx(max(scores), rel=1e-6)


@pytest.mark.parametrize(("optimum", "share"), [(1.0, 0.5), (2.0, 1.0), (0.1, 0.25)])
def test_that_the_average_that_validates_best_is_kept(optimum: float, share: float) -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    start = {"weight": torch.zeros(1, 1)}
    torch.nn.init.constant_(model.weight, 2.0)

    def validate() -> dict[str, float]:
        return {"aurc": abs(float(model.weight.detach()) - optimum)}

    chosen, metrics = average_with_start(model, start, (0.25, 0.5, 0.75), validate)
    assert chosen == share
    assert float(model.weight.detach()) == pytest.approx(2.0 * share)
    assert metrics == validate()


def test_that_the_trained_weights_win_a_tie() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    trained = model.weight.detach().clone()
    chosen, _ = average_with_start(model, {"weight": torch.zeros(1, 1)}, (0.5,), lambda: {"aurc": 0.3})
    assert chosen == 1.0
    assert torch.equal(model.weight.detach(), trained)
