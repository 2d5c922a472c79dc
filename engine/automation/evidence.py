"""Evidence: the measured features of a listing-candidate pair, one documented column each.

Everything is computed for whole blocks of pairs with sparse row products; no Python runs per pair.
``EVIDENCE_COLUMNS`` is the order of the columns in every evidence matrix, in the matcher's ONNX
input and in release manifests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.automation.tokens import TokenSets, normalise, parse_tokens
from engine.contracts import Record

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

#: name -> what it measures. "Margin" columns are the pair's value minus the best value among the
#: listing's other candidates, so positive only for the leader.
EVIDENCE_COLUMNS: dict[str, str] = {
    "similarity": "cosine of the encoder's unit vectors",
    "similarity_margin": "similarity minus the best similarity of the other candidates",
    "lexical": "cosine of the character n-gram TF-IDF vectors",
    "lexical_margin": "lexical minus the best lexical of the other candidates",
    "item_covered": "idf-weighted share of the item's words that the listing has",
    "item_covered_margin": "item_covered minus the best of the other candidates",
    "listing_covered": "idf-weighted share of the listing's words that the item has",
    "listing_covered_margin": "listing_covered minus the best of the other candidates",
    "rarest_missing_in_listing": "highest idf among the item's words that the listing lacks",
    "rarest_missing_in_item": "highest idf among the listing's words that the item lacks",
    "numbers_agree": "numbers both have",
    "numbers_missing_in_listing": "numbers of the item that the listing lacks",
    "numbers_missing_in_item": "numbers of the listing that the item lacks",
    "measures_agree": "measures (value with normalised unit) both have",
    "measures_conflict": "quantities both state, with different values",
    "measures_missing_in_listing": "quantities the item states and the listing does not",
    "codes_agree": "share of the item's model codes found in the listing",
    "codes_agree_margin": "codes_agree minus the best of the other candidates",
    "codes_conflict": "1 where both have model codes and none is shared",
    "item_has_code": "1 where the item has a model code",
    "code_stems_agree": "shared model code stems (up to two last characters cut), at most 3",
    "joined_agree": "idf-weighted share of the item's neighbouring token pairs found in the listing",
    "first_word_equal": "1 where both begin with the same word (in most feeds the brand)",
    "brand_equal": "1 where both name a brand and it is the same",
    "brand_conflict": "1 where both name a brand and it differs",
    "category_equal": "1 where both name a category and it is the same",
    "category_conflict": "1 where both name a category and it differs",
    "price_gap": "absolute log ratio of the prices, at most 2; 0 where one is missing",
    "price_known": "1 where both have a price",
    "gtin_equal": "1 where both carry the same GTIN",
    "gtin_conflict": "1 where both carry a GTIN and they differ",
    "listing_length": "log of the listing's word count",
    "item_length": "log of the item's word count",
    "alias_similarity": "best cosine to a confirmed listing of the item; 0 where it has none",
    "alias_lexical": "best lexical cosine to a confirmed listing of the item; 0 where it has none",
    "alias_margin": "alias_similarity minus the best of the other candidates",
    "lead": "lexical plus both word shares: minus the best such sum of the other candidates",
}
EVIDENCE_NAMES: tuple[str, ...] = tuple(EVIDENCE_COLUMNS)
#: What the listing's text says by itself, against the catalogue's vocabulary; name -> what it measures.
TEXT_COLUMNS: dict[str, str] = {
    "codes": "model codes the listing states",
    "unknown_codes": "model codes the listing states and no item has",
    "unknown_words": "share of the listing's words that no item has",
    "first_word_items": "log of how many items begin with the listing's first word",
    "longest_code": "characters of the listing's longest model code",
    "longest_unknown_code": "characters of its longest model code that no item has",
    "names_brand": "1 where a word of the listing begins several items, as brands do",
}
TEXT_NAMES: tuple[str, ...] = tuple(TEXT_COLUMNS)
#: So many items that begin with one word make it look like a brand.
_BRAND_ITEMS = 6
_COLUMN = {name: i for i, name in enumerate(EVIDENCE_NAMES)}


def column(name: str) -> int:
    """Position of an evidence column."""
    return _COLUMN[name]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Listing-candidate pairs of one block, grouped by listing (rows ascending).

    ``listing_row`` and ``item_row`` index the block's listings and the release's items;
    ``similarity``, ``lexical``, ``alias_similarity`` and ``alias_lexical`` are per pair.
    """

    listing_row: Ints
    item_row: Ints
    similarity: Floats
    lexical: Floats
    alias_similarity: Floats
    alias_lexical: Floats

    def __len__(self) -> int:
        return len(self.listing_row)


class Vocabulary:
    """Token -> column and inverse document frequency, learnt from the catalogue."""

    def __init__(self, token_lists: Sequence[Iterable[str]]) -> None:
        self.columns: dict[str, int] = {}
        counts: list[int] = []
        for tokens in token_lists:
            for token in set(tokens):
                at = self.columns.setdefault(token, len(self.columns))
                if at == len(counts):
                    counts.append(0)
                counts[at] += 1
        self.unseen_idf = float(np.log(1 + len(token_lists)) + 1)
        frequency = np.asarray(counts, dtype=np.float64)
        self.idf = (np.log((1 + len(token_lists)) / (1 + frequency)) + 1).astype(np.float32)

    def incidence(self, token_lists: Sequence[Iterable[str]], *, weighted: bool = False) -> sparse.csr_matrix:
        """0/1 (or idf) rows over the vocabulary; tokens it does not know are left out."""
        indptr, indices = [0], []
        for tokens in token_lists:
            known = {self.columns[t] for t in tokens if t in self.columns}
            indices.extend(sorted(known))
            indptr.append(len(indices))
        columns = np.asarray(indices, dtype=np.int32)
        data = self.idf[columns] if weighted else np.ones(len(columns), dtype=np.float32)
        return sparse.csr_matrix(
            (data, columns, np.asarray(indptr, dtype=np.int64)), shape=(len(token_lists), len(self.columns))
        )

    def unseen(self, token_lists: Sequence[Iterable[str]]) -> Ints:
        """How many distinct tokens of every row the vocabulary does not know."""
        return np.asarray(
            [len({t for t in ts if t not in self.columns}) for ts in token_lists], dtype=np.int64
        )


def _keys(tokens: TokenSets) -> frozenset[str]:
    """Everything a model code of the other side may be written as here."""
    return tokens.codes | tokens.joined | frozenset(tokens.words)


def _stems(tokens: TokenSets) -> set[str]:
    return {code[:end] for code in tokens.codes for end in range(max(5, len(code) - 2), len(code) + 1)}


def _quantities(tokens: TokenSets) -> set[str]:
    return {measure.split(":", 1)[0] for measure in tokens.measures}


@dataclass(frozen=True, slots=True)
class _Side:
    """Incidence matrices and totals of one side, rows = records."""

    words: sparse.csr_matrix
    words_weighted: sparse.csr_matrix
    words_total: Floats
    numbers: sparse.csr_matrix
    numbers_total: Floats
    measures: sparse.csr_matrix
    quantities: sparse.csr_matrix
    codes: sparse.csr_matrix
    codes_total: Floats
    keys: sparse.csr_matrix
    stems: sparse.csr_matrix
    joined: sparse.csr_matrix
    joined_total: Floats
    unseen_words: Ints
    length: Floats
    first: npt.NDArray[np.int64]
    brand: npt.NDArray[np.int64]
    category: npt.NDArray[np.int64]
    gtin: npt.NDArray[np.int64]
    price: Floats


def _sums(matrix: sparse.csr_matrix) -> Floats:
    return np.asarray(matrix.sum(axis=1), dtype=np.float32).ravel()


class EvidenceBuilder:
    """Evidence against one fixed list of items.

    Args:
        items: the items, in index row order.
        texts: their record texts.
    """

    def __init__(self, items: Sequence[Record], texts: Sequence[str]) -> None:
        parsed = [parse_tokens(text) for text in texts]
        self._words = Vocabulary([t.words for t in parsed])
        self._numbers = Vocabulary([t.numbers for t in parsed])
        self._measures = Vocabulary([t.measures for t in parsed])
        self._quantities = Vocabulary([_quantities(t) for t in parsed])
        self._keys = Vocabulary([_keys(t) for t in parsed])
        self._stems = Vocabulary([_stems(t) for t in parsed])
        self._joined = Vocabulary([t.joined for t in parsed])
        self._names: dict[str, int] = {}
        self._first_words = Counter(t.first for t in parsed)
        self._items = self._side(items, parsed)

    def _name(self, text: str) -> int:
        """A number per normalised name; 0 = not stated."""
        key = "".join(c for c in normalise(text) if c.isalnum())
        return self._names.setdefault(key, len(self._names) + 1) if key else 0

    def _side(self, records: Sequence[Record], parsed: Sequence[TokenSets]) -> _Side:
        words = [t.words for t in parsed]
        # A word of one side may be written as two on the other: joined pairs count as words found.
        found = [(*t.words, *t.joined) for t in parsed]
        weighted = self._words.incidence(words, weighted=True)
        unseen = self._words.unseen(words)
        codes = self._keys.incidence([t.codes for t in parsed])
        joined = self._joined.incidence([t.joined for t in parsed], weighted=True)
        names = np.asarray(
            [
                (self._name(t.first), self._name(r.brand), self._name(r.category), self._name(r.gtin))
                for t, r in zip(parsed, records, strict=True)
            ],
            dtype=np.int64,
        ).reshape(len(parsed), 4)
        return _Side(
            words=self._words.incidence(found),
            words_weighted=weighted,
            words_total=_sums(weighted) + unseen.astype(np.float32) * self._words.unseen_idf,
            numbers=self._numbers.incidence([t.numbers for t in parsed]),
            numbers_total=np.asarray([len(t.numbers) for t in parsed], dtype=np.float32),
            measures=self._measures.incidence([t.measures for t in parsed]),
            quantities=self._quantities.incidence([_quantities(t) for t in parsed]),
            codes=codes,
            codes_total=np.asarray([len(t.codes) for t in parsed], dtype=np.float32),
            keys=self._keys.incidence([_keys(t) for t in parsed]),
            stems=self._stems.incidence([_stems(t) for t in parsed]),
            joined=joined,
            joined_total=_sums(joined),
            unseen_words=unseen,
            length=np.log1p(np.asarray([len(t.words) for t in parsed], dtype=np.float32)),
            first=names[:, 0],
            brand=names[:, 1],
            category=names[:, 2],
            gtin=names[:, 3],
            price=np.asarray([r.price or 0.0 for r in records], dtype=np.float32),
        )

    def evidence(self, listings: Sequence[Record], texts: Sequence[str], pairs: Pairs) -> Floats:
        """Evidence of ``pairs``: float32 [pairs, len(EVIDENCE_NAMES)], no missing values."""
        out = np.zeros((len(pairs), len(EVIDENCE_NAMES)), dtype=np.float32)
        if not len(pairs):
            return out
        left = self._side(listings, [parse_tokens(text) for text in texts])
        self._overlaps(out, left, pairs)
        self._attributes(out, left, pairs)
        out[:, _COLUMN["similarity"]] = pairs.similarity
        out[:, _COLUMN["lexical"]] = pairs.lexical
        out[:, _COLUMN["alias_similarity"]] = pairs.alias_similarity
        out[:, _COLUMN["alias_lexical"]] = pairs.alias_lexical
        add_margins(out, pairs.listing_row)
        return out

    def text_evidence(self, texts: Sequence[str]) -> Floats:
        """What listings say by themselves: float32 [texts, len(TEXT_NAMES)]."""
        out = np.zeros((len(texts), len(TEXT_NAMES)), dtype=np.float32)
        for row, tokens in enumerate(map(parse_tokens, texts)):
            unknown = [code for code in tokens.codes if code not in self._keys.columns]
            missing = sum(word not in self._keys.columns for word in tokens.words)
            out[row] = (
                len(tokens.codes),
                len(unknown),
                missing / len(tokens.words) if tokens.words else 1.0,
                np.log1p(self._first_words[tokens.first]),
                max(map(len, tokens.codes), default=0),
                max(map(len, unknown), default=0),
                any(self._first_words[word] >= _BRAND_ITEMS for word in tokens.words),
            )
        return out

    def _overlaps(self, out: Floats, left: _Side, pairs: Pairs) -> None:
        li, ii = pairs.listing_row, pairs.item_row
        right = self._items

        item_words = right.words_weighted[ii]
        shared = item_words.multiply(left.words[li]).tocsr()
        listing_words = left.words_weighted[li]
        shared_back = listing_words.multiply(right.words[ii]).tocsr()
        out[:, _COLUMN["item_covered"]] = _sums(shared) / np.maximum(right.words_total[ii], 1e-6)
        out[:, _COLUMN["listing_covered"]] = _sums(shared_back) / np.maximum(left.words_total[li], 1e-6)
        out[:, _COLUMN["rarest_missing_in_listing"]] = _row_max(item_words - shared)
        missing_in_item = _row_max(listing_words - shared_back)
        # A word no item has is as rare as can be.
        missing_in_item[left.unseen_words[li] > 0] = self._words.unseen_idf
        out[:, _COLUMN["rarest_missing_in_item"]] = missing_in_item

        numbers = _shared(left.numbers, li, right.numbers, ii)
        out[:, _COLUMN["numbers_agree"]] = numbers
        out[:, _COLUMN["numbers_missing_in_listing"]] = right.numbers_total[ii] - numbers
        out[:, _COLUMN["numbers_missing_in_item"]] = left.numbers_total[li] - numbers

        measures = _shared(left.measures, li, right.measures, ii)
        both = _shared(left.quantities, li, right.quantities, ii)
        out[:, _COLUMN["measures_agree"]] = measures
        out[:, _COLUMN["measures_conflict"]] = np.maximum(both - measures, 0)
        out[:, _COLUMN["measures_missing_in_listing"]] = _sums(right.quantities)[ii] - both

        found = _shared(left.keys, li, right.codes, ii)
        found_back = _shared(left.codes, li, right.keys, ii)
        item_codes, listing_codes = right.codes_total[ii], left.codes_total[li]
        out[:, _COLUMN["codes_agree"]] = found / np.maximum(item_codes, 1)
        out[:, _COLUMN["item_has_code"]] = item_codes > 0
        out[:, _COLUMN["codes_conflict"]] = (
            (item_codes > 0) & (listing_codes > 0) & (found == 0) & (found_back == 0)
        )
        out[:, _COLUMN["code_stems_agree"]] = np.minimum(_shared(left.stems, li, right.stems, ii), 3)
        joined = _sums(right.joined[ii].multiply(left.joined[li].sign()))
        out[:, _COLUMN["joined_agree"]] = joined / np.maximum(right.joined_total[ii], 1e-6)
        out[:, _COLUMN["listing_length"]] = left.length[li]
        out[:, _COLUMN["item_length"]] = right.length[ii]

    def _attributes(self, out: Floats, left: _Side, pairs: Pairs) -> None:
        li, ii = pairs.listing_row, pairs.item_row
        right = self._items
        out[:, _COLUMN["first_word_equal"]] = (left.first[li] == right.first[ii]) & (left.first[li] > 0)
        for name in ("brand", "category", "gtin"):
            mine, theirs = getattr(left, name)[li], getattr(right, name)[ii]
            stated = (mine > 0) & (theirs > 0)
            out[:, _COLUMN[f"{name}_equal"]] = stated & (mine == theirs)
            out[:, _COLUMN[f"{name}_conflict"]] = stated & (mine != theirs)
        price, item_price = left.price[li], right.price[ii]
        known = (price > 0) & (item_price > 0)
        out[:, _COLUMN["price_known"]] = known
        gap = np.abs(np.log(np.where(known, price, 1.0) / np.where(known, item_price, 1.0)))
        out[:, _COLUMN["price_gap"]] = np.minimum(gap, 2.0)


def _shared(left: sparse.csr_matrix, li: Ints, right: sparse.csr_matrix, ii: Ints) -> Floats:
    return _sums(left[li].multiply(right[ii]))


def _row_max(matrix: sparse.csr_matrix) -> Floats:
    return np.asarray(matrix.max(axis=1).todense(), dtype=np.float32).ravel()


def add_margins(evidence: Floats, listing_row: Ints) -> None:
    """Fill the margin columns in place from their base columns. ``listing_row`` must be ascending."""
    for name in ("similarity", "lexical", "item_covered", "listing_covered", "codes_agree"):
        values = evidence[:, _COLUMN[name]]
        evidence[:, _COLUMN[f"{name}_margin"]] = margin_to_best_other(values, listing_row)
    alias = evidence[:, _COLUMN["alias_similarity"]]
    evidence[:, _COLUMN["alias_margin"]] = margin_to_best_other(alias, listing_row)
    total = (
        evidence[:, _COLUMN["lexical"]]
        + evidence[:, _COLUMN["item_covered"]]
        + evidence[:, _COLUMN["listing_covered"]]
    )
    evidence[:, _COLUMN["lead"]] = margin_to_best_other(total, listing_row)


def margin_to_best_other(values: Floats, group: Ints) -> Floats:
    """``values[i]`` minus the best other value of its group; groups are runs of equal ``group``.

    A pair that is alone in its group has nothing to lose to: its margin is its own value.
    """
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    sizes = np.diff(np.r_[starts, len(group)])
    run = np.repeat(np.arange(len(starts)), sizes)
    best = np.maximum.reduceat(values, starts)
    at_best = values == best[run]
    leaders = np.add.reduceat(at_best.astype(np.int64), starts)
    second = np.maximum.reduceat(np.where(at_best, -np.inf, values), starts)
    second = np.where(leaders > 1, best, second)
    other = np.where(at_best, second[run], best[run])
    other = np.where(np.isneginf(other), 0.0, other)
    return (values - other).astype(np.float32)
