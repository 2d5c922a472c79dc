"""Aliases: confirmed listings that stand for their items while their decision is in force."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, insert, literal_column, select, update

from engine.store.packing import is_in
from engine.store.results import Alias
from engine.store.schema import AliasRow, DecisionStateRow

#: Conditions on ``alias`` joined with ``decision_state``.
ACTIVE: tuple[ColumnElement[bool], ...] = (
    AliasRow.withdrawn == 0,
    literal_column("decision_state.state = 'in_force'"),
)


class Aliases:
    """Aliases of items. What they remember of exact repeats is in :mod:`engine.store.memory`.

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
            .where(*ACTIVE)
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

    def standing(self) -> set[tuple[int, int]]:
        """``(listing, item)`` of every active alias, however many an item has."""
        rows = self._connection.execute(
            select(AliasRow.listing_id, AliasRow.item_id)
            .join(DecisionStateRow, DecisionStateRow.decision_id == AliasRow.decision_id)
            .where(*ACTIVE)
        )
        return {(listing_id, item_id) for listing_id, item_id in rows}

    def for_items(self, item_ids: Sequence[int]) -> list[Alias]:
        """All active aliases of some items, newest first: what those items have matched before."""
        found: list[Alias] = []
        for start in range(0, len(item_ids), 500):
            rows = self._connection.execute(
                select(AliasRow.item_id, AliasRow.listing_id, AliasRow.decision_id, AliasRow.text_key)
                .join(DecisionStateRow, DecisionStateRow.decision_id == AliasRow.decision_id)
                .where(*ACTIVE, is_in(AliasRow.item_id, item_ids[start : start + 500]))
            )
            found.extend(Alias(*row) for row in rows)
        return sorted(found, key=lambda alias: alias.decision_id, reverse=True)
