"""Pairs grouped by listing: the best candidate of each, and the plain order before any matcher."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.automation.evidence_columns import column

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: What the plain score counts of each column; coarse, so that it is no feed's (docs/ablation.md).
PLAIN_WEIGHTS = {
    "lexical": 1.0,
    "squeezed": 0.5,
    "item_covered": 1.0,
    "item_detailed": 1.0,
    "listing_covered": 1.0,
    "listing_detailed": 1.0,
    "code_likeness": 0.5,
    "listing_code_letters": 0.5,
    "similarity": 0.5,
    "price_gap": -0.2,
}
#: The plain score of two records that say the same; a word counts once, in the text or in the details.
MOST_PLAIN = 5.0


def group_starts(listing_row: Ints) -> Ints:
    """First row of every run of equal ``listing_row``."""
    if not len(listing_row):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.r_[True, listing_row[1:] != listing_row[:-1]])


def group_numbers(listing_row: Ints) -> Ints:
    """Number of every row's run of equal ``listing_row``, counted from 0."""
    starts = group_starts(listing_row)
    return np.repeat(np.arange(len(starts)), np.diff(starts, append=len(listing_row)))


def rank_in_group(listing_row: Ints) -> Ints:
    """Place of every row in its run of equal ``listing_row``, 0 for the first."""
    return np.arange(len(listing_row)) - group_starts(listing_row)[group_numbers(listing_row)]


def best_rows(listing_row: Ints, score: Floats) -> Ints:
    """Row of the highest score of every group (the first one on a tie)."""
    starts = group_starts(listing_row)
    if not len(starts):
        return starts
    run = group_numbers(listing_row)
    best = np.maximum.reduceat(score, starts)
    rows = np.flatnonzero(score == best[run])
    _, first = np.unique(run[rows], return_index=True)
    return rows[first]


def strongest(listing_row: Ints, evidence: Floats, count: int) -> Bools:
    """Which pairs are among the ``count`` strongest of their listing before any matcher exists."""
    score = plain_score(evidence)
    order = np.lexsort((-score, listing_row))
    strong = np.zeros(len(order), dtype=bool)
    strong[order] = rank_in_group(listing_row[order]) < count
    return strong


def plain_score(evidence: Floats) -> Floats:
    """The order of candidates while there is no matcher, and how much a listing resembles an item.

    Characters, words wherever the other record has them, codes, similarity, and prices that are far apart.
    """
    score = np.zeros(len(evidence), np.float32)
    for name, weight in PLAIN_WEIGHTS.items():
        score += np.float32(weight) * evidence[:, column(name)]
    return score


def product_of_complements(confidence: Floats, group: Ints, groups: int) -> Floats:
    """P(no candidate of the group matches), candidates taken as independent: [groups]."""
    logs = np.zeros(groups, dtype=np.float64)
    np.add.at(logs, group, np.log1p(-np.clip(confidence, 0.0, 1 - 1e-7)))
    return np.exp(logs).astype(np.float32)


def margin_to_best_other(values: Floats, group: Ints) -> Floats:
    """``values[i]`` minus the best other value of its group; groups are runs of equal ``group``.

    A pair that is alone in its group has nothing to lose to: its margin is its own value.
    """
    if not len(values):
        return np.zeros(0, np.float32)
    starts, run = group_starts(group), group_numbers(group)
    best = np.maximum.reduceat(values, starts)
    at_best = values == best[run]
    leaders = np.add.reduceat(at_best.astype(np.int64), starts)
    second = np.maximum.reduceat(np.where(at_best, -np.inf, values), starts)
    second = np.where(leaders > 1, best, second)
    other = np.where(at_best, second[run], best[run])
    other = np.where(np.isneginf(other), 0.0, other)
    return (values - other).astype(np.float32)
