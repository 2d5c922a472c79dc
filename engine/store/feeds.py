"""Feeds: listings imported together from one source."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, insert, select, update

from engine.contracts.matching import Route
from engine.contracts.records import FeedSummary
from engine.store.packing import inserted_id, now
from engine.store.schema import FeedRow, RouteCountRow


class Feeds:
    """Feeds by name, and where their listings stand."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ensure(self, name: str) -> int:
        """The number of the feed with this name, which is made if there is none."""
        known = self.by_name(name)
        if known is not None:
            return known
        added = self._connection.execute(insert(FeedRow).values(name=name, imported_at=now()))
        return inserted_id(added)

    def by_name(self, name: str) -> int | None:
        """The number of the feed with this name, or None."""
        return self._connection.execute(select(FeedRow.id).where(FeedRow.name == name)).scalar()

    def names(self) -> dict[int, str]:
        """All feeds' names by number."""
        return {id_: name for id_, name in self._connection.execute(select(FeedRow.id, FeedRow.name))}

    def imported(self, feed_id: int, at: str) -> None:
        """Note the time of the feed's last import."""
        self._connection.execute(update(FeedRow).where(FeedRow.id == feed_id).values(imported_at=at))

    def all(self) -> list[FeedSummary]:
        """All feeds in the order they were made, with their listings by route (from kept counts)."""
        count = func.coalesce(func.sum(RouteCountRow.listings), 0)

        def by_route(route: str) -> ColumnElement[int]:
            return func.coalesce(func.sum(case((RouteCountRow.route == route, RouteCountRow.listings))), 0)

        rows = self._connection.execute(
            select(
                FeedRow.id,
                FeedRow.name,
                FeedRow.imported_at,
                count,
                *(by_route(route) for route in ("", Route.AUTOMATED, Route.REVIEW, Route.SETTLED)),
            )
            .outerjoin(RouteCountRow, RouteCountRow.feed_id == FeedRow.id)
            .group_by(FeedRow.id)
            .order_by(FeedRow.id)
        )
        return [FeedSummary(*tuple[Any, ...](row)) for row in rows]
