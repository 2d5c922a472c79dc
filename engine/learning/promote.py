"""The gate: whether a challenger may take the champion's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.contracts import Gate, SegmentCoverage

#: Certified coverage moves in steps of the tested thresholds; a difference below this is one step.
COVERAGE_STEP = 0.005
#: A segment with fewer listings than this says nothing about the segment.
LEAST_SEGMENT = 50
#: With fewer automated held-out decisions contradictions are judged on all decisions.
LEAST_HELD_OUT = 30


@dataclass(frozen=True, slots=True)
class Contradictions:
    """Decided listings that a release would automate, and those whose answer is not the reviewer's."""

    automated: int
    contradicted: int

    @property
    def share(self) -> float:
        """Contradicted among the automated, 0 when none is automated."""
        return self.contradicted / self.automated if self.automated else 0.0

    @property
    def luck(self) -> float:
        """Standard deviation of the share over other listings as many."""
        return (self.share * (1 - self.share) / self.automated) ** 0.5 if self.automated else 0.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What a release answers to the held-out listings, [n]: how sure it is, and whether it is right."""

    confidence: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Difference:
    """Challenger minus champion in coverage at the required precision: mean over resamples, bounds."""

    low: float
    middle: float
    high: float


def paired_bootstrap(
    champion: Answered,
    challenger: Answered,
    precision: float,
    inclusion: npt.ArrayLike | None = None,
    n: int = 500,
    seed: int = 0,
    level: float = 0.9,
) -> Difference:
    """How much more the challenger would automate at the required precision.

    Both releases are judged on the same listings, so listings are resampled, not releases: what is
    hard for both cancels out. On every resample each release gets the loosest threshold at which the
    share of right answers is as required, because where a threshold happens to lie is luck too.

    Most random draws were made where earlier matchers were sure. Weighting by the inverse of the
    inclusion probability (Horvitz-Thompson, self-normalised) gives what a challenger gains elsewhere
    its due: without it, the comparison favours whoever is like those that drew.

    Args:
        champion: on the held-out listings.
        challenger: on the same, in the same order.
        precision: required precision, in (0, 1).
        inclusion: [m] probability with which each was drawn, in (0, 1]; None: all the same.
        n: resamples.
        seed: of the resampling.
        level: two-sided confidence in (0, 1).

    Returns:
        The difference, as shares; (-1, 0, 1) for no listings.

    Raises:
        ValueError: the shapes differ, or an inclusion probability is not above 0.
    """
    m = champion.confidence.size
    drawn = np.ones(m) if inclusion is None else np.asarray(inclusion, dtype=np.float64)
    shapes = {one.shape for release in (champion, challenger) for one in (release.confidence, release.right)}
    if shapes != {(m,)}:
        raise ValueError(f"champion and challenger have shapes {sorted(shapes)}; all must be [m]")
    if drawn.shape != (m,) or not (drawn > 0).all():
        raise ValueError("inclusion must be [m] probabilities above 0")
    if m == 0:
        return Difference(-1.0, 0.0, 1.0)
    random = np.random.default_rng(seed)
    differences = []
    for _ in range(n):
        weight = np.bincount(random.integers(0, m, m), minlength=m) / drawn
        differences.append(_coverage(challenger, weight, precision) - _coverage(champion, weight, precision))
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(differences, [tail, 1.0 - tail])
    return Difference(float(low), float(np.mean(differences)), float(high))


def _coverage(release: Answered, weight: npt.NDArray[np.float64], precision: float) -> float:
    """Weighted share of the listings above the loosest threshold with the required precision."""
    taken = release.confidence >= loosest_threshold(release, weight, precision)
    return float(weight[taken].sum() / weight.sum())


def loosest_threshold(release: Answered, weight: npt.NDArray[np.float64], precision: float) -> float:
    """The least confidence above which answers have the required precision; infinite where none does.

    Args:
        release: on some listings, [m].
        weight: [m] what each listing counts, 0 or more.
        precision: required, in (0, 1).
    """
    order = np.argsort(-release.confidence, kind="stable")
    confidence, accepted = release.confidence[order], np.cumsum(weight[order])
    right = np.cumsum(weight[order] * release.right[order])
    # Equal confidences are accepted together.
    last = np.r_[confidence[1:] != confidence[:-1], True]
    enough = last & (accepted > 0) & (right >= precision * accepted * (1 - 1e-12))
    return float(confidence[enough][-1]) if enough.any() else float("inf")


def segment_coverages(
    segments: Sequence[str],
    champion_automates: npt.ArrayLike,
    challenger_automates: npt.ArrayLike,
    least: int = LEAST_SEGMENT,
) -> tuple[SegmentCoverage, ...]:
    """Coverage of both releases by segment, segments with fewer than ``least`` listings left out.

    Args:
        segments: [m] name of each listing's segment (its feed, brand or category).
        champion_automates: [m] whether the champion automates the listing, as far as is promised.
        challenger_automates: [m] the same for the challenger.
        least: fewest listings of a segment worth comparing.

    Returns:
        One entry per segment, what loses most first; by name where they lose the same.

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
    found = (
        SegmentCoverage(str(name), int(size), float(before), float(after))
        for name, size, before, after in zip(names, sizes, by_champion, by_challenger, strict=True)
        if size >= least
    )
    return tuple(sorted(found, key=lambda segment: (-segment.lost, segment.name)))


def decide_gate(
    *,
    champion_coverage: float,
    challenger_coverage: float,
    difference: Difference,
    champion_certified: bool,
    challenger_certified: bool,
    champion_aurc: float,
    challenger_aurc: float,
    champion_automates: float,
    challenger_automates: float,
    segments: Sequence[SegmentCoverage],
    champion_contradictions: Contradictions,
    challenger_contradictions: Contradictions,
    champion_held_out: Contradictions,
    challenger_held_out: Contradictions,
    max_segment_drop: float,
    max_automation_drop: float,
    max_contradiction_share: float,
    share: str = "coverage",
) -> Gate:
    """Whether a challenger may be promoted, with a reason for every condition, met or not.

    It passes when all of these hold:

    * the paired bootstrap does not expect it to automate less at the required precision, and its certified
      coverage is not below the champion's by more than the bootstrap's half width: two releases that
      are equally good are certified a few points apart by the luck of the audits. Differences up to
      one step of the thresholds tested do not count; while neither is certified, its area under the
      risk-coverage curve is not larger;
    * a certified champion is not replaced by an uncertified challenger;
    * what is automated without a person, "not in catalogue" included, does not fall by more than
      ``max_automation_drop``: a certificate for "not in catalogue" rests on few audits and comes and goes,
      but one that is worth a tenth of the listings is not given up unseen;
    * no segment loses more than ``max_segment_drop`` of coverage;
    * the share of its automated answers that contradict held-out decisions exceeds the champion's share
      by at most ``max_contradiction_share`` and what luck makes of so few (any release that automates at
      95 % contradicts some). Decisions that taught are not asked: a matcher remembers them, and the better
      it does the fewer it contradicts, whichever release is better on new listings (docs/adr/0021). Only
      with fewer than :data:`LEAST_HELD_OUT` of the others all decisions judge.

    Args:
        champion_coverage: certified coverage of the champion, 0 without a certificate.
        challenger_coverage: the same of the challenger.
        difference: from :func:`paired_bootstrap`.
        champion_certified: whether the champion has a threshold.
        challenger_certified: whether the challenger has one.
        champion_aurc: area under the champion's risk-coverage curve on the held-out decisions.
        challenger_aurc: the same of the challenger.
        champion_automates: share of the open listings that the champion answers without a person.
        challenger_automates: the same of the challenger.
        segments: from :func:`segment_coverages`.
        champion_contradictions: of the champion's automated answers.
        challenger_contradictions: of the challenger's.
        champion_held_out: the same of held-out decisions, which taught neither.
        challenger_held_out: the same of the challenger.
        max_segment_drop: as a share of the segment's listings.
        max_automation_drop: as a share of the open listings.
        max_contradiction_share: as a share of the automated decided listings.
        share: what the coverages are called, for the reasons.
    """
    checks: list[tuple[bool, str]] = []
    interval = (
        f"difference at the required precision on the same held-out listings {100 * difference.middle:+.1f} "
        f"({100 * difference.low:+.1f} to {100 * difference.high:+.1f}) points"
    )
    if not champion_certified and not challenger_certified:
        checks.append(
            (
                challenger_aurc <= champion_aurc,
                "neither release is certified; area under the risk-coverage curve "
                f"{champion_aurc:.3f} -> {challenger_aurc:.3f} (lower is better)",
            )
        )
    else:
        luck = max(COVERAGE_STEP, (difference.high - difference.low) / 2)
        not_lower = difference.middle >= -COVERAGE_STEP and challenger_coverage >= champion_coverage - luck
        checks.append(
            (
                not_lower and (challenger_certified or not champion_certified),
                f"certified {share} {100 * champion_coverage:.1f} % -> "
                f"{100 * challenger_coverage:.1f} %, {interval}"
                if challenger_certified
                else "the challenger has no certificate and the champion has one",
            )
        )
    if champion_automates - challenger_automates > max_automation_drop:
        checks.append(
            (
                False,
                f"what is automated without a person falls from {100 * champion_automates:.1f} % to "
                f"{100 * challenger_automates:.1f} % of the listings",
            )
        )
    for segment in segments:
        if segment.falls_beyond(max_segment_drop):
            checks.append(
                (
                    False,
                    f"segment {segment.name} falls from {100 * segment.champion:.0f} % to "
                    f"{100 * segment.challenger:.0f} % of {segment.listings:,} listings",
                )
            )
    checks.append(
        _judged_contradictions(
            (champion_contradictions, challenger_contradictions),
            (champion_held_out, challenger_held_out),
            max_contradiction_share,
        )
    )
    return Gate(
        passed=all(passed for passed, _ in checks),
        reasons=tuple(reason if passed else f"refused: {reason}" for passed, reason in checks),
        champion_coverage=champion_coverage,
        challenger_coverage=challenger_coverage,
        difference_low=difference.low,
        difference_high=difference.high,
        contradictions=challenger_contradictions.contradicted,
    )


def _judged_contradictions(
    of_all: tuple[Contradictions, Contradictions],
    held_out: tuple[Contradictions, Contradictions],
    tolerance: float,
) -> tuple[bool, str]:
    """Whether the challenger's contradictions are tolerable, and the numbers: champion's first in each."""
    before, after = of_all
    said = (
        f"{after.contradicted} of {after.automated} automated answers contradict past decisions "
        f"({100 * after.share:.1f} %, champion {100 * before.share:.1f} %)"
    )
    if min(one.automated for one in held_out) < LEAST_HELD_OUT:
        return after.share <= before.share + tolerance, said
    before, after = held_out
    said += (
        f", of held-out ones {after.contradicted} of {after.automated} "
        f"({100 * after.share:.1f} %, champion {100 * before.share:.1f} %)"
    )
    return after.share <= before.share + tolerance + after.luck, said
