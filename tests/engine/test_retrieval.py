"""Retrieval against brute force: vectors cached, neighbours found, aliases silent about themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.backends import hnsw_index
from engine.backends.hnsw_index import HnswIndex
from engine.backends.sparse_lexical import SparseLexical, paired_cosine
from engine.retrieval.aliases import AliasIndex
from engine.retrieval.candidates import CandidatePairs, find_candidates
from engine.retrieval.encode import VectorCache
from engine.retrieval.item_index import ItemIndex


class CountingEncoder:
    """Unit vectors made from the text, and a count of the texts it was given."""

    dimension = 8
    sha256 = "0" * 64
    variant = "fake"

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.encoded += len(texts)
        rows = [np.random.default_rng(abs(hash(text)) % 2**32).normal(size=8) for text in texts]
        vectors = np.asarray(rows, dtype=np.float32).reshape(len(texts), 8)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _unit(count: int, seed: int, dimension: int = 16) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


TEXTS = [f"brand{i % 7} kettle model k{i:03d} {i % 5} litre" for i in range(200)]


def _index() -> ItemIndex:
    return ItemIndex.build(list(range(1, 201)), TEXTS, _unit(200, 0))


def _found(index: ItemIndex, vectors: np.ndarray, texts: Sequence[str], **settings: int) -> CandidatePairs:
    return find_candidates(index, vectors, index.lexical.vectors(texts), **settings)


def test_that_a_text_is_encoded_once_and_kept_across_restarts(tmp_path: Path) -> None:
    encoder = CountingEncoder()
    texts = ["a", "b", "a", "c"]
    list(VectorCache(tmp_path, 8).encode_missing(texts, encoder, stage="x"))
    assert encoder.encoded == 3
    again = VectorCache(tmp_path, 8)
    list(again.encode_missing([*texts, "d"], encoder, stage="x"))
    assert encoder.encoded == 4
    assert again.vectors(texts) == pytest.approx(encoder.encode(texts), abs=1e-3)


def test_that_a_killed_write_costs_only_its_own_rows(tmp_path: Path) -> None:
    encoder = CountingEncoder()
    list(VectorCache(tmp_path, 8).encode_missing(["a", "b"], encoder, stage="x"))
    with (tmp_path / "vectors.f16").open("ab") as file:
        file.write(b"\x01\x02\x03")  # half a row, and no key for it
    cache = VectorCache(tmp_path, 8)
    assert len(cache) == 2
    list(cache.encode_missing(["c"], encoder, stage="x"))
    assert cache.vectors(["c"]) == pytest.approx(encoder.encode(["c"]), abs=1e-3)


def test_that_a_text_that_was_never_encoded_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        VectorCache(tmp_path, 8).vectors(["never"])


def test_that_exact_search_is_brute_force() -> None:
    items, queries = _unit(300, 1), _unit(20, 2)
    rows, cosines = HnswIndex.build(items).search(queries, 7)
    expected = np.argsort(-(queries @ items.T), axis=1)[:, :7]
    assert (rows == expected).all()
    assert cosines == pytest.approx(np.take_along_axis(queries @ items.T, expected, axis=1), abs=1e-6)


def test_that_the_graph_finds_nearly_what_brute_force_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hnsw_index, "EXACT_BELOW", 100)
    items, queries = _unit(3000, 3), _unit(100, 4)
    index = HnswIndex.build(items)
    assert not index.exact
    index.save_graph(tmp_path / "index.hnsw")
    loaded = HnswIndex.load(items, tmp_path / "index.hnsw")
    truth = np.argsort(-(queries @ items.T), axis=1)[:, :10]
    for one in (index, loaded):
        rows, _ = one.search(queries, 10)
        assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows, truth, strict=True)]) > 0.95


def test_that_a_catalogue_of_one_item_is_searched() -> None:
    index = ItemIndex.build([5], ["only kettle"], _unit(1, 0))
    found = _found(index, _unit(2, 1), ["kettle", "xyz"], neighbours=40, lexical_neighbours=40)
    assert found.listing_row.tolist() == [0, 1]
    assert found.item_row.tolist() == [0, 0]


def test_that_lexical_search_reads_model_codes() -> None:
    lexical = SparseLexical.build(TEXTS)
    rows, items = lexical.search(lexical.vectors(["kettle k123"]), 5)
    best = items[np.argmax(paired_cosine(lexical.vectors(["kettle k123"]), rows, lexical.items, items))]
    assert TEXTS[best].split()[3] == "k123"


def test_that_an_index_is_the_same_after_saving(tmp_path: Path) -> None:
    index = _index()
    index.save(tmp_path)
    loaded = ItemIndex.load(tmp_path)
    texts, vectors = ["brand3 kettle k017", "nothing alike"], _unit(2, 9)
    before = _found(index, vectors, texts, neighbours=10, lexical_neighbours=10)
    after = _found(loaded, vectors, texts, neighbours=10, lexical_neighbours=10)
    assert before.item_row.tolist() == after.item_row.tolist()
    assert loaded.rows_of(np.asarray([1, 200, 999])).tolist() == [0, 199, -1]


def test_that_candidates_are_collapsed_ordered_and_cut() -> None:
    found = _found(_index(), _unit(30, 5), TEXTS[:30], neighbours=40, lexical_neighbours=40, kept=12)
    assert (np.diff(found.listing_row) >= 0).all()
    pairs = list(zip(found.listing_row.tolist(), found.item_row.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert np.bincount(found.listing_row).max() <= 12
    # Its own text is in the catalogue, so every listing must find itself by characters.
    assert all((row, row) in set(pairs) for row in range(30))


def test_that_either_side_of_retrieval_can_be_off() -> None:
    vectors = _unit(3, 6)
    dense = _found(_index(), vectors, TEXTS[:3], neighbours=5, lexical_neighbours=0)
    lexical = _found(_index(), vectors, TEXTS[:3], neighbours=0, lexical_neighbours=5)
    assert np.bincount(dense.listing_row).tolist() == [5, 5, 5]
    assert np.bincount(lexical.listing_row).tolist() == [5, 5, 5]


def test_that_an_alias_leads_to_its_item_but_never_for_its_own_listing() -> None:
    index = _index()
    alias_vectors = _unit(2, 7)
    aliases = AliasIndex.build(index, [900, 901], [10, 20], ["jargon one", "jargon two"], alias_vectors)
    listing_ids = np.asarray([900, 950])
    vectors = alias_vectors[[0, 0]]
    rows, items = aliases.nearest_items(
        listing_ids, vectors, 1, at_least=np.full(len(vectors), -1.0, np.float32)
    )
    assert (1, index.rows_of(np.asarray([10]))[0]) in set(zip(rows.tolist(), items.tolist(), strict=True))
    nearest, _ = aliases.best(
        listing_ids,
        vectors,
        index.lexical.vectors(["jargon one", "jargon one"]),
        np.asarray([0, 1]),
        np.asarray([9, 9]),
    )
    assert nearest.similarity.tolist() == pytest.approx([0, 1], abs=1e-5)
    assert nearest.lexical.tolist() == pytest.approx([0, 1], abs=1e-5)


def test_that_an_alias_of_an_item_the_release_lacks_is_left_out() -> None:
    aliases = AliasIndex.build(_index(), [900], [12345], ["x"], _unit(1, 1))
    assert len(aliases) == 0
