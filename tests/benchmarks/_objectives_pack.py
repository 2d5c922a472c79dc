"""Packs the worlds of ``objectives``: evidence through the product, then dealt by seed.

A quarter of the listings, drawn by seed, is held out. Of the others, for the kinds of worlds:

* ``A``: up to 4,000 listings with a match (two thirds of what there is at most) are confirmed and trained on,
  up to 1,000 others, with a match or without, fit the matcher; up to 4,000 held-out listings measure.
* ``AF``: one in ten of the confirmed ones is confirmed for its strongest wrong candidate instead.
* ``B``: 10,000 confirmed listings, where there are that many.
* ``L``: 2,800 decisions (two thirds of what there is at most), drawn whether they match or not, are what the
  learning stream asks about in the first 4,000. The families of seven in ten items train; all fit the
  matcher, those the encoder has seen at a fraction; all held-out listings measure. Of the listings that
  nobody judged, those join as guesses that a matcher of the untrained encoder's evidence is surest of.

The candidates are those of the untrained encoder and of characters, whatever is trained later. A reviewer
names every right candidate among the first ten, or else the first right one further down; without one they
turn down the first four. What stood above the last one named is rejected, the nearest four.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.automation.listing_evidence import head_evidence
from engine.automation.matcher import LearningSet, fit_matcher
from engine.automation.pair_weights import pair_weights
from engine.automation.ranking import best_rows, group_starts, plain_score
from engine.backends.onnx_matcher import OnnxMatcher
from engine.contracts import Record
from engine.learning.families import VALIDATION_SHARE, role_of
from engine.learning.mining import duplicate_guard
from engine.pipeline.search_side import TextRecipe
from engine.settings import WorkspaceSettings
from engine.store import Store
from tests.benchmarks._objectives_world import Candidates, Deal, Taught, World
from tests.benchmarks.evidence import Evidence, matched, places

PAIRS, MORE_PAIRS, JUDGED, HELD, DECISIONS, REJECTED = 4000, 10000, 1000, 4000, 2800, 4
#: Nothing is chosen on validation pairs in the kinds A and B, so few are held out of training.
FEW_VALIDATE = 0.05
FLIPPED = 0.1
SHOWN = WorkspaceSettings().shown_candidates
#: Guesses: as many of the surest as are right with this probability on average, by the matcher's own word.
GUESSED, GUESS_PRECISION = 10_000, 0.97


@dataclass(frozen=True, slots=True)
class Source:
    """A data set with its evidence: ``texts`` and ``answers`` (item rows) by listing row."""

    name: str
    data: Evidence
    item_row: np.ndarray
    item_ids: list[int]
    item_texts: list[str]
    texts: list[str]
    answers: list[list[int]]


def read_source(dataset: Path) -> Source:
    """Import a data set, search it and read the evidence of all its listings."""
    with matched(dataset) as (store, gold, data):
        listings, items, recipe = _records(store, data)
    row = {item.external_id: number for number, item in enumerate(items)}
    ids = np.asarray([item.id for item in items])
    return Source(
        name=dataset.name,
        data=data,
        item_row=np.searchsorted(ids, data.item),
        item_ids=ids.tolist(),
        item_texts=[recipe.text(item) for item in items],
        texts=[recipe.text(listing) for listing in listings],
        answers=[
            sorted(row[item] for item in gold.get(listing.external_id, ()) if item in row)
            for listing in listings
        ],
    )


def _records(store: Store, data: Evidence) -> tuple[list[Record], list[Record], TextRecipe]:
    """The listings in the order of the evidence and the items by number."""
    listings: list[Record] = []
    items: list[Record] = []
    with store.reading() as uow:
        recipe = TextRecipe.of(uow.settings.load())
        for start in range(0, len(data.listing_ids), 2000):
            ids = data.listing_ids[start : start + 2000].tolist()
            found = uow.listings.get_many(ids)
            listings += [found[number] for number in ids]
        while page := uow.items.page(after_id=items[-1].id if items else 0, limit=2000):
            items += page
    return listings, items, recipe


class Reviewer:
    """Confirms, rejects and leaves unread, as somebody who knows the gold would."""

    def __init__(self, source: Source) -> None:
        self._source = source
        data = source.data
        self._strength = plain_score(data.evidence)
        self.place = places(data.listing_row, self._strength)
        starts = group_starts(data.listing_row)
        ends = [*starts[1:], len(data.listing_row)]
        self._span = {
            int(data.listing_row[low]): (int(low), int(high)) for low, high in zip(starts, ends, strict=True)
        }

    def named(self) -> np.ndarray:
        """Which pairs a reviewer says are right."""
        data = self._source.data
        named = data.right & (self.place < SHOWN)
        first = np.full(len(data.matchable), len(self.place))
        np.minimum.at(first, data.listing_row[data.right], self.place[data.right])
        named |= data.right & (self.place == first[data.listing_row])
        return np.asarray(named, dtype=bool)

    def teach(
        self, listings: list[int], seed: int, validation: float, *, flipped: float = 0.0
    ) -> tuple[list[Taught], list[int]]:
        """What is trained on of some listings, and those among them that were confirmed for a wrong item."""
        source, random = self._source, np.random.default_rng([seed, 1])
        named = self.named()
        taught: list[Taught] = []
        flips: list[int] = []
        family: list[int] = []
        for listing in listings:
            if listing not in self._span:
                continue
            low, high = self._span[listing]
            order = low + np.argsort(-self._strength[low:high], kind="stable")
            items = source.item_row[order].tolist()
            right = np.flatnonzero(named[order]).tolist()
            wrong = np.flatnonzero(~source.data.right[order]).tolist()
            flip = bool(flipped and right and wrong and random.random() < flipped)
            if flip:
                right = wrong[:1]
            last = right[-1] if right else -1
            above = [items[n] for n in range(last) if n not in right] if right else items[:REJECTED]
            first = items[right[0]] if right else items[0]
            role = role_of(source.item_ids[first], seed, validation)
            if flip and role == "train":
                flips.append(listing)
            rejected = self._same_role(above[-REJECTED:], role, seed, validation)
            mined = self._same_role(items[last + 1 : SHOWN], role, seed, validation) if right else []
            matches = [items[n] for n in right]
            taught.append(Taught(listing, source.texts[listing], matches, rejected, mined, role))
            family.append(first)
        self._guard(taught, family)
        return self._weighed(taught, seed), flips

    def _weighed(self, taught: list[Taught], seed: int) -> list[Taught]:
        """With the weight of each, as a training run would have it."""
        data, items = self._source.data, self._source.item_row
        confirmed = {one.row: set(one.matches) for one in taught}
        mine = np.flatnonzero(np.isin(data.listing_row, list(confirmed)))
        rows = data.listing_row[mine]
        named = np.asarray(
            [item in confirmed[row] for row, item in zip(rows.tolist(), items[mine].tolist(), strict=True)]
        )
        listings = np.unique(rows)
        none = np.asarray([not confirmed[row] for row in listings.tolist()])
        learning = LearningSet(rows, data.evidence[mine], named, data.text[listings], none)
        weight = dict(zip(listings.tolist(), pair_weights(learning, seed=seed).tolist(), strict=True))
        return [replace(one, weight=weight.get(one.row, 1.0)) for one in taught]

    def guess(self, judged: list[int], others: list[int]) -> list[Taught]:
        """Of ``others`` the surest, with what a matcher says that is fitted to ``judged``."""
        source, data, named = self._source, self._source.data, self.named()
        mine = np.isin(data.listing_row, judged)
        rows = np.unique(data.listing_row[mine])
        fitted = fit_matcher(
            LearningSet(
                data.listing_row[mine],
                data.evidence[mine],
                named[mine],
                data.text[rows],
                ~data.matchable[rows],
            )
        )
        if fitted is None:
            return []
        matcher = OnnxMatcher(fitted.graphs)
        asked = np.isin(data.listing_row, others)
        rows, evidence, items = data.listing_row[asked], data.evidence[asked], source.item_row[asked]
        strength = matcher.log_odds(evidence)
        best = best_rows(rows, strength)
        _, heads = head_evidence(rows, evidence, strength, data.text[rows[best]], best)
        confidence = matcher.confidence(heads)
        if confidence is None:
            return []
        order = np.argsort(-confidence, kind="stable")
        sure = np.cumsum(confidence[order]) / np.arange(1, len(order) + 1) >= GUESS_PRECISION
        surest = order[: int(sure.sum())][:GUESSED]
        starts = group_starts(rows)
        ends = np.append(starts[1:], len(rows))
        taught = []
        for n in surest.tolist():
            ranked = starts[n] + np.argsort(-strength[starts[n] : ends[n]], kind="stable")
            row, found = int(rows[best[n]]), items[ranked].tolist()
            taught.append(Taught(row, source.texts[row], found[:1], [], found[1 : 1 + REJECTED], "train"))
        self._guard(taught, [one.matches[0] for one in taught])
        for one in taught:
            # What the guard keeps is turned down as surely as the best is confirmed.
            one.rejected.extend(one.mined)
            one.mined.clear()
        return taught

    def _same_role(self, items: list[int], role: str, seed: int, validation: float) -> list[int]:
        """Those of some items whose family plays the same part in training."""
        return [i for i in items if role_of(self._source.item_ids[i], seed, validation) == role]

    def _guard(self, taught: list[Taught], confirmed: list[int]) -> None:
        """Take out of the mined negatives what is probably right as well."""
        found = [(number, item) for number, one in enumerate(taught) for item in one.mined]
        kept = duplicate_guard(
            [taught[number].text for number, _ in found],
            [confirmed[number] for number, _ in found],
            [item for _, item in found],
            dict(enumerate(self._source.item_texts)),
        )
        for one in taught:
            one.mined.clear()
        for (number, item), keeps in zip(found, kept, strict=True):
            if keeps:
                taught[number].mined.append(item)


def deal_world(source: Source, seed: int) -> World:
    """The world of a seed."""
    reviewer = Reviewer(source)
    order = np.random.default_rng(seed).permutation(len(source.texts)).tolist()
    cut = len(order) // 4
    future, pool = order[:cut], order[cut:]
    held = sorted(future[:HELD])
    matched = [row for row in pool if source.answers[row]]
    deals = {}

    def confirmed(count: int, flipped: float = 0.0) -> Deal:
        train = matched[:count]
        taken = set(train)
        # From the other end of the order: near its beginning all that match train.
        judged = sorted([row for row in reversed(pool) if row not in taken][:JUDGED])
        taught, flips = reviewer.teach(train, seed, FEW_VALIDATE, flipped=flipped)
        return Deal(taught, judged, held, flips=flips or None)

    some = min(PAIRS, 2 * len(matched) // 3)
    deals["A"] = confirmed(some)
    deals["AF"] = confirmed(some, FLIPPED)
    if len(matched) >= MORE_PAIRS + 2 * JUDGED:
        deals["B"] = confirmed(MORE_PAIRS)
    learning = sorted(pool[: min(DECISIONS, 2 * len(pool) // 3)])
    taught, _ = reviewer.teach(learning, seed, VALIDATION_SHARE)
    unseen = [one.row for one in taught if one.role != "train"]
    guesses = reviewer.guess(learning, [row for row in pool if row not in set(learning)])
    deals["L"] = Deal(taught, learning, sorted(future), unseen=unseen, guesses=guesses)

    needed = sorted({row for deal in deals.values() for row in (*deal.judged, *deal.held)})
    return World(
        data=source.name,
        seed=seed,
        item_ids=source.item_ids,
        item_texts=source.item_texts,
        texts={row: source.texts[row] for row in needed},
        answers={row: source.answers[row] for row in needed},
        deals=deals,
        candidates=_candidates(source, reviewer.named(), needed),
    )


def _candidates(source: Source, named: np.ndarray, listings: list[int]) -> Candidates:
    data = source.data
    mine = np.isin(data.listing_row, listings)
    return Candidates(
        listing_row=data.listing_row[mine],
        item_row=source.item_row[mine],
        evidence=data.evidence[mine],
        right=data.right[mine],
        named=named[mine],
        rows=np.asarray(listings),
        text=data.text[listings],
        matchable=data.matchable[listings],
    )


def pack(dataset: Path, folder: Path, seeds: int) -> None:
    """Write the worlds of a data set, and say what is in them."""
    source = read_source(dataset)
    for seed in range(seeds):
        world = deal_world(source, seed)
        world.write(folder)
        for kind, deal in world.deals.items():
            print(
                f"{world.data} seed {seed} {kind}: {world.pairs(kind).pair_count:,} pairs to train on, "
                f"{len(deal.judged):,} judged and {len(deal.held):,} held-out listings"
            )
