"""Second opinions: given, taken back, given again; never changed, and never in force."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, func, insert, literal_column, select, update

from engine.contracts.agreement import Disagreement, SecondOpinion
from engine.contracts.decisions import Decision, Stream, Verdict
from engine.contracts.matching import Candidate
from engine.errors import NotInWorkspaceError, StaleChangeError
from engine.store import decisions
from engine.store.decision_history import item_words
from engine.store.overlaps import GOLD
from engine.store.packing import AnyRow, id_list, inserted_id, now, pack_candidates, unpack_candidates
from engine.store.results import Compared
from engine.store.schema import (
    AdjudicationRow,
    DecisionEventRow,
    DecisionStateRow,
    OpinionEventRow,
    OpinionStateRow,
    OverlapRow,
    SecondOpinionRow,
)

GIVEN, UNDONE = "given", "undone"

_QUERY = select(
    SecondOpinionRow.id,
    SecondOpinionRow.listing_id,
    SecondOpinionRow.verdict,
    SecondOpinionRow.item_id,
    SecondOpinionRow.reviewer,
    SecondOpinionRow.decided_at,
    SecondOpinionRow.release_id,
    SecondOpinionRow.shown,
    SecondOpinionRow.rejected,
    SecondOpinionRow.note,
    OpinionStateRow.state,
    SecondOpinionRow.decision_id,
    SecondOpinionRow.overlap_id,
    SecondOpinionRow.also_right,
).join(OpinionStateRow, OpinionStateRow.opinion_id == SecondOpinionRow.id)

_COMPARED = f"""
SELECT d.id, d.id IN ({GOLD}), d.reviewer, d.verdict, d.item_id, d.also_right,
    o.reviewer, o.verdict, o.item_id, o.also_right
FROM opinion_state
CROSS JOIN second_opinion AS o ON o.id = opinion_state.opinion_id
CROSS JOIN decision AS d ON d.id = o.decision_id
CROSS JOIN decision_state ON decision_state.decision_id = d.id
WHERE opinion_state.state = 'given' AND +decision_state.state <> 'undone'
ORDER BY o.id
"""
# An adjudication counts while its decision is in force, for every opinion about the same decision.
_ADJUDICATED = """
SELECT about.decision_id, final.reviewer, final.verdict, final.item_id, final.also_right
FROM adjudication
CROSS JOIN decision_state ON decision_state.decision_id = adjudication.decision_id
CROSS JOIN second_opinion AS about ON about.id = adjudication.opinion_id
CROSS JOIN decision AS final ON final.id = adjudication.decision_id
WHERE +decision_state.state = 'in_force'
"""
_DISAGREEING = (
    " FROM opinion_state INDEXED BY ix_opinion_state_differs"
    " CROSS JOIN second_opinion ON second_opinion.id = opinion_state.opinion_id"
    " CROSS JOIN decision_state ON decision_state.decision_id = second_opinion.decision_id"
    " WHERE opinion_state.state = 'given' AND opinion_state.differs = 1"
    f" AND +decision_state.state = 'in_force' AND second_opinion.decision_id NOT IN ({GOLD})"
)
_WORDS = (
    "SELECT listing.external_id, listing.title, feed.name,"
    " coalesce(first.external_id, ''), coalesce(first.title, ''),"
    " coalesce(second.external_id, ''), coalesce(second.title, '')"
    " FROM second_opinion JOIN decision ON decision.id = second_opinion.decision_id"
    " JOIN listing ON listing.id = second_opinion.listing_id JOIN feed ON feed.id = listing.feed_id"
    " LEFT JOIN item AS first ON first.id = decision.item_id"
    " LEFT JOIN item AS second ON second.id = second_opinion.item_id WHERE second_opinion.id = ?"
)


class Opinions:
    """Second opinions, what they are compared with, and which contradict a decision in force."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, opinion: SecondOpinion, candidates: Sequence[Candidate] = ()) -> SecondOpinion:
        """Add a second opinion (its ``id`` is ignored) and answer the draw it names, if any.

        The caller has made sure that the reviewer may be asked (:meth:`Overlaps.asked_on`).

        Raises:
            StaleChangeError: the reviewer has given one on this listing already.
        """
        if self.given_by(opinion.listing_id, opinion.reviewer) is not None:
            raise StaleChangeError(_GIVEN_ALREADY.format(opinion.reviewer, opinion.listing_id))
        added = self._connection.execute(
            insert(SecondOpinionRow),
            {
                "decision_id": opinion.about,
                "overlap_id": opinion.overlap_id,
                "listing_id": opinion.listing_id,
                "verdict": Verdict(opinion.verdict).value,
                "item_id": opinion.item_id,
                "reviewer": opinion.reviewer,
                "decided_at": opinion.decided_at or now(),
                "release_id": opinion.release_id,
                "note": opinion.note,
                "rejected": id_list(opinion.rejected),
                "also_right": id_list(opinion.also_right),
                "shown": pack_candidates(candidates),
            },
        )
        id_ = inserted_id(added)
        about = decisions.Decisions(self._connection).get(opinion.about)
        self._connection.execute(
            insert(OpinionStateRow),
            {
                "opinion_id": id_,
                "listing_id": opinion.listing_id,
                "reviewer": opinion.reviewer,
                "differs": int(not about.agrees_with(opinion)),
                "state": GIVEN,
                "position": self._note(id_, "add"),
            },
        )
        self._set_draw(opinion.overlap_id, "answered")
        return self.get(id_)

    def undo(self, opinion_id: int) -> SecondOpinion:
        """Take a second opinion back; its draw is open again.

        Raises:
            NotInWorkspaceError: there is no such second opinion.
            StaleChangeError: it was taken back already.
        """
        opinion = self.get(opinion_id)
        if opinion.undone:
            raise StaleChangeError(f"second opinion {opinion_id} was taken back already")
        self._set_state(opinion_id, UNDONE, self._note(opinion_id, "undo"))
        self._set_draw(opinion.overlap_id, "open")
        return self.get(opinion_id)

    def redo(self, opinion_id: int) -> SecondOpinion:
        """Give a second opinion again that was taken back.

        Raises:
            NotInWorkspaceError: there is no such second opinion.
            StaleChangeError: it was not taken back, or its question was answered otherwise since.
        """
        opinion = self.get(opinion_id)
        if not opinion.undone:
            raise StaleChangeError(f"second opinion {opinion_id} was not taken back: nothing to redo")
        if self.given_by(opinion.listing_id, opinion.reviewer) is not None:
            raise StaleChangeError(_GIVEN_ALREADY.format(opinion.reviewer, opinion.listing_id))
        if opinion.overlap_id is not None and self._draw_state(opinion.overlap_id) != "open":
            raise StaleChangeError(f"somebody else gave the second opinion on listing {opinion.listing_id}")
        self._set_state(opinion_id, GIVEN, self._note(opinion_id, "redo"))
        self._set_draw(opinion.overlap_id, "answered")
        return self.get(opinion_id)

    def get(self, id: int) -> SecondOpinion:
        """The second opinion with this number.

        Raises:
            NotInWorkspaceError: there is none.
        """
        row = self._connection.execute(_QUERY.where(SecondOpinionRow.id == id)).first()
        if row is None:
            raise NotInWorkspaceError(f"there is no second opinion with number {id} in this workspace")
        return _opinion_of(row)

    def given_by(self, listing_id: int, reviewer: str) -> SecondOpinion | None:
        """The second opinion a reviewer has given on a listing, or None."""
        row = self._connection.execute(
            _QUERY.where(
                literal_column("opinion_state.state = 'given'"),
                OpinionStateRow.listing_id == listing_id,
                OpinionStateRow.reviewer == reviewer,
            )
        ).first()
        return None if row is None else _opinion_of(row)

    # -- the order of undoing ---------------------------------------------------------------------

    def last(self, state: str) -> tuple[SecondOpinion, int, int] | None:
        """The second opinion that was given, or taken back, last.

        Returns:
            It, its place in the order of undoing (the last decision event before it), and its event.
        """
        row = self._connection.execute(
            select(OpinionStateRow.opinion_id, OpinionEventRow.after_event, OpinionEventRow.id)
            .join(OpinionEventRow, OpinionEventRow.id == OpinionStateRow.position)
            .where(OpinionStateRow.state == state)
            .order_by(OpinionStateRow.position.desc())
            .limit(1)
        ).first()
        return None if row is None else (self.get(row[0]), row[1], row[2])

    def last_added(self) -> tuple[int, int]:
        """The place and event of the newest second opinion; (-1, 0) without any."""
        row = self._connection.execute(
            select(OpinionEventRow.after_event, OpinionEventRow.id)
            .where(OpinionEventRow.kind == "add")
            .order_by(OpinionEventRow.id.desc())
            .limit(1)
        ).first()
        return (-1, 0) if row is None else (row[0], row[1])

    def decision_place(self, decision_id: int) -> int:
        """The place of a decision in the order of undoing."""
        return self._connection.execute(
            select(DecisionStateRow.position).where(DecisionStateRow.decision_id == decision_id)
        ).scalar_one()

    def decision_added_after(self, place: int) -> bool:
        """Whether a new decision was made after a place in the order of undoing."""
        found = self._connection.execute(
            select(DecisionEventRow.id)
            .where(DecisionEventRow.id > place, DecisionEventRow.kind == "add")
            .limit(1)
        )
        return found.first() is not None

    # -- comparing -------------------------------------------------------------------------------

    def compared(self) -> list[Compared]:
        """Every second opinion with what it is compared with, undone decisions left out.

        Answers that agree (:meth:`Decision.agrees_with`) are given as one and the same answer: the
        adjudicator's, else the first reviewer's.
        """
        settled = {row[0]: _said(*row[1:]) for row in self._connection.exec_driver_sql(_ADJUDICATED)}
        return [
            _compared(row[0], bool(row[1]), _said(*row[2:6]), _said(*row[6:]), settled.get(row[0]))
            for row in self._connection.exec_driver_sql(_COMPARED)
        ]

    def by_reviewer(self) -> dict[str, tuple[int, int]]:
        """Reviewers by name, with their decisions in force and second opinions."""
        decided = self._connection.execute(
            select(DecisionStateRow.reviewer, func.count())
            .where(DecisionStateRow.state == "in_force")
            .group_by(DecisionStateRow.reviewer)
        )
        found = {name: (count, 0) for name, count in decided}
        given = self._connection.execute(
            select(OpinionStateRow.reviewer, func.count())
            .where(OpinionStateRow.state == GIVEN)
            .group_by(OpinionStateRow.reviewer)
        )
        for name, count in given:
            found[name] = (found.get(name, (0, 0))[0], count)
        return found

    def answers(self) -> int:
        """How many decisions and second opinions were ever made: their highest numbers."""
        decided = self._connection.exec_driver_sql("SELECT max(id) FROM decision").scalar()
        given = self._connection.exec_driver_sql("SELECT max(id) FROM second_opinion").scalar()
        return int(decided or 0) + int(given or 0)

    def disagreements(self, limit: int = 1000) -> list[Disagreement]:
        """Second opinions that contradict the decision in force, oldest first; gold decisions stand."""
        rows = self._connection.exec_driver_sql(
            f"SELECT opinion_state.opinion_id{_DISAGREEING} ORDER BY opinion_state.opinion_id LIMIT ?",
            (limit,),
        )
        return [self._disagreement(row[0]) for row in rows.all()]

    def disagreement_count(self) -> int:
        """How many wait for adjudication."""
        return int(self._connection.exec_driver_sql(f"SELECT count(*){_DISAGREEING}").scalar() or 0)

    def disagreement_on(self, listing_id: int) -> Disagreement | None:
        """The oldest disagreement that waits on a listing, or None."""
        row = self._connection.exec_driver_sql(
            f"SELECT opinion_state.opinion_id{_DISAGREEING} AND second_opinion.listing_id = ?"
            " ORDER BY opinion_state.opinion_id LIMIT 1",
            (listing_id,),
        ).first()
        return None if row is None else self._disagreement(row[0])

    def adjudicated(self, decision_id: int, opinion_id: int) -> None:
        """Note that a decision settled a disagreement."""
        self._connection.execute(
            insert(AdjudicationRow), {"decision_id": decision_id, "opinion_id": opinion_id}
        )

    # -- inside ----------------------------------------------------------------------------------

    def _disagreement(self, opinion_id: int) -> Disagreement:
        opinion = self.get(opinion_id)
        decision = decisions.Decisions(self._connection).get(opinion.about)
        words = self._connection.exec_driver_sql(_WORDS, (opinion_id,)).one()
        also = item_words(self._connection, (*decision.also_right, *opinion.also_right))
        return replace(
            Disagreement(decision, opinion, *words),
            decision_also_right=tuple(also[item] for item in decision.also_right),
            opinion_also_right=tuple(also[item] for item in opinion.also_right),
        )

    def _note(self, opinion_id: int, kind: str) -> int:
        last = self._connection.execute(select(func.max(DecisionEventRow.id))).scalar() or 0
        event = {"opinion_id": opinion_id, "kind": kind, "after_event": last, "at": now()}
        return inserted_id(self._connection.execute(insert(OpinionEventRow), event))

    def _set_state(self, opinion_id: int, state: str, position: int) -> None:
        self._connection.execute(
            update(OpinionStateRow)
            .where(OpinionStateRow.opinion_id == opinion_id)
            .values(state=state, position=position)
        )

    def _draw_state(self, overlap_id: int) -> str:
        return self._connection.execute(
            select(OverlapRow.state).where(OverlapRow.id == overlap_id)
        ).scalar_one()

    def _set_draw(self, overlap_id: int | None, state: str) -> None:
        if overlap_id is not None:
            self._connection.execute(
                update(OverlapRow).where(OverlapRow.id == overlap_id).values(state=state)
            )


_GIVEN_ALREADY = "{0} has given a second opinion on listing {1} already: undo that first"


def _said(reviewer: str, verdict: str, item_id: int | None, also_right: str) -> Decision:
    """An answer as far as it can be compared."""
    named = tuple(json.loads(also_right))
    return Decision(0, 0, Verdict(verdict), item_id, reviewer, "", Stream.RANDOM, None, also_right=named)


def _compared(
    decision_id: int, gold: bool, first: Decision, second: Decision, last: Decision | None
) -> Compared:
    mine, theirs = (last if last is not None and last.agrees_with(one) else one for one in (first, second))
    if theirs.agrees_with(mine):
        theirs = mine
    return Compared(
        decision_id=decision_id,
        first=first.reviewer,
        first_answer=(mine.verdict, mine.item_id),
        second=second.reviewer,
        second_answer=(theirs.verdict, theirs.item_id),
        gold=gold,
        adjudicator=last.reviewer if last is not None else None,
        adjudicated=(last.verdict, last.item_id) if last is not None else None,
    )


def _opinion_of(row: AnyRow) -> SecondOpinion:
    return SecondOpinion(
        id=row[0],
        listing_id=row[1],
        verdict=Verdict(row[2]),
        item_id=row[3],
        reviewer=row[4],
        decided_at=row[5],
        stream=Stream.RANDOM,
        release_id=row[6],
        shown=tuple(candidate.item_id for candidate in unpack_candidates(row[7])),
        rejected=tuple(json.loads(row[8])),
        note=row[9],
        undone=row[10] != GIVEN,
        about=row[11],
        overlap_id=row[12],
        also_right=tuple(json.loads(row[13])),
    )
