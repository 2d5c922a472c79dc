"""Evidence: the measured features of a listing-candidate pair (``evidence_columns.py`` names them).

Everything is computed for whole blocks of pairs with sparse row products; no Python runs per pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.automation.brands import BRAND_ITEMS, BrandBook
from engine.automation.details import DetailBook
from engine.automation.evidence_columns import EVIDENCE_NAMES, TEXT_NAMES, column
from engine.automation.learnt_words import WordSets
from engine.automation.letters import LetterBook
from engine.automation.named_values import QUANTITIES
from engine.automation.ranking import margin_to_best_other
from engine.automation.tokens import TokenSets, normalise, parse_tokens
from engine.automation.vocabulary import Vocabulary, row_max, row_sums
from engine.contracts import Record
from engine.contracts.details import raw_details

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


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


def _keys(tokens: TokenSets) -> frozenset[str]:
    """Everything a model code of the other side may be written as here."""
    return tokens.codes | tokens.joined | tokens.runs | frozenset(tokens.words)


def _stems(tokens: TokenSets) -> set[str]:
    return {code[:end] for code in tokens.codes for end in range(max(5, len(code) - 2), len(code) + 1)}


def _named(tokens: TokenSets, quantity: str) -> list[str]:
    return [value for value in tokens.named if value.startswith(f"{quantity}:")]


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
    named: dict[str, sparse.csr_matrix]
    named_any: dict[str, npt.NDArray[np.bool_]]
    variants: sparse.csr_matrix
    variants_total: Floats
    brands: sparse.csr_matrix
    unseen_words: Ints
    length: Floats
    first: npt.NDArray[np.int64]
    brand: npt.NDArray[np.int64]
    category: npt.NDArray[np.int64]
    gtin: npt.NDArray[np.int64]
    price: Floats


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
        self._named = {q: Vocabulary([_named(t, q) for t in parsed]) for q in QUANTITIES}
        self._variants = Vocabulary([t.variants for t in parsed])
        self._brand_book = BrandBook(items, parsed)
        brands = [self._brand_book.of_item(item, t) for item, t in zip(items, parsed, strict=True)]
        own = [frozenset({brand} - {0}) for brand in brands]
        self._brands = Vocabulary([map(str, one) for one in own])
        self._letters = LetterBook(texts, parsed)
        self._details = DetailBook(items, parsed)
        #: The items' words, for weights that decisions teach (``learnt_words.py``).
        self.item_words = WordSets.of(texts)
        self._names: dict[str, int] = {}
        self._first_words = Counter(t.first for t in parsed)
        self._items = self._side(items, parsed, brands, own)

    def raw_details(self, listing: Record) -> str:
        """What evidence depends on of a listing beyond its record text and its fields."""
        return raw_details(listing, self._details.attributes)

    def _name(self, text: str) -> int:
        """A number per normalised name; 0 = not stated."""
        key = "".join(c for c in normalise(text) if c.isalnum())
        return self._names.setdefault(key, len(self._names) + 1) if key else 0

    def _side(
        self,
        records: Sequence[Record],
        parsed: Sequence[TokenSets],
        brand: Sequence[int],
        brands_named: Sequence[frozenset[int]],
    ) -> _Side:
        words = [t.words for t in parsed]
        # A word of one side may be written as two on the other: joined pairs count as words found.
        found = [(*t.words, *t.joined) for t in parsed]
        weighted = self._words.incidence(words, weighted=True)
        unseen = self._words.unseen(words)
        codes = self._keys.incidence([t.codes for t in parsed])
        joined = self._joined.incidence([t.joined for t in parsed], weighted=True)
        names = np.asarray(
            [
                (self._name(t.first), self._name(r.category), self._name(r.gtin))
                for t, r in zip(parsed, records, strict=True)
            ],
            dtype=np.int64,
        ).reshape(len(parsed), 3)
        return _Side(
            words=self._words.incidence(found),
            words_weighted=weighted,
            words_total=row_sums(weighted) + unseen.astype(np.float32) * self._words.unseen_idf,
            numbers=self._numbers.incidence([t.numbers for t in parsed]),
            numbers_total=np.asarray([len(t.numbers) for t in parsed], dtype=np.float32),
            measures=self._measures.incidence([t.measures for t in parsed]),
            quantities=self._quantities.incidence([_quantities(t) for t in parsed]),
            codes=codes,
            codes_total=np.asarray([len(t.codes) for t in parsed], dtype=np.float32),
            keys=self._keys.incidence([_keys(t) for t in parsed]),
            stems=self._stems.incidence([_stems(t) for t in parsed]),
            joined=joined,
            joined_total=row_sums(joined),
            named={q: table.incidence([_named(t, q) for t in parsed]) for q, table in self._named.items()},
            named_any={q: np.asarray([any(_named(t, q)) for t in parsed]) for q in self._named},
            variants=self._variants.incidence([t.variants for t in parsed]),
            variants_total=np.asarray([len(t.variants) for t in parsed], dtype=np.float32),
            brands=self._brands.incidence([map(str, one) for one in brands_named]),
            unseen_words=unseen,
            length=np.log1p(np.asarray([len(t.words) for t in parsed], dtype=np.float32)),
            first=names[:, 0],
            brand=np.asarray(brand, dtype=np.int64),
            category=names[:, 1],
            gtin=names[:, 2],
            price=np.asarray([r.price or 0.0 for r in records], dtype=np.float32),
        )

    def evidence(self, listings: Sequence[Record], texts: Sequence[str], pairs: Pairs) -> Floats:
        """Evidence of ``pairs``: float32 [pairs, len(EVIDENCE_NAMES)], no missing values."""
        out = np.zeros((len(pairs), len(EVIDENCE_NAMES)), dtype=np.float32)
        if not len(pairs):
            return out
        parsed = [parse_tokens(text) for text in texts]
        book = self._brand_book
        left = self._side(
            listings,
            parsed,
            [book.number(listing.brand) for listing in listings],
            [book.named(listing, tokens) for listing, tokens in zip(listings, parsed, strict=True)],
        )
        self._overlaps(out, left, pairs)
        self._attributes(out, left, pairs)
        self._letters.fill(out, self._letters.side(texts, parsed), pairs.listing_row, pairs.item_row)
        self._details.fill(out, self._details.side(listings, parsed), pairs.listing_row, pairs.item_row)
        out[:, column("similarity")] = pairs.similarity
        out[:, column("lexical")] = pairs.lexical
        out[:, column("alias_similarity")] = pairs.alias_similarity
        out[:, column("alias_lexical")] = pairs.alias_lexical
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
                any(self._first_words[word] >= BRAND_ITEMS for word in tokens.words),
            )
        return out

    def _overlaps(self, out: Floats, left: _Side, pairs: Pairs) -> None:
        li, ii = pairs.listing_row, pairs.item_row
        right = self._items

        item_words = right.words_weighted[ii]
        shared = item_words.multiply(left.words[li]).tocsr()
        listing_words = left.words_weighted[li]
        shared_back = listing_words.multiply(right.words[ii]).tocsr()
        out[:, column("shared_weight_margin")] = margin_to_best_other(row_sums(shared), li)
        out[:, column("item_covered")] = row_sums(shared) / np.maximum(right.words_total[ii], 1e-6)
        out[:, column("listing_covered")] = row_sums(shared_back) / np.maximum(left.words_total[li], 1e-6)
        out[:, column("rarest_missing_in_listing")] = row_max(item_words - shared)
        missing_in_item = row_max(listing_words - shared_back)
        # A word no item has is as rare as can be.
        missing_in_item[left.unseen_words[li] > 0] = self._words.unseen_idf
        out[:, column("rarest_missing_in_item")] = missing_in_item

        numbers = _shared(left.numbers, li, right.numbers, ii)
        out[:, column("numbers_agree")] = numbers
        out[:, column("numbers_missing_in_listing")] = right.numbers_total[ii] - numbers
        out[:, column("numbers_missing_in_item")] = left.numbers_total[li] - numbers

        measures = _shared(left.measures, li, right.measures, ii)
        both = _shared(left.quantities, li, right.quantities, ii)
        out[:, column("measures_agree")] = measures
        out[:, column("measures_conflict")] = np.maximum(both - measures, 0)
        out[:, column("measures_missing_in_listing")] = row_sums(right.quantities)[ii] - both

        found = _shared(left.keys, li, right.codes, ii)
        found_back = _shared(left.codes, li, right.keys, ii)
        item_codes, listing_codes = right.codes_total[ii], left.codes_total[li]
        out[:, column("codes_agree")] = found / np.maximum(item_codes, 1)
        out[:, column("item_has_code")] = item_codes > 0
        out[:, column("codes_conflict")] = (
            (item_codes > 0) & (listing_codes > 0) & (found == 0) & (found_back == 0)
        )
        out[:, column("listing_codes_found")] = found_back / np.maximum(listing_codes, 1)
        out[:, column("listing_codes_lost")] = listing_codes - found_back
        out[:, column("code_stems_agree")] = np.minimum(_shared(left.stems, li, right.stems, ii), 3)
        joined = row_sums(right.joined[ii].multiply(left.joined[li].sign()))
        out[:, column("joined_agree")] = joined / np.maximum(right.joined_total[ii], 1e-6)
        out[:, column("listing_length")] = left.length[li]
        out[:, column("item_length")] = right.length[ii]

    def _attributes(self, out: Floats, left: _Side, pairs: Pairs) -> None:
        li, ii = pairs.listing_row, pairs.item_row
        right = self._items
        out[:, column("first_word_equal")] = (left.first[li] == right.first[ii]) & (left.first[li] > 0)
        for name in ("brand", "category", "gtin"):
            mine, theirs = getattr(left, name)[li], getattr(right, name)[ii]
            stated = (mine != 0) & (theirs != 0)
            out[:, column(f"{name}_equal")] = stated & (mine == theirs)
            out[:, column(f"{name}_conflict")] = stated & (mine != theirs)
        named = _shared(left.brands, li, right.brands, ii) > 0
        out[:, column("brand_named")] = named
        out[:, column("other_brand_named")] = (row_sums(left.brands)[li] > 0) & (right.brand[ii] > 0) & ~named
        for quantity in QUANTITIES:
            shared = _shared(left.named[quantity], li, right.named[quantity], ii)
            both = left.named_any[quantity][li] & right.named_any[quantity][ii]
            out[:, column(f"{quantity}_agree")] = shared
            out[:, column(f"{quantity}_conflict")] = both & (shared == 0)
        variants = _shared(left.variants, li, right.variants, ii)
        out[:, column("variants_missing_in_listing")] = right.variants_total[ii] - variants
        out[:, column("variants_missing_in_item")] = left.variants_total[li] - variants
        price, item_price = left.price[li], right.price[ii]
        known = (price > 0) & (item_price > 0)
        out[:, column("price_known")] = known
        gap = np.abs(np.log(np.where(known, price, 1.0) / np.where(known, item_price, 1.0)))
        out[:, column("price_gap")] = np.minimum(gap, 2.0)


def _shared(left: sparse.csr_matrix, li: Ints, right: sparse.csr_matrix, ii: Ints) -> Floats:
    return row_sums(left[li].multiply(right[ii]))


_WITH_MARGIN = (
    "similarity",
    "lexical",
    "item_covered",
    "listing_covered",
    "squeezed",
    "codes_agree",
    "code_likeness",
    "listing_codes_found",
    "item_code_letters",
    "listing_code_letters",
)


def add_margins(evidence: Floats, listing_row: Ints) -> None:
    """Fill the margin columns in place from their base columns. ``listing_row`` must be ascending."""
    for name in _WITH_MARGIN:
        values = evidence[:, column(name)]
        evidence[:, column(f"{name}_margin")] = margin_to_best_other(values, listing_row)
    alias = evidence[:, column("alias_similarity")]
    evidence[:, column("alias_margin")] = margin_to_best_other(alias, listing_row)
    total = (
        evidence[:, column("lexical")]
        + evidence[:, column("item_covered")]
        + evidence[:, column("listing_covered")]
    )
    evidence[:, column("lead")] = margin_to_best_other(total, listing_row)
