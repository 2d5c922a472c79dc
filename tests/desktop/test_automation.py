"""Automation: the certificate in words, the curves, certifying."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPalette

from desktop.screens.automation import (
    AutomationScreen,
    coverage_at_threshold,
    rate_curves,
    release_guides,
)
from desktop.session import Session
from desktop.widgets.certificate_card import CertificateCard, certificate_basis, certificate_headline
from desktop.widgets.curve_plot import Curve, CurvePlot
from engine.contracts import (
    CertificateKind,
    Promise,
    ReleaseSummary,
    RiskCoverage,
    Status,
    Verdict,
    WorkEvent,
)
from tests.desktop.fake_numbers import certificate, certificate_for_both, rate_snapshots, risk_coverage
from tests.desktop.fake_session import Gate, fake_session
from tests.desktop.fake_workspace import FakeWorkspace

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

# Qt's offscreen platform says so of every window it is given.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


class Workspace(FakeWorkspace):
    """The fake, remembering what it was asked to certify."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.gate: Gate | None = None
        self.asked: list[tuple[float | None, float | None, Promise]] = []

    def certify(
        self,
        *,
        precision: float | None = None,
        confidence: float | None = None,
        promise: Promise = Promise.EACH,
    ) -> Iterator[WorkEvent[ReleaseSummary]]:
        self.asked.append((precision, confidence, promise))
        events = super().certify(precision=precision, confidence=confidence, promise=promise)
        return self.gate.hold(events) if self.gate else events


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "Electronics")
    made.decide(listing_id=1, verdict=Verdict.MATCH, item_id=1, reviewer="Mara")
    return made


@pytest.fixture
def session(qtbot: QtBot, workspace: Workspace, tmp_path: Path) -> Iterator[Session]:
    with fake_session(workspace, tmp_path) as made:
        yield made


@pytest.fixture
def screen(qtbot: QtBot, session: Session) -> AutomationScreen:
    made = AutomationScreen(session)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.show()
    made.activate()
    qtbot.waitUntil(lambda: made.rate_tile.figure != "–")
    return made


@pytest.fixture
def status(workspace: Workspace) -> Status:
    return replace(workspace.status(), coverage=0.58)


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


# -- in words --------------------------------------------------------------------------------------


def test_that_a_signed_certificate_says_how_much_is_automated_and_how_right_that_is(status: Status) -> None:
    assert plain(certificate_headline(status)) == (
        "58 % of the listings are automated as a match; at least 95 % of those are right."
    )


def test_that_the_basis_names_labels_confidence_threshold_and_errors() -> None:
    text = plain(certificate_basis(certificate()))
    assert "90 % confidence" in text
    assert "212 random decisions" in text
    assert "124 at or above the threshold of 0.830" in text
    assert "2 errors among them" in text
    assert "95.7 %" in text


def test_that_a_certificate_without_a_threshold_says_how_many_decisions_are_missing(status: Status) -> None:
    unsigned = replace(certificate(), threshold=None, lower_bound=None, labels_missing=120)
    headline = certificate_headline(replace(status, certificate=unsigned))
    assert plain(headline) == "About 120 more random decisions are needed to sign for 95 % precision."


def test_that_a_certificate_nothing_reaches_does_not_promise_that_more_decisions_help(status: Status) -> None:
    hopeless = replace(certificate(), threshold=None, lower_bound=None, labels_missing=None)
    headline = certificate_headline(replace(status, certificate=hopeless))
    assert plain(headline) == "No threshold reaches 95 % precision yet."


def test_that_without_a_certificate_everything_is_said_to_be_reviewed(status: Status) -> None:
    headline = certificate_headline(replace(status, certificate=None))
    assert headline == "Nothing is certified yet, so every match is reviewed by a person."


def test_that_the_card_passes_on_the_engines_own_note(qtbot: QtBot, status: Status) -> None:
    card = CertificateCard()
    qtbot.addWidget(card)
    card.show_status(replace(status, certificate=replace(certificate(), note="Budget for r0003: 0.05.")))
    assert "Budget for r0003: 0.05." in card.note
    assert "1 decision since it was made." in card.note


# -- one promise for both kinds of answers -------------------------------------------------------


@pytest.fixture
def promised(status: Status) -> Status:
    counts = replace(status.counts, listings=100, automated_matches=58, automated_none=9)
    return replace(status, counts=counts, certificate=certificate_for_both(), none_certificate=None)


def test_that_one_promise_says_both_shares_and_what_is_right_of_them_together(promised: Status) -> None:
    assert plain(certificate_headline(promised)) == (
        "67 % of the listings are automated, 58 % as a match and 9 % as “not in the catalogue”; "
        "at least 90 % of both together are right."
    )


def test_that_the_parts_of_one_promise_are_said_to_be_estimates(qtbot: QtBot, promised: Status) -> None:
    card = CertificateCard()
    qtbot.addWidget(card)
    card.show_status(promised)
    assert "of neither separately" in card.none_line
    assert "Estimated precision of the matches: 95 % (90–98 %, 108 audits)" in card.none_line
    assert "of “not in the catalogue”: 81 % (57–95 %, 16 audits)" in card.none_line


def test_that_a_suspension_of_both_says_that_nothing_is_automated(promised: Status) -> None:
    headline = certificate_headline(replace(promised, suspended=(CertificateKind.BOTH,)))
    assert headline.startswith("Suspended: nothing is automated")


def test_that_what_one_promise_may_bring_is_said_to_be_expected_only(qtbot: QtBot, status: Status) -> None:
    card = CertificateCard()
    qtbot.addWidget(card)
    card.show_status(status)
    assert "44 more random decisions missing" in card.none_line
    assert card.none_line.endswith("Expected, not certified.")


def test_that_certifying_asks_for_the_chosen_promise(
    qtbot: QtBot, screen: AutomationScreen, workspace: Workspace
) -> None:
    assert screen.promise_choice.currentData() == Promise.EACH
    screen.promise_choice.setCurrentIndex(screen.promise_choice.findData(Promise.TOGETHER))
    screen.promise_choice.activated.emit(screen.promise_choice.currentIndex())
    qtbot.mouseClick(screen.certify_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "is signed" in screen.banner.text)
    assert workspace.asked[-1][2] is Promise.TOGETHER
    assert "automated as a match" not in screen.banner.text
    qtbot.waitUntil(lambda: "of both together" in screen.certificate_card.headline)


def test_that_a_promise_that_could_not_be_signed_is_said_not_to_be(
    qtbot: QtBot, screen: AutomationScreen, workspace: Workspace
) -> None:
    screen.promise_choice.setCurrentIndex(screen.promise_choice.findData(Promise.TOGETHER))
    screen.promise_choice.activated.emit(screen.promise_choice.currentIndex())
    screen._certified(workspace.releases()[0])
    assert "Nothing could be signed of both kinds together" in screen.banner.text
    screen.activate()
    qtbot.waitUntil(lambda: screen.promise_choice.currentData() == Promise.EACH)


def test_that_the_promise_cannot_be_chosen_while_a_certificate_is_suspended(
    qtbot: QtBot, screen: AutomationScreen, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspended = replace(workspace.status(), suspended=(CertificateKind.NONE,))
    monkeypatch.setattr(workspace, "status", lambda: suspended)
    assert screen.promise_choice.isEnabled()
    screen.activate()
    qtbot.waitUntil(lambda: not screen.promise_choice.isEnabled())
    assert "suspended" in screen.promise_choice.toolTip()
    assert screen.precision_choice.isEnabled()


# -- curves ----------------------------------------------------------------------------------------


def test_that_the_rate_is_drawn_with_its_three_parts() -> None:
    rates = rate_snapshots()
    curves = rate_curves(rates)
    assert [curve.name for curve in curves] == ["Automation rate", "matches", "not in catalogue", "memory"]
    assert list(curves[0].y) == [rate.automation_rate for rate in rates]
    assert list(curves[0].x) == sorted(curves[0].x)


def test_that_a_change_of_release_is_marked_once() -> None:
    assert [guide.text for guide in release_guides(rate_snapshots())] == ["r0002"]


def test_that_the_threshold_is_marked_where_the_curve_reaches_it() -> None:
    curve = risk_coverage()
    at = coverage_at_threshold(curve, 0.83)
    assert at == max(
        share for share, value in zip(curve.coverage, curve.thresholds, strict=True) if value >= 0.83
    )
    assert coverage_at_threshold(curve, None) is None
    assert coverage_at_threshold(curve, 2.0) is None


def test_that_a_plot_takes_new_colours_with_the_palette(qtbot: QtBot) -> None:
    plot = CurvePlot()
    qtbot.addWidget(plot)
    plot.show_curves([Curve("rate", (0.0, 1.0), (0.0, 1.0))])
    before = plot.drawn_colours()
    palette = plot.palette()
    dark = palette.color(QPalette.ColorRole.Window).lightness() < 128
    palette.setColor(QPalette.ColorRole.Window, QColor("white" if dark else "black"))
    plot.setPalette(palette)
    assert plot.drawn_colours() != before


def test_that_pointing_at_a_curve_reads_its_value_out(qtbot: QtBot) -> None:
    plot = CurvePlot(share_y=True)
    qtbot.addWidget(plot)
    plot.resize(500, 300)
    plot.show()
    plot.show_curves([Curve("rate", (0.0, 1.0, 2.0), (0.1, 0.25, 0.4))])
    plot.set_range(x=(0.0, 2.0), y=(0.0, 1.0))
    box = plot.plot.getPlotItem().getViewBox()
    qtbot.waitUntil(lambda: box.width() > 100)
    at = box.mapViewToScene(QPointF(1.0, 0.5))
    with qtbot.waitSignal(plot.pointed):
        plot.plot.scene().sigMouseMoved.emit(at)
    assert plain(plot.readout) == "rate 25.0 %"


# -- the screen ------------------------------------------------------------------------------------


def test_that_the_screen_shows_card_tiles_and_curves(screen: AutomationScreen, workspace: Workspace) -> None:
    assert plain(screen.rate_tile.figure) == plain(f"{100 * workspace.status().automation_rate:.1f} %")
    assert "automated as a match" in screen.certificate_card.headline
    assert screen.rate_plot.isVisible()
    assert screen.risk_plot.isVisible()


def test_that_a_workspace_without_figures_says_so_instead_of_drawing(
    qtbot: QtBot, screen: AutomationScreen, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "automation_rates", lambda: [])
    monkeypatch.setattr(workspace, "risk_coverage", lambda: RiskCoverage((), (), (), (), (), (), (), 0))
    screen.activate()
    qtbot.waitUntil(lambda: not screen.rate_plot.isVisible())
    assert not screen.risk_plot.isVisible()


def test_that_the_choices_start_at_the_settings(screen: AutomationScreen) -> None:
    assert screen.precision_choice.currentData() == pytest.approx(0.95)
    assert screen.confidence_choice.currentData() == pytest.approx(0.9)


def test_that_certifying_asks_for_the_chosen_precision_and_confidence(
    qtbot: QtBot, screen: AutomationScreen, workspace: Workspace
) -> None:
    for choice, value in ((screen.precision_choice, 0.9), (screen.confidence_choice, 0.95)):
        choice.setCurrentIndex(choice.findData(value))
        choice.activated.emit(choice.currentIndex())
    qtbot.mouseClick(screen.certify_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "is signed" in screen.banner.text)
    assert workspace.asked == [(0.9, 0.95, Promise.EACH)]
    assert "r0003" in screen.banner.text
    qtbot.waitUntil(lambda: "at least 90" in screen.certificate_card.headline)


def test_that_a_chosen_precision_survives_a_refresh(qtbot: QtBot, screen: AutomationScreen) -> None:
    screen.precision_choice.setCurrentIndex(screen.precision_choice.findData(0.9))
    screen.precision_choice.activated.emit(screen.precision_choice.currentIndex())
    shown = screen.certificate_card.shown
    screen.activate()
    qtbot.waitUntil(lambda: screen.certificate_card.shown is not shown)
    assert screen.precision_choice.currentData() == pytest.approx(0.9)


def test_that_cancelling_leaves_the_old_certificate(
    qtbot: QtBot, screen: AutomationScreen, workspace: Workspace
) -> None:
    workspace.gate = Gate()
    qtbot.mouseClick(screen.certify_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "held up" in screen.job_panel.stage_words)
    assert not screen.certify_button.isEnabled()
    qtbot.mouseClick(screen.job_panel.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(screen.certify_button.isEnabled)
    assert workspace.gate.closed.is_set()
    assert [release.id for release in workspace.releases() if release.is_champion] == ["r0002"]


def test_that_without_decisions_there_is_nothing_to_certify(qtbot: QtBot, tmp_path: Path) -> None:
    with fake_session(FakeWorkspace(tmp_path), tmp_path) as session:
        screen = AutomationScreen(session)
        qtbot.addWidget(screen)
        screen.activate()
        qtbot.waitUntil(lambda: screen.rate_tile.figure != "–")
        assert not screen.certify_button.isEnabled()
