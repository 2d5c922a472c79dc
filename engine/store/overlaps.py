"""Decisions that are asked again: drawn by lot, or marked as gold; and of whom they may be asked."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, literal_column, select

from engine.errors import NotInWorkspaceError
from engine.store.packing import now
from engine.store.results import Asked
from engine.store.schema import DecisionRow, GoldEventRow, OverlapRow

#: The decisions that are gold now: the last mark of each counts.
GOLD = (
    "SELECT decision_id FROM gold_event WHERE gold = 1"
    " AND id IN (SELECT max(id) FROM gold_event GROUP BY decision_id)"
)
# Without statistics SQLite would begin at every decision in force, or look for a listing's decisions
# among all of its reviewer's: CROSS JOIN keeps the order of the tables, a plus keeps an index out of it.
#: Nobody is asked about a listing that they have seen: decided, even if it was undone, or answered as a
#: second opinion. A second opinion that was taken back is asked for again.
_MAY_BE_ASKED = (
    " listing_route.machine_route IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM decision WHERE decision.listing_id = listing_route.listing_id"
    " AND +decision.reviewer = ?1)"
    " AND NOT EXISTS (SELECT 1 FROM opinion_state WHERE opinion_state.listing_id = listing_route.listing_id"
    " AND opinion_state.reviewer = ?1 AND opinion_state.state = 'given')"
)
_ROUTE = " CROSS JOIN listing_route ON listing_route.listing_id = decision_state.listing_id"
_OVERLAPS = (
    "SELECT overlap.decision_id, overlap.listing_id, overlap.id FROM overlap"
    " CROSS JOIN decision_state ON decision_state.decision_id = overlap.decision_id"
    f"{_ROUTE} WHERE overlap.state = 'open' AND +decision_state.state = 'in_force' AND" + _MAY_BE_ASKED
)
_GOLD = (
    "SELECT decision_state.decision_id, decision_state.listing_id, NULL"
    f" FROM ({GOLD}) AS marked"
    " CROSS JOIN decision_state ON decision_state.decision_id = marked.decision_id"
    f"{_ROUTE} WHERE +decision_state.state = 'in_force' AND" + _MAY_BE_ASKED
)
#: Of the decision in force on one listing: its number, listing, open draw, and whether it is gold.
_ON_LISTING = (
    "SELECT decision_state.decision_id, decision_state.listing_id, overlap.id,"
    f" decision_state.decision_id IN ({GOLD}) FROM decision_state{_ROUTE}"
    " LEFT JOIN overlap ON overlap.decision_id = decision_state.decision_id AND overlap.state = 'open'"
    " WHERE decision_state.listing_id = ?2 AND decision_state.state = 'in_force' AND" + _MAY_BE_ASKED
)
_ON_PAGE = " AND listing_route.snoozed < 2 AND (?2 IS NULL OR listing_route.feed_id = ?2)"


class Overlaps:
    """Draws for second opinions, gold decisions, and who may be asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def last_draw(self) -> tuple[int, float] | None:
        """The decision that was drawn last and the probability it had; None before the first."""
        last = select(func.max(OverlapRow.id)).scalar_subquery()
        row = self._connection.execute(
            select(OverlapRow.decision_id, OverlapRow.probability).where(OverlapRow.id == last)
        ).first()
        return None if row is None else (row[0], row[1])

    def drawable(self, after_decision: int, limit: int) -> list[tuple[int, int]]:
        """Decisions after a number that may be drawn, with their listings, by number.

        Left out are those that did not answer (``unsure``), adjudications, and what was drawn before.
        """
        rows = self._connection.exec_driver_sql(
            "SELECT id, listing_id FROM decision WHERE id > ? AND verdict <> 'unsure'"
            " AND NOT EXISTS (SELECT 1 FROM overlap WHERE overlap.decision_id = decision.id)"
            " AND NOT EXISTS (SELECT 1 FROM adjudication WHERE adjudication.decision_id = decision.id)"
            " ORDER BY id LIMIT ?",
            (after_decision, limit),
        )
        return [(row[0], row[1]) for row in rows]

    def add(self, decisions: Sequence[tuple[int, int]], probability: float, policy: str) -> None:
        """Note that decisions (with their listings) were drawn to be asked again."""
        if decisions:
            at = now()
            self._connection.execute(
                insert(OverlapRow),
                [
                    {
                        "decision_id": decision_id,
                        "listing_id": listing_id,
                        "probability": probability,
                        "policy": policy,
                        "drawn_at": at,
                        "state": "open",
                    }
                    for decision_id, listing_id in decisions
                ],
            )

    def asked_of(self, reviewer: str, limit: int, feed_id: int | None = None) -> list[Asked]:
        """The open draws that may be asked of a reviewer, in the order they were drawn."""
        return self._page(_OVERLAPS, "overlap.id", reviewer, limit, feed_id)

    def gold_for(self, reviewer: str, limit: int, feed_id: int | None = None) -> list[Asked]:
        """The gold decisions that may be asked of a reviewer, in a stored random order."""
        return self._page(_GOLD, "listing_route.random_key", reviewer, limit, feed_id)

    def asked_on(self, listing_id: int, reviewer: str) -> Asked | None:
        """What a reviewer may be asked about a listing now: the draw on it, or its gold decision."""
        row = self._connection.exec_driver_sql(_ON_LISTING, (reviewer, listing_id)).first()
        if row is None or not (row[2] is not None or row[3]):
            return None
        return Asked(row[0], row[1], row[2])

    def mark_gold(self, decision_id: int, gold: bool, reviewer: str, at: str) -> None:
        """Mark a decision as certain, or not any more.

        Raises:
            NotInWorkspaceError: there is no such decision.
        """
        known = select(DecisionRow.id).where(DecisionRow.id == decision_id)
        if self._connection.execute(known).scalar() is None:
            raise NotInWorkspaceError(f"there is no decision with number {decision_id} in this workspace")
        self._connection.execute(
            insert(GoldEventRow),
            {"decision_id": decision_id, "gold": int(gold), "reviewer": reviewer, "at": at},
        )

    def is_gold(self, decision_id: int) -> bool:
        """Whether a decision is marked as certain."""
        marked = self._connection.execute(
            select(GoldEventRow.gold)
            .where(GoldEventRow.decision_id == decision_id)
            .order_by(GoldEventRow.id.desc())
            .limit(1)
        ).scalar()
        return bool(marked)

    def counts(self) -> tuple[int, int, int]:
        """Open draws whose decision is in force, answered draws, and gold decisions in force."""
        waiting = self._connection.exec_driver_sql(
            "SELECT count(*) FROM overlap"
            " CROSS JOIN decision_state ON decision_state.decision_id = overlap.decision_id"
            " WHERE overlap.state = 'open' AND +decision_state.state = 'in_force'"
        ).scalar()
        answered = self._connection.execute(
            select(func.count()).select_from(OverlapRow).where(literal_column("overlap.state = 'answered'"))
        ).scalar()
        gold = self._connection.exec_driver_sql(
            f"SELECT count(*) FROM decision_state WHERE +state = 'in_force' AND decision_id IN ({GOLD})"
        ).scalar()
        return int(waiting or 0), int(answered or 0), int(gold or 0)

    def _page(self, query: str, order: str, reviewer: str, limit: int, feed_id: int | None) -> list[Asked]:
        statement = f"{query}{_ON_PAGE} ORDER BY {order} LIMIT ?3"
        rows = self._connection.exec_driver_sql(statement, (reviewer, feed_id, max(0, limit)))
        return [Asked(*row) for row in rows]
