"""The live audit on the automation screen: state in words, band, promise, drift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyqtgraph as pg
import pytest

from desktop.screens.automation import AutomationScreen
from desktop.session import Session
from desktop.widgets.basics import IconLabel
from desktop.widgets.certificate_card import CertificateCard
from desktop.widgets.live_audit_card import LiveAuditCard, audit_basis, audit_curves, most_urgent
from engine.contracts import (
    AnswerAudit,
    AuditReport,
    AuditState,
    CertificateKind,
    ChangeSet,
    DriftState,
    FeedDrift,
    Status,
    Verdict,
)
from tests.desktop.fake_numbers import live_audit
from tests.desktop.fake_session import fake_session
from tests.desktop.fake_workspace import FakeWorkspace

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def report(*audits, drift: tuple[FeedDrift, ...] = ()) -> AuditReport:
    return AuditReport("/shop", "r0002", audits, drift, audits[0].advice if audits else "Certify first.")


@pytest.fixture
def card(qtbot: QtBot) -> LiveAuditCard:
    made = LiveAuditCard()
    qtbot.addWidget(made)
    made.resize(1100, 320)
    made.show()
    return made


class Shop(FakeWorkspace):
    """The fake, whose certificate can be suspended."""

    raised = False

    def status(self) -> Status:
        status = super().status()
        if not self.raised:
            return status
        alarm = live_audit(AuditState.ALARM)
        return replace(status, alarms=(alarm.advice,), suspended=(CertificateKind.MATCH,))

    def audit(self) -> AuditReport:
        return report(live_audit(AuditState.ALARM if self.raised else AuditState.OK))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "Electronics")


@pytest.fixture
def session(qtbot: QtBot, shop: Shop, tmp_path: Path) -> Iterator[Session]:
    with fake_session(shop, tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("state", "said"), [("ok", "Keeps its promise"), ("watch", "Watch"), ("alarm", "Alarm: suspended")]
)
def test_that_every_state_has_a_word_and_an_icon_of_its_own(
    card: LiveAuditCard, state: str, said: str
) -> None:
    card.show_report(report(live_audit(AuditState(state))))
    assert said in card.state_words
    assert said in card.accessibleDescription()
    visible = [icon for icon in card.findChildren(IconLabel) if icon.isVisible()]
    assert len(visible) == 1


def test_that_the_card_says_what_was_found_and_what_to_do(card: LiveAuditCard) -> None:
    card.show_report(report(live_audit(AuditState.ALARM)))
    assert card.advice.startswith("Suspended: 12 of the last 140 audits were wrong")
    assert "140 audits of automated matches, 12 wrong" in card.details
    assert "Suspended since" in audit_basis(live_audit(AuditState.ALARM))
    assert "Suspended since" not in audit_basis(live_audit())


def test_that_running_precision_is_drawn_with_its_band_and_the_promise(card: LiveAuditCard) -> None:
    audit = live_audit()
    card.show_report(report(audit))
    (curve,) = audit_curves(audit)
    assert len(curve.x) == len(curve.y) == len(curve.low) == len(curve.high) == len(audit.points)
    assert card.plot.isVisible()
    item = card.plot.plot.getPlotItem()
    lines = [part for part in item.items if isinstance(part, pg.InfiniteLine)]
    assert [line.value() for line in lines] == [audit.precision]
    assert any(isinstance(part, pg.FillBetweenItem) for part in item.items)


def test_that_before_the_first_audit_nothing_is_drawn(card: LiveAuditCard) -> None:
    card.show_report(report())
    assert card.advice == "Certify first."
    assert not card.plot.isVisible()
    card.show_report(report(replace(live_audit(), audits=0, wrong=0, estimate=None, points=())))
    assert not card.plot.isVisible()


def test_that_the_most_urgent_certificate_is_shown_and_the_other_is_told(card: LiveAuditCard) -> None:
    match, none = live_audit(), live_audit(AuditState.ALARM, CertificateKind.NONE)
    assert most_urgent((match, none)) is none
    assert most_urgent((match, live_audit(kind=CertificateKind.NONE))) is match
    assert most_urgent(()) is None
    card.show_report(report(match, none))
    assert "“not in the catalogue”, 12 wrong" in card.details
    assert "140 audits of automated matches, 3 wrong" in card.details


def test_that_drift_of_a_feed_is_told(card: LiveAuditCard) -> None:
    drift = FeedDrift("tuesday", 300, 400, DriftState.DRIFTED, (), "confidence is 0.50 on average")
    steady = replace(drift, feed="wednesday", state=DriftState.STEADY)
    card.show_report(report(live_audit(), drift=(drift, steady)))
    assert "Feed tuesday has drifted: confidence" in card.details
    assert "wednesday" not in card.details


def test_that_an_alarm_reaches_the_screen_with_the_change(qtbot: QtBot, session: Session, shop: Shop) -> None:
    screen = AutomationScreen(session)
    qtbot.addWidget(screen)
    screen.resize(1200, 800)
    screen.show()
    screen.activate()
    qtbot.waitUntil(lambda: screen.live_audit_card.state_words == "Keeps its promise")
    shop.raised = True
    session.hub.publish(ChangeSet(decisions=True, routes=True, certificates=True), None)
    qtbot.waitUntil(lambda: "Alarm" in screen.live_audit_card.state_words)
    assert screen.certificate_card.headline.startswith("Suspended:")


def test_that_certifying_without_ending_the_suspension_is_not_called_signed(
    qtbot: QtBot, session: Session, shop: Shop
) -> None:
    shop.raised = True
    shop.decide(listing_id=1, verdict=Verdict.MATCH, item_id=1, reviewer="Mara")
    screen = AutomationScreen(session)
    qtbot.addWidget(screen)
    screen.resize(1200, 800)
    screen.show()
    screen.activate()
    qtbot.waitUntil(screen.certify_button.isEnabled)
    screen.certify()
    qtbot.waitUntil(lambda: "stays suspended" in screen.banner.text)


def test_that_a_suspended_certificate_does_not_pass_for_signed(qtbot: QtBot, shop: Shop) -> None:
    card = CertificateCard()
    qtbot.addWidget(card)
    shop.raised = True
    card.show_status(shop.status())
    assert "no match is automated" in card.headline


def test_that_audits_of_one_promise_are_told_apart_by_their_answers(card: LiveAuditCard) -> None:
    answers = (AnswerAudit(CertificateKind.MATCH, 120, 1), AnswerAudit(CertificateKind.NONE, 20, 2))
    card.show_report(report(replace(live_audit(kind=CertificateKind.BOTH), answers=answers)))
    assert "140 audits of automated matches and “not in the catalogue” together, 3 wrong" in card.details
    assert "automated matches 120, 1 wrong; automated “not in the catalogue” 20, 2 wrong" in card.details
    assert "neither is promised separately" in card.details
