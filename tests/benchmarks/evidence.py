"""What each group of evidence is worth to the matcher, by leaving it out.

``python -m tests.benchmarks.evidence DATASET_DIR... [--decisions 1000] [--seeds 3] [--groups words ...]``
computes the evidence of a data set through the product (packaged encoder, real retrieval), fits the matcher
on listings drawn at random with one group of columns blanked, and says what coverage the best threshold
would reach on a quarter that nothing has seen. Oracle figures: they compare groups and are no certificates.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from engine.automation.evidence_columns import EVIDENCE_GROUPS, column
from engine.automation.learnt_words import WordPairs, WordSets, with_learnt_words
from engine.automation.listing_evidence import head_evidence
from engine.automation.matcher import FittedMatcher, LearningSet, fit_matcher
from engine.automation.ranking import best_rows, group_starts, plain_score, rank_in_group
from engine.backends.onnx_matcher import OnnxMatcher
from engine.contracts import RecordKind
from engine.contracts.selective import area_under_risk_coverage, coverage_at
from engine.pipeline.release_files import ENCODER_FOLDER
from engine.pipeline.release_shelf import ReleaseShelf
from engine.pipeline.search_side import SearchRecipe, read_items
from engine.settings import WorkspaceSettings
from engine.store import Store
from engine.workspace import Workspace
from tests.benchmarks.certificates import ROOT, _drain
from tests.loop import returned

NAMES = ("abt_buy", "promap_en", "pricerunner")


@dataclass(frozen=True, slots=True)
class Evidence:
    """All pairs of a data set, grouped by listing; ``right`` by gold.

    ``text``, ``matchable`` and ``listing_ids`` are by listing. Learnt words are 0 before :func:`fit`.
    """

    listing_row: np.ndarray
    item: np.ndarray
    evidence: np.ndarray
    right: np.ndarray
    text: np.ndarray
    matchable: np.ndarray
    listing_ids: np.ndarray
    words: WordPairs


def gather(dataset: Path) -> Evidence:
    """The evidence of every listing, as the product computes it."""
    with matched(dataset) as (_, _, data):
        return data


@contextmanager
def matched(dataset: Path) -> Iterator[tuple[Store, dict[str, set[str]], Evidence]]:
    """A data set imported and matched in a workspace that is gone afterwards, its gold and its evidence."""
    gold: dict[str, set[str]] = {}
    matches = pl.read_csv(dataset / "matches.csv", infer_schema=False).select("query_id", "item_id")
    for query, item in matches.iter_rows():
        gold.setdefault(query, set()).add(item)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w"
        with Workspace.create(path) as workspace:
            _drain(workspace.import_table(dataset / "catalogue.csv", RecordKind.CATALOGUE))
            _drain(workspace.import_table(dataset / "queries.csv", RecordKind.LISTINGS, feed="all"))
            _drain(workspace.match())
        with Store.open(path) as store:
            encoder = ReleaseShelf(store).folder_of("r0001") / ENCODER_FOLDER
            yield store, gold, read_evidence(store, gold, encoder)


def read_evidence(store: Store, gold: dict[str, set[str]], encoder: Path) -> Evidence:
    """The evidence of a workspace's listings under an encoder, without aliases."""
    shelf = ReleaseShelf(store)
    with store.reading() as uow:
        settings = uow.settings.load()
    search = returned(shelf.search_side(encoder, SearchRecipe.of(settings)))
    items, _ = read_items(store)
    names = {item.id: item.external_id for item in items}
    blocks = shelf.blocks(search)
    parts: list[tuple[np.ndarray, ...]] = []
    words: list[WordSets] = []
    before = 0
    for number in returned(blocks.prepare()):
        block = blocks.read(number)
        with store.reading() as uow:
            found = uow.listings.get_many(block.listing_ids.tolist())
        right_items = [gold.get(found[int(i)].external_id, set()) for i in block.listing_ids]
        item_ids = search.index.ids[block.item_row]
        right = [
            names[int(i)] in right_items[row] for i, row in zip(item_ids, block.listing_row, strict=True)
        ]
        parts.append(
            (
                block.listing_row + before,
                item_ids,
                block.evidence,
                np.asarray(right),
                block.text,
                np.asarray([bool(items) for items in right_items]),
                block.listing_ids,
                block.item_row,
            )
        )
        words.append(block.words)
        before += len(block.listing_ids)
    *columns, item_row = (np.concatenate(part) for part in zip(*parts, strict=True))
    pairs = WordPairs(WordSets.join(words), search.evidence.item_words, columns[0], item_row)
    return Evidence(*columns, words=pairs)


def measure(data: Evidence, blank: Sequence[str], decisions: int, seed: int) -> tuple[float, ...]:
    """C@90, C@95, C@98 and AURC on a quarter of the listings, and how often the best candidate is right.

    Args:
        data: of a data set.
        blank: columns that say nothing.
        decisions: listings judged, drawn from the other three quarters.
        seed: draws the quarter and the listings.
    """
    order = np.random.default_rng(seed).permutation(len(data.matchable))
    future, judged = order[: len(order) // 4], order[len(order) // 4 :][:decisions]
    evidence = data.evidence.copy()
    evidence[:, [column(name) for name in blank]] = 0.0
    fitted, evidence = fit(data, evidence, np.sort(judged), learn_words="learnt_words" not in blank)
    if fitted is None:
        return (0.0,) * 5
    said = judge(data, evidence, np.sort(future), fitted)
    return (
        *(coverage_at(said.confidence, said.right, p) for p in (0.9, 0.95, 0.98)),
        area_under_risk_coverage(said.confidence, said.right),
        float(said.right.mean()),
    )


def teach(data: Evidence, evidence: np.ndarray, judged: np.ndarray) -> LearningSet:
    """What a reviewer who knows the gold says of listings (ascending)."""
    mine = np.isin(data.listing_row, judged)
    rows = data.listing_row[mine]
    listings = np.unique(rows)
    # A reviewer names every right candidate on the card, or else one that search finds.
    place = places(rows, plain_score(data.evidence[mine]))
    first = best_rows(rows, np.where(data.right[mine], -place, -np.inf))
    named = place < WorkspaceSettings().shown_candidates
    named[first] = True
    return LearningSet(
        rows, evidence[mine], named & data.right[mine], data.text[listings], ~data.matchable[listings]
    )


def fit(
    data: Evidence, evidence: np.ndarray, judged: np.ndarray, *, learn_words: bool = True
) -> tuple[FittedMatcher | None, np.ndarray]:
    """The matcher of judged listings (ascending), and the evidence with what they taught of words."""
    learning = teach(data, evidence, judged)
    if learn_words:
        mine = np.flatnonzero(np.isin(data.listing_row, judged))
        learning, words = with_learnt_words(learning, data.words.some(mine))
        if words is not None:
            evidence = evidence.copy()
            evidence[:, column("learnt_words")] = words.scores(data.words)
    return fit_matcher(learning), evidence


def places(listing_row: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """The place of every pair among its listing's, 0 for the strongest; ``listing_row`` ascends."""
    order = np.lexsort((-strength, listing_row))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = rank_in_group(listing_row)
    return place


@dataclass(frozen=True, slots=True)
class Judged:
    """What a matcher says of listings, [n] each; listings without candidates have confidence 0."""

    confidence: np.ndarray
    right: np.ndarray
    none: np.ndarray
    item: np.ndarray
    margin: np.ndarray


def judge(data: Evidence, evidence: np.ndarray, listings: np.ndarray, fitted: FittedMatcher | None) -> Judged:
    """What a matcher, or the plain order without one, says of listings (ascending)."""
    mine = slice(None) if len(listings) == len(data.matchable) else np.isin(data.listing_row, listings)
    rows, some, right = data.listing_row[mine], evidence[mine], data.right[mine]
    out = Judged(*(np.zeros(len(listings), dtype) for dtype in (float, bool, float, np.int64, float)))
    if not len(rows):
        return out
    at = np.searchsorted(listings, rows[group_starts(rows)])
    matcher = OnnxMatcher(fitted.graphs) if fitted is not None else None
    strength = plain_score(some) if matcher is None else matcher.log_odds(some)
    best = best_rows(rows, strength)
    confidence = np.clip(strength[best] / 3.5, 0, 1)
    if matcher is not None:
        _, heads = head_evidence(rows, some, strength, data.text[rows[best]], best)
        said, none = matcher.confidence(heads), matcher.none_confidence(heads)
        confidence = 1 / (1 + np.exp(-strength[best])) if said is None else said
        out.none[at] = 0.0 if none is None else none
    second = strength.copy()
    second[best] = -np.inf
    lead = strength[best] - np.maximum.reduceat(second, group_starts(rows))
    out.confidence[at], out.right[at], out.item[at] = confidence, right[best], data.item[mine][best]
    # The runner-up's confidence, by the odds between the two.
    out.margin[at] = confidence * (1 - np.exp(-np.maximum(lead, 0)))
    return out


def main() -> int:
    """Print one row per data set and group left out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", type=Path)
    parser.add_argument("--decisions", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    groups = [group for group in EVIDENCE_GROUPS if group != "aliases"]  # nothing was confirmed here
    parser.add_argument("--groups", nargs="+", choices=groups, default=groups)
    arguments = parser.parse_args()
    folders = arguments.datasets or [ROOT.parent / "shared" / "data" / name for name in NAMES]
    folders = [folder for folder in folders if (folder / "matches.csv").exists()]
    if not folders:
        print("no data set to measure on; name a folder with catalogue.csv, queries.csv and matches.csv")
        return 0
    print("data set | decisions | without | C@90 | C@95 | C@98 | AURC | best right")
    for folder in folders:
        data = gather(folder)
        decisions = min(arguments.decisions, len(data.matchable) // 2)
        for group in ("nothing", *arguments.groups):
            blank = tuple(EVIDENCE_GROUPS.get(group, ()))
            seeds = [measure(data, blank, decisions, seed) for seed in range(arguments.seeds)]
            figures = " | ".join(f"{value:.3f}" for value in np.mean(seeds, axis=0))
            print(f"{folder.name} | {decisions} | {group} | {figures}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
