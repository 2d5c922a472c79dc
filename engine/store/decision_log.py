"""Events of decisions and what follows from them: the decision's state, the listing's route, draws.

Events are only ever added. Undoing is one more event, and so is everything else that takes a
decision's force or gives it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, literal_column, select, update

from engine.contracts.decisions import ANSWERING_VERDICTS, Verdict
from engine.store.packing import inserted_id, is_in
from engine.store.schema import (
    DecisionEventRow,
    DecisionRow,
    DecisionStateRow,
    DrawRow,
    ListingRouteRow,
    table_of,
)

IN_FORCE, UNDONE, SUPERSEDED, LAPSED = "in_force", "undone", "superseded", "lapsed"
#: Verdicts after which the listing does not wait any more.
SETTLING_VERDICTS = ANSWERING_VERDICTS | {Verdict.BAD_LISTING}

_UNDRAWN, _DRAW_OPEN, _DRAW_ANSWERED = 0, 1, 2


# Statements of the way from a key to a saved decision are made once: building them anew costs more
# than SQLite needs to run them.
_NOTE = insert(table_of(DecisionEventRow))
_SET_STATE = update(table_of(DecisionStateRow)).where(
    table_of(DecisionStateRow).c.decision_id == bindparam("of_decision")
)
_SET_ROUTE = update(table_of(ListingRouteRow)).where(
    table_of(ListingRouteRow).c.listing_id == bindparam("of_listing")
)


def note(connection: Connection, decision_id: int, kind: str, at: str) -> int:
    """Add an event; returns its number."""
    added = connection.execute(_NOTE, {"decision_id": decision_id, "kind": kind, "at": at})
    return inserted_id(added)


def set_state(connection: Connection, decision_id: int, state: str, position: int | None = None) -> None:
    """Set what the events add up to; ``position`` only where the place in the undo order changes."""
    values: dict[str, str | int] = {"state": state}
    if position is not None:
        values["position"] = position
    connection.execute(_SET_STATE, {"of_decision": decision_id, **values})


def settle(connection: Connection, listing_id: int, decision_id: int, verdict: Verdict) -> None:
    """Let a decision in force act on its listing."""
    settles = verdict in SETTLING_VERDICTS
    connection.execute(
        _SET_ROUTE,
        {
            "of_listing": listing_id,
            "decision_id": decision_id,
            "decided": int(settles),
            "unsure": int(not settles),
            "snoozed": 0,
        },
    )


def unsettle(connection: Connection, listing_id: int) -> None:
    """Let the machine's placement act on the listing again."""
    connection.execute(_SET_ROUTE, {"of_listing": listing_id, "decision_id": None, "decided": 0, "unsure": 0})


def answer_draw(connection: Connection, draw_id: int, listing_id: int, decision_id: int) -> None:
    """Let a decision answer a draw of its listing."""
    connection.execute(
        update(DrawRow).where(DrawRow.id == draw_id).values(state="answered", decision_id=decision_id)
    )
    _set_drawn(connection, listing_id, _DRAW_ANSWERED)


def reopen_draw(connection: Connection, draw_id: int, listing_id: int) -> None:
    """Let a draw wait for an answer again."""
    connection.execute(update(DrawRow).where(DrawRow.id == draw_id).values(state="open", decision_id=None))
    _set_drawn(connection, listing_id, _DRAW_OPEN)


def _set_drawn(connection: Connection, listing_id: int, drawn: int) -> None:
    connection.execute(_SET_ROUTE, {"of_listing": listing_id, "drawn": drawn})


def lapse(connection: Connection, listing_ids: Sequence[int], at: str) -> None:
    """Take the force of the decisions on listings whose text has changed.

    The draws they answered are void, so that the listings as they are now may be drawn again.
    """
    for start in range(0, len(listing_ids), 500):
        found = connection.execute(
            select(DecisionStateRow.decision_id, DecisionStateRow.listing_id, DecisionRow.draw_id)
            .join(DecisionRow, DecisionRow.id == DecisionStateRow.decision_id)
            .where(
                # Spelled as in the partial index, so that the planner uses it.
                literal_column("decision_state.state = 'in_force'"),
                is_in(DecisionStateRow.listing_id, listing_ids[start : start + 500]),
            )
        ).all()
        if not found:
            continue
        connection.execute(
            insert(DecisionEventRow),
            [{"decision_id": decision_id, "kind": "lapse", "at": at} for decision_id, _, _ in found],
        )
        connection.execute(
            update(DecisionStateRow)
            .where(DecisionStateRow.decision_id == bindparam("lapsed_id"))
            .values(state=LAPSED),
            [{"lapsed_id": decision_id} for decision_id, _, _ in found],
        )
        connection.execute(
            update(ListingRouteRow)
            .where(ListingRouteRow.listing_id == bindparam("lapsed_id"))
            .values(decision_id=None, decided=0, unsure=0, lapsed=1),
            [{"lapsed_id": listing_id} for _, listing_id, _ in found],
        )
        drawn = [(draw_id, listing_id) for _, listing_id, draw_id in found if draw_id is not None]
        if drawn:
            connection.execute(
                update(DrawRow).where(DrawRow.id == bindparam("void_id")).values(state="void"),
                [{"void_id": draw_id} for draw_id, _ in drawn],
            )
            connection.execute(
                update(ListingRouteRow)
                .where(ListingRouteRow.listing_id == bindparam("void_id"))
                .values(drawn=_UNDRAWN),
                [{"void_id": listing_id} for _, listing_id in drawn],
            )
