"""A tiny encoder and job folders of an invented catalogue."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.contracts.training import TrainingJob

JobFolder = Callable[..., Path]

BRANDS = ("acme", "bolt", "corvo", "delta")
KINDS = ("phone", "drill", "kettle")
SIZES = ("64gb", "128gb", "12v", "18v")


def make_tables(
    listings_per_item: int = 2, seed: int = 0
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Pair rows and item rows: every item has look-alikes that differ in size, and messy listings."""
    random = np.random.default_rng(seed)
    texts = [f"{b} {k} {s}" for b in BRANDS for k in KINDS for s in SIZES]
    items = [{"item_id": number + 1, "item_text": text} for number, text in enumerate(texts)]
    pairs: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        brand, kind, size = text.split()
        for copy in range(listings_per_item):
            listing = {
                "listing_id": number * listings_per_item + copy + 1,
                "listing_text": f"{size} {kind} by {brand} {random.choice(['new', 'boxed', 'black'])}",
                "weight": 1.0,
                "role": "validation" if number % 6 == 0 else "train",
            }
            neighbour = number - 1 if number % len(SIZES) else number + 1
            known = number % 11 != 10
            if known:
                pairs.append({**listing, "item_id": number + 1, "verdict": "match"})
            pairs.append({**listing, "item_id": neighbour + 1, "verdict": "none"})
    return pairs, items


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers folder of two small layers."""
    from tests.fakes import make_tiny_sentence_transformer

    folder = tmp_path_factory.mktemp("tiny") / "encoder"
    make_tiny_sentence_transformer(folder, dimension=32, layers=2)
    return folder


@pytest.fixture(scope="session")
def dropout_encoder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder with dropout in its layers and its attention."""
    folder = tmp_path_factory.mktemp("dropout") / "encoder"
    shutil.copytree(tiny_encoder, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.2}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def write_job(
    folder: Path,
    start: Path,
    *,
    recipe: str = "quick",
    seed: int = 0,
    pairs: list[dict[str, Any]] | None = None,
    items: list[dict[str, Any]] | None = None,
    **overrides: Any,
) -> Path:
    """Write a job folder; further keyword arguments become overrides of the recipe."""
    folder.mkdir()
    usual_pairs, usual_items = make_tables()
    pl.DataFrame(usual_pairs if pairs is None else pairs).write_parquet(folder / "pairs.parquet")
    pl.DataFrame(usual_items if items is None else items).write_parquet(folder / "items.parquet")
    job = TrainingJob(run_id="t0001", recipe=recipe, overrides=overrides, seed=seed, device="cpu", threads=1)
    (folder / "job.json").write_text(job.model_dump_json(), encoding="utf-8")
    (folder / "start").symlink_to(start, target_is_directory=True)
    return folder


@pytest.fixture
def make_job(tmp_path: Path, tiny_encoder: Path) -> JobFolder:
    """Writes job folders into the test's own folder."""

    def write(name: str = "job", **changes: Any) -> Path:
        return write_job(tmp_path / name, tiny_encoder, **changes)

    return write
