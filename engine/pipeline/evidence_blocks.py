"""Retrieval and evidence of every listing, in blocks of consecutive numbers kept on disk.

A refit of the matcher reads the blocks and multiplies; only new or changed listings are retrieved
again. A block is written to a temporary file and renamed, so a killed process leaves whole blocks.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.automation.claims import Claims, PlainPairs
from engine.automation.evidence import Pairs, add_margins
from engine.automation.evidence_columns import EVIDENCE_NAMES, column
from engine.automation.learnt_words import LearntWords, WordPairs, WordSets
from engine.backends.sparse_lexical import paired_cosine
from engine.contracts import Listing, Progress
from engine.pipeline.search_side import SearchSide
from engine.retrieval.aliases import AliasEvidence, AliasIndex
from engine.retrieval.candidates import find_candidates, paired_similarity
from engine.store import Store

BLOCK = 4096
_ALIAS_NEIGHBOURS = 5
#: An alias brings its item in if it is nearer than the listing's candidate of this rank.
_ALIAS_RANK = 3

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EvidenceBlock:
    """Evidence of up to :data:`BLOCK` listings; ``listing_row`` points into ``listing_ids``.

    ``text`` [listings, len(TEXT_NAMES)] is what each listing says by itself, ``words`` the words it says
    it with. ``next_alias`` is what is
    left of every pair's alias evidence without the nearest alias; None where there are no aliases.
    """

    number: int
    listing_ids: Ints
    listing_row: Ints
    item_row: Ints
    evidence: Floats
    text: Floats
    words: WordSets
    next_alias: AliasEvidence | None = None

    def without_nearest_alias(self, listings: Ints) -> EvidenceBlock:
        """Some listings, by ascending row, as if no item had its alias that is nearest to them.

        It has no ``next_alias``, and its ``listing_row`` counts the rows of ``listings``.
        """
        mine = np.isin(self.listing_row, listings)
        evidence, row = self.evidence[mine], np.searchsorted(listings, self.listing_row[mine])
        left = self.next_alias or AliasEvidence.none(len(self.listing_row))
        _set_alias_evidence(evidence, row, AliasEvidence(left.similarity[mine], left.lexical[mine]))
        return EvidenceBlock(
            self.number,
            self.listing_ids[listings],
            row,
            self.item_row[mine],
            evidence,
            self.text[listings],
            self.words.take(listings),
        )


def _fingerprint(listing: Listing, text: str, details: str) -> int:
    """What evidence depends on, of a listing, as 64 bits."""
    told = (text, listing.brand, listing.category, listing.gtin, repr(listing.price), details)
    parts = "\x1f".join(told)
    return int.from_bytes(hashlib.blake2b(parts.encode(), digest_size=8).digest(), "little")


class EvidenceBlocks:
    """The blocks of one search side.

    Args:
        store: where listings are read.
        search: what they are compared with.
        folder: where blocks are kept.
    """

    def __init__(self, store: Store, search: SearchSide, folder: Path) -> None:
        self._store = store
        self._search = search
        self._folder = folder
        self._claims: Claims | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def numbers(self) -> list[int]:
        """Numbers of the blocks that hold listings, ascending."""
        numbers: list[int] = []
        with self._store.reading() as uow:
            after = 0
            while page := uow.listings.page(after_id=after, limit=1):
                numbers.append((page[0].id - 1) // BLOCK)
                after = (numbers[-1] + 1) * BLOCK
        return numbers

    def _listings(self, number: int) -> list[Listing]:
        last = (number + 1) * BLOCK
        with self._store.reading() as uow:
            page = uow.listings.page(after_id=number * BLOCK, limit=BLOCK)
        return [listing for listing in page if listing.id <= last]

    def prepare(self) -> Generator[Progress, None, list[int]]:
        """Compute what is missing or stale; returns the block numbers."""
        numbers = self.numbers()
        for done, number in enumerate(numbers):
            yield from self._prepare_block(number)
            yield Progress("finding candidates", done + 1, len(numbers))
        # What listings claim depends on all of them, so it is no part of any block.
        self._claims = Claims.build([self._plain_pairs(n) for n in numbers], len(self._search.index.ids))
        return numbers

    def listing_ids(self) -> Ints:
        """Numbers of all listings whose blocks are prepared, ascending."""
        ids = [np.zeros(0, np.int64)]
        for number in self.numbers():
            with np.load(self._path(number), allow_pickle=False) as kept:
                ids.append(kept["listing_ids"])
        return np.concatenate(ids)

    def _plain_pairs(self, number: int) -> PlainPairs:
        with np.load(self._path(number), allow_pickle=False) as kept:
            return PlainPairs(kept["item_row"].astype(np.int64), kept["plain"], kept["claim"])

    def _prepare_block(self, number: int) -> Iterator[Progress]:
        listings = self._listings(number)
        texts = [self._search.recipe.text_of(listing) for listing in listings]
        details = map(self._search.evidence.raw_details, listings)
        prints = np.fromiter(
            map(_fingerprint, listings, texts, details), dtype=np.uint64, count=len(listings)
        )
        ids = np.asarray([listing.id for listing in listings], dtype=np.int64)
        path = self._path(number)
        if path.exists():
            with np.load(path, allow_pickle=False) as kept:
                if np.array_equal(kept["listing_ids"], ids) and np.array_equal(kept["prints"], prints):
                    return
        search = self._search
        yield from search.vectors.encode_missing(texts, search.encoder, stage="encoding listings")
        vectors = search.vectors.vectors(texts)
        lexical = search.index.lexical.vectors(texts)
        found = find_candidates(
            search.index,
            vectors,
            lexical,
            neighbours=search.recipe.neighbours,
            lexical_neighbours=search.recipe.lexical_neighbours,
        )
        nothing = np.zeros(len(found), dtype=np.float32)
        pairs = Pairs(found.listing_row, found.item_row, found.similarity, found.lexical, nothing, nothing)
        evidence = search.evidence.evidence(listings, texts, pairs)
        words = WordSets.of(texts)
        plain = PlainPairs.of(found.listing_row, found.item_row, evidence)
        temporary = path.with_suffix(".writing.npz")
        np.savez(
            temporary,
            listing_ids=ids,
            prints=prints,
            listing_row=found.listing_row.astype(np.int32),
            item_row=found.item_row.astype(np.int32),
            evidence=evidence,
            plain=plain.plain,
            claim=plain.claim,
            text=search.evidence.text_evidence(texts),
            words=words.words,
            word_ends=words.ends,
            # Aliases are compared with every listing at every refit: what that takes is kept too.
            vectors=np.asarray(vectors, dtype=np.float16),
            lexical_data=lexical.data,
            lexical_indices=lexical.indices,
            lexical_indptr=lexical.indptr,
        )
        os.replace(temporary, path)

    def _path(self, number: int) -> Path:
        return self._folder / f"block-{number:06d}.npz"

    def read(
        self, number: int, aliases: AliasIndex | None = None, words: LearntWords | None = None
    ) -> EvidenceBlock:
        """A block, with the claims of all listings, and what aliases and learnt words say if there are any.

        Call :meth:`prepare` first.
        """
        block = self._read(number, aliases)
        if self._claims is None:
            raise RuntimeError("blocks are read after prepare()")
        self._claims.fill(block.evidence, block.item_row)
        if words is not None:
            block.evidence[:, column("learnt_words")] = words.scores(self.word_pairs(block))
        return block

    def word_pairs(self, block: EvidenceBlock) -> WordPairs:
        """The words of a block's pairs."""
        return WordPairs(block.words, self._search.evidence.item_words, block.listing_row, block.item_row)

    def _read(self, number: int, aliases: AliasIndex | None) -> EvidenceBlock:
        with np.load(self._path(number), allow_pickle=False) as kept:
            block = EvidenceBlock(
                number=number,
                listing_ids=kept["listing_ids"],
                listing_row=kept["listing_row"].astype(np.int64),
                item_row=kept["item_row"].astype(np.int64),
                evidence=kept["evidence"],
                text=kept["text"],
                words=WordSets(kept["words"], kept["word_ends"]),
            )
            if aliases is None or not len(aliases):
                return block
            vectors = kept["vectors"].astype(np.float32)
            lexical = sparse.csr_matrix(
                (kept["lexical_data"], kept["lexical_indices"], kept["lexical_indptr"]),
                shape=(len(block.listing_ids), self._search.index.lexical.items.shape[1]),
            )
        return self._with_aliases(block, aliases, vectors, lexical)

    def _with_aliases(
        self, block: EvidenceBlock, aliases: AliasIndex, vectors: Floats, lexical: sparse.csr_matrix
    ) -> EvidenceBlock:
        # An item that only an alias leads to becomes a candidate too, if the alias is about as near as
        # the best items are: farther ones could not win and would cost their evidence.
        near_listing, near_item = aliases.nearest_items(
            block.listing_ids, vectors, _ALIAS_NEIGHBOURS, at_least=_nearness(block, _ALIAS_RANK)
        )
        width = len(self._search.index.ids)
        known = block.listing_row * width + block.item_row
        fresh = np.setdiff1d(near_listing * width + near_item, known)
        added_listing, added_item = fresh // width, fresh % width
        added = self._pair_evidence(block, vectors, lexical, added_listing, added_item)

        listing_row = np.concatenate([block.listing_row, added_listing])
        item_row = np.concatenate([block.item_row, added_item])
        order = np.lexsort((item_row, listing_row))
        listing_row, item_row = listing_row[order], item_row[order]
        evidence = np.concatenate([block.evidence, added])[order]
        nearest, following = aliases.best(block.listing_ids, vectors, lexical, listing_row, item_row)
        _set_alias_evidence(evidence, listing_row, nearest)
        return EvidenceBlock(
            block.number,
            block.listing_ids,
            listing_row,
            item_row,
            evidence,
            block.text,
            block.words,
            following,
        )

    def _pair_evidence(
        self,
        block: EvidenceBlock,
        vectors: Floats,
        lexical: sparse.csr_matrix,
        listing_row: Ints,
        item_row: Ints,
    ) -> Floats:
        if not len(listing_row):
            return np.zeros((0, len(EVIDENCE_NAMES)), dtype=np.float32)
        search = self._search
        rows, where = np.unique(listing_row, return_inverse=True)
        ids = block.listing_ids[rows].tolist()
        found: dict[int, Listing] = {}
        with self._store.reading() as uow:
            for start in range(0, len(ids), 500):
                found.update(uow.listings.get_many(ids[start : start + 500]))
        listings = [found[number] for number in ids]
        texts = [search.recipe.text_of(listing) for listing in listings]
        nothing = np.zeros(len(listing_row), dtype=np.float32)
        pairs = Pairs(
            listing_row=where.astype(np.int64),
            item_row=item_row,
            similarity=paired_similarity(vectors, listing_row, search.index.dense.vectors, item_row),
            lexical=paired_cosine(lexical, listing_row, search.index.lexical.items, item_row),
            alias_similarity=nothing,
            alias_lexical=nothing,
        )
        return search.evidence.evidence(listings, texts, pairs)


def _set_alias_evidence(evidence: Floats, listing_row: Ints, alias: AliasEvidence) -> None:
    """Fill in the columns of aliases, in place, and the margins anew."""
    evidence[:, column("alias_similarity")] = alias.similarity
    evidence[:, column("alias_lexical")] = alias.lexical
    add_margins(evidence, listing_row)


def _nearness(block: EvidenceBlock, rank: int) -> Floats:
    """Similarity of every listing's candidate of that rank by similarity; -1 where it has fewer."""
    similarity = block.evidence[:, column("similarity")]
    order = np.lexsort((-similarity, block.listing_row))
    rows = block.listing_row[order]
    starts = np.searchsorted(rows, np.arange(len(block.listing_ids)), "left")
    ends = np.searchsorted(rows, np.arange(len(block.listing_ids)), "right")
    at = starts + rank - 1
    out = np.full(len(block.listing_ids), -1.0, dtype=np.float32)
    enough = at < ends
    out[enough] = similarity[order[at[enough]]]
    return out
