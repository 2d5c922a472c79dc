"""The live audit joined to the store: audits taken in, certificates suspended and given back.

What counts as an audit of a certificate: a draw of the random stream made after the watch began,
answered while the running release automated its listing under that certificate (or would have, had
the certificate not been suspended). What the machine had said is noted in the same transaction as
the decision, so later releases cannot change it; which outcomes count follows from which decisions
are in force, so undoing an audit takes its outcome out again, and with it an alarm that rested on it.

A watch goes on across refits: fitting the matcher again every few dozen decisions must not make it
forget. It begins anew with the first certificate, when the owner promotes a release or rolls back,
when another precision is signed for, and when a suspension ends. Under one promise for both kinds of
answers one watch takes in audits of both; the watches over certificates of another promise rest.

A suspension ends when a new certificate passes on the labels made after the alarm alone. The k-th
attempt is tested at delta / 2^k, so that trying often does not make passing likelier than delta.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engine.automation.live_audit import alarm_raised, enough_after_alarm
from engine.contracts import (
    ANSWERING_VERDICTS,
    Certificate,
    CertificateKind,
    ChangeSet,
    Decision,
    Route,
    RouteReason,
    Stream,
    Verdict,
)
from engine.pipeline.score_listings import LoadedRelease, Scores
from engine.store import AuditOutcome, Store, StoredLiveAudit, StoredPlacement, UnitOfWork

_WHAT = {
    CertificateKind.MATCH: "matches",
    CertificateKind.NONE: "“not in the catalogue”",
    CertificateKind.BOTH: "matches and “not in the catalogue” together",
}


def watch(uow: UnitOfWork, *, after_decision: int | None = None) -> ChangeSet:
    """Take in the audits answered after a decision's number, and raise or withdraw the alarm.

    To be called in the transaction of the decisions; quick where none of them answers a draw.

    Args:
        uow: a writing unit of work.
        after_decision: take in the decisions after this number; None: judge anew only, because a
            decision lost or got back its force.

    Returns:
        What changed beyond the decisions: nothing, or the routes and the certificates.
    """
    audits = {kind: _watched(uow, kind, certificate) for kind, certificate in _in_force(uow).items()}
    if not any(audits.values()):
        return ChangeSet()
    if after_decision is not None:
        for decision_id in uow.live_audits.answered_after(after_decision):
            _take_in(uow, uow.decisions.get(decision_id))
    changes = ChangeSet()
    for audit in audits.values():
        if audit is not None:
            changes |= _act(uow, audit)
    return changes


def _outcomes_of(uow: UnitOfWork, audit: StoredLiveAudit) -> npt.NDArray[np.bool_]:
    """Whether each audit of a watch found the automated answer wrong, in order: [n]."""
    return np.asarray([wrong for wrong, _ in uow.live_audits.outcomes(audit.id)], dtype=bool)


def follow(store: Store, release: LoadedRelease, scores: Scores) -> tuple[str, ...]:
    """Begin, go on with or end the watch over the champion's certificates, before it routes.

    Args:
        store: the workspace's, open for writing.
        release: the champion.
        scores: every listing as the champion sees it.

    Returns:
        What the owner should know: that a certificate stays suspended, and why.
    """
    notices: list[str] = []
    with store.writing() as uow:
        choice = uow.live_audits.last_choice()
        refitted = uow.releases.get(release.id).origin == "refit"
        for certificate in (release.certificate, release.none_certificate):
            if certificate is None or certificate.threshold is None:
                continue
            kind = certificate.kind
            audit = uow.live_audits.current(kind)
            if audit is None or audit.choice < choice:
                _open(uow, kind, release.id, certificate)
            elif audit.suspended_at is None:
                if audit.precision != certificate.precision:
                    _open(uow, kind, release.id, certificate)
            elif refitted and release.id != audit.suspended_release:
                passed, words = _attempt(uow, audit, release, certificate, scores)
                if not passed:
                    notices.append(words)
    return tuple(notices)


def _in_force(uow: UnitOfWork) -> dict[CertificateKind, Certificate | None]:
    """The kinds of certificates that the champion's promise is made of, with its own of each."""
    champion = uow.releases.champion()
    summary = uow.releases.get(champion) if champion else None
    held = (summary.certificate, summary.none_certificate) if summary else ()
    own = {certificate.kind: certificate for certificate in held if certificate is not None}
    return {kind: own.get(kind) for kind in uow.live_audits.kinds_in_force()}


def _watched(
    uow: UnitOfWork, kind: CertificateKind, certificate: Certificate | None
) -> StoredLiveAudit | None:
    """The current watch; begun where a certificate is older than the live audit itself."""
    audit = uow.live_audits.current(kind)
    champion = uow.releases.champion()
    if audit is None and champion and certificate is not None and certificate.threshold is not None:
        _open(uow, kind, champion, certificate)
    return audit


def _open(uow: UnitOfWork, kind: CertificateKind, release_id: str, certificate: Certificate) -> None:
    uow.live_audits.open(
        kind,
        release_id,
        precision=certificate.precision,
        accepted=certificate.accepted,
        errors=certificate.errors,
    )


def _take_in(uow: UnitOfWork, decision: Decision) -> None:
    assert decision.draw_id is not None
    first = uow.live_audits.outcome_of_draw(decision.draw_id)
    if first is not None:
        # Decided again: the machine is still judged for what it said when the draw was answered first.
        right = _was_right(decision, first.item_id)
        uow.live_audits.add(replace(first, decision_id=decision.id, right=right))
        return
    placement = uow.listings.placement(decision.listing_id)
    kind = _automated_as(uow, placement)
    audit = uow.live_audits.current(kind) if kind is not None else None
    if placement is None or audit is None or decision.draw_id <= audit.draws_before:
        return
    # What the machine had said follows from the placement: under one promise it may be either.
    match = _said_match(placement)
    uow.live_audits.add(
        AuditOutcome(
            decision_id=decision.id,
            live_audit_id=audit.id,
            draw_id=decision.draw_id,
            position=decision.id,
            release_id=placement.release_id,
            item_id=placement.item_id if match else None,
            confidence=placement.confidence if match else placement.none_confidence,
            right=_was_right(decision, placement.item_id if match else None),
        )
    )


def _automated_as(uow: UnitOfWork, placement: StoredPlacement | None) -> CertificateKind | None:
    """The certificate under which a listing is automated, or would be if it were not suspended."""
    if placement is None:
        return None
    match placement.machine_route, placement.machine_reason:
        case Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD | RouteReason.NOT_IN_CATALOGUE:
            pass
        case Route.REVIEW, RouteReason.SUSPENDED:
            pass
        case _:
            return None
    # Of the release that placed it: while a promotion routes anew that need not be the champion.
    placed_by = uow.releases.get(placement.release_id).certificate if placement.release_id else None
    if placed_by is not None and placed_by.kind is CertificateKind.BOTH:
        return CertificateKind.BOTH
    return CertificateKind.MATCH if _said_match(placement) else CertificateKind.NONE


def _said_match(placement: StoredPlacement) -> bool:
    """Whether an automated, or suspended, listing was answered with an item."""
    return placement.machine_reason != RouteReason.NOT_IN_CATALOGUE and placement.item_id is not None


def _was_right(decision: Decision, item_id: int | None) -> bool:
    """Whether the machine's answer (None: not in the catalogue) was right, as certificates count it.

    "Unsure" and "bad listing" count as wrong: an automated answer there helped nobody.
    """
    if decision.verdict not in ANSWERING_VERDICTS:
        return False
    if item_id is None:
        return decision.verdict != Verdict.MATCH
    return decision.confirms(item_id)


def _act(uow: UnitOfWork, audit: StoredLiveAudit) -> ChangeSet:
    alarm = alarm_raised(
        _outcomes_of(uow, audit), audit.precision, accepted=audit.accepted, errors=audit.errors
    )
    if alarm == (audit.suspended_at is not None):
        return ChangeSet()
    if alarm:
        uow.live_audits.suspend(audit.id, uow.releases.champion())
        uow.live_audits.put_back(audit.kind)
    else:
        uow.live_audits.lift(audit.id)
        uow.live_audits.let_through(audit.kind)
    return ChangeSet(routes=True, certificates=True)


def _attempt(
    uow: UnitOfWork,
    audit: StoredLiveAudit,
    release: LoadedRelease,
    certificate: Certificate,
    scores: Scores,
) -> tuple[bool, str]:
    """Whether a new certificate passes on the labels made after the alarm; what is missing if not."""
    fresh = [
        d
        for d in uow.decisions.in_force(Stream.RANDOM)
        if d.draw_id is not None and d.id > (audit.suspended_after or 0)
    ]
    rows = scores.rows_of(np.asarray([d.listing_id for d in fresh], dtype=np.int64))
    labels = errors = 0
    for decision, row in zip(fresh, rows.tolist(), strict=True):
        if row < 0:
            continue
        confidence, none_confidence = scores.best_confidence[row], scores.none_confidence[row]
        match = audit.kind is CertificateKind.MATCH
        if audit.kind is CertificateKind.BOTH:
            match = not none_confidence > confidence
        if float(confidence if match else none_confidence) < (certificate.threshold or 0.0):
            continue
        labels += 1
        errors += not _was_right(decision, int(scores.best_item[row]) if match else None)
    attempt = audit.attempts + 1
    missing = enough_after_alarm(
        labels, errors, precision=certificate.precision, delta=certificate.delta, attempt=attempt
    )
    if missing == 0:
        uow.live_audits.open(
            audit.kind, release.id, precision=certificate.precision, accepted=labels, errors=errors
        )
        return True, ""
    uow.live_audits.note_attempt(audit.id, release.id, attempt)
    return False, (
        f"the certificate for {_WHAT[audit.kind]} stays suspended: of the {labels:,} random listings it "
        f"would automate that were reviewed since the alarm, {errors:,} were wrong, which does not prove "
        f"{100 * certificate.precision:g} % again"
    )
