"""Suspension and its end through certify, rollback and match: a real matcher over a tiny encoder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.contracts import (
    AuditState,
    CertificateKind,
    Notice,
    Placement,
    Route,
    RouteReason,
    Verdict,
)
from engine.workspace import Workspace
from tests.loop import FEED, certified_workspace, drain


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    with certified_workspace(tmp_path / "w") as workspace:
        yield workspace


def automated(shop: Workspace, reason: RouteReason = RouteReason.ABOVE_THRESHOLD) -> list[Placement]:
    return [p for p in shop.placements(feed=FEED) if p.reason is reason]


def audit(shop: Workspace, placement: Placement, *, wrong: bool) -> bool:
    """Draw an automated listing and answer it; whether that suspended or gave back a certificate."""
    with shop._store.writing() as uow:
        (draw,) = uow.draws.add([placement.listing_id], 0.5, "test", uow.releases.champion(), None)
    _, changes = shop.decide(
        listing_id=placement.listing_id,
        verdict=Verdict.NONE if wrong else Verdict.MATCH,
        item_id=None if wrong else placement.item_id,
        reviewer="script",
        draw_id=draw,
    )
    return changes.certificates


def undrawn(shop: Workspace, reason: RouteReason) -> list[Placement]:
    with shop._store.reading() as uow:
        open_draws = {d.listing_id for d in uow.draws.open(limit=1000)}
    return [p for p in automated(shop, reason) if p.listing_id not in open_draws and p.item_id]


def suspend(shop: Workspace) -> None:
    for placement in undrawn(shop, RouteReason.ABOVE_THRESHOLD):
        if audit(shop, placement, wrong=True):
            return
    raise AssertionError("no alarm although every audit was wrong")


def test_that_certifying_begins_a_watch_and_refits_go_on_with_it(shop: Workspace) -> None:
    (before,) = [a for a in shop.audit().audits if a.kind is CertificateKind.MATCH]
    audit(shop, undrawn(shop, RouteReason.ABOVE_THRESHOLD)[0], wrong=False)
    drain(shop.certify())
    (after,) = [a for a in shop.audit().audits if a.kind is CertificateKind.MATCH]
    assert after.release_id == before.release_id
    assert after.audits == 1


def test_that_another_precision_begins_a_new_watch(shop: Workspace) -> None:
    audit(shop, undrawn(shop, RouteReason.ABOVE_THRESHOLD)[0], wrong=False)
    drain(shop.certify(precision=0.6))
    (after,) = [a for a in shop.audit().audits if a.kind is CertificateKind.MATCH]
    assert (after.precision, after.audits) == (0.6, 0)


def test_that_nothing_is_automated_under_a_suspended_certificate(shop: Workspace) -> None:
    assert automated(shop)
    suspend(shop)
    assert not automated(shop)
    drain(shop.match())
    assert not automated(shop)
    assert automated(shop, RouteReason.SUSPENDED)


def test_that_a_new_certificate_must_pass_on_the_labels_since_the_alarm(shop: Workspace) -> None:
    suspend(shop)
    events = list(shop.certify())
    (notice,) = [e.message for e in events if isinstance(e, Notice) and "suspended" in e.message]
    assert "0 were wrong" in notice
    assert not automated(shop)
    assert shop.status().suspended == (CertificateKind.MATCH,)
    # The second attempt is made at half the chance of the first: .7 ^ 11 <= .1 / 4.
    for placement in undrawn(shop, RouteReason.SUSPENDED)[:14]:
        audit(shop, placement, wrong=False)
    shop.close()
    with Workspace.open(shop.path) as again:
        drain(again.match())
        assert not automated(again), "matching again is no new certificate"
        drain(again.certify())
        assert automated(again)
        assert again.status().suspended == ()
        (audit_now,) = [a for a in again.audit().audits if a.kind is CertificateKind.MATCH]
        assert (audit_now.state, audit_now.audits) == (AuditState.OK, 0)
        assert audit_now.accepted >= 11


def test_that_labels_since_the_alarm_that_are_wrong_keep_it_suspended(shop: Workspace) -> None:
    suspend(shop)
    for n, placement in enumerate(undrawn(shop, RouteReason.SUSPENDED)[:14]):
        audit(shop, placement, wrong=n % 2 == 0)
    drain(shop.certify())
    assert not automated(shop)


def test_that_the_owner_may_roll_back_out_of_a_suspension(shop: Workspace) -> None:
    drain(shop.certify())
    suspend(shop)
    champion = shop.status().champion
    drain(shop.rollback())
    assert shop.status().suspended == ()
    assert automated(shop)
    drain(shop.promote(champion or "", force=True))
    assert automated(shop)
    (audit_now,) = [a for a in shop.audit().audits if a.kind is CertificateKind.MATCH]
    assert (audit_now.release_id, audit_now.audits) == (champion, 0)


def test_that_a_suspended_workspace_asks_for_random_listings_first(shop: Workspace) -> None:
    suspend(shop)
    page = shop.queue(limit=40)
    drawn = sum(entry.draw_id is not None for entry in page)
    assert drawn > 0.4 * len(page) > shop.settings.random_share * len(page)


def test_that_an_alarm_during_matching_is_heeded_by_what_is_still_to_be_routed(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.pipeline.match_listings._BATCH", 100)
    events = shop.match()
    for event in events:
        if getattr(event, "stage", "") == "routing":
            break
    suspend(shop)
    drain(events)
    assert not automated(shop)


def test_that_the_routes_of_a_suspension_come_back_with_an_undo(shop: Workspace) -> None:
    before = {p.listing_id: (p.route, p.reason) for p in shop.placements(feed=FEED)}
    suspend(shop)
    decisions = [e.decision for e in shop.history(limit=200)]
    made = [d for d in decisions if d.reviewer == "script" and d.note == "" and d.verdict is Verdict.NONE]
    while shop.status().suspended:
        shop.undo(made.pop(0).id)
    after = {p.listing_id: (p.route, p.reason) for p in shop.placements(feed=FEED)}
    changed = {i for i in before if before[i] != after[i]}
    assert all(after[i][0] is Route.SETTLED for i in changed)


def test_that_drift_is_reported_for_every_feed(shop: Workspace) -> None:
    report = shop.audit()
    assert [feed.feed for feed in report.drift] == [FEED]
    assert report.drift[0].words == "no earlier feed to compare with"
    assert report.next_step
