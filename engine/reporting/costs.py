"""What a threshold costs: the cheapest one, beside the certified one and never in its place.

A listing at or above the threshold is automated and costs ``wrong`` where its best candidate is not
right. Any other is reviewed and costs ``review``, and ``missed`` as well where its best candidate is
right: the match was there and waited for a person. Under one promise for both kinds of answers the answer
given stands for the best candidate; a right "not in catalogue" that is reviewed misses nothing.

Shares come from the answered draws of the random stream, each standing for 1 / inclusion listings;
listings that could not have been drawn are taken to be reviewed at any threshold.

The cheapest threshold is picked on the same draws that price it, which flatters it. So its saving is
corrected by the optimism found on resamples (Efron and Gong 1983): on each one the cheapest threshold is
picked anew and priced on all draws.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.contracts import CostPoint, CostReport
from engine.reporting.weighted import LEVEL, counted

#: Fewer audits than this say nothing about a threshold that is picked with them.
LEAST_AUDITS = 30
#: Costs are per so many listings.
PER = 1000.0
_RESAMPLES = 1000
_AT_ONCE = 50
_MOST_POINTS = 200

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Costs(NamedTuple):
    """Of one wrong automation, one review, one right match that waits; in the owner's unit."""

    wrong: float
    review: float
    missed: float = 0.0


class CostCurve(NamedTuple):
    """Cost per listing at every threshold that makes a difference, strictest first; [t] each.

    The first is infinity: nothing is automated. ``automated`` is the share of listings at or above.
    """

    thresholds: Floats
    automated: Floats
    cost: Floats


def cost_curve(
    confidence: npt.ArrayLike,
    right: npt.ArrayLike,
    inclusion: npt.ArrayLike,
    costs: Costs,
    *,
    reached: float = 1.0,
    missable: npt.ArrayLike | None = None,
) -> CostCurve:
    """Expected cost per listing by threshold.

    Args:
        confidence: [n] of the audited listings' best candidates.
        right: [n] whether each is right.
        inclusion: [n] probability with which each was drawn, in (0, 1].
        costs: in the owner's unit.
        reached: share of the listings that could have been drawn; the others are reviewed.
        missable: [n] whether a review of each lets a right match wait; ``right`` when not given.

    Raises:
        ValueError: the shapes differ, or there is no audit.
    """
    scores, hits = np.asarray(confidence, dtype=np.float64), np.asarray(right).astype(bool)
    weight = 1 / np.asarray(inclusion, dtype=np.float64)
    if not scores.size or not scores.shape == hits.shape == weight.shape:
        raise ValueError(
            "a cost curve needs one confidence, answer and inclusion for each audit, and an audit"
        )
    order = np.argsort(-scores, kind="stable")
    waits = hits if missable is None else np.asarray(missable).astype(bool)
    last, steps = _steps(scores[order], hits[order], waits[order], costs)
    weight = weight[order] / weight.sum()
    before = float((weight * _reviewed(waits[order], costs)).sum())
    cost = np.concatenate([[before], before + np.cumsum(weight * steps)[last]])
    automated = np.concatenate([[0.0], np.cumsum(weight)[last]])
    return CostCurve(
        thresholds=np.concatenate([[np.inf], scores[order][last]]),
        automated=reached * automated,
        cost=reached * cost + (1 - reached) * costs.review,
    )


def _reviewed(waits: Bools, costs: Costs) -> Floats:
    return np.asarray(costs.review + costs.missed * waits, dtype=np.float64)


def _steps(scores: Floats, hits: Bools, waits: Bools, costs: Costs) -> tuple[npt.NDArray[np.int64], Floats]:
    """The last audit of every threshold, and what automating each audit instead of reviewing it adds."""
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    return last, np.asarray(costs.wrong * ~hits - _reviewed(waits, costs), dtype=np.float64)


def saving(
    confidence: npt.ArrayLike,
    right: npt.ArrayLike,
    inclusion: npt.ArrayLike,
    costs: Costs,
    against: float | None,
    *,
    reached: float = 1.0,
    level: float = LEVEL,
    resamples: int = _RESAMPLES,
    seed: int = 0,
    missable: npt.ArrayLike | None = None,
) -> tuple[float, float, float]:
    """What the cheapest threshold saves per listing against another, and its bounds.

    Args:
        confidence: [n] as in :func:`cost_curve`.
        right: [n] as in :func:`cost_curve`.
        inclusion: [n] as in :func:`cost_curve`.
        costs: in the owner's unit.
        against: the other threshold, None for automating nothing.
        reached: as in :func:`cost_curve`.
        level: two-sided confidence in (0, 1).
        resamples: of the bootstrap.
        seed: of the resampling.
        missable: [n] as in :func:`cost_curve`.

    Returns:
        The saving, corrected for having picked the threshold on these audits, and its bounds.
    """
    scores, hits = np.asarray(confidence, dtype=np.float64), np.asarray(right).astype(bool)
    weight = 1 / np.asarray(inclusion, dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    waits = hits if missable is None else np.asarray(missable).astype(bool)
    scores, hits, waits, weight = scores[order], hits[order], waits[order], weight[order]
    last, steps = _steps(scores, hits, waits, costs)
    accepted = 0 if against is None else int(np.searchsorted(-scores, -against, side="right"))

    def savings(counts: npt.NDArray[np.int64]) -> Floats:
        """[b, t + 1] saving against the other threshold of nothing and of every threshold."""
        mass = counts * weight
        mass = mass / mass.sum(axis=1, keepdims=True)
        added = np.concatenate([np.zeros((len(mass), 1)), np.cumsum(mass * steps, axis=1)], axis=1)
        return np.asarray(added[:, accepted, None] - added[:, np.concatenate([[0], last + 1])])

    mine = savings(np.ones((1, scores.size), dtype=np.int64))[0]
    # Of equally cheap thresholds the strictest.
    best = int(np.argmax(mine))
    generator = np.random.default_rng(seed)
    found, optimism = [], []
    for start in range(0, resamples, _AT_ONCE):
        rows = min(_AT_ONCE, resamples - start)
        again = savings(generator.multinomial(scores.size, np.full(scores.size, 1 / scores.size), size=rows))
        picked = np.argmax(again, axis=1)
        found.append(again[:, best])
        optimism.append(again[np.arange(rows), picked] - mine[picked])
    flattery = float(np.concatenate(optimism).mean())
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(found), [tail, 1 - tail]) - flattery
    return reached * float(mine[best] - flattery), reached * float(low), reached * float(high)


def cost_report(
    confidence: npt.ArrayLike,
    right: npt.ArrayLike,
    inclusion: npt.ArrayLike,
    *,
    wrong: float | None,
    review: float | None,
    missed: float | None,
    threshold: float | None,
    reached: float = 1.0,
    seed: int = 0,
    missable: npt.ArrayLike | None = None,
) -> CostReport:
    """Costs by threshold, the cheapest beside the certified one, and one sentence about the two.

    Args:
        confidence: [n] as in :func:`cost_curve`.
        right: [n] as in :func:`cost_curve`.
        inclusion: [n] as in :func:`cost_curve`.
        wrong: cost of one wrong automation, None where not entered.
        review: cost of one review, None where not entered.
        missed: cost of a right match that waits for a person; None counts as 0.
        threshold: the certified one, None where nothing is certified.
        reached: as in :func:`cost_curve`.
        seed: of the bootstrap.
        missable: [n] as in :func:`cost_curve`.
    """
    scores = np.asarray(confidence, dtype=np.float64)

    def nothing(sentence: str) -> CostReport:
        return CostReport(
            wrong, review, missed, scores.size, LEVEL, (), None, None, None, None, None, sentence
        )

    if wrong is None or review is None:
        return nothing("Enter what a wrong automation and a review cost to see which threshold is cheapest.")
    if scores.size < LEAST_AUDITS:
        return nothing(
            f"Too few audits to say which threshold is cheapest: {counted(int(scores.size), 'audit')} "
            f"of at least {LEAST_AUDITS}."
        )
    costs = Costs(wrong, review, missed or 0.0)
    curve = cost_curve(scores, right, inclusion, costs, reached=reached, missable=missable)
    best = int(np.argmin(curve.cost))
    at = 0 if threshold is None else int(np.searchsorted(-curve.thresholds, -threshold, side="right")) - 1
    certified = None if threshold is None else replace(_point(curve, at), threshold=threshold)
    optimal = _point(curve, best)
    saved, low, high = (
        PER * value
        for value in saving(
            scores, right, inclusion, costs, threshold, reached=reached, seed=seed, missable=missable
        )
    )
    kept = np.unique(np.linspace(0, len(curve.cost) - 1, min(_MOST_POINTS, len(curve.cost))).astype(int))
    return CostReport(
        wrong=wrong,
        review=review,
        missed=missed,
        audits=int(scores.size),
        level=LEVEL,
        curve=tuple(_point(curve, int(i)) for i in kept),
        certified=certified,
        optimal=optimal,
        saving=saved,
        saving_low=low,
        saving_high=high,
        sentence=_sentence(optimal, certified, saved, low, high),
    )


def _point(curve: CostCurve, at: int) -> CostPoint:
    threshold = float(curve.thresholds[at])
    return CostPoint(
        threshold=None if np.isinf(threshold) else threshold,
        automated=float(curve.automated[at]),
        cost=PER * float(curve.cost[at]),
    )


def _sentence(optimal: CostPoint, certified: CostPoint | None, saved: float, low: float, high: float) -> str:
    """What an owner should take from it."""
    if optimal.threshold is None:
        cheapest = "At these costs it is cheapest to automate nothing"
    else:
        cheapest = (
            f"At these costs threshold {optimal.threshold:.3f} is cheapest "
            f"({100 * optimal.automated:.0f} % of the listings automated)"
        )
    other = "reviewing everything" if certified is None else "the certified threshold"
    amount = f"{_money(low)} to {_money(high)} per {PER:,.0f} listings"
    if low > 0:
        gain = f"it saves about {_money(saved)} per {PER:,.0f} listings against {other} ({amount})"
    else:
        gain = f"whether it saves anything against {other} cannot be told yet ({amount})"
    note = (
        "nothing is certified, so nothing is automated"
        if certified is None
        else f"the certified threshold {certified.threshold:.3f} stays in force"
    )
    return f"{cheapest}; {gain}; {note}."


def _money(amount: float) -> str:
    digits = 0 if abs(amount) >= 100 else 2
    return f"{amount:,.{digits}f}".replace("-", "−")
