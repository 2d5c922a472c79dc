"""The live audit of one promise for both kinds of answers, and that no switch of promise evades it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.contracts import AnswerAudit, AuditState, CertificateKind, LiveAudit, Promise, Verdict
from engine.errors import StaleChangeError
from engine.workspace import Workspace
from tests.engine.audited_workspace import PROMISE, AuditedWorkspace, add_release
from tests.loop import drain, promised_workspace

BOTH = (CertificateKind.BOTH,)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[AuditedWorkspace]:
    """Sixty listings automated as a match, sixty as not in the catalogue, under one promise."""
    with AuditedWorkspace(tmp_path / "shop", ("monday", "tuesday"), 60, together=True) as made:
        with made.writing() as uow:
            made.place(uow, made.waiting["tuesday"], none=True)
        yield made


def only_audit(shop: AuditedWorkspace) -> LiveAudit:
    (audit,) = shop.workspace.audit().audits
    return audit


def test_that_one_watch_takes_in_audits_of_both_answers(shop: AuditedWorkspace) -> None:
    shop.audit(wrong=False)
    shop.audit(wrong=True)
    shop.audit(wrong=False, feed="tuesday", none=True)
    shop.audit(wrong=True, feed="tuesday", none=True)
    audit = only_audit(shop)
    assert (audit.kind, audit.audits, audit.wrong) == (CertificateKind.BOTH, 4, 2)
    shop.audit(wrong=False)
    assert only_audit(shop).answers == (
        AnswerAudit(CertificateKind.MATCH, 3, 1),
        AnswerAudit(CertificateKind.NONE, 2, 1),
    )


def test_that_the_noted_answer_is_the_one_of_the_placement(shop: AuditedWorkspace) -> None:
    found = []
    for feed, none in (("monday", False), ("tuesday", True)):
        decision, _ = shop.audit(wrong=False, feed=feed, none=none)
        with shop.reading() as uow:
            outcome = uow.live_audits.outcome_of_draw(decision.draw_id or 0)
        assert outcome is not None
        found.append((outcome.item_id, outcome.confidence))
    assert found == [(1, 0.97), (None, 0.98)]


@pytest.mark.parametrize("none", [False, True])
def test_that_wrong_answers_of_either_kind_suspend_both(shop: AuditedWorkspace, none: bool) -> None:
    shop.until_alarm("tuesday" if none else "monday", none=none)
    assert {route for route, _ in shop.routes()} == {"review", "settled"}
    assert shop.workspace.status().suspended == BOTH
    audit = only_audit(shop)
    assert audit.state is AuditState.ALARM
    assert audit.advice.startswith("Suspended")


def test_that_undoing_the_audit_lets_both_through_as_what_they_were(shop: AuditedWorkspace) -> None:
    before = shop.routes()
    _, last = shop.until_alarm("tuesday", none=True)
    shop.workspace.undo(last.id)
    after = shop.routes()
    assert after["automated", "above_threshold"] == before["automated", "above_threshold"] == 60
    settled = sum(count for (route, _), count in after.items() if route == "settled")
    assert after["automated", "not_in_catalogue"] == 60 - settled
    assert shop.workspace.status().suspended == ()


def test_that_audits_go_on_while_both_are_suspended(shop: AuditedWorkspace) -> None:
    count, _ = shop.until_alarm()
    shop.audit(wrong=False, feed="tuesday", none=True)
    assert only_audit(shop).audits == count + 1


def test_that_the_promise_cannot_be_changed_while_a_certificate_is_suspended(shop: AuditedWorkspace) -> None:
    shop.until_alarm()
    with pytest.raises(StaleChangeError, match="promise cannot be changed to 'each' while"):
        shop.workspace.update_settings(promise="each")
    with pytest.raises(StaleChangeError, match="promise cannot be changed"):
        drain(shop.workspace.certify(promise=Promise.EACH))
    shop.workspace.update_settings(promise="together", random_share=0.5)
    assert shop.workspace.settings.promise == "together"


@pytest.mark.parametrize("none", [False, True])
def test_that_a_suspension_of_either_kind_forbids_one_promise_for_both(tmp_path: Path, none: bool) -> None:
    with AuditedWorkspace(tmp_path / "each") as shop:
        if none:
            with shop.writing() as uow:
                shop.place(uow, shop.waiting["monday"], none=True)
        shop.until_alarm(none=none)
        with pytest.raises(StaleChangeError, match="promise cannot be changed to 'together'"):
            shop.workspace.update_settings(promise="together")
        assert shop.workspace.settings.promise == "each"


def test_that_a_setting_left_over_from_another_promise_is_no_way_out(tmp_path: Path) -> None:
    with AuditedWorkspace(tmp_path / "each") as shop:
        # As after rolling back to a release of the promise before: the setting still asks for both.
        shop.workspace.update_settings(promise="together")
        shop.until_alarm()
        with pytest.raises(StaleChangeError, match="promise cannot be changed"):
            drain(shop.workspace.certify())
        shop.workspace.update_settings(promise="each")
        assert shop.workspace.settings.promise == "each"


def test_that_watches_of_another_promise_rest(tmp_path: Path) -> None:
    with AuditedWorkspace(tmp_path / "each") as shop:
        shop.until_alarm()
        with shop.writing() as uow:
            add_release(uow, "r0002", origin="training", action="promote", together=True)
            uow.live_audits.open(CertificateKind.BOTH, "r0002", precision=PROMISE, accepted=9, errors=0)
        # The owner promoted a release of another promise: its certificate is the one in force.
        assert shop.workspace.status().suspended == ()
        assert [audit.kind for audit in shop.workspace.audit().audits] == [CertificateKind.BOTH]
        shop.workspace.update_settings(promise="together")
        # What the release before had placed is still audited for it, not for the new promise.
        shop.audit(wrong=True)
        assert only_audit(shop).audits == 0


# -- a real matcher --------------------------------------------------------------------------------


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[Workspace]:
    with promised_workspace(tmp_path / "w", Promise.TOGETHER) as workspace:
        yield workspace


def audit(workspace: Workspace, *, wrong: bool, least: int = 1) -> None:
    """Answer draws on automated, or suspended, listings until the alarm; right ones ``least`` times."""
    reasons = ("above_threshold", "not_in_catalogue", "suspended")
    placements = [p for p in workspace.placements() if p.reason.value in reasons and p.route != "settled"]
    with workspace._store.reading() as uow:
        drawn = {d.listing_id for d in uow.draws.open(limit=1000)}
    done = 0
    for placed in placements:
        if placed.listing_id in drawn:
            continue
        with workspace._store.writing() as uow:
            (draw,) = uow.draws.add([placed.listing_id], 0.5, "test", uow.releases.champion(), None)
        item = 1 if placed.item_id is None and wrong else None if wrong else placed.item_id
        _, changes = workspace.decide(
            listing_id=placed.listing_id,
            verdict=Verdict.MATCH if item else Verdict.NONE,
            item_id=item,
            reviewer="script",
            draw_id=draw,
        )
        done += 1
        if (wrong and changes.certificates) or (not wrong and done == least):
            return
    raise AssertionError(f"too few automated listings to audit: {done}")


def test_that_a_suspension_of_both_ends_with_labels_made_since(certified: Workspace) -> None:
    counts = certified.status().counts
    assert counts.automated_matches > 0
    assert counts.automated_none > 0
    audit(certified, wrong=True)
    assert certified.status().counts.automated == 0
    drain(certified.match())
    assert certified.status().counts.automated == 0
    audit(certified, wrong=False, least=30)
    drain(certified.certify())
    status = certified.status()
    assert status.suspended == ()
    assert status.certificate is not None
    assert status.certificate.kind is CertificateKind.BOTH
    assert status.counts.automated > 0
    (watched,) = certified.audit().audits
    assert (watched.kind, watched.state, watched.audits) == (CertificateKind.BOTH, AuditState.OK, 0)


def test_that_rolling_back_to_the_promise_before_ends_a_suspension_of_both(certified: Workspace) -> None:
    audit(certified, wrong=True)
    drain(certified.rollback())
    status = certified.status()
    assert status.suspended == ()
    assert status.certificate is not None
    assert status.certificate.kind is CertificateKind.MATCH
    assert status.counts.automated_matches > 0
