"""Taking decisions back, and bringing them again, in any depth and across restarts.

The order is in the database, one event for every step, so there is no stack to lose. What follows
from a decision goes and comes with it: its listing's route and candidate list, its draw (open again,
to be judged again) and its alias. Training and certificates read decisions in force only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.contracts import Decision
from engine.errors import StaleChangeError

if TYPE_CHECKING:
    from engine.store import UnitOfWork


def undo(uow: UnitOfWork, decision_id: int | None = None) -> Decision:
    """Take a decision back: the one given, or the last one in force.

    A decision that it had superseded is in force again.

    Args:
        uow: a writing unit of work.
        decision_id: any decision in force, however old; None for the last.

    Raises:
        NotInWorkspaceError: there is no such decision.
        StaleChangeError: it is not in force, or there is nothing to undo.
    """
    if decision_id is None:
        last = uow.decisions.last_undoable()
        if last is None:
            raise StaleChangeError("there is no decision to undo")
        decision_id = last.id
    undone = uow.decisions.undo(decision_id)
    uow.aliases.withdraw(decision_id)
    # What rested on it alone is asked again at once, not at the next match.
    uow.memory.forget(uow.listings.text_key(undone.listing_id))
    return undone


def redo(uow: UnitOfWork) -> Decision:
    """Bring the decision undone last back, unless something was decided since.

    Raises:
        StaleChangeError: there is nothing to redo.
    """
    last = uow.decisions.last_redoable()
    if last is None:
        raise StaleChangeError("there is nothing to redo: no decision was undone since the last new one")
    redone = uow.decisions.redo(last.id)
    uow.aliases.restore(last.id)
    uow.memory.forget(uow.listings.text_key(redone.listing_id))
    return redone
