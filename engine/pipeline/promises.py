"""What is promised: a certificate for each kind of answer, or one for both together.

Under one promise for both a listing has one answer, the likelier of its best candidate and "not in
catalogue", and one threshold on that answer's confidence is tested, once. "Not in catalogue" is hard to
be sure of: by itself it is seldom certified, together with the matches it can be. What such a certificate
does not promise is either kind by itself; how each does is estimated and said with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.automation.certificate import (
    Audits,
    Estimates,
    Population,
    certify,
    certify_segments,
    forecasts,
    on_shared_labels,
    zone_floor,
)
from engine.automation.matcher import FittedMatcher
from engine.contracts import (
    ANSWERING_VERDICTS,
    Certificate,
    CertificateKind,
    CertificatePart,
    Decision,
    Promise,
    ReleaseSummary,
    Stream,
    Verdict,
)
from engine.contracts.together import answer_confidence, answer_right, says_none
from engine.pipeline.random_stream import coins
from engine.pipeline.score_listings import Scores
from engine.reporting.weighted import LEVEL, Reach, estimate, share_interval
from engine.store import Store

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Promised:
    """What a refit may promise. ``certificate`` is for matches, or for both; then the other is None.

    ``zone_floor`` is the least confidence of the zone to draw from, of the answer under one promise
    for both.
    """

    certificate: Certificate
    none_certificate: Certificate | None
    zone_floor: float | None


@dataclass(frozen=True, slots=True)
class _Trial:
    """One rule of answering, as the learning stream, the random stream and the reserve see it."""

    kind: CertificateKind
    estimates: Estimates
    audits: Audits
    population: Population

    def certificate(self, precision: float, delta: float) -> Certificate:
        return certify(
            self.estimates, self.audits, self.population, precision=precision, delta=delta, kind=self.kind
        )

    def with_details(
        self, certificate: Certificate, segment_of_audits: list[str], segment_of_reserve: list[str]
    ) -> Certificate:
        """The certificate with what segments bear by themselves, and what more decisions would give."""
        precision, delta = certificate.precision, certificate.delta
        trial = self.estimates, self.audits, self.population
        return replace(
            certificate,
            forecasts=forecasts(*trial, precision=precision, delta=delta),
            segments=certify_segments(
                *trial, segment_of_audits, segment_of_reserve, precision=precision, delta=delta
            ),
        )


class _Labels:
    """The random decisions beside the scores of the listings they are about, and of the reserve."""

    def __init__(
        self, store: Store, fitted: FittedMatcher, scores: Scores, decisions: list[Decision]
    ) -> None:
        with store.reading() as uow:
            reserve_ids, reserve_inclusion = uow.listings.reserve()
            segment_of = uow.segments.of_reserve()
        rows = scores.rows_of(reserve_ids)
        # A feed nobody has drawn from says nothing about itself and is not what is certified here.
        known = rows >= 0
        reserve_ids, self.reserve_inclusion, rows = reserve_ids[known], reserve_inclusion[known], rows[known]
        inclusion_of = dict(zip(reserve_ids.tolist(), self.reserve_inclusion.tolist(), strict=True))
        audits = [
            d
            for d in decisions
            if d.stream == Stream.RANDOM and d.draw_id is not None and inclusion_of.get(d.listing_id, 0.0) > 0
        ]
        self.segment_of_reserve = [segment_of.get(int(i), "") for i in reserve_ids]
        self.segment_of_audits = [segment_of.get(d.listing_id, "") for d in audits]
        at = scores.rows_of(np.asarray([d.listing_id for d in audits], dtype=np.int64))
        self.inclusion = np.asarray([inclusion_of[d.listing_id] for d in audits], dtype=np.float64)
        self._coin = coins(np.asarray([d.draw_id for d in audits], dtype=np.int64))
        # "Unsure" and "bad listing" count as wrong: an automated answer there helped nobody.
        answered = np.asarray([d.verdict in ANSWERING_VERDICTS for d in audits], dtype=bool)
        matched = np.asarray([d.verdict == Verdict.MATCH for d in audits], dtype=bool)
        best = scores.best_item[at].tolist()
        # An item counts as right only if the reviewer named it, first or among those also right.
        match_right = np.asarray([d.confirms(item) for d, item in zip(audits, best, strict=True)], dtype=bool)
        none_right = ~matched & answered
        of_match = scores.best_confidence.astype(np.float64)
        of_none = scores.none_confidence.astype(np.float64)
        learnt = fitted.confidence.astype(np.float64), fitted.none_confidence.astype(np.float64)
        self.match = self._trial(
            CertificateKind.MATCH,
            Estimates(learnt[0], fitted.right),
            of_match[at],
            match_right,
            of_match[rows],
        )
        self.none = self._trial(
            CertificateKind.NONE,
            Estimates(learnt[1], fitted.none_right),
            of_none[at],
            none_right,
            of_none[rows],
        )
        self.both = self._trial(
            CertificateKind.BOTH,
            Estimates(answer_confidence(*learnt), answer_right(*learnt, fitted.right, fitted.none_right)),
            answer_confidence(of_match[at], of_none[at]),
            answer_right(of_match[at], of_none[at], match_right, none_right),
            answer_confidence(of_match[rows], of_none[rows]),
        )
        self._said_none = says_none(of_match[at], of_none[at])
        self._reserve_none = says_none(of_match[rows], of_none[rows])

    def _trial(
        self, kind: CertificateKind, estimates: Estimates, confidence: Floats, right: Bools, reserve: Floats
    ) -> _Trial:
        return _Trial(
            kind,
            estimates,
            Audits(confidence, right, self.inclusion, self._coin),
            Population(reserve, self.reserve_inclusion),
        )

    def part(self, threshold: float, *, none: bool) -> CertificatePart:
        """What the labels say of one kind of answer at and above the threshold of one for both."""
        audits, population = self.both.audits, self.both.population
        mine, ours = self._said_none == none, self._reserve_none == none
        accepted = population.confidence >= threshold
        reach = Reach(
            population.confidence[ours],
            population.inclusion[ours],
            audits.confidence[mine],
            audits.inclusion[mine],
        ).above(threshold)
        used = mine & (audits.confidence >= threshold) & (audits.inclusion >= reach.level)
        interval = share_interval(
            audits.right[used],
            audits.inclusion[used],
            least_inclusion=reach.least_inclusion,
            unreached=reach.unreached,
        )
        found = estimate(interval, int(used.sum()))
        return CertificatePart(
            share=float((accepted & ours).sum() / max(1, accepted.sum())),
            labels=found.audits,
            errors=int((~audits.right[used]).sum()),
            precision=found.share,
            low=found.low,
            high=found.high,
            level=LEVEL,
            said=found.said,
        )


def promised(
    store: Store,
    fitted: FittedMatcher,
    scores: Scores,
    decisions: list[Decision],
    *,
    promise: Promise,
    precision: float,
    delta: float,
) -> Promised:
    """Test what the promise is about on the random stream.

    Args:
        store: the workspace's.
        fitted: the matcher, with what it said of listings it had not seen.
        scores: every listing under it.
        decisions: in force, of every stream.
        promise: of each kind of answer, or of both together.
        precision: required precision, in (0, 1).
        delta: allowed probability of a wrong certificate, in (0, 1).
    """
    labels = _Labels(store, fitted, scores, decisions)
    with store.reading() as uow:
        before = [one for one in uow.releases.all() if one.origin != "reindex"]
    if promise is Promise.TOGETHER:
        both = labels.both.certificate(precision, delta)
        if both.threshold is not None:
            both = replace(
                both,
                match_part=labels.part(both.threshold, none=False),
                none_part=labels.part(both.threshold, none=True),
            )
        both = labels.both.with_details(both, labels.segment_of_audits, labels.segment_of_reserve)
        both = on_shared_labels(both, _issued(before, *CertificateKind))
        floor = zone_floor(labels.both.estimates, labels.both.population, precision=precision)
        return Promised(both, None, floor)
    match, none = labels.match.certificate(precision, delta), labels.none.certificate(precision, delta)
    match = labels.match.with_details(match, labels.segment_of_audits, labels.segment_of_reserve)
    if none.threshold is None:
        none = replace(none, note=_outlook(labels, match, precision, delta))
    match = on_shared_labels(match, _issued(before, CertificateKind.MATCH, CertificateKind.BOTH))
    none = on_shared_labels(none, _issued(before, CertificateKind.NONE, CertificateKind.BOTH))
    floor = zone_floor(labels.match.estimates, labels.match.population, precision=precision)
    return Promised(match, none, floor)


def _issued(before: list[ReleaseSummary], *kinds: CertificateKind) -> int:
    """How many certificates of some kinds were issued: those for both rest on the labels of either."""
    made = [c for one in before for c in (one.certificate, one.none_certificate) if c is not None]
    return sum(c.threshold is not None and c.kind in kinds for c in made)


def _outlook(labels: _Labels, match: Certificate, precision: float, delta: float) -> str:
    """What one promise for both may bring, where "not in catalogue" has none of its own; or nothing.

    It is no certificate: nothing is automated by it, and its parts are not promised.
    """
    both = labels.both.certificate(precision, delta)
    if both.threshold is None or both.expected_coverage <= match.expected_coverage:
        return ""
    none = labels.part(both.threshold, none=True)
    return (
        "One promise for matches and “not in catalogue” together is expected to automate "
        f"{_percent(both.expected_coverage)} of the listings (matches alone "
        f"{_percent(match.expected_coverage)}); estimated precision of “not in catalogue”: {none.said}. "
        "Expected, not certified"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
