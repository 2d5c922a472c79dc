"""The live audit: whether automated answers keep the promise, in words, with an icon and a curve."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QStackedWidget, QWidget

from desktop.widgets.basics import Badge, Card, EmptyState, IconLabel, Tone, column, row, words
from desktop.widgets.curve_plot import Curve, CurvePlot, Guide
from desktop.widgets.wording import counted, percent, when
from engine.contracts import AuditReport, AuditState, CertificateKind, DriftState, LiveAudit

_CURVE_HEIGHT, _EMPTY_HEIGHT, _MOST_HEIGHT = 220, 130, 16777215
#: Word, tone, icon and the icon's colour of every state; the word carries the meaning.
_STATES: dict[AuditState, tuple[str, Tone, str, str]] = {
    AuditState.OK: ("Keeps its promise", "good", "tick", "good"),
    AuditState.WATCH: ("Watch: precision has fallen", "warn", "warning", "warn"),
    AuditState.ALARM: ("Alarm: suspended", "bad", "close", "bad"),
}
_KINDS = {
    CertificateKind.MATCH: "automated matches",
    CertificateKind.NONE: "automated “not in the catalogue”",
    CertificateKind.BOTH: "automated matches and “not in the catalogue” together",
}
_ORDER = (AuditState.ALARM, AuditState.WATCH, AuditState.OK)


def audit_facts(audit: LiveAudit) -> str:
    """Audits, precision and band in one line."""
    said = f"{counted(audit.audits, 'audit')} of {_KINDS[audit.kind]}, {audit.wrong:,} wrong."
    if audit.estimate is None:
        return said
    if audit.answers:
        parts = (f"{_KINDS[one.kind]} {one.audits:,}, {one.wrong:,} wrong" for one in audit.answers)
        said = f"{said} Of these {'; '.join(parts)}; neither is promised separately."
    return (
        f"{said} Precision {percent(audit.estimate, 1)}, "
        f"between {percent(audit.low, 1)} and {percent(audit.high, 1)} "
        f"with {percent(audit.confidence)} confidence at every moment."
    )


def audit_basis(audit: LiveAudit) -> str:
    """What the audits are held against, and since when a certificate is suspended."""
    said = (
        f"Promised: at least {percent(audit.precision)}, signed by {audit.release_id} "
        f"with {audit.errors:,} wrong of {counted(audit.accepted, 'label')}."
    )
    return f"{said} Suspended since {when(audit.suspended_at)}." if audit.suspended_at else said


def audit_curves(audit: LiveAudit) -> tuple[Curve, ...]:
    """Running precision with its band over the number of audits."""
    if not audit.points:
        return ()
    return (
        Curve(
            "running precision",
            tuple(float(point.audits) for point in audit.points),
            tuple(point.precision for point in audit.points),
            "accent",
            low=tuple(point.low for point in audit.points),
            high=tuple(point.high for point in audit.points),
        ),
    )


def most_urgent(audits: Sequence[LiveAudit]) -> LiveAudit | None:
    """The audit to draw: an alarm before a watch, and matches before "not in the catalogue"."""
    ranked = sorted(audits, key=lambda one: (_ORDER.index(one.state), one.kind is CertificateKind.NONE))
    return ranked[0] if ranked else None


class LiveAuditCard(Card):
    """State, sentence and figures on the left, the curve on the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Live audit", parent)
        #: What the card shows; None before it was told.
        self.shown: AuditReport | None = None
        self._icons = {
            state: IconLabel(icon_name, colour, 20) for state, (_, _, icon_name, colour) in _STATES.items()
        }
        for icon in self._icons.values():
            self.head.insertWidget(self.head.count() - 1, icon)
            icon.hide()
        self._badge = Badge()
        self.head.insertWidget(self.head.count() - 1, self._badge)
        self._advice = words("", "big", wrap=True, selectable=True)
        self._facts = words("", "caption", wrap=True, selectable=True)
        self._basis = words("", "caption", wrap=True, selectable=True)
        self._other = words("", "caption", wrap=True, selectable=True)
        self._drift = words("", "caption", wrap=True, selectable=True)
        self.plot = CurvePlot(x_label="audits", share_y=True)
        self.plot.setAccessibleName("Running precision of automated answers")
        empty = EmptyState(
            "No audit yet",
            "Random listings that are automated come up in the review queue, blind.",
            icon_name="eye-off",
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(empty)
        self._stack.addWidget(self.plot)
        # A curve needs its height; the words before the first audit do not.
        self._stack.setMinimumHeight(_EMPTY_HEIGHT)
        told = column(self._advice, self._facts, self._basis, self._other, self._drift, None, spacing=8)
        line = row(told, self._stack, spacing=20)
        line.setStretch(0, 4)
        line.setStretch(1, 5)
        self.body.addLayout(line)

    @property
    def state_words(self) -> str:
        """The state as the badge words it."""
        return self._badge.text()

    @property
    def advice(self) -> str:
        """The sentence that says what was found and what to do."""
        return self._advice.text()

    @property
    def details(self) -> str:
        """Figures, basis, the other certificate and drift, as far as they are shown."""
        parts = (self._facts, self._basis, self._other, self._drift)
        return "\n".join(part.text() for part in parts if part.text())

    def show_report(self, report: AuditReport) -> None:
        """Show the live audit; before the first certificate only why there is none."""
        self.shown = report
        audit = most_urgent(report.audits)
        # Before the first audit nothing is known: a tick would promise what nobody has looked at.
        told = audit is not None and (audit.audits > 0 or audit.state is not AuditState.OK)
        for state, icon in self._icons.items():
            icon.setVisible(told and audit is not None and audit.state is state)
        if audit is None:
            self._badge.show_as("Nothing to audit")
        elif not told:
            self._badge.show_as("Not audited yet")
        else:
            word, tone, _, _ = _STATES[audit.state]
            self._badge.show_as(word, tone)
        self._advice.setText(report.next_step if audit is None else audit.advice)
        self._facts.setText("" if audit is None else audit_facts(audit))
        self._basis.setText("" if audit is None else audit_basis(audit))
        others = [other for other in report.audits if other is not audit and other.audits]
        self._other.setText(" ".join(f"{audit_facts(o)} {_STATES[o.state][0]}." for o in others))
        drifted = [feed for feed in report.drift if feed.state is DriftState.DRIFTED]
        self._drift.setText("\n".join(f"Feed {feed.feed} has drifted: {feed.words}." for feed in drifted))
        for part in (self._facts, self._basis, self._other, self._drift):
            part.setVisible(bool(part.text()))
        self._draw(audit)
        self.setAccessibleDescription(f"{self.state_words}. {self.advice}")

    def _draw(self, audit: LiveAudit | None) -> None:
        curves = audit_curves(audit) if audit is not None else ()
        self._stack.setCurrentIndex(1 if curves else 0)
        self._stack.setMinimumHeight(_CURVE_HEIGHT if curves else _EMPTY_HEIGHT)
        self._stack.setMaximumHeight(_MOST_HEIGHT if curves else _EMPTY_HEIGHT)
        if audit is None or not curves:
            return
        self.plot.show_curves(curves, (Guide(audit.precision, f"{percent(audit.precision)} promised"),))
        seen = [point.precision for point in audit.points[len(audit.points) // 10 :]]
        lowest = min([audit.precision, audit.low, *seen])
        self.plot.set_range(x=(0.0, float(audit.audits)), y=(max(0.0, lowest - 0.05), 1.0))
