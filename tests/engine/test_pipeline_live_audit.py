"""Audits taken in, certificates suspended and given back, over a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.contracts import AuditState, CertificateKind, ChangeSet, RouteReason, Verdict
from engine.store.migrate import SCHEMA_VERSION
from tests.engine.audited_workspace import AuditedWorkspace, add_release

SUSPENDED = ("review", "suspended")
AUTOMATED = ("automated", "above_threshold")

#: Tables that came after the live audit's, those that refer to others first.
LATER_TABLES = (
    "adjudication",
    "gold_event",
    "opinion_state",
    "opinion_event",
    "second_opinion",
    "overlap",
    "listing_trait",
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[AuditedWorkspace]:
    with AuditedWorkspace(tmp_path / "shop") as made:
        yield made


def match_audit(shop: AuditedWorkspace):
    return shop.workspace.audit().audits[0]


def test_that_an_audit_is_right_or_wrong_by_what_the_machine_had_said(shop: AuditedWorkspace) -> None:
    shop.audit(wrong=False)
    shop.audit(wrong=True)
    listing, draw = shop.draw()
    shop.workspace.decide(
        listing_id=listing, verdict=Verdict.MATCH, item_id=2, reviewer="ann", draw_id=draw
    )  # another item than the machine's
    listing, draw = shop.draw()
    shop.workspace.decide(
        listing_id=listing, verdict=Verdict.MATCH, item_id=2, also_right=[1], reviewer="ann", draw_id=draw
    )  # the machine's is also right
    audit = match_audit(shop)
    assert (audit.audits, audit.wrong, audit.state) == (4, 2, AuditState.OK)


def test_that_unsure_and_bad_listing_count_as_wrong_as_in_the_certificate(shop: AuditedWorkspace) -> None:
    for verdict in (Verdict.UNSURE, Verdict.BAD_LISTING):
        listing, draw = shop.draw()
        shop.workspace.decide(listing_id=listing, verdict=verdict, reviewer="ann", draw_id=draw)
    assert (match_audit(shop).audits, match_audit(shop).wrong) == (2, 2)


def test_that_only_draws_on_automated_listings_since_the_watch_began_count(shop: AuditedWorkspace) -> None:
    early, early_draw = shop.draw()
    with shop.writing() as uow:
        uow.live_audits.open(CertificateKind.MATCH, "r0001", precision=0.95, accepted=50, errors=0)
    shop.workspace.decide(listing_id=early, verdict=Verdict.NONE, reviewer="ann", draw_id=early_draw)
    undrawn = shop.waiting["monday"].pop(0)
    shop.workspace.decide(listing_id=undrawn, verdict=Verdict.NONE, reviewer="ann")
    reviewed, draw = shop.draw()
    with shop.writing() as uow:
        uow.live_audits._connection.exec_driver_sql(
            "UPDATE listing_route SET machine_route = 'review', machine_reason = 'below_threshold'"
            f" WHERE listing_id = {reviewed}"
        )
    shop.workspace.decide(listing_id=reviewed, verdict=Verdict.NONE, reviewer="ann", draw_id=draw)
    assert match_audit(shop).audits == 0


def test_that_an_alarm_sends_everything_automated_as_a_match_to_review(shop: AuditedWorkspace) -> None:
    with shop.writing() as uow:
        shop.place(uow, shop.waiting["monday"][-5:], none=True)
    before = shop.routes()[AUTOMATED]
    count, decision = shop.until_alarm()
    after = shop.routes()
    assert count < 20
    assert AUTOMATED not in after
    assert after[SUSPENDED] == before - count
    assert after["automated", "not_in_catalogue"] == 5
    status = shop.workspace.status()
    assert status.suspended == (CertificateKind.MATCH,)
    assert status.alarms == (status.next_steps[0],)
    assert status.counts.automated_matches == 0
    assert decision.listing_id not in shop.waiting["monday"]


def test_that_the_alarm_is_told_in_the_change_set_once(shop: AuditedWorkspace) -> None:
    shop.until_alarm()
    _, changes = shop.audit(wrong=True)
    assert not changes.certificates
    assert ChangeSet(certificates=True)
    assert (ChangeSet() | ChangeSet(certificates=True)).certificates


def test_that_undoing_the_audit_that_raised_the_alarm_withdraws_it(shop: AuditedWorkspace) -> None:
    before = shop.routes()
    count, decision = shop.until_alarm()
    _, changes = shop.workspace.undo(decision.id)
    assert changes.certificates
    assert changes.routes
    after = shop.routes()
    assert after[AUTOMATED] == before[AUTOMATED] - (count - 1)
    assert SUSPENDED not in after
    assert match_audit(shop).audits == count - 1
    _, again = shop.workspace.redo()
    assert again.certificates
    assert AUTOMATED not in shop.routes()


def test_that_undoing_any_audit_takes_its_outcome_out(shop: AuditedWorkspace) -> None:
    decision, _ = shop.audit(wrong=True)
    shop.audit(wrong=False)
    shop.workspace.undo(decision.id)
    assert (match_audit(shop).audits, match_audit(shop).wrong) == (1, 0)


def test_that_an_audit_decided_again_counts_once_with_its_new_answer(shop: AuditedWorkspace) -> None:
    decision, _ = shop.audit(wrong=True)
    with shop.writing() as uow:  # what the machine says since does not matter
        shop.place(uow, [decision.listing_id], none=True)
    corrected, _ = shop.workspace.decide(
        listing_id=decision.listing_id, verdict=Verdict.MATCH, item_id=1, reviewer="bob"
    )
    assert (match_audit(shop).audits, match_audit(shop).wrong) == (1, 0)
    shop.workspace.undo(corrected.id)
    assert (match_audit(shop).audits, match_audit(shop).wrong) == (1, 1)


def test_that_later_matching_does_not_change_what_an_audit_found(shop: AuditedWorkspace) -> None:
    decision, _ = shop.audit(wrong=False)
    with shop.writing() as uow:
        shop.place(uow, [decision.listing_id], none=True)
    shop.audit(wrong=False)
    assert (match_audit(shop).audits, match_audit(shop).wrong) == (2, 0)


def test_that_a_suspension_survives_a_restart(shop: AuditedWorkspace) -> None:
    shop.until_alarm()
    before = (shop.routes(), match_audit(shop))
    shop.reopen()
    assert (shop.routes(), match_audit(shop)) == before
    assert match_audit(shop).state is AuditState.ALARM
    assert match_audit(shop).suspended_at


def test_that_not_in_the_catalogue_is_audited_under_its_own_promise(shop: AuditedWorkspace) -> None:
    with shop.writing() as uow:
        shop.place(uow, shop.waiting["monday"][:60], none=True)
    shop.audit(wrong=False, none=True)
    shop.until_alarm(none=True)
    match, none = shop.workspace.audit().audits
    assert (match.kind, match.audits, match.state) == (CertificateKind.MATCH, 0, AuditState.OK)
    assert (none.kind, none.state) == (CertificateKind.NONE, AuditState.ALARM)
    after = shop.routes()
    assert after[AUTOMATED] == 60
    assert ("automated", "not_in_catalogue") not in after
    assert shop.workspace.status().suspended == (CertificateKind.NONE,)


def test_that_audits_during_a_suspension_still_count(shop: AuditedWorkspace) -> None:
    count, _ = shop.until_alarm()
    shop.audit(wrong=False)
    assert match_audit(shop).audits == count + 1
    assert match_audit(shop).state is AuditState.ALARM


def test_that_two_feeds_are_one_promise_and_told_apart(tmp_path: Path) -> None:
    with AuditedWorkspace(tmp_path / "shop", feeds=("monday", "tuesday")) as shop:
        for _ in range(10):
            shop.audit(wrong=False, feed="monday")
        count, _ = shop.until_alarm(feed="tuesday")
        audit = match_audit(shop)
        assert [(f.feed, f.audits, f.wrong) for f in audit.feeds] == [
            ("monday", 10, 0),
            ("tuesday", count, count),
        ]
        assert "most of them in feed tuesday" in audit.advice
        assert audit.fallen_since == 11
        assert {AUTOMATED} & shop.routes().keys() == set()


def test_that_the_advice_counts_down_to_the_next_certificate(shop: AuditedWorkspace) -> None:
    count, _ = shop.until_alarm()
    advice = match_audit(shop).advice
    assert advice == (
        f"Suspended: {count} of the last {count} audits were wrong where at most 5 % may be. "
        "Review 59 random listings, then certify again."
    )
    shop.audit(wrong=False)
    assert "Review 58 more random listings" in match_audit(shop).advice
    for _ in range(58):
        shop.audit(wrong=False)
    assert "Certify again" in match_audit(shop).advice


def test_that_more_random_listings_are_not_advised_while_most_are_wrong(shop: AuditedWorkspace) -> None:
    shop.until_alarm()
    shop.audit(wrong=False)
    shop.audit(wrong=True)
    assert "Of 2 reviewed since, 1 were wrong: review the queue" in match_audit(shop).advice


def test_that_a_decisions_file_raises_the_alarm_too(shop: AuditedWorkspace, tmp_path: Path) -> None:
    rows = ["listing_id,verdict"]
    for _ in range(15):
        shop.draw()
    rows += [f"monday-{n},none" for n in range(15)]
    file = tmp_path / "decisions.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    *_, notice, finished = shop.workspace.decide_from_file(file, reviewer="ann")
    assert "alcove audit" in notice.message
    assert finished.changes.certificates
    assert match_audit(shop).audits == 15


def test_that_a_certificate_older_than_the_live_audit_is_watched_from_now_on(shop: AuditedWorkspace) -> None:
    with shop.writing() as uow:
        uow.live_audits._connection.exec_driver_sql("DELETE FROM live_audit")
    assert shop.workspace.audit().audits == ()
    shop.audit(wrong=True)
    shop.audit(wrong=True)
    assert match_audit(shop).audits == 1


def test_that_a_workspace_of_the_schema_before_is_backed_up_and_watched(shop: AuditedWorkspace) -> None:
    with shop.writing() as uow:
        run = uow.live_audits._connection.exec_driver_sql
        for table in ("audit_outcome", "live_audit", *LATER_TABLES):
            run(f"DROP TABLE {table}")
        run("ALTER TABLE decision DROP COLUMN also_right")
        run("UPDATE alembic_version SET version_num = '0001'")
        run("PRAGMA user_version = 1")
    shop.reopen()
    assert (shop.folder / "backups" / f"workspace-before-schema-{SCHEMA_VERSION}.db").is_file()
    shop.audit(wrong=False)
    shop.audit(wrong=False)
    assert match_audit(shop).audits == 1


def test_that_every_reason_of_a_route_can_be_told(shop: AuditedWorkspace) -> None:
    shop.until_alarm()
    reasons = {reason for _, reason in shop.routes()}
    assert RouteReason.SUSPENDED.value in reasons


def test_that_the_random_stream_goes_on_after_an_alarm(shop: AuditedWorkspace) -> None:
    shop.until_alarm()
    with shop.reading() as uow:
        assert len(uow.listings.reserve_zone(min_confidence=0.9).undrawn) > 0
    with shop.writing() as uow:
        add_release(uow, "r0002")
    assert match_audit(shop).state is AuditState.ALARM
