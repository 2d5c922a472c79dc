"""What words have meant in decisions: one that the item lacks, one that the listing lacks, one of both.

Whether a listing says "kit" and an item does not matters a great deal, "unlocked" hardly at all. Elsewhere
in the evidence a word counts by how rare it is in the catalogue, which tells neither. Here every word has
three weights that judged listings have taught: a logistic regression on the words of a pair and on what
the matcher says without them, so that they learn what it gets wrong. Their sum is a column of the evidence.

A judged listing has the sum by weights that the others taught, so that the matcher does not learn to
believe them more than new listings bear out (stacking, as its heads do).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from engine.automation.evidence_columns import column
from engine.automation.matcher import LearningSet, listing_weights, log_odds_unseen
from engine.automation.ranking import rank_in_group
from engine.automation.tokens import normalise

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]

#: With fewer judged listings words have no weights.
LEAST_LISTINGS = 300
#: So many candidates of a listing teach, those that the matcher thinks most of.
TEACHING_CANDIDATES = 6
#: Inverse regularisation, and how words and the matcher's log odds are scaled for it.
_C, _WORD, _LOG_ODDS = 10.0, 0.3, 1 / 3
_FOLDS = 4
_SEED = 0x30D5
#: Pairs that are weighed at a time.
_PART = 1 << 17
_PARTS = ("missing_in_item", "missing_in_listing", "shared")

_WORD_PATTERN = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class WordSets:
    """The words of texts, as 32-bit hashes: ``words[ends[i]:ends[i + 1]]`` are those of text i, ascending."""

    words: Words
    ends: Ints

    def __len__(self) -> int:
        return len(self.ends) - 1

    @classmethod
    def of(cls, texts: Sequence[str]) -> WordSets:
        """The words of texts, each once, in any script and without case."""
        found = (_WORD_PATTERN.findall(normalise(text)) for text in texts)
        hashed = (np.asarray([zlib.crc32(word.encode()) for word in words], np.uint32) for words in found)
        return cls._of_sets([np.unique(words) for words in hashed])

    @classmethod
    def _of_sets(cls, sets: Sequence[Words]) -> WordSets:
        return cls(
            np.concatenate([np.zeros(0, np.uint32), *sets]),
            np.cumsum([0, *map(len, sets)], dtype=np.int64),
        )

    def take(self, rows: Ints) -> WordSets:
        """The sets of some texts, in that order."""
        return self._of_sets([self.words[self.ends[row] : self.ends[row + 1]] for row in rows.tolist()])

    @classmethod
    def join(cls, parts: Sequence[WordSets]) -> WordSets:
        """The sets of several, one after another."""
        counts = [np.diff(part.ends) for part in parts]
        return cls(
            np.concatenate([np.zeros(0, np.uint32), *(part.words for part in parts)]),
            np.cumsum(np.concatenate([np.zeros(1, np.int64), *counts]), dtype=np.int64),
        )

    def incidence(self, known: Words) -> sparse.csr_matrix:
        """0/1 rows over ``known`` (ascending); other words are left out: [texts, known]."""
        if not len(known):
            return sparse.csr_matrix((len(self), 0), dtype=np.float32)
        at = np.minimum(np.searchsorted(known, self.words), len(known) - 1)
        found = known[at] == self.words
        ends = np.concatenate([[0], np.cumsum(found)])[self.ends]
        data = np.ones(int(found.sum()), dtype=np.float32)
        return sparse.csr_matrix((data, at[found].astype(np.int32), ends), shape=(len(self), len(known)))


@dataclass(frozen=True, slots=True)
class WordPairs:
    """Pairs of texts by their rows: ``listing_row`` and ``item_row`` [pairs] point into the sets."""

    listings: WordSets
    items: WordSets
    listing_row: Ints
    item_row: Ints

    def __len__(self) -> int:
        return len(self.listing_row)

    def some(self, pairs: Ints) -> WordPairs:
        """Some of the pairs."""
        return replace(self, listing_row=self.listing_row[pairs], item_row=self.item_row[pairs])

    def known(self) -> Words:
        """Every word of a listing or an item that is in one of the pairs, ascending."""
        some = [self.listings.take(np.unique(self.listing_row)), self.items.take(np.unique(self.item_row))]
        return np.unique(np.concatenate([one.words for one in some]))


@dataclass(frozen=True, slots=True)
class LearntWords:
    """Weights in log odds: ``words`` [words] ascends, ``weights`` is float32 [3, words] by :data:`_PARTS`."""

    words: Words
    weights: Floats

    def scores(self, pairs: WordPairs) -> Floats:
        """The sum of the weights of every pair's words: [pairs]."""
        of_listings = pairs.listings.incidence(self.words)
        of_items = pairs.items.incidence(self.words)
        in_item, in_listing, shared = self.weights
        # A word of both is counted by either side's sum, and set right by what both have.
        lone = (of_listings @ in_item)[pairs.listing_row] + (of_items @ in_listing)[pairs.item_row]
        out = np.asarray(lone, dtype=np.float32)
        weighted = of_listings.multiply((shared - in_item - in_listing)[None, :]).tocsr()
        for start in range(0, len(out), _PART):
            part = slice(start, start + _PART)
            both = weighted[pairs.listing_row[part]].multiply(of_items[pairs.item_row[part]])
            out[part] += np.asarray(both.sum(axis=1), dtype=np.float32).ravel()
        return out


def with_learnt_words(
    learning: LearningSet, pairs: WordPairs, *, seed: int = 0
) -> tuple[LearningSet, LearntWords | None]:
    """Learn words of judged listings.

    Args:
        learning: judged listings with their candidates.
        pairs: the words of the same pairs, in the same order.
        seed: of the folds.

    Returns:
        ``learning`` with each listing's column by words that it did not teach, and the words that all
        listings teach; as it was, and None, where there are too few.
    """
    with threadpool_limits(1):
        if learning.listings < LEAST_LISTINGS or (log_odds := log_odds_unseen(learning)) is None:
            return learning, None
        _, listing = np.unique(learning.listing_row, return_inverse=True)
        fold = (np.random.default_rng([seed, _SEED]).permutation(learning.listings) % _FOLDS)[listing]
        order = np.lexsort((-log_odds, learning.listing_row))
        strong = np.zeros(len(order), dtype=bool)
        strong[order] = rank_in_group(learning.listing_row[order]) < TEACHING_CANDIDATES
        weight, _ = listing_weights(learning)
        column_of = np.zeros(len(listing), dtype=np.float32)

        def taught_by(chosen: npt.NDArray[np.bool_]) -> LearntWords | None:
            rows = np.flatnonzero(chosen)
            if len(np.unique(learning.positive[rows])) < 2:
                return None
            return _fit(pairs.some(rows), log_odds[rows], learning.positive[rows], weight[listing[rows]])

        for k in range(_FOLDS):
            others = taught_by(strong & (fold != k))
            if others is None:
                return learning, None
            column_of[fold == k] = others.scores(pairs.some(np.flatnonzero(fold == k)))
        words = taught_by(strong)
    evidence = learning.evidence.copy()
    evidence[:, column("learnt_words")] = column_of
    return replace(learning, evidence=evidence), words


def _fit(pairs: WordPairs, log_odds: Floats, right: npt.NDArray[np.bool_], weight: Floats) -> LearntWords:
    """The weights that make the words of pairs and the matcher's log odds say which pairs are right."""
    known = pairs.known()
    listing = pairs.listings.incidence(known)[pairs.listing_row]
    item = pairs.items.incidence(known)[pairs.item_row]
    both = listing.multiply(item)
    words = sparse.hstack([listing - both, item - both, both], format="csr") * _WORD
    words.eliminate_zeros()
    said = sparse.csr_matrix((log_odds * _LOG_ODDS)[:, None])
    model = LogisticRegression(C=_C, solver="liblinear", max_iter=500, random_state=0)
    model.fit(sparse.hstack([words, said], format="csr"), right, sample_weight=weight)
    weights = np.asarray(model.coef_[0, :-1] * _WORD, dtype=np.float32).reshape(len(_PARTS), len(known))
    kept = np.flatnonzero(np.abs(weights).max(axis=0) > 0)
    return LearntWords(known[kept], np.ascontiguousarray(weights[:, kept]))
