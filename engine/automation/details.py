"""Details: what a record says outside its record text, in its description and its attributes.

A listing is often called "Tetra Algae Wafers" and only its description says "6 oz"; a catalogue often
keeps the colour in a column of its own. So a word of one title that the other title lacks is no sign of
another product where the other record's details have it. Details are long and speak of much else,
hence they are only asked for words that a title has, and never compared with each other
(docs/ablation.md). The attributes of items are about products; those of listings may be about anything
(who sells it, how many are left), so only those count that the catalogue keeps too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.automation.evidence_columns import column
from engine.automation.ranking import margin_to_best_other
from engine.automation.tokens import TokenSets, joined_numbers, words_in
from engine.automation.vocabulary import Vocabulary, row_max, row_sums
from engine.contracts import Record
from engine.contracts.details import attribute_names, details_of

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DetailSide:
    """Some records, rows = records, over the words of the catalogue's titles and details.

    ``titles`` are the idf of the words of the record text, ``total`` [records] their sum with that of the
    words no item has, and ``unseen`` [records] says whether there are such; ``told`` are the words that the
    record text has and ``more`` those that only the details have, both 0/1.
    """

    titles: sparse.csr_matrix
    total: Floats
    unseen: npt.NDArray[np.bool_]
    told: sparse.csr_matrix
    more: sparse.csr_matrix


class DetailBook:
    """Details of the items of one catalogue, and of listings beside them.

    Args:
        items: the items, in index row order.
        parsed: their record texts as tokens.
    """

    def __init__(self, items: Sequence[Record], parsed: Sequence[TokenSets]) -> None:
        #: Names of the attributes that items have, in lower case.
        self.attributes = attribute_names(*items)
        details = [self._words_of(item) for item in items]
        self._vocabulary = Vocabulary(
            [(*tokens.words, *more) for tokens, more in zip(parsed, details, strict=True)]
        )
        self._items = self._side(parsed, details)

    def side(self, records: Sequence[Record], parsed: Sequence[TokenSets]) -> DetailSide:
        """The details of some records, and their record texts as tokens beside them."""
        return self._side(parsed, [self._words_of(record) for record in records])

    def _words_of(self, record: Record) -> tuple[str, ...]:
        details = details_of(record, self.attributes)
        return words_in(details) if details else ()

    def _side(self, parsed: Sequence[TokenSets], details: Sequence[tuple[str, ...]]) -> DetailSide:
        words = [tokens.words for tokens in parsed]
        titles = self._vocabulary.incidence(words, weighted=True)
        unseen = self._vocabulary.unseen(words)
        # As in titles, a word of one side may be written as two on the other.
        told = [(*tokens.words, *tokens.joined) for tokens in parsed]
        more = [
            set(others).union(joined_numbers(others)).difference(mine) if others else ()
            for others, mine in zip(details, told, strict=True)
        ]
        return DetailSide(
            titles=titles,
            total=row_sums(titles) + unseen.astype(np.float32) * self._vocabulary.unseen_idf,
            unseen=unseen > 0,
            told=self._vocabulary.incidence(told),
            more=self._vocabulary.incidence(more),
        )

    def fill(self, out: Floats, left: DetailSide, listing_row: Ints, item_row: Ints) -> None:
        """Set the columns of details, in place; they stay 0 where no record has any.

        Args:
            out: [pairs, columns].
            left: the listings.
            listing_row: [pairs] row of ``left``, ascending.
            item_row: [pairs] row of the catalogue.
        """
        right = self._items
        for name, one, mine, other, theirs in (
            ("item", right, item_row, left, listing_row),
            ("listing", left, listing_row, right, item_row),
        ):
            if other.more.nnz:
                found, added, missing = self._compare(one, mine, other, theirs)
                gained = margin_to_best_other(found + added, listing_row)
                out[:, column(f"{name}_detailed")] = added
                out[:, column(f"{name}_detailed_margin")] = gained - margin_to_best_other(found, listing_row)
                out[:, column(f"{name}_missing_detailed")] = missing

    def _compare(
        self, one: DetailSide, mine: Ints, other: DetailSide, theirs: Ints
    ) -> tuple[Floats, Floats, Floats]:
        """What ``other`` says of the words of ``one``.

        Returns:
            The share that its record text has, the share that only its details add, and by how much those
            lower the highest idf among the words it lacks.
        """
        words = one.titles[mine]
        told = words.multiply(other.told[theirs]).tocsr()
        more = words.multiply(other.more[theirs]).tocsr()
        total = np.maximum(one.total[mine], np.float32(1e-6))
        lacked = words - told
        lowered = row_max(lacked) - row_max(lacked - more)
        # A word that no item has is as rare as can be, and no details have it either.
        lowered[one.unseen[mine]] = 0.0
        return _share(told, total), _share(more, total), lowered


def _share(found: sparse.csr_matrix, total: Floats) -> Floats:
    return np.asarray(row_sums(found) / total, dtype=np.float32)
