"""The first rows of an order, over one feed or merged over all of them.

Every index on ``listing_route`` that orders listings begins with the feed. Over several feeds SQLite
merges the feeds' index scans lazily (``UNION ALL`` with ``ORDER BY``), so a head of n listings reads
about n index entries however many listings and feeds there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

#: SQLite joins at most 500 selects in one compound.
_FEEDS_AT_ONCE = 400


def head_ids(
    connection: Connection,
    *,
    where: str,
    order: Sequence[str] = (),
    limit: int,
    feed_id: int | None = None,
    parameters: Sequence[object] = (),
) -> list[int]:
    """The first ``limit`` listings of ``listing_route`` by ``order``, then by number.

    Args:
        connection: the transaction.
        where: the condition, in SQL spelled as in the partial index that serves it; ``?2``, ``?3``...
            stand for ``parameters``.
        order: columns to order by, each with `` DESC`` where it descends.
        limit: the most listings to return.
        feed_id: only this feed's listings; None for all feeds'.
        parameters: values for ``where``.
    """
    feeds: Sequence[int]
    if feed_id is not None:
        feeds = [int(feed_id)]
    else:
        feeds = [row[0] for row in connection.exec_driver_sql("SELECT id FROM feed ORDER BY id")]
    if not feeds or limit <= 0:
        return []
    keys = [column.removesuffix(" DESC") for column in order]
    # Ordered by position, as a compound needs it: the keys follow the listing's own number.
    positions = [f"{n} DESC" if column.endswith(" DESC") else str(n) for n, column in enumerate(order, 2)]
    ordering = ", ".join([*positions, "1"])
    chosen = ", ".join(["listing_id", *keys])

    def merged(group: Sequence[int]) -> str:
        each = " UNION ALL ".join(
            f"SELECT {chosen} FROM listing_route WHERE feed_id = {feed} AND {where}" for feed in group
        )
        return f"{each} ORDER BY {ordering} LIMIT ?1"

    groups = [feeds[start : start + _FEEDS_AT_ONCE] for start in range(0, len(feeds), _FEEDS_AT_ONCE)]
    if len(groups) == 1:
        statement = merged(groups[0])
    else:
        parts = " UNION ALL ".join(f"SELECT * FROM ({merged(group)})" for group in groups)
        statement = f"{parts} ORDER BY {ordering} LIMIT ?1"
    bound: tuple[Any, ...] = (limit, *parameters)
    return [row[0] for row in connection.exec_driver_sql(statement, bound)]
