"""What a release is worth: measured on held-out decisions and on the open feed, and against another.

Held-out are the decisions of the random stream: drawn, judged blind, never trained on. The numbers
come from the shipped artefact through the production path; this module only compares what the
pipeline hands over. Coverages and rates are shares in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.contracts import (
    ANSWERING_VERDICTS,
    Comparison,
    Decision,
    Flip,
    Placement,
    ReleaseEvaluation,
    Route,
    RouteReason,
    Verdict,
)
from engine.contracts.selective import area_under_risk_coverage, coverage_at
from engine.learning.promote import (
    COVERAGE_STEP,
    Answered,
    Contradictions,
    decide_gate,
    paired_bootstrap,
    segment_coverages,
)

if TYPE_CHECKING:
    from engine.store import UnitOfWork

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Required precisions, in percent, at which oracle coverage is reported.
PRECISIONS = (90, 95, 98, 99)
#: A release's answer to a listing is an item number, or one of these.
NOT_IN_CATALOGUE = 0
NOT_AUTOMATED = -1
#: How many flips a comparison lists; it counts all.
FLIPS_LISTED = 500


@dataclass(frozen=True, slots=True)
class EvaluationLabels:
    """Held-out listings as one release sees them; all arrays have shape [n].

    ``best_right`` says whether the candidate of highest confidence is the reviewer's match,
    ``similarity_right`` the same for the candidate of highest similarity (``similarity``).
    ``inclusion`` is the probability with which each listing was drawn.
    """

    listing_ids: Ints
    confidence: Floats
    best_right: Bools
    similarity: Floats
    similarity_right: Bools
    inclusion: Floats


@dataclass(frozen=True, slots=True)
class MeasuredRelease:
    """A release with all that a comparison needs of it.

    ``answers`` is what it would do with the listings of the open feed without a person, [m]: an item
    number, :data:`NOT_IN_CATALOGUE` or :data:`NOT_AUTOMATED` (see :func:`answer_of`).
    ``threshold`` and ``certified_coverage`` are None and 0 without a certificate. ``answered`` is what it
    says of the held-out listings where the promise in force is about it.
    """

    release_id: str
    labels: EvaluationLabels
    threshold: float | None
    certified_coverage: float
    automation_rate: float
    answers: Ints
    answered: Answered


def answer_of(placement: Placement) -> int:
    """A placement as an answer: item number, :data:`NOT_IN_CATALOGUE` or :data:`NOT_AUTOMATED`."""
    by_machine = placement.route == Route.AUTOMATED or placement.reason == RouteReason.MEMORY
    if not by_machine:
        return NOT_AUTOMATED
    if placement.reason == RouteReason.NOT_IN_CATALOGUE or placement.item_id is None:
        return NOT_IN_CATALOGUE
    return placement.item_id


def held_out(decisions: Iterable[Decision]) -> list[Decision]:
    """The decisions a release may be measured on, ordered by listing: random stream, answered, in force."""
    kept = (d for d in decisions if d.stream == "random" and not d.undone and d.verdict in ANSWERING_VERDICTS)
    return sorted(kept, key=lambda decision: decision.listing_id)


def confirmed(decisions: Sequence[Decision], item_ids: npt.ArrayLike) -> Bools:
    """Whether each decision says that the item beside it is right; [n].

    Args:
        decisions: [n].
        item_ids: [n] item numbers, 0 for none.
    """
    items = np.asarray(item_ids, dtype=np.int64).tolist()
    return np.fromiter(
        (decision.confirms(item) for decision, item in zip(decisions, items, strict=True)),
        dtype=bool,
        count=len(items),
    )


def evaluate_scores(
    labels: EvaluationLabels, *, release_id: str, certified_coverage: float, automation_rate: float
) -> ReleaseEvaluation:
    """One release in numbers.

    Args:
        labels: the held-out listings as the release sees them; may be empty.
        release_id: of the release.
        certified_coverage: expected coverage of its certificate, 0 without one.
        automation_rate: share of the open feed it settles without a person.

    Raises:
        ValueError: the label arrays differ in shape, or a confidence is NaN.
    """
    return ReleaseEvaluation(
        release_id=release_id,
        labels=int(labels.confidence.size),
        coverage_at={p: coverage_at(labels.confidence, labels.best_right, p / 100) for p in PRECISIONS},
        similarity_coverage_at={
            p: coverage_at(labels.similarity, labels.similarity_right, p / 100) for p in PRECISIONS
        },
        aurc=area_under_risk_coverage(labels.confidence, labels.best_right),
        similarity_aurc=area_under_risk_coverage(labels.similarity, labels.similarity_right),
        best_right=float(labels.best_right.mean()) if labels.best_right.size else 0.0,
        certified_coverage=certified_coverage,
        automation_rate=automation_rate,
    )


def contradicts(answer: int, decision: Decision | None) -> bool:
    """Whether an automated answer is not what the reviewer said."""
    if decision is None or answer == NOT_AUTOMATED or decision.verdict not in ANSWERING_VERDICTS:
        return False
    if answer == NOT_IN_CATALOGUE:
        return decision.verdict == Verdict.MATCH
    return not decision.confirms(answer)


def contradictions(
    listing_ids: npt.ArrayLike, answers: npt.ArrayLike, decisions: Iterable[Decision]
) -> Contradictions:
    """How many past decisions a release would answer by itself, and how many of them otherwise.

    Args:
        listing_ids: [m] listings of the open feed, in ascending order.
        answers: [m] the release's answers to them.
        decisions: in force; those without an answer (unsure, bad listing) do not count.
    """
    ids, given = np.asarray(listing_ids, dtype=np.int64), np.asarray(answers, dtype=np.int64)
    automated = contradicted = 0
    for decision in decisions:
        if decision.undone or decision.verdict not in ANSWERING_VERDICTS:
            continue
        at = int(np.searchsorted(ids, decision.listing_id))
        if at == ids.size or ids[at] != decision.listing_id or given[at] == NOT_AUTOMATED:
            continue
        automated += 1
        contradicted += contradicts(int(given[at]), decision)
    return Contradictions(automated, contradicted)


def flips(
    uow: UnitOfWork,
    listing_ids: npt.ArrayLike,
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    limit: int = FLIPS_LISTED,
) -> tuple[tuple[Flip, ...], int]:
    """The listings whose automated answer would change, contradictions of past decisions first.

    A flip is a listing that was automated and gets another answer, or none; and any listing whose new
    automated answer contradicts a decision, automated before or not. Listings that only become
    automated are coverage, not flips.

    Args:
        uow: of the workspace, for titles and decisions.
        listing_ids: [m] listings of the open feed, in ascending order.
        before: [m] the champion's answers.
        after: [m] the challenger's answers.
        limit: how many to describe.

    Returns:
        The first ``limit`` flips and how many there are in all.
    """
    ids = np.asarray(listing_ids, dtype=np.int64)
    old, new = np.asarray(before, dtype=np.int64), np.asarray(after, dtype=np.int64)
    decided = {decision.listing_id: decision for decision in uow.decisions.in_force()}
    changed = np.flatnonzero(old != new)
    against = {int(i) for i in changed if contradicts(int(new[i]), decided.get(int(ids[i])))}
    flipped = [int(i) for i in changed if old[i] != NOT_AUTOMATED or int(i) in against]
    # Contradictions, then changed answers, then answers withdrawn; by listing within each.
    flipped.sort(key=lambda i: (i not in against, new[i] == NOT_AUTOMATED, i))
    listed = flipped[:limit]
    named: set[int] = {
        int(answer) for i in listed for answer in (old[i], new[i]) if answer > NOT_IN_CATALOGUE
    }
    listings = uow.listings.get_many([int(ids[i]) for i in listed])
    items = uow.items.get_many(sorted(named))

    def words(answer: int) -> tuple[str, str]:
        if answer == NOT_AUTOMATED:
            return "review", ""
        if answer == NOT_IN_CATALOGUE:
            return "not in catalogue", ""
        item = items.get(answer)
        return (item.external_id, item.title) if item else (f"item {answer}", "")

    described = []
    for i in listed:
        listing = listings[int(ids[i])]
        (before_id, before_title), (after_id, after_title) = words(int(old[i])), words(int(new[i]))
        described.append(
            Flip(
                listing_id=listing.id,
                listing_external_id=listing.external_id,
                listing_title=listing.title,
                before=before_id,
                after=after_id,
                before_item=before_title,
                after_item=after_title,
                contradicts_decision=i in against,
            )
        )
    return tuple(described), len(flipped)


def _lost_answers(champion: Ints, challenger: Ints) -> str:
    """A line for the model keeper where a challenger answers "not in catalogue" less often, else nothing.

    The gate tolerates some of it: that certificate rests on few audits and comes and goes. But the automation
    rate falls with it, and whoever promotes should know.
    """
    before, after = (float((answers == NOT_IN_CATALOGUE).mean()) for answers in (champion, challenger))
    if not before - after > COVERAGE_STEP:
        return ""
    whole, left = (float((answers != NOT_AUTOMATED).mean()) for answers in (champion, challenger))
    return (
        f"note: “not in catalogue” falls from {100 * before:.1f} % to {100 * after:.1f} % of the listings, "
        f"and what is automated without a person from {100 * whole:.1f} % to {100 * left:.1f} %, until more "
        "audits bear it out"
    )


def compare(
    uow: UnitOfWork,
    *,
    champion: MeasuredRelease,
    challenger: MeasuredRelease,
    listing_ids: npt.ArrayLike,
    segments: Sequence[str] = (),
    precision: float,
    max_segment_drop: float,
    max_automation_drop: float,
    max_contradiction_share: float,
    seed: int = 0,
    flips_listed: int = FLIPS_LISTED,
    together: bool = False,
) -> Comparison:
    """Challenger against champion on the same held-out decisions and the same open feed.

    Args:
        uow: of the workspace, for titles and decisions.
        champion: the release in use.
        challenger: the release that wants its place.
        listing_ids: [m] listings of the open feed that ``answers`` of both are about, ascending.
        segments: [m] segment of each of those listings; empty for no comparison by segment.
        precision: required precision, at which coverages are compared.
        max_segment_drop: the gate's tolerance, as a share of the segment's listings.
        max_automation_drop: the gate's tolerance, as a share of the open listings.
        max_contradiction_share: the gate's tolerance, as a share of the automated decided listings.
        seed: of the bootstrap.
        flips_listed: how many flips to describe.
        together: the promise is about automated "not in catalogue" too, and so is the comparison.

    Raises:
        ValueError: the two were not measured on the same listings.
    """
    ids = np.asarray(listing_ids, dtype=np.int64)
    if not np.array_equal(champion.labels.listing_ids, challenger.labels.listing_ids):
        raise ValueError("champion and challenger were measured on different held-out listings")
    if not ids.shape == champion.answers.shape == challenger.answers.shape:
        raise ValueError("champion and challenger answered different listings of the open feed")
    decisions = uow.decisions.in_force()
    untaught = held_out(decisions)
    before, after = (
        evaluate_scores(
            release.labels,
            release_id=release.release_id,
            certified_coverage=release.certified_coverage,
            automation_rate=release.automation_rate,
        )
        for release in (champion, challenger)
    )
    # Answers of the machine that the promise is about: items, or "not in catalogue" as well.
    least = NOT_AUTOMATED if together else NOT_IN_CATALOGUE
    by_segment = (
        segment_coverages(segments, champion.answers > least, challenger.answers > least)
        if len(segments)
        else ()
    )
    gate = decide_gate(
        champion_coverage=champion.certified_coverage,
        challenger_coverage=challenger.certified_coverage,
        difference=paired_bootstrap(
            champion.answered,
            challenger.answered,
            precision,
            inclusion=champion.labels.inclusion,
            seed=seed,
        ),
        champion_certified=champion.threshold is not None,
        challenger_certified=challenger.threshold is not None,
        champion_aurc=before.aurc,
        challenger_aurc=after.aurc,
        champion_automates=champion.automation_rate,
        challenger_automates=challenger.automation_rate,
        segments=by_segment,
        champion_contradictions=contradictions(ids, champion.answers, decisions),
        challenger_contradictions=contradictions(ids, challenger.answers, decisions),
        champion_held_out=contradictions(ids, champion.answers, untaught),
        challenger_held_out=contradictions(ids, challenger.answers, untaught),
        max_segment_drop=max_segment_drop,
        max_automation_drop=max_automation_drop,
        max_contradiction_share=max_contradiction_share,
        share="share automated by certificate" if together else "coverage",
    )
    if said := _lost_answers(champion.answers, challenger.answers):
        gate = replace(gate, reasons=(*gate.reasons, said))
    described, total = flips(uow, ids, champion.answers, challenger.answers, flips_listed)
    return Comparison(
        champion=before,
        challenger=after,
        gate=gate,
        flips=described,
        flips_total=total,
        segments=by_segment,
        max_segment_drop=max_segment_drop,
    )
