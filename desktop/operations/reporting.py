"""Reporting: who gets automated, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from desktop.operations import run_change
from desktop.session import Session
from engine.contracts import ChangeSet, CostReport, SegmentReport


@dataclass(frozen=True, slots=True)
class SegmentsAndCosts:
    """What the page of segments shows."""

    segments: SegmentReport
    costs: CostReport
    read_only: bool


def segments_and_costs(
    session: Session,
    *,
    done: Callable[[SegmentsAndCosts], None],
    failed: Callable[[Exception], None] | None = None,
) -> None:
    """Count the segments and price the thresholds."""
    workspace = session.workspace

    def compute() -> SegmentsAndCosts:
        return SegmentsAndCosts(workspace.segment_report(), workspace.cost_report(), workspace.read_only)

    session.tasks.read(compute, done, failed)


def enter_costs(
    session: Session,
    *,
    wrong: float | None,
    review: float | None,
    missed: float | None,
    initiator: object,
    done: Callable[[CostReport], None],
    failed: Callable[[Exception], None] | None = None,
) -> None:
    """Keep what a wrong automation, a review and a missed match cost; None takes a cost out."""
    workspace = session.workspace

    def change() -> tuple[CostReport, ChangeSet]:
        changes = workspace.update_settings(cost_wrong=wrong, cost_review=review, cost_missed=missed)
        return workspace.cost_report(), changes

    run_change(session, change=change, initiator=initiator, done=done, failed=failed)
