"""The reserve: the listings of every feed that only the random stream may ask about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, literal_column, or_, select, update

from engine.store.schema import ListingRouteRow, ListingRow

# Spelled as in the partial index, so that the planner uses it.
_IN_RESERVE: ColumnElement[bool] = literal_column("reserve = 1")


@dataclass(frozen=True, slots=True)
class ReserveZone:
    """The part of the reserve that a round draws from: listings never drawn and not decided."""

    undrawn: NDArray[np.int64]


class ListingReserve:
    """The reserve part of :class:`engine.store.listings.Listings`."""

    _connection: Connection

    def reserve_zone(
        self, *, feed_id: int | None = None, min_confidence: float | None = None, of_answer: bool = False
    ) -> ReserveZone:
        """What may be drawn now: matched reserve listings of at least this confidence (None: any).

        ``of_answer``: the confidence of the answer is meant, be it the best candidate or "not in
        catalogue", instead of that of the best candidate.
        """
        query = select(ListingRouteRow.listing_id).where(
            *_zone(feed_id, min_confidence, of_answer),
            ListingRouteRow.decided == 0,
            ListingRouteRow.drawn == 0,
        )
        ids = self._connection.execute(query).scalars().all()
        return ReserveZone(np.sort(np.fromiter(ids, dtype=np.int64, count=len(ids))))

    def raise_inclusion(
        self,
        *,
        feed_id: int | None,
        min_confidence: float | None,
        probability: float,
        of_answer: bool = False,
    ) -> None:
        """Note a round: every reserve listing of the zone had one more chance of ``probability``.

        Listings drawn before are raised too: the number is how likely a listing like this one was to
        be drawn, and that does not end with its being drawn.
        """
        self._connection.execute(
            update(ListingRouteRow)
            .where(*_zone(feed_id, min_confidence, of_answer))
            .values(inclusion=1.0 - (1.0 - ListingRouteRow.inclusion) * (1.0 - probability))
        )

    def reserve(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Numbers and inclusion probabilities of the matched reserve of every feed drawn from."""
        drawn_from = (
            select(ListingRouteRow.feed_id).where(_IN_RESERVE, ListingRouteRow.inclusion > 0).distinct()
        )
        query = (
            select(ListingRouteRow.listing_id, ListingRouteRow.inclusion)
            .where(*_zone(None, None), ListingRouteRow.feed_id.in_(drawn_from))
            .order_by(ListingRouteRow.listing_id)
        )
        rows = self._connection.execute(query).all()
        ids = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        return ids, np.fromiter((row[1] for row in rows), dtype=np.float64, count=len(rows))

    def feed_listing_ids(self, feed_id: int | None) -> NDArray[np.int64]:
        """Numbers of a feed's listings (of all feeds for None), ascending."""
        query = select(ListingRow.id).order_by(ListingRow.id)
        if feed_id is not None:
            query = query.where(ListingRow.feed_id == feed_id)
        ids = self._connection.execute(query).scalars().all()
        return np.fromiter(ids, dtype=np.int64, count=len(ids))


def _zone(
    feed_id: int | None, min_confidence: float | None, of_answer: bool = False
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_IN_RESERVE, ListingRouteRow.machine_route.is_not(None)]
    if feed_id is not None:
        conditions.append(ListingRouteRow.feed_id == feed_id)
    if min_confidence is not None:
        sure = ListingRouteRow.confidence >= min_confidence
        sure_of_none = ListingRouteRow.none_confidence >= min_confidence
        conditions.append(or_(sure, sure_of_none) if of_answer else sure)
    return conditions
