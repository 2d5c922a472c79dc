"""What ``alcove audit`` says: the live audit of every certificate, the drift of the feeds, what to do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.automation.drift import FeedSample, compare, is_unknown, known_brands, pooled, state_of
from engine.automation.live_audit import (
    BAND_CONFIDENCE,
    Judgement,
    band,
    certified_level,
    enough_after_alarm,
    judge,
)
from engine.contracts import (
    AnswerAudit,
    AuditPoint,
    AuditReport,
    AuditState,
    CertificateKind,
    DriftState,
    FeedAudit,
    FeedDrift,
    LiveAudit,
    Promise,
)
from engine.store import StoredLiveAudit, UnitOfWork

#: Feeds whose drift is reported (the newest), and listings looked at of each.
_FEEDS, _LISTINGS = 5, 400
_POINTS = 120
_LARGEST_E = 1e12

_NO_AUDIT = (
    "No automated answer has been audited yet: random listings come up in the review queue by themselves."
)
_NOTHING_CERTIFIED = "Nothing is certified yet, so there is nothing to audit: review, then certify."


def audit_report(uow: UnitOfWork, workspace: str, brands: frozenset[str]) -> AuditReport:
    """The whole report.

    Args:
        uow: of the workspace.
        workspace: its folder, to be named in the report.
        brands: from :func:`catalogue_brands`.
    """
    champion = uow.releases.champion()
    audits = live_audits(uow)
    drift = feed_drift(uow, brands)
    return AuditReport(workspace, champion, audits, drift, _next_step(audits, drift))


def live_audits(uow: UnitOfWork) -> tuple[LiveAudit, ...]:
    """The live audit of every certificate that automates, or would if it were not suspended."""
    stored = (uow.live_audits.current(kind) for kind in uow.live_audits.kinds_in_force())
    return tuple(_live_audit(uow, audit) for audit in stored if audit is not None)


def alarms(uow: UnitOfWork) -> tuple[LiveAudit, ...]:
    """The live audits whose certificates are suspended; quick where none is."""
    stored = (uow.live_audits.current(kind) for kind in sorted(uow.live_audits.suspended()))
    return tuple(_live_audit(uow, audit) for audit in stored if audit is not None)


def _live_audit(uow: UnitOfWork, audit: StoredLiveAudit) -> LiveAudit:
    outcomes = uow.live_audits.outcomes(audit.id)
    wrong = np.asarray([wrong for wrong, _ in outcomes], dtype=bool)
    judgement = judge(wrong, audit.precision, accepted=audit.accepted, errors=audit.errors)
    count, bad = len(wrong), int(wrong.sum())
    points = _points(wrong)
    start = judgement.since
    promised = certificate_delta(uow, audit)
    fresh = [w for w, _ in uow.live_audits.outcomes(audit.id, audit.suspended_after or 0)]
    feeds = _feeds(uow, outcomes)
    return LiveAudit(
        kind=audit.kind,
        release_id=audit.release_id,
        opened_at=audit.opened_at,
        precision=audit.precision,
        accepted=audit.accepted,
        errors=audit.errors,
        certified_level=certified_level(audit.accepted, audit.errors),
        state=AuditState.ALARM if audit.suspended_at else judgement.state,
        suspended_at=audit.suspended_at,
        audits=count,
        wrong=bad,
        estimate=(count - bad) / count if count else None,
        low=points[-1].low if points else 0.0,
        high=points[-1].high if points else 1.0,
        confidence=BAND_CONFIDENCE,
        fallen_since=None if start is None else start + 1,
        since_audits=0 if start is None else count - start,
        since_wrong=0 if start is None else int(wrong[start:].sum()),
        below=_e_value(judgement.below),
        fallen=_e_value(judgement.fallen),
        advice=_advice(audit, judgement, wrong, fresh, promised, _worst_feed(feeds)),
        feeds=feeds,
        points=points,
        answers=_answers(uow, audit),
    )


def _answers(uow: UnitOfWork, audit: StoredLiveAudit) -> tuple[AnswerAudit, ...]:
    if audit.kind is not CertificateKind.BOTH:
        return ()
    found = uow.live_audits.by_answer(audit.id)
    return tuple(AnswerAudit(kind, *found.get(kind, (0, 0))) for kind in Promise.EACH.kinds)


def certificate_delta(uow: UnitOfWork, audit: StoredLiveAudit) -> float:
    """The delta that the watched certificate was made with."""
    summary = uow.releases.get(audit.release_id)
    none = audit.kind is CertificateKind.NONE
    certificate = summary.none_certificate if none else summary.certificate
    return certificate.delta if certificate is not None else uow.settings.load().delta


def _points(wrong: npt.NDArray[np.bool_]) -> tuple[AuditPoint, ...]:
    if not len(wrong):
        return ()
    at = np.unique(np.linspace(1, len(wrong), min(len(wrong), _POINTS)).round().astype(int))
    right = at - np.cumsum(wrong)[at - 1]
    low, high = band(right, at)
    return tuple(
        AuditPoint(int(n), float(k / n), float(lower), float(upper))
        for n, k, lower, upper in zip(at, right, low, high, strict=True)
    )


def _e_value(log_e: npt.NDArray[np.float64]) -> float:
    """The largest evidence so far: what was shown once stays shown."""
    return float(min(_LARGEST_E, np.exp(min(log_e.max(), 700.0)))) if len(log_e) else 1.0


def _feeds(uow: UnitOfWork, outcomes: list[tuple[bool, int]]) -> tuple[FeedAudit, ...]:
    names = uow.feeds.names()
    told: dict[int, list[bool]] = {}
    for wrong, feed in outcomes:
        told.setdefault(feed, []).append(wrong)
    return tuple(
        FeedAudit(names.get(feed, ""), len(found), sum(found)) for feed, found in sorted(told.items())
    )


def _worst_feed(feeds: tuple[FeedAudit, ...]) -> str:
    """The feed that more than half of the wrong answers are in, where there are several feeds."""
    wrong = sum(feed.wrong for feed in feeds)
    worst = max(feeds, key=lambda feed: feed.wrong, default=None)
    return worst.feed if worst is not None and len(feeds) > 1 and 2 * worst.wrong > wrong else ""


def _advice(
    audit: StoredLiveAudit,
    judgement: Judgement,
    wrong: npt.NDArray[np.bool_],
    fresh: list[bool],
    delta: float,
    worst_feed: str,
) -> str:
    """What was found and what to do about it, in a sentence or two."""
    if not len(wrong):
        return _NO_AUDIT
    allowed = 1.0 - audit.precision
    start = judgement.since or 0
    since = wrong[start:] if wrong[start:].mean() > allowed else wrong
    found = f"{int(since.sum()):,} of the last {len(since):,} audits were wrong"
    where = f", most of them in feed {worst_feed}" if worst_feed else ""
    if audit.suspended_at is not None:
        missing = enough_after_alarm(
            len(fresh), sum(fresh), precision=audit.precision, delta=delta, attempt=audit.attempts + 1
        )
        todo = "Certify again: enough random listings were reviewed since."
        if missing and sum(fresh) > allowed * len(fresh):
            todo = (
                f"Of {len(fresh):,} reviewed since, {sum(fresh):,} were wrong: review the queue so that the "
                "matcher learns, then certify again."
            )
        elif missing:
            more = " more" if fresh else ""
            todo = f"Review {missing:,}{more} random listings, then certify again."
        return f"Suspended: {found} where at most {_percent(allowed)} may be{where}. {todo}"
    if judgement.state is AuditState.WATCH:
        return (
            f"Fallen from what was certified ({audit.errors:,} wrong of {audit.accepted:,}) but not shown "
            f"to be below the promise: {found}{where}. Review more random listings, or certify again."
        )
    return (
        f"Nothing to do: {int(wrong.sum()):,} of {len(wrong):,} audits were wrong, "
        f"and nothing shows that more than {_percent(allowed)} are."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def catalogue_brands(uow: UnitOfWork) -> frozenset[str]:
    """The brands that the catalogue knows. Reads every item: keep it as long as the catalogue stays."""
    return known_brands(uow.live_audits.catalogue_brands(), uow.live_audits.unbranded_titles())


def feed_drift(uow: UnitOfWork, known: frozenset[str]) -> tuple[FeedDrift, ...]:
    """The newest feeds, each against those before it; oldest first."""
    feeds = uow.live_audits.matched_feeds()[-_FEEDS - 1 :]
    samples: list[FeedSample] = []
    found: list[FeedDrift] = []
    for feed_id, name in feeds:
        listings = uow.live_audits.sample(feed_id, _LISTINGS)
        here = FeedSample(
            np.asarray([is_unknown(one.brand, one.title, known) for one in listings], dtype=np.float64),
            np.asarray([one.similarity for one in listings], dtype=np.float64),
            np.asarray([one.confidence for one in listings], dtype=np.float64),
        )
        before = pooled(samples)
        findings = compare(here, before)
        state = state_of(findings)
        words = {
            DriftState.DRIFTED: "; ".join(f.words for f in findings if f.state is DriftState.DRIFTED),
            DriftState.STEADY: "like the feeds before it",
            DriftState.TOO_FEW: "too few listings to compare"
            if len(before)
            else "no earlier feed to compare with",
        }[state]
        found.append(FeedDrift(name, len(here), len(before), state, findings, words))
        samples.append(here)
    return tuple(found[-_FEEDS:])


def _next_step(audits: tuple[LiveAudit, ...], drift: tuple[FeedDrift, ...]) -> str:
    for state in (AuditState.ALARM, AuditState.WATCH):
        for audit in audits:
            if audit.state is state:
                return audit.advice
    for feed in reversed(drift):
        if audits and feed.state is DriftState.DRIFTED:
            return f"Feed {feed.feed} has drifted: {feed.words}. Review random listings of it, then certify."
    return audits[0].advice if audits else _NOTHING_CERTIFIED
