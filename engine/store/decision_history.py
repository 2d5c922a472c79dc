"""Finding decisions again: by words, reviewer and verdict, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, literal_column, select
from sqlalchemy import text as sql

from engine.contracts.decisions import HistoryEntry, Verdict
from engine.store.packing import is_in
from engine.store.schema import DecisionRow, FeedRow, ItemRow, ListingRow
from engine.store.search import match_all_words


def index_words(connection: Connection, decision_id: int) -> None:
    """Remember the words by which a decision can be found, as its records read now."""
    connection.exec_driver_sql(
        "INSERT INTO decision_search (rowid, words)"
        " SELECT decision.id, listing.external_id || ' ' || listing.title || ' '"
        " || coalesce(item.external_id || ' ' || item.title, '') || ' '"
        " || decision.reviewer || ' ' || decision.note || ' ' || coalesce("
        "(SELECT group_concat(other.external_id || ' ' || other.title, ' ')"
        " FROM json_each(decision.also_right) AS named JOIN item AS other ON other.id = named.value), '')"
        " FROM decision JOIN listing ON listing.id = decision.listing_id"
        " LEFT JOIN item ON item.id = decision.item_id WHERE decision.id = ?",
        (decision_id,),
    )


def page(
    query: Select[*tuple[Any, ...]],
    text: str,
    reviewer: str,
    verdict: Verdict | None,
    before_id: int | None,
    limit: int,
) -> Select[*tuple[Any, ...]]:
    """``query`` over decisions, with the words of history entries, restricted to one page."""
    head = select(DecisionRow.id)
    expression = match_all_words(text)
    if text.strip() and expression is None:
        head = head.where(literal_column("0 = 1"))
    if expression is not None:
        found = sql("SELECT rowid FROM decision_search WHERE decision_search MATCH :expression").bindparams(
            bindparam("expression", expression)
        )
        head = head.where(DecisionRow.id.in_(found))
    if reviewer:
        head = head.where(DecisionRow.reviewer == reviewer)
    if verdict is not None:
        head = head.where(DecisionRow.verdict == Verdict(verdict).value)
    if before_id is not None:
        head = head.where(DecisionRow.id < before_id)
    ids = head.order_by(DecisionRow.id.desc()).limit(limit).subquery()
    return (
        query.join(ids, ids.c.id == DecisionRow.id)
        .join(ListingRow, ListingRow.id == DecisionRow.listing_id)
        .join(FeedRow, FeedRow.id == ListingRow.feed_id)
        .outerjoin(ItemRow, ItemRow.id == DecisionRow.item_id)
        .add_columns(
            ListingRow.external_id,
            ListingRow.title,
            func.coalesce(ItemRow.external_id, ""),
            func.coalesce(ItemRow.title, ""),
            FeedRow.name,
        )
        .order_by(DecisionRow.id.desc())
    )


def with_also_right(connection: Connection, entries: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """History entries with the words of the other items their decisions say are right."""
    words = item_words(connection, {item for entry in entries for item in entry.decision.also_right})
    return [
        replace(entry, also_right=tuple(words[item] for item in entry.decision.also_right))
        for entry in entries
    ]


def item_words(connection: Connection, item_ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """External id and title of some items, by number."""
    numbers = sorted(set(item_ids))
    if not numbers:
        return {}
    rows = connection.execute(
        select(ItemRow.id, ItemRow.external_id, ItemRow.title).where(is_in(ItemRow.id, numbers))
    )
    return {number: (external_id, title) for number, external_id, title in rows}
