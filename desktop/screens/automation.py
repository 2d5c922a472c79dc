"""Automation: how much is automated, how sure that is, and signing for it anew."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QStackedWidget, QVBoxLayout, QWidget

from desktop.operations import automating
from desktop.operations.automating import AutomationReport
from desktop.screens.segments_page import SegmentsPage, with_segments
from desktop.session import Session
from desktop.widgets.basics import (
    INSET,
    PAGE,
    Card,
    EmptyState,
    column,
    page_title,
    primary_button,
    row,
    scrolling,
    words,
)
from desktop.widgets.certificate_card import CertificateCard
from desktop.widgets.curve_plot import Curve, CurvePlot, Guide
from desktop.widgets.job_panel import JobPanel
from desktop.widgets.live_audit_card import LiveAuditCard
from desktop.widgets.pieces import Banner
from desktop.widgets.stat_tile import StatTile
from desktop.widgets.wording import count, counted, percent, seconds_since_epoch
from engine.contracts import ChangeSet, Promise, RateSnapshot, ReleaseSummary, RiskCoverage, Status

_PRECISIONS = (0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99)
#: Share of the time axis that the name of a release takes up.
_NAMED_APART = 0.12
#: Words of the promise between the precision and the confidence: "at least 95 % right of each ...".
_PROMISES = {
    Promise.EACH: "of each kind of answer",
    Promise.TOGETHER: "of both kinds together",
}
_CONFIDENCES = (0.8, 0.9, 0.95, 0.99)


class AutomationScreen(QWidget):
    """The owner's screen."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._chosen = False
        self._build()
        session.hub.changed.connect(self._on_changed)

    def activate(self) -> None:
        """Read certificate and curves; called whenever the screen is shown."""
        automating.report(self._session, done=self._show)

    # -- building ------------------------------------------------------------------------------

    def _build(self) -> None:
        self._facts = words("", "muted")
        self.precision_choice = _choice("Precision to sign for", _PRECISIONS, "at least {} right")
        self.confidence_choice = _choice("Confidence of the certificate", _CONFIDENCES, "with {} confidence")
        self.promise_choice = QComboBox()
        self.promise_choice.setAccessibleName("What the precision is promised of")
        for promise, said in _PROMISES.items():
            self.promise_choice.addItem(said, promise)
        for choice in self._choices:
            choice.activated.connect(self._on_choice)
        self.certify_button = primary_button("Certify", self.certify, icon_name="tick")
        self.banner = Banner()
        self.job_panel = JobPanel()
        self.certificate_card = CertificateCard()
        self.live_audit_card = LiveAuditCard()
        top = row(self.certificate_card, self._build_tiles(), spacing=16)
        top.setStretch(0, 5)
        top.setStretch(1, 4)
        self.rate_plot = CurvePlot(share_y=True, time_x=True)
        self.risk_plot = CurvePlot(x_label="coverage", y_label="precision", share_x=True, share_y=True)
        self._rates = _plot_card(
            "Automation rate over time",
            self.rate_plot,
            EmptyState(
                "No history yet",
                "Every match, certificate and promotion adds a point.",
                icon_name="automation",
            ),
        )
        self._risk = _plot_card(
            "Precision against coverage",
            self.risk_plot,
            EmptyState(
                "Nothing to measure on yet",
                "The curve is drawn from random decisions, which come up in the review queue by themselves.",
                icon_name="automation",
            ),
        )
        plots = row(self._rates[0], self._risk[0], spacing=16)
        plots.setStretch(0, 1)
        plots.setStretch(1, 1)
        head = row(
            column(page_title("Automation"), self._facts, spacing=2),
            None,
            *self._choices,
            self.certify_button,
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        content = QWidget()
        inner = column(head, self.banner, self.job_panel, top, self.live_audit_card, plots, spacing=INSET)
        inner.setStretch(inner.count() - 1, 1)
        inner.setContentsMargins(PAGE, PAGE - 4, PAGE, PAGE)
        content.setLayout(inner)
        self.segments_page = SegmentsPage(self._session)
        self.pages = with_segments(scrolling(content), self.segments_page)
        layout.addWidget(self.pages)

    def _build_tiles(self) -> Card:
        card = Card("Settled without a person")
        self.rate_tile = StatTile("Automation rate")
        self.coverage_tile = StatTile("Coverage")
        self.none_tile = StatTile("Not in the catalogue")
        self.memory_tile = StatTile("From memory")
        for pair in ((self.rate_tile, self.coverage_tile), (self.none_tile, self.memory_tile)):
            line = row(*pair, spacing=20)
            line.setStretch(0, 1)
            line.setStretch(1, 1)
            card.add(line)
        self._next = words("", "caption", wrap=True)
        card.add(self._next)
        card.body.addStretch(1)
        return card

    # -- showing -------------------------------------------------------------------------------

    def _show(self, report: AutomationReport) -> None:
        status = report.status
        counts = status.counts
        facts = [counted(counts.listings, "listing"), counted(counts.random_decisions, "random decision")]
        if status.champion:
            facts.insert(0, f"champion {status.champion}")
        self._facts.setText("  ·  ".join(facts))
        self.certificate_card.show_status(status)
        self.live_audit_card.show_report(report.audit)
        if status.suspended and self.banner.tone == "good":
            self.banner.say(f"{status.champion} is in use, but its certificate stays suspended.", "warn")
        self.rate_tile.show_figure(
            percent(status.automation_rate, 1), "matches, “not in the catalogue” and memory"
        )
        self.coverage_tile.show_figure(
            percent(status.coverage, 1), f"{count(counts.automated_matches)} automated as a match"
        )
        self.none_tile.show_figure(count(counts.automated_none), "automated as “not in the catalogue”")
        self.memory_tile.show_figure(count(counts.settled_by_memory), "exact repeats of confirmed listings")
        self._next.setText("\n".join(status.next_steps))
        if not self._chosen:
            _choose(self.precision_choice, report.settings.precision)
            _choose(self.confidence_choice, 1.0 - report.settings.delta)
            self.promise_choice.setCurrentIndex(list(_PROMISES).index(Promise(report.settings.promise)))
        writable = not status.read_only
        for part in self._choices:
            part.setEnabled(writable)
        self.promise_choice.setEnabled(writable and not status.suspended)
        self.promise_choice.setToolTip(
            "The promise cannot be changed while a certificate is suspended" if status.suspended else ""
        )
        self.certify_button.setEnabled(writable and counts.decisions > 0 and not self.job_panel.busy)
        self.certify_button.setToolTip(
            "" if counts.decisions else "A certificate is made of decisions; there are none yet"
        )
        self._show_rates(report.rates)
        self._show_risk(report.curve, status)

    def _show_rates(self, rates: Sequence[RateSnapshot]) -> None:
        self._rates[1].setCurrentIndex(1 if rates else 0)
        self.rate_plot.show_curves(rate_curves(rates), release_guides(rates))
        self.rate_plot.set_range(y=(0.0, 1.0))

    def _show_risk(self, curve: RiskCoverage, status: Status) -> None:
        self._risk[1].setCurrentIndex(1 if curve.coverage else 0)
        guides: list[Guide] = []
        lowest = 1.0
        certificate = status.certificate
        if certificate is not None:
            lowest = certificate.precision
            guides.append(Guide(certificate.precision, f"{percent(certificate.precision)} required"))
            at = coverage_at_threshold(curve, certificate.threshold)
            if at is not None:
                guides.append(Guide(at, "threshold", across=False))
        self.risk_plot.show_curves(risk_curves(curve), guides)
        lowest = min([lowest, *curve.precision[len(curve.precision) // 20 :]])
        self.risk_plot.set_range(x=(0.0, 1.0), y=(max(0.0, lowest - 0.08), 1.0))

    def _on_changed(self, _changes: ChangeSet, _initiator: object) -> None:
        if self.isVisible():
            self.activate()

    @property
    def _choices(self) -> tuple[QComboBox, ...]:
        return self.precision_choice, self.promise_choice, self.confidence_choice

    def _on_choice(self, _index: int) -> None:
        self._chosen = True

    # -- certifying ----------------------------------------------------------------------------

    def certify(self) -> None:
        """Make a new certificate at the chosen precision and confidence."""
        if self.job_panel.busy:
            return
        self.banner.say("")
        self.certify_button.setEnabled(False)
        job = automating.certify(
            self._session,
            precision=float(self.precision_choice.currentData()),
            confidence=float(self.confidence_choice.currentData()),
            promise=Promise(self.promise_choice.currentData()),
            initiator=None,
            done=self._certified,
        )
        self.job_panel.watch(job)
        job.ended.connect(self.activate)

    def _certified(self, release: ReleaseSummary) -> None:
        certificate = release.certificate
        asked = Promise(self.promise_choice.currentData())
        if certificate is not None and certificate.threshold is not None:
            if certificate.kind not in asked.kinds:
                # What was asked for could not be signed, so the promise stays what it was.
                self._chosen = False
                self.banner.say(
                    f"Nothing could be signed {_PROMISES[asked]}. {release.id} keeps its certificate.", "warn"
                )
                return
            as_a_match = "" if asked is Promise.TOGETHER else " as a match"
            self.banner.say(
                f"{release.id} is signed: threshold {certificate.threshold:.3f}, "
                f"about {percent(certificate.expected_coverage)} of new listings automated{as_a_match}.",
                "good",
            )
        else:
            self.banner.say(
                f"{release.id} is in use, but nothing could be signed yet. The card says what is missing.",
                "warn",
            )


def rate_curves(rates: Sequence[RateSnapshot]) -> tuple[Curve, ...]:
    """The automation rate and what it consists of, over time."""
    if not rates:
        return ()
    at = tuple(seconds_since_epoch(rate.at) for rate in rates)
    return (
        Curve("Automation rate", at, tuple(rate.automation_rate for rate in rates), "accent", marked=True),
        Curve("matches", at, tuple(rate.coverage for rate in rates), "good"),
        Curve("not in catalogue", at, tuple(rate.none_rate for rate in rates), "warn"),
        Curve("memory", at, tuple(rate.memory_rate for rate in rates), "faint", dashed=True),
    )


def release_guides(rates: Sequence[RateSnapshot]) -> tuple[Guide, ...]:
    """Where another release came into use; of those too close to tell apart, only the last is named."""
    if not rates:
        return ()
    changes = [
        (seconds_since_epoch(after.at), after.release_id)
        for before, after in pairwise(rates)
        if after.release_id and after.release_id != before.release_id
    ]
    span = seconds_since_epoch(rates[-1].at) - seconds_since_epoch(rates[0].at)
    guides = []
    for position, (at, release_id) in enumerate(changes):
        later = changes[position + 1][0] if position + 1 < len(changes) else None
        crowded = later is not None and later - at < _NAMED_APART * span
        guides.append(Guide(at, "" if crowded else release_id, across=False))
    return tuple(guides)


def risk_curves(curve: RiskCoverage) -> tuple[Curve, ...]:
    """Precision by confidence with its band, and by similarity alone."""
    if not curve.coverage:
        return ()
    return (
        Curve(
            "by similarity alone", curve.similarity_coverage, curve.similarity_precision, "faint", dashed=True
        ),
        Curve("by confidence", curve.coverage, curve.precision, "accent", low=curve.low, high=curve.high),
    )


def coverage_at_threshold(curve: RiskCoverage, threshold: float | None) -> float | None:
    """Where on the curve's coverage axis a threshold lies; None when it lies beyond the curve."""
    if threshold is None:
        return None
    accepted = [at for at, value in zip(curve.coverage, curve.thresholds, strict=True) if value >= threshold]
    return max(accepted, default=None)


def _choice(name: str, values: Sequence[float], pattern: str) -> QComboBox:
    made = QComboBox()
    made.setAccessibleName(name)
    for value in values:
        made.addItem(pattern.format(percent(value)), value)
    made.setProperty("pattern", pattern)
    return made


def _choose(choice: QComboBox, value: float) -> None:
    """Select a value, also one that the list does not offer by itself."""
    for at in range(choice.count()):
        if abs(float(choice.itemData(at)) - value) < 1e-9:
            choice.setCurrentIndex(at)
            return
    digits = 0 if abs(100 * value - round(100 * value)) < 1e-6 else 1
    choice.addItem(str(choice.property("pattern")).format(percent(value, digits)), value)
    choice.setCurrentIndex(choice.count() - 1)


def _plot_card(title: str, plot: CurvePlot, empty: EmptyState) -> tuple[Card, QStackedWidget]:
    stack = QStackedWidget()
    stack.addWidget(empty)
    stack.addWidget(plot)
    stack.setMinimumHeight(300)
    card = Card(title)
    card.body.addWidget(stack, 1, Qt.AlignmentFlag(0))
    plot.setAccessibleName(title)
    return card, stack
