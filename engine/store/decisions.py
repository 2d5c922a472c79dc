"""Decisions: added, taken back, brought again; never changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, literal_column, select

from engine.contracts.decisions import Decision, HistoryEntry, Stream, Verdict
from engine.contracts.matching import Candidate
from engine.errors import NotInWorkspaceError, StaleChangeError
from engine.store import decision_history, decision_log
from engine.store.packing import AnyRow, id_list, inserted_id, now, pack_candidates, unpack_candidates
from engine.store.placements import put_first
from engine.store.results import DecisionCounts
from engine.store.schema import (
    DecisionEventRow,
    DecisionRow,
    DecisionStateRow,
    DrawRow,
    ItemRow,
    ListingRouteRow,
    ListingRow,
    table_of,
)

#: Spelled as in the partial index, so that the planner uses it.
_IN_FORCE: ColumnElement[bool] = literal_column("decision_state.state = 'in_force'")

_QUERY = select(
    DecisionRow.id,
    DecisionRow.listing_id,
    DecisionRow.verdict,
    DecisionRow.item_id,
    DecisionRow.reviewer,
    DecisionRow.decided_at,
    DecisionRow.stream,
    DecisionRow.release_id,
    DecisionRow.shown,
    DecisionRow.rejected,
    DecisionRow.draw_id,
    DecisionRow.draw_probability,
    DecisionRow.note,
    DecisionStateRow.state,
    DecisionRow.also_right,
).join(DecisionStateRow, DecisionStateRow.decision_id == DecisionRow.id)

# Made once: building a statement anew costs more than SQLite needs to run it, and these lie between a
# reviewer's key and the next listing.
_BY_ID = _QUERY.where(DecisionRow.id == bindparam("of_decision"))
_ON_LISTING = _QUERY.where(_IN_FORCE, DecisionStateRow.listing_id == bindparam("of_listing"))
_ADD = insert(table_of(DecisionRow))
_ADD_STATE = insert(table_of(DecisionStateRow))
_HAS_LISTING = select(ListingRow.id).where(ListingRow.id == bindparam("of_listing"))
_HAS_ITEM = select(ItemRow.id).where(ItemRow.id == bindparam("of_item"))
_SHOWN = select(DecisionRow.shown).where(DecisionRow.id == bindparam("of_decision"))
_SUPERSEDES = select(DecisionRow.supersedes_id).where(DecisionRow.id == bindparam("of_decision"))
_STATE = select(DecisionStateRow.state).where(DecisionStateRow.decision_id == bindparam("of_decision"))


class Decisions:
    """Decisions of reviewers, which of them are in force, and the order of undoing them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, decision: Decision, candidates: Sequence[Candidate] = ()) -> Decision:
        """Add a decision (its ``id`` is ignored) and let it act on its listing.

        A decision in force on the same listing is superseded, and comes back when this one is undone.

        Args:
            decision: the verdict. With a ``draw_id`` that draw is answered.
            candidates: the exact list that was on screen, best first.

        Returns:
            The decision as stored, with its number.

        Raises:
            NotInWorkspaceError: there is no such listing or item.
            StaleChangeError: the draw is not open, or of another listing.
        """
        self._check_references(decision)
        at = now()
        before = self.in_force_for(decision.listing_id)
        if before is not None:
            self._take_force(before, "supersede", decision_log.SUPERSEDED, at)
        probability = decision.draw_probability
        if decision.draw_id is not None:
            probability = self._probability_of_open_draw(decision.draw_id, decision.listing_id)
        decision = replace(
            decision, decided_at=decision.decided_at or at, draw_probability=probability, undone=False
        )
        added = self._connection.execute(
            _ADD,
            {
                "listing_id": decision.listing_id,
                "verdict": Verdict(decision.verdict).value,
                "item_id": decision.item_id,
                "reviewer": decision.reviewer,
                "decided_at": decision.decided_at,
                "stream": Stream(decision.stream).value,
                "release_id": decision.release_id,
                "draw_id": decision.draw_id,
                "draw_probability": probability,
                "supersedes_id": before.id if before is not None else None,
                "note": decision.note,
                "rejected": id_list(decision.rejected),
                "also_right": id_list(decision.also_right),
                "shown": pack_candidates(candidates or _without_evidence(decision.shown)),
            },
        )
        id_ = inserted_id(added)
        event = decision_log.note(self._connection, id_, "add", at)
        self._connection.execute(
            _ADD_STATE,
            {
                "decision_id": id_,
                "listing_id": decision.listing_id,
                "reviewer": decision.reviewer,
                "stream": Stream(decision.stream).value,
                "state": decision_log.IN_FORCE,
                "position": event,
            },
        )
        decision_log.settle(self._connection, decision.listing_id, id_, Verdict(decision.verdict))
        if decision.draw_id is not None:
            decision_log.answer_draw(self._connection, decision.draw_id, decision.listing_id, id_)
        decision_history.index_words(self._connection, id_)
        return self.get(id_)

    def undo(self, decision_id: int) -> Decision:
        """Take a decision's force: its listing goes back to where it was, with the list then on screen.

        A draw it answered is open again, and a decision it had superseded is in force again.

        Raises:
            NotInWorkspaceError: there is no such decision.
            StaleChangeError: it is not in force.
        """
        decision = self.get(decision_id)
        if decision.undone:
            raise StaleChangeError(f"decision {decision_id} is not in force: there is nothing to undo")
        at = now()
        self._take_force(decision, "undo", decision_log.UNDONE, at, new_position=True)
        put_first(self._connection, decision.listing_id, self.shown_candidates(decision_id))
        superseded = self._superseded_by(decision_id)
        if superseded is not None:
            decision_log.note(self._connection, superseded, "reinstate", at)
            # Its place in the order of undoing stays: the next undo is what came before this decision.
            self._give_force(self.get(superseded), position=None)
        return self.get(decision_id)

    def redo(self, decision_id: int) -> Decision:
        """Give an undone decision its force back.

        Raises:
            NotInWorkspaceError: there is no such decision.
            StaleChangeError: it was not undone, or its listing was decided otherwise since.
        """
        decision = self.get(decision_id)
        if self._state(decision_id) != decision_log.UNDONE:
            raise StaleChangeError(f"decision {decision_id} was not undone: there is nothing to redo")
        at = now()
        current = self.in_force_for(decision.listing_id)
        if current is not None:
            if current.id != self._supersedes(decision_id):
                raise StaleChangeError(
                    f"listing {decision.listing_id} was decided again (decision {current.id}): "
                    "undo that before redoing this"
                )
            self._take_force(current, "supersede", decision_log.SUPERSEDED, at)
        event = decision_log.note(self._connection, decision_id, "redo", at)
        self._give_force(decision, position=event)
        return self.get(decision_id)

    def last_undoable(self, reviewer: str | None = None) -> Decision | None:
        """The decision in force that came last (added or redone), of one reviewer or of all."""
        query = select(DecisionStateRow.decision_id).where(_IN_FORCE)
        if reviewer is not None:
            query = query.where(DecisionStateRow.reviewer == reviewer)
        id_ = self._connection.execute(query.order_by(DecisionStateRow.position.desc()).limit(1)).scalar()
        return None if id_ is None else self.get(id_)

    def last_redoable(self, reviewer: str | None = None) -> Decision | None:
        """The decision undone last, unless a new one (of that reviewer) was added since."""
        newest = select(func.max(DecisionRow.id))
        query = select(DecisionStateRow.decision_id, DecisionStateRow.position).where(
            DecisionStateRow.state == decision_log.UNDONE
        )
        if reviewer is not None:
            newest = newest.where(DecisionRow.reviewer == reviewer)
            query = query.where(DecisionStateRow.reviewer == reviewer)
        row = self._connection.execute(query.order_by(DecisionStateRow.position.desc()).limit(1)).first()
        if row is None:
            return None
        last_added = self._connection.execute(
            select(func.min(DecisionEventRow.id)).where(
                DecisionEventRow.decision_id == newest.scalar_subquery()
            )
        ).scalar_one()
        return self.get(row.decision_id) if row.position > last_added else None

    def get(self, id: int) -> Decision:
        """The decision with this number.

        Raises:
            NotInWorkspaceError: there is none.
        """
        row = self._connection.execute(_BY_ID, {"of_decision": id}).first()
        if row is None:
            raise NotInWorkspaceError(f"there is no decision with number {id} in this workspace")
        return decision_of(row)

    def in_force(self, stream: Stream | None = None, feed_id: int | None = None) -> list[Decision]:
        """The decisions in force, by number; of one stream or feed, or all."""
        query = _QUERY.where(_IN_FORCE)
        if stream is not None:
            query = query.where(DecisionStateRow.stream == Stream(stream).value)
        if feed_id is not None:
            query = query.join(
                ListingRouteRow, ListingRouteRow.listing_id == DecisionStateRow.listing_id
            ).where(ListingRouteRow.feed_id == feed_id)
        rows = self._connection.execute(query.order_by(DecisionRow.id))
        return [decision_of(row) for row in rows]

    def in_force_for(self, listing_id: int) -> Decision | None:
        """The decision in force on a listing, or None."""
        row = self._connection.execute(_ON_LISTING, {"of_listing": listing_id}).first()
        return None if row is None else decision_of(row)

    def shown_candidates(self, decision_id: int) -> tuple[Candidate, ...]:
        """The exact candidate list that was on screen when the decision was made.

        Empty where only item numbers were recorded.
        """
        packed = self._connection.execute(_SHOWN, {"of_decision": decision_id}).scalar()
        candidates = unpack_candidates(packed or b"")
        return () if candidates == _without_evidence([c.item_id for c in candidates]) else candidates

    def last_number(self) -> int:
        """The number of the newest decision, undone or not; 0 before the first."""
        return self._connection.execute(select(func.max(DecisionRow.id))).scalar() or 0

    def counts(self) -> DecisionCounts:
        """Decisions in force by stream."""
        rows = self._connection.execute(
            select(DecisionStateRow.stream, func.count())
            .where(DecisionStateRow.state == decision_log.IN_FORCE)
            .group_by(DecisionStateRow.stream)
        )
        by_stream = {stream: n for stream, n in rows}
        return DecisionCounts(
            total=sum(by_stream.values()),
            random=by_stream.get(Stream.RANDOM.value, 0),
            learning=by_stream.get(Stream.LEARNING.value, 0),
            manual=by_stream.get(Stream.MANUAL.value, 0),
        )

    def history(
        self,
        text: str = "",
        reviewer: str = "",
        verdict: Verdict | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[HistoryEntry]:
        """Decisions, newest first, the undone ones included.

        Args:
            text: words (or their beginnings) that must occur in the listing's or item's title or
                external id, the note or the reviewer's name, as they were when decided.
            reviewer: only this reviewer's; empty for everybody's.
            verdict: only this verdict.
            before_id: only decisions before this number: the last one of the page before.
            limit: the most entries to return.
        """
        rows = self._connection.execute(
            decision_history.page(_QUERY, text, reviewer, verdict, before_id, limit)
        )
        entries = [HistoryEntry(decision_of(row), *row[15:20]) for row in rows]
        return decision_history.with_also_right(self._connection, entries)

    def _check_references(self, decision: Decision) -> None:
        listing, item = decision.listing_id, decision.item_id
        if self._connection.execute(_HAS_LISTING, {"of_listing": listing}).scalar() is None:
            raise NotInWorkspaceError(f"there is no listing with number {listing} in this workspace")
        if item is not None and self._connection.execute(_HAS_ITEM, {"of_item": item}).scalar() is None:
            raise NotInWorkspaceError(f"there is no item with number {item} in this workspace")

    def _probability_of_open_draw(self, draw_id: int, listing_id: int) -> float:
        probability = self._connection.execute(
            select(DrawRow.probability).where(
                DrawRow.id == draw_id, DrawRow.listing_id == listing_id, DrawRow.state == "open"
            )
        ).scalar()
        if probability is None:
            raise StaleChangeError(
                f"draw {draw_id} does not wait for an answer on listing {listing_id}: show the queue again"
            )
        return probability

    def _state(self, decision_id: int) -> str:
        return self._connection.execute(_STATE, {"of_decision": decision_id}).scalar_one()

    def _supersedes(self, decision_id: int) -> int | None:
        return self._connection.execute(_SUPERSEDES, {"of_decision": decision_id}).scalar()

    def _superseded_by(self, decision_id: int) -> int | None:
        """The decision that waits for this one to be undone, if it still does."""
        earlier = self._supersedes(decision_id)
        return earlier if earlier and self._state(earlier) == decision_log.SUPERSEDED else None

    def _take_force(
        self, decision: Decision, kind: str, state: str, at: str, *, new_position: bool = False
    ) -> None:
        event = decision_log.note(self._connection, decision.id, kind, at)
        decision_log.set_state(self._connection, decision.id, state, event if new_position else None)
        decision_log.unsettle(self._connection, decision.listing_id)
        if decision.draw_id is not None:
            decision_log.reopen_draw(self._connection, decision.draw_id, decision.listing_id)

    def _give_force(self, decision: Decision, position: int | None) -> None:
        decision_log.set_state(self._connection, decision.id, decision_log.IN_FORCE, position)
        decision_log.settle(self._connection, decision.listing_id, decision.id, decision.verdict)
        if decision.draw_id is not None:
            decision_log.answer_draw(self._connection, decision.draw_id, decision.listing_id, decision.id)


def decision_of(row: AnyRow) -> Decision:
    """A decision from the columns of the decisions query."""
    return Decision(
        id=row[0],
        listing_id=row[1],
        verdict=Verdict(row[2]),
        item_id=row[3],
        reviewer=row[4],
        decided_at=row[5],
        stream=Stream(row[6]),
        release_id=row[7],
        shown=tuple(candidate.item_id for candidate in unpack_candidates(row[8])),
        rejected=tuple(json.loads(row[9])),
        draw_id=row[10],
        draw_probability=row[11],
        note=row[12],
        undone=row[13] != decision_log.IN_FORCE,
        also_right=tuple(json.loads(row[14])),
    )


def _without_evidence(item_ids: Sequence[int]) -> tuple[Candidate, ...]:
    """Items that were on screen of which nothing but the number is known."""
    return tuple(Candidate(item_id, 0.0, 0.0, 0.0) for item_id in item_ids)
