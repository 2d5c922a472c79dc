"""Letter by letter: what two texts share where spaces, hyphens and the cut of a model code do not count.

Shops write "KGN33NL3AG", "KGN 33 NL 3AG" and "kgn33-nl3ag/s" for one product, and codes that differ by
a letter are other products. Character grams see both; words see neither.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

from engine.automation.evidence_columns import column
from engine.automation.tokens import TokenSets
from engine.automation.tokens import normalise as fold_case
from engine.backends.sparse_lexical import paired_cosine, rarity, unit_rows

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_BUCKETS = 2**18
_NOT_ALNUM = re.compile(r"[\W_]+", re.UNICODE)
#: Longer texts are cut: what comes after is no name of a product.
_MOST_LETTERS = 2000


def _grams(analyzer: str, shortest: int, longest: int, *, binary: bool) -> HashingVectorizer:
    return HashingVectorizer(
        analyzer=analyzer,
        ngram_range=(shortest, longest),
        n_features=_BUCKETS,
        alternate_sign=False,
        norm=None,
        binary=binary,
        lowercase=False,
        dtype=np.float32,
    )


class _WeightedGrams:
    """Unit rows of character grams, weighed by how rare each is in the catalogue."""

    def __init__(self, shortest: int, longest: int, item_texts: Sequence[str]) -> None:
        self._vectorizer = _grams("char_wb", shortest, longest, binary=False)
        self._idf = rarity(_transform(self._vectorizer, item_texts))

    def rows(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """One unit row per text; zero for an empty one."""
        return unit_rows(_transform(self._vectorizer, texts), self._idf)


def _transform(vectorizer: HashingVectorizer, texts: Sequence[str]) -> sparse.csr_matrix:
    if not len(texts):
        return sparse.csr_matrix((0, _BUCKETS), dtype=np.float32)
    return vectorizer.transform(texts).tocsr()


@dataclass(frozen=True, slots=True)
class LetterSide:
    """Some records letter by letter; every matrix is [records, grams].

    ``codes`` are unit rows of what may be model codes, ``squeezed`` of the whole text without spaces;
    ``code_letters`` and ``text_letters`` say which 3-grams the model codes and the squeezed text have.
    """

    codes: sparse.csr_matrix
    squeezed: sparse.csr_matrix
    code_letters: sparse.csr_matrix
    text_letters: sparse.csr_matrix


class LetterBook:
    """Letters of the records of one catalogue, and of listings beside them.

    Args:
        texts: record texts of the items.
        parsed: the same, as tokens.
    """

    def __init__(self, texts: Sequence[str], parsed: Sequence[TokenSets]) -> None:
        self._codes = _WeightedGrams(2, 3, [_spelled(tokens) for tokens in parsed])
        self._squeezed = _WeightedGrams(3, 5, [_squeeze(text) for text in texts])
        self._letters = _grams("char", 3, 3, binary=True)
        self.items = self.side(texts, parsed)

    def side(self, texts: Sequence[str], parsed: Sequence[TokenSets]) -> LetterSide:
        """The letters of some records."""
        squeezed = [_squeeze(text) for text in texts]
        return LetterSide(
            codes=self._codes.rows([_spelled(tokens) for tokens in parsed]),
            squeezed=self._squeezed.rows(squeezed),
            code_letters=_transform(self._letters, ["".join(sorted(tokens.codes)) for tokens in parsed]),
            text_letters=_transform(self._letters, squeezed),
        )

    def fill(self, out: Floats, left: LetterSide, listing_row: Ints, item_row: Ints) -> None:
        """Set the columns of letters, in place.

        Args:
            out: [pairs, columns].
            left: the listings.
            listing_row: [pairs] row of ``left``.
            item_row: [pairs] row of the catalogue.
        """
        right = self.items
        out[:, column("code_likeness")] = paired_cosine(left.codes, listing_row, right.codes, item_row)
        out[:, column("squeezed")] = paired_cosine(left.squeezed, listing_row, right.squeezed, item_row)
        found = paired_cosine(left.text_letters, listing_row, right.code_letters, item_row)
        out[:, column("item_code_letters")] = found / _letters(right)[item_row]
        found = paired_cosine(left.code_letters, listing_row, right.text_letters, item_row)
        out[:, column("listing_code_letters")] = found / _letters(left)[listing_row]


def _letters(side: LetterSide) -> Floats:
    """How many 3-grams the codes of every record have, at least 1."""
    return np.maximum(np.asarray(side.code_letters.sum(axis=1), dtype=np.float32).ravel(), 1)


def _spelled(tokens: TokenSets) -> str:
    return " ".join(sorted(tokens.spelled))


def _squeeze(text: str) -> str:
    return _NOT_ALNUM.sub("", fold_case(text[:_MOST_LETTERS]))
