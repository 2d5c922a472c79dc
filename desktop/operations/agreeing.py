"""What can be done about agreement: look at reviewers, ask again, mark as certain, adjudicate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from desktop.operations import run_change
from desktop.session import Session
from engine.contracts import ChangeSet, Decision, Disagreement, ReviewersReport, Verdict

Failed = Callable[[Exception], None] | None


@dataclass(frozen=True, slots=True)
class Agreeing:
    """What the reviewers screen shows."""

    report: ReviewersReport
    disagreements: tuple[Disagreement, ...]


def load_agreeing(session: Session, *, done: Callable[[Agreeing], None], failed: Failed = None) -> None:
    """Read the reviewers' table and what waits for adjudication."""
    workspace = session.workspace
    session.tasks.read(
        lambda: Agreeing(workspace.reviewers(), tuple(workspace.disagreements())), done, failed
    )


def set_overlap_share(
    session: Session, *, share: float, initiator: object, done: Callable[[float], None], failed: Failed = None
) -> None:
    """Have another reviewer asked again about a share of the decisions."""
    run_change(
        session,
        change=lambda: (share, session.workspace.update_settings(overlap_share=share)),
        initiator=initiator,
        done=done,
        failed=failed,
    )


def adjudicate(
    session: Session,
    *,
    disagreement: Disagreement,
    verdict: Verdict,
    item_id: int | None,
    also_right: Sequence[int],
    note: str,
    initiator: object,
    done: Callable[[Decision], None],
    failed: Failed = None,
) -> None:
    """Have the last word on a disagreement."""
    run_change(
        session,
        change=lambda: session.workspace.adjudicate(
            listing_id=disagreement.decision.listing_id,
            verdict=verdict,
            item_id=item_id,
            also_right=tuple(also_right),
            reviewer=session.reviewer,
            note=note,
        ),
        initiator=initiator,
        done=done,
        failed=failed,
    )


def load_gold(
    session: Session, *, decision_id: int, done: Callable[[bool], None], failed: Failed = None
) -> None:
    """Read whether a decision is marked as certain."""
    session.tasks.read(lambda: session.workspace.is_gold(decision_id), done, failed)


def mark_gold(
    session: Session,
    *,
    decision_id: int,
    gold: bool,
    initiator: object,
    done: Callable[[bool], None],
    failed: Failed = None,
) -> None:
    """Mark a decision as certain, so that others are asked about it blind; or not any more."""

    def change() -> tuple[bool, ChangeSet]:
        return gold, session.workspace.mark_gold(decision_id, gold=gold, reviewer=session.reviewer)

    run_change(session, change=change, initiator=initiator, done=done, failed=failed)
