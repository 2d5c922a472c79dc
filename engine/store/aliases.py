"""Aliases: confirmed listings that stand for their items while their decision is in force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, insert, literal_column, select, update

from engine.contracts.decisions import ANSWERING_VERDICTS, Verdict
from engine.contracts.matching import Route, RouteReason
from engine.store.packing import is_in
from engine.store.results import Alias, Memory
from engine.store.schema import AliasRow, DecisionRow, DecisionStateRow, ListingRouteRow, ListingRow

_ACTIVE: tuple[ColumnElement[bool], ...] = (
    AliasRow.withdrawn == 0,
    literal_column("decision_state.state = 'in_force'"),
)


class Aliases:
    """Aliases of items, and the memory of exact repeats that they make.

    An alias is active while it is not withdrawn and its decision is in force: even where nobody
    withdraws it, an alias never outlives its decision.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, item_id: int, listing_id: int, decision_id: int, text_key: str) -> None:
        """Let a listing stand for the item it was confirmed for."""
        self._connection.execute(
            insert(AliasRow).values(
                item_id=item_id, listing_id=listing_id, decision_id=decision_id, text_key=text_key
            )
        )

    def withdraw(self, decision_id: int) -> None:
        """Set the alias of a decision aside; nothing happens if it has none."""
        self._set_withdrawn(decision_id, 1)

    def restore(self, decision_id: int) -> None:
        """Take a withdrawn alias back; nothing happens if the decision has none."""
        self._set_withdrawn(decision_id, 0)

    def _set_withdrawn(self, decision_id: int, withdrawn: int) -> None:
        self._connection.execute(
            update(AliasRow).where(AliasRow.decision_id == decision_id).values(withdrawn=withdrawn)
        )

    def active(self, max_per_item: int) -> list[Alias]:
        """The active aliases, at most the newest ``max_per_item`` of each item, by item and decision.

        Of aliases of one item with the same text key only the newest is returned: they are one text.
        Aliases with the same text key and different items silence each other: none is returned.
        """
        newest_text = func.row_number().over(
            partition_by=(AliasRow.item_id, AliasRow.text_key), order_by=AliasRow.decision_id.desc()
        )
        texts = (
            select(
                AliasRow.item_id,
                AliasRow.listing_id,
                AliasRow.decision_id,
                AliasRow.text_key,
                newest_text.label("of_text"),
                func.min(AliasRow.item_id).over(partition_by=AliasRow.text_key).label("least"),
                func.max(AliasRow.item_id).over(partition_by=AliasRow.text_key).label("most"),
            )
            .join(DecisionStateRow, DecisionStateRow.decision_id == AliasRow.decision_id)
            .where(*_ACTIVE)
            .subquery()
        )
        newest = func.row_number().over(partition_by=texts.c.item_id, order_by=texts.c.decision_id.desc())
        ranked = (
            select(
                texts.c.item_id, texts.c.listing_id, texts.c.decision_id, texts.c.text_key, newest.label("n")
            )
            .where(texts.c.of_text == 1, texts.c.least == texts.c.most)
            .subquery()
        )
        rows = self._connection.execute(
            select(ranked.c.item_id, ranked.c.listing_id, ranked.c.decision_id, ranked.c.text_key)
            .where(ranked.c.n <= max_per_item)
            .order_by(ranked.c.item_id, ranked.c.decision_id)
        )
        return [Alias(*row) for row in rows]

    def for_items(self, item_ids: Sequence[int]) -> list[Alias]:
        """All active aliases of some items, newest first: what those items have matched before."""
        found: list[Alias] = []
        for start in range(0, len(item_ids), 500):
            rows = self._connection.execute(
                select(AliasRow.item_id, AliasRow.listing_id, AliasRow.decision_id, AliasRow.text_key)
                .join(DecisionStateRow, DecisionStateRow.decision_id == AliasRow.decision_id)
                .where(*_ACTIVE, is_in(AliasRow.item_id, item_ids[start : start + 500]))
            )
            found.extend(Alias(*row) for row in rows)
        return sorted(found, key=lambda alias: alias.decision_id, reverse=True)

    def standing(self) -> set[tuple[int, int]]:
        """``(listing, item)`` of every active alias, however many an item has."""
        rows = self._connection.execute(
            select(AliasRow.listing_id, AliasRow.item_id)
            .join(DecisionStateRow, DecisionStateRow.decision_id == AliasRow.decision_id)
            .where(*_ACTIVE)
        )
        return {(listing_id, item_id) for listing_id, item_id in rows}

    def memory(self, text_keys: Sequence[str], alone: int = 0) -> dict[str, Memory]:
        """What is remembered of every text key that has an active alias.

        Any answer in force on a listing with that text can contradict, audits too; only an alias confirms.

        Args:
            text_keys: of listings.
            alone: how many waiting listings to name where there is a single confirmation.
        """
        found: dict[str, Memory] = {}
        keys = list(dict.fromkeys(text_keys))
        for start in range(0, len(keys), 2000):
            aliases: dict[str, dict[int, int]] = defaultdict(dict)
            rows = self._connection.execute(
                select(AliasRow.text_key, AliasRow.listing_id, AliasRow.item_id)
                .join(DecisionStateRow, DecisionStateRow.decision_id == AliasRow.decision_id)
                .where(*_ACTIVE, is_in(AliasRow.text_key, keys[start : start + 2000]))
            )
            for key, listing_id, item_id in rows:
                aliases[key][listing_id] = item_id
            contradicted = self._contradicted(aliases)
            single = [key for key, of in aliases.items() if len(of) == 1 and key not in contradicted]
            first = self._first_waiting(single, alone)
            for key, of in aliases.items():
                item = None if key in contradicted else next(iter(of.values()))
                found[key] = Memory(item, len(of), frozenset(first.get(key, ())))
        return found

    def _contradicted(self, aliases: dict[str, dict[int, int]]) -> set[str]:
        """The text keys on whose item not all answers in force agree."""
        if not aliases:
            return set()
        rows = self._connection.execute(
            select(ListingRow.text_key, DecisionRow.verdict, DecisionRow.item_id)
            .join(DecisionStateRow, DecisionStateRow.listing_id == ListingRow.id)
            .join(DecisionRow, DecisionRow.id == DecisionStateRow.decision_id)
            .where(
                is_in(ListingRow.text_key, list(aliases)),
                literal_column("decision_state.state = 'in_force'"),
                DecisionRow.verdict.in_([verdict.value for verdict in ANSWERING_VERDICTS]),
            )
        )
        said: dict[str, set[int]] = {key: set(of.values()) for key, of in aliases.items()}
        for key, verdict, item_id in rows:
            said[key].add((item_id or 0) if verdict == Verdict.MATCH.value else 0)
        return {key for key, answers in said.items() if len(answers) > 1}

    def _first_waiting(self, text_keys: Sequence[str], count: int) -> dict[str, list[int]]:
        """The first ``count`` listings without a decision of every text key, by number."""
        if not text_keys or count < 1:
            return {}
        place = func.row_number().over(partition_by=ListingRow.text_key, order_by=ListingRow.id)
        numbered = (
            select(ListingRow.text_key, ListingRow.id, place.label("place"))
            .join(ListingRouteRow, ListingRouteRow.listing_id == ListingRow.id)
            .where(is_in(ListingRow.text_key, text_keys), ListingRouteRow.decided == 0)
            .subquery()
        )
        first: dict[str, list[int]] = defaultdict(list)
        for key, id_ in self._connection.execute(
            select(numbered.c.text_key, numbered.c.id).where(numbered.c.place <= count)
        ):
            first[key].append(id_)
        return first

    def let_go(self, text_key: str) -> int:
        """Send to review what was settled from a memory that holds no longer; how many listings.

        Decided listings stay settled, but what the machine had said of them goes too.
        """
        memory = self.memory([text_key]).get(text_key)
        holds = memory.item_id if memory is not None else None
        reason = RouteReason.WITHDRAWN if memory is None else RouteReason.CONTRADICTED
        rows = self._connection.execute(
            select(ListingRow.id, ListingRouteRow.item_id)
            .join(ListingRouteRow, ListingRouteRow.listing_id == ListingRow.id)
            .where(
                ListingRow.text_key == text_key,
                ListingRouteRow.machine_route == Route.SETTLED.value,
                ListingRouteRow.machine_reason == RouteReason.MEMORY.value,
            )
        )
        ids = [id_ for id_, item_id in rows if holds is None or item_id != holds]
        for start in range(0, len(ids), 500):
            self._connection.execute(
                update(ListingRouteRow)
                .where(is_in(ListingRouteRow.listing_id, ids[start : start + 500]))
                .values(machine_route=Route.REVIEW.value, machine_reason=reason.value)
            )
        return len(ids)
