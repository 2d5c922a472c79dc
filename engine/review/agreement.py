"""How far two reviewers agree: raw, beyond chance (Cohen's kappa), and what distorts that figure.

Pure functions over paired answers. Sources: Cohen (1960), "A coefficient of agreement for nominal
scales"; Fleiss, Cohen and Everitt (1969), "Large sample standard errors of kappa and weighted kappa";
Byrt, Bishop and Carlin (1993), "Bias, prevalence and kappa"; Wilson (1927) for shares.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.contracts import Accuracy, Agreement, PairAgreement, Verdict

#: Confidence of every interval here.
CONFIDENCE = 0.95
#: What a reviewer said: the verdict, and the item where it names one.
Answer: TypeAlias = tuple[Verdict, int | None]
Counts: TypeAlias = NDArray[np.int64]


def table_of(first: Sequence[Hashable], second: Sequence[Hashable]) -> Counts:
    """The square table of paired answers: rows the first reviewer's, columns the second's.

    Args:
        first: one answer for each listing.
        second: the other reviewer's, in the same order.

    Returns:
        Counts, shape (k, k), over the k answers that either has given, in order of appearance.
    """
    place: dict[Hashable, int] = {}
    for answer in (*first, *second):
        place.setdefault(answer, len(place))
    table = np.zeros((len(place), len(place)), dtype=np.int64)
    for mine, theirs in zip(first, second, strict=True):
        table[place[mine], place[theirs]] += 1
    return table


def agreement(table: Counts, categories: int | None = None) -> Agreement:
    """Raw agreement, kappa with its interval, PABAK, and the prevalence and bias indices of a table.

    ``kappa = (p_o - p_e) / (1 - p_e)``. Its interval rests on the large-sample variance of Fleiss, Cohen
    and Everitt (not on the null variance, which is for testing kappa = 0). That variance is 0 where the
    two always agree; then the Wilson lower bound of the raw agreement takes its place, so that ten
    agreements in ten do not look like certainty.

    Args:
        table: counts, shape (k, k).
        categories: how many answers there could have been, for PABAK ``(c p_o - 1) / (c - 1)``; None
            where that has no meaning, and PABAK with it.
    """
    judged = int(table.sum())
    agreed = int(np.trace(table))
    if judged == 0:
        return Agreement(0, 0, None, None, None, None, None)
    raw = agreed / judged
    pabak = None if categories is None else (categories * raw - 1) / (categories - 1)
    prevalence = bias = None
    if table.shape == (2, 2) and categories == 2:
        prevalence = float(table[0, 0] - table[1, 1]) / judged
        bias = float(table[0, 1] - table[1, 0]) / judged
    shares = table / judged
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    chance = float(rows @ columns)
    if math.isclose(chance, 1.0):
        return Agreement(judged, agreed, raw, None, None, None, pabak, prevalence, bias)
    kappa = (raw - chance) / (1 - chance)
    error = math.sqrt(max(0.0, _variance(shares, rows, columns, raw, chance)) / judged)
    reach = _quantile(CONFIDENCE) * error
    low, high = kappa - reach, kappa + reach
    if agreed == judged:
        low = (wilson(agreed, judged)[0] - chance) / (1 - chance)
    return Agreement(judged, agreed, raw, kappa, max(-1.0, low), min(1.0, high), pabak, prevalence, bias)


def pair_agreement(first: str, second: str, answers: Sequence[tuple[Answer, Answer]]) -> PairAgreement:
    """All that can be said of two reviewers' answers on the same listings.

    Args:
        first: one reviewer's name.
        second: the other's.
        answers: of both, for each listing both have judged.
    """
    mine = [one[0] for one, _ in answers]
    theirs = [other[0] for _, other in answers]
    return PairAgreement(
        first=first,
        second=second,
        verdicts=agreement(table_of(mine, theirs), categories=len(Verdict)),
        same_item=agreement(
            table_of([item_of(one) for one, _ in answers], [item_of(other) for _, other in answers])
        ),
        by_verdict={
            verdict: agreement(_one_against_rest(mine, theirs, verdict), categories=2)
            for verdict in Verdict
            if verdict in mine or verdict in theirs
        },
    )


def item_of(answer: Answer) -> int | None:
    """What a listing was matched with: the item, or None for everything but a match."""
    verdict, item = answer
    return item if verdict == Verdict.MATCH else None


def wilson(right: float, judged: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's two-sided score interval of the share ``right / judged``; (0, 1) where nothing was judged.

    The two may be expected counts, not whole numbers.
    """
    if judged <= 0:
        return 0.0, 1.0
    z = _quantile(confidence)
    share = right / judged
    middle = share + z * z / (2 * judged)
    reach = z * math.sqrt(max(0.0, share * (1 - share)) / judged + z * z / (4 * judged * judged))
    scale = 1 + z * z / judged
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def counted(right: int, judged: int) -> Accuracy:
    """An accuracy that was counted, with Wilson's interval."""
    if judged == 0:
        return Accuracy(None, None, None, 0)
    low, high = wilson(right, judged)
    return Accuracy(right / judged, low, high, judged)


def _one_against_rest(mine: Sequence[Verdict], theirs: Sequence[Verdict], verdict: Verdict) -> Counts:
    table = np.zeros((2, 2), dtype=np.int64)
    for one, other in zip(mine, theirs, strict=True):
        table[int(one != verdict), int(other != verdict)] += 1
    return table


def _variance(
    shares: NDArray[np.float64],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    raw: float,
    chance: float,
) -> float:
    """The number judged times the large-sample variance of kappa (Fleiss, Cohen and Everitt 1969)."""
    diagonal = np.diag(shares)
    on = float(np.sum(diagonal * ((1 - chance) - (rows + columns) * (1 - raw)) ** 2))
    # Cell (i, j) weighs (column share of i + row share of j) squared.
    crossed = (columns[:, None] + rows[None, :]) ** 2
    off = float(np.sum(shares * crossed) - np.sum(diagonal * np.diag(crossed)))
    return (on + (1 - raw) ** 2 * off - (raw * chance - 2 * chance + raw) ** 2) / (1 - chance) ** 4


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)
