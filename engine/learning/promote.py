"""The gate: whether a challenger may take the champion's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.contracts import Gate

#: Certified coverage moves in steps of the tested thresholds; a difference below this is one step.
COVERAGE_STEP = 0.005
#: A segment with fewer listings than this says nothing about the segment.
LEAST_SEGMENT = 50


@dataclass(frozen=True, slots=True)
class SegmentCoverage:
    """Shares of one segment's listings that each release automates as a match."""

    name: str
    listings: int
    champion: float
    challenger: float


@dataclass(frozen=True, slots=True)
class Contradictions:
    """Decided listings that a release would automate, and those whose answer is not the reviewer's."""

    automated: int
    contradicted: int

    @property
    def share(self) -> float:
        """Contradicted among the automated, 0 when none is automated."""
        return self.contradicted / self.automated if self.automated else 0.0


def paired_bootstrap(
    accepted_right_champion: npt.ArrayLike,
    accepted_right_challenger: npt.ArrayLike,
    inclusion: npt.ArrayLike | None = None,
    n: int = 2000,
    seed: int = 0,
    level: float = 0.9,
) -> tuple[float, float]:
    """Confidence bounds of challenger minus champion in the share of listings accepted and right.

    Both releases are judged on the same listings, so listings are resampled, not releases: what is
    hard for both cancels out. Listings of one sign and one weight are interchangeable, so resamples are
    drawn as multinomial counts of them, which is exact and cheap at any number of listings.

    Most random draws were made where earlier matchers were sure. Weighting by the inverse of the
    inclusion probability (Horvitz-Thompson, self-normalised) gives what a challenger gains elsewhere
    its due: without it, the comparison favours whoever is like those that drew.

    Args:
        accepted_right_champion: [m] whether the champion automates the listing and is right.
        accepted_right_challenger: [m] the same for the challenger.
        inclusion: [m] probability with which each was drawn, in (0, 1]; None: all the same.
        n: resamples.
        seed: of the resampling.
        level: two-sided confidence in (0, 1).

    Returns:
        Lower and upper percentile bound of the difference, as shares; (-1, 1) for no listings.

    Raises:
        ValueError: the shapes differ.
    """
    champion = np.asarray(accepted_right_champion).astype(bool)
    challenger = np.asarray(accepted_right_challenger).astype(bool)
    if champion.ndim != 1 or champion.shape != challenger.shape:
        raise ValueError(
            f"champion has shape {champion.shape}, challenger {challenger.shape}; both must be [m]"
        )
    m = champion.size
    if m == 0:
        return -1.0, 1.0
    drawn = np.ones(m) if inclusion is None else np.asarray(inclusion, dtype=np.float64)
    if drawn.shape != champion.shape or not (drawn > 0).all():
        raise ValueError("inclusion must be [m] probabilities above 0")
    weight = 1.0 / drawn
    sign = challenger.astype(np.float64) - champion
    kinds, counts = np.unique(np.stack([sign, weight], axis=1), axis=0, return_counts=True)
    draws = np.random.default_rng(seed).multinomial(m, counts / m, size=n)
    differences = (draws @ (kinds[:, 0] * kinds[:, 1])) / (draws @ kinds[:, 1])
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(differences, [tail, 1.0 - tail])
    return float(low), float(high)


def segment_coverages(
    segments: Sequence[str],
    champion_automates: npt.ArrayLike,
    challenger_automates: npt.ArrayLike,
    least: int = LEAST_SEGMENT,
) -> tuple[SegmentCoverage, ...]:
    """Coverage of both releases by segment, segments with fewer than ``least`` listings left out.

    Args:
        segments: [m] name of each listing's segment (its feed, brand or category).
        champion_automates: [m] whether the champion automates the listing as a match.
        challenger_automates: [m] the same for the challenger.
        least: fewest listings of a segment worth comparing.

    Returns:
        One entry per segment, by name.

    Raises:
        ValueError: the lengths differ.
    """
    champion = np.asarray(champion_automates).astype(bool)
    challenger = np.asarray(challenger_automates).astype(bool)
    if not len(segments) == champion.size == challenger.size:
        raise ValueError(f"{len(segments)} segments for {champion.size} and {challenger.size} listings")
    if champion.size == 0:
        return ()
    names, member, sizes = np.unique(
        np.asarray(segments, dtype=object), return_inverse=True, return_counts=True
    )
    by_champion = np.bincount(member, weights=champion, minlength=names.size) / sizes
    by_challenger = np.bincount(member, weights=challenger, minlength=names.size) / sizes
    return tuple(
        SegmentCoverage(str(name), int(size), float(before), float(after))
        for name, size, before, after in zip(names, sizes, by_champion, by_challenger, strict=True)
        if size >= least
    )


def decide_gate(
    *,
    champion_coverage: float,
    challenger_coverage: float,
    difference: tuple[float, float],
    champion_certified: bool,
    challenger_certified: bool,
    champion_aurc: float,
    challenger_aurc: float,
    segments: Sequence[SegmentCoverage],
    champion_contradictions: Contradictions,
    challenger_contradictions: Contradictions,
    max_segment_drop: float,
    max_contradiction_share: float,
    share: str = "coverage",
) -> Gate:
    """Whether a challenger may be promoted, with a reason for every condition, met or not.

    It passes when all of these hold:

    * its certified coverage is not below the champion's (by more than one step of the thresholds
      tested), and the paired bootstrap does not put the whole interval below zero; while neither is
      certified, its area under the risk-coverage curve is not larger;
    * a certified champion is not replaced by an uncertified challenger;
    * no segment loses more than ``max_segment_drop`` of coverage;
    * the share of its automated answers that contradict past decisions exceeds the champion's share
      by at most ``max_contradiction_share`` (any release that automates at 95 % contradicts some).

    Args:
        champion_coverage: certified coverage of the champion, 0 without a certificate.
        challenger_coverage: the same of the challenger.
        difference: bounds from :func:`paired_bootstrap`.
        champion_certified: whether the champion has a threshold.
        challenger_certified: whether the challenger has one.
        champion_aurc: area under the champion's risk-coverage curve on the held-out decisions.
        challenger_aurc: the same of the challenger.
        segments: from :func:`segment_coverages`.
        champion_contradictions: of the champion's automated answers.
        challenger_contradictions: of the challenger's.
        max_segment_drop: as a share of the segment's listings.
        max_contradiction_share: as a share of the automated decided listings.
        share: what the coverages are called, for the reasons.
    """
    low, high = difference
    checks: list[tuple[bool, str]] = []
    interval = f"difference on the same held-out listings {100 * low:+.1f} to {100 * high:+.1f} points"
    if not champion_certified and not challenger_certified:
        checks.append(
            (
                challenger_aurc <= champion_aurc,
                "neither release is certified; area under the risk-coverage curve "
                f"{champion_aurc:.3f} -> {challenger_aurc:.3f} (lower is better)",
            )
        )
    else:
        not_lower = challenger_coverage >= champion_coverage - COVERAGE_STEP and high >= 0.0
        checks.append(
            (
                not_lower and (challenger_certified or not champion_certified),
                f"certified {share} {100 * champion_coverage:.1f} % -> "
                f"{100 * challenger_coverage:.1f} %, {interval}"
                if challenger_certified
                else "the challenger has no certificate and the champion has one",
            )
        )
    for segment in segments:
        drop = segment.champion - segment.challenger
        if drop > max_segment_drop:
            checks.append(
                (
                    False,
                    f"segment {segment.name} falls from {100 * segment.champion:.0f} % to "
                    f"{100 * segment.challenger:.0f} % of {segment.listings:,} listings",
                )
            )
    share_before, share_after = champion_contradictions.share, challenger_contradictions.share
    checks.append(
        (
            share_after <= share_before + max_contradiction_share,
            f"{challenger_contradictions.contradicted} of {challenger_contradictions.automated} "
            f"automated answers contradict past decisions ({100 * share_after:.1f} %, "
            f"champion {100 * share_before:.1f} %)",
        )
    )
    return Gate(
        passed=all(passed for passed, _ in checks),
        reasons=tuple(reason if passed else f"refused: {reason}" for passed, reason in checks),
        champion_coverage=champion_coverage,
        challenger_coverage=challenger_coverage,
        difference_low=low,
        difference_high=high,
        contradictions=challenger_contradictions.contradicted,
    )
