"""Automation: what is known of it, and certifying it anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from desktop.operations import run_job
from desktop.session import Session
from desktop.tasks import Job
from engine.contracts import AuditReport, Promise, RateSnapshot, ReleaseSummary, RiskCoverage, Status
from engine.settings import WorkspaceSettings


@dataclass(frozen=True, slots=True)
class AutomationReport:
    """What the automation screen draws."""

    status: Status
    settings: WorkspaceSettings
    rates: tuple[RateSnapshot, ...]
    curve: RiskCoverage
    audit: AuditReport


def report(
    session: Session,
    *,
    done: Callable[[AutomationReport], None],
    failed: Callable[[Exception], None] | None = None,
) -> None:
    """Read the automation rate over time, the risk-coverage curve, the certificate and its live audit."""
    workspace = session.workspace

    def compute() -> AutomationReport:
        return AutomationReport(
            workspace.status(),
            workspace.settings,
            tuple(workspace.automation_rates()),
            workspace.risk_coverage(),
            workspace.audit(),
        )

    session.tasks.read(compute, done, failed)


def certify(
    session: Session,
    *,
    precision: float,
    confidence: float,
    promise: Promise,
    initiator: object,
    done: Callable[[ReleaseSummary], None],
    failed: Callable[[Exception], None] | None = None,
) -> Job[ReleaseSummary]:
    """Fit the matcher on every decision so far, certify it, and route by it."""
    workspace = session.workspace
    return run_job(
        session,
        events=lambda: workspace.certify(precision=precision, confidence=confidence, promise=promise),
        title="Certifying",
        initiator=initiator,
        done=done,
        failed=failed,
    )
