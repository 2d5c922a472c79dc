"""Drift: does a feed look like the catalogue and the feeds before it?

Three measures on a sample of listings: the share whose brand (the brand field, or else the title's
first word) the catalogue does not have, the distribution of the best similarity, and of the
confidence. Each is compared with the feeds before by the two-sample Kolmogorov-Smirnov distance (for
the share of unknown brands that is the difference of the shares) and a plain permutation test, with
Bonferroni over the measures. A feed has drifted where the test rejects *and* the distance is large
enough to matter; fewer than :data:`LEAST` listings on either side say nothing.

Drift is no alarm. It says that the feed is another one than the certificate was made on, and where
to look when the live audit says that precision has fallen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.contracts import DriftFinding, DriftMeasure, DriftState

Floats = npt.NDArray[np.float64]

#: Fewer listings than this on either side are not compared.
LEAST = 30
#: Chance that any measure of a feed is called drifted although nothing has changed.
CHANCE = 0.05
#: Differences smaller than this do not matter, however many listings prove them.
SMALLEST = 0.1
PERMUTATIONS = 999

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class FeedSample:
    """The measures of a sample of listings, [n] each; ``unknown`` is 0 or 1."""

    unknown: Floats
    similarity: Floats
    confidence: Floats

    def __len__(self) -> int:
        return len(self.unknown)

    def of(self, measure: DriftMeasure) -> Floats:
        """The values of one measure."""
        return {
            DriftMeasure.UNKNOWN_BRANDS: self.unknown,
            DriftMeasure.SIMILARITY: self.similarity,
            DriftMeasure.CONFIDENCE: self.confidence,
        }[measure]


def pooled(samples: Iterable[FeedSample]) -> FeedSample:
    """Several samples as one."""
    parts = list(samples)
    empty = np.zeros(0)
    return FeedSample(
        *(np.concatenate([empty, *(getattr(part, name) for part in parts)]) for name in _MEASURED)
    )


_MEASURED = ("unknown", "similarity", "confidence")


def known_brands(brands: Iterable[str], unbranded_titles: Iterable[str]) -> frozenset[str]:
    """What the catalogue knows: its brands, their first words, the first words of unbranded titles."""
    known: set[str] = set()
    for brand in brands:
        known.add(brand.strip().casefold())
        known.add(_first_word(brand))
    known.update(_first_word(title) for title in unbranded_titles)
    return frozenset(known - {""})


def is_unknown(brand: str, title: str, known: frozenset[str]) -> bool:
    """Whether the catalogue has no item of a listing's brand."""
    if brand.strip():
        return brand.strip().casefold() not in known and _first_word(brand) not in known
    return _first_word(title) not in known


def _first_word(text: str) -> str:
    found = _WORD.search(text)
    return found.group().casefold() if found else ""


def distance(here: Floats, before: Floats) -> float:
    """Largest difference of the two empirical distribution functions (Kolmogorov-Smirnov)."""
    at = np.unique(np.concatenate([here, before]))
    below_here = np.searchsorted(np.sort(here), at, side="right") / len(here)
    below_before = np.searchsorted(np.sort(before), at, side="right") / len(before)
    return float(np.abs(below_here - below_before).max())


def permutation_p(here: Floats, before: Floats, *, seed: int = 0) -> float:
    """P-value of :func:`distance` when it is all the same which listing is of which feed."""
    values = np.concatenate([here, before])
    order = np.argsort(values, kind="stable")
    last_of_tie = np.append(np.diff(values[order]) > 0, True)
    step = np.where(np.arange(len(values)) < len(here), 1.0 / len(here), -1.0 / len(before))
    observed = distance(here, before)
    random = np.random.default_rng(seed)
    as_far = 0
    for _ in range(PERMUTATIONS):
        gap = np.abs(np.cumsum(random.permutation(step))[last_of_tie]).max()
        as_far += bool(gap >= observed - 1e-12)
    return (1 + as_far) / (1 + PERMUTATIONS)


def compare(here: FeedSample, before: FeedSample, *, seed: int = 0) -> tuple[DriftFinding, ...]:
    """Every measure of a feed against the feeds before it (an empty sample for the first feed)."""
    return tuple(_finding(measure, here, before, seed) for measure in DriftMeasure)


def state_of(findings: Iterable[DriftFinding]) -> DriftState:
    """The state of a feed: drifted if any measure is."""
    states = {finding.state for finding in findings}
    for state in (DriftState.DRIFTED, DriftState.STEADY):
        if state in states:
            return state
    return DriftState.TOO_FEW


def _finding(measure: DriftMeasure, here: FeedSample, before: FeedSample, seed: int) -> DriftFinding:
    mine, theirs = here.of(measure), before.of(measure)
    value = float(mine.mean()) if len(mine) else None
    earlier = float(theirs.mean()) if len(theirs) else None
    words = _words(measure, value, earlier)
    if min(len(mine), len(theirs)) < LEAST:
        return DriftFinding(measure, DriftState.TOO_FEW, value, earlier, None, None, words)
    apart = distance(mine, theirs)
    chance = permutation_p(mine, theirs, seed=seed)
    drifted = chance <= CHANCE / len(DriftMeasure) and apart >= SMALLEST
    state = DriftState.DRIFTED if drifted else DriftState.STEADY
    return DriftFinding(measure, state, value, earlier, apart, chance, words)


def _words(measure: DriftMeasure, value: float | None, earlier: float | None) -> str:
    if value is None:
        return "no matched listing"
    if measure is DriftMeasure.UNKNOWN_BRANDS:
        said = f"{value:.0%} of the listings have a brand that the catalogue does not have"
        return said if earlier is None else f"{said} ({earlier:.0%} before)"
    name = "best similarity" if measure is DriftMeasure.SIMILARITY else "confidence"
    said = f"{name} is {value:.2f} on average"
    return said if earlier is None else f"{said} ({earlier:.2f} before)"
