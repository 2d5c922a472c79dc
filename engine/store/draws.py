"""Draws of the random stream. They are never deleted: the certificate rests on all of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, literal_column, select, update

from engine.errors import NotInWorkspaceError, StaleChangeError
from engine.store.packing import AnyRow, is_in, now
from engine.store.results import Draw
from engine.store.schema import DrawRow, ListingRouteRow

_QUERY = select(
    DrawRow.id,
    DrawRow.listing_id,
    DrawRow.probability,
    DrawRow.policy,
    DrawRow.release_id,
    DrawRow.zone_min_confidence,
    DrawRow.drawn_at,
)


class Draws:
    """Listings drawn at random, with the probability, policy and release they were drawn under."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        listing_ids: Sequence[int],
        probability: float,
        policy: str,
        release_id: str | None,
        zone_min_confidence: float | None,
    ) -> list[int]:
        """Note that listings were drawn; they leave the learning stream. Returns the draws' numbers.

        Raises:
            NotInWorkspaceError: there is no such listing.
            StaleChangeError: one of them waits as a draw already.
        """
        ids = [int(id_) for id_ in listing_ids]
        if not ids:
            return []
        for start in range(0, len(ids), 500):
            self._mark_drawn(ids[start : start + 500])
        at = now()
        first = (self._connection.execute(select(func.max(DrawRow.id))).scalar() or 0) + 1
        zone = None if zone_min_confidence is None else float(zone_min_confidence)
        numbers = list(range(first, first + len(ids)))
        self._connection.execute(
            insert(DrawRow),
            [
                {
                    "id": number,
                    "listing_id": listing_id,
                    "probability": float(probability),
                    "policy": policy,
                    "release_id": release_id,
                    "zone_min_confidence": zone,
                    "drawn_at": at,
                    "state": "open",
                }
                for number, listing_id in zip(numbers, ids, strict=True)
            ],
        )
        return numbers

    def _mark_drawn(self, ids: Sequence[int]) -> None:
        rows = self._connection.execute(
            select(ListingRouteRow.listing_id, ListingRouteRow.drawn).where(
                is_in(ListingRouteRow.listing_id, ids)
            )
        )
        known = {id_: drawn for id_, drawn in rows}
        for id_ in ids:
            if id_ not in known:
                raise NotInWorkspaceError(f"there is no listing with number {id_} in this workspace")
            if known[id_] == 1:
                raise StaleChangeError(f"listing {id_} waits as a draw of the random stream already")
            known[id_] = 1
        self._connection.execute(
            update(ListingRouteRow).where(is_in(ListingRouteRow.listing_id, ids)).values(drawn=1)
        )

    def open(
        self, feed_id: int | None = None, limit: int = 1000, *, include_snoozed: bool = False
    ) -> list[Draw]:
        """The draws that wait for an answer, in the order they were drawn.

        Left out are draws on listings that are decided otherwise, have to be matched again, or are
        snoozed until recalled (unless ``include_snoozed``).
        """
        # The state is spelled as in the partial index, so that the planner uses it.
        query = (
            _QUERY.join(ListingRouteRow, ListingRouteRow.listing_id == DrawRow.listing_id)
            .where(literal_column("draw.state = 'open'"))
            .where(ListingRouteRow.decided == 0, ListingRouteRow.machine_route.is_not(None))
        )
        if feed_id is not None:
            # With the index on feed and route SQLite would walk the whole feed for a handful of draws.
            query = query.where(literal_column("+listing_route.feed_id") == feed_id)
        if not include_snoozed:
            query = query.where(ListingRouteRow.snoozed < 2)
        # The plus keeps SQLite from walking all draws in order, and all that were ever answered with
        # them: it takes the open ones from their index and sorts those.
        rows = self._connection.execute(query.order_by(literal_column("+draw.id")).limit(limit))
        return [_draw_of(row) for row in rows]

    def count(self) -> int:
        """How many draws were ever made: as none is deleted, the highest number."""
        return self._connection.execute(select(func.max(DrawRow.id))).scalar() or 0

    def get(self, id: int) -> Draw:
        """The draw with this number.

        Raises:
            NotInWorkspaceError: there is none.
        """
        row = self._connection.execute(_QUERY.where(DrawRow.id == id)).first()
        if row is None:
            raise NotInWorkspaceError(f"there is no draw with number {id} in this workspace")
        return _draw_of(row)

    def get_many(self, ids: Sequence[int]) -> dict[int, Draw]:
        """Draws by number; numbers that do not exist are left out."""
        found: dict[int, Draw] = {}
        for start in range(0, len(ids), 2000):
            rows = self._connection.execute(_QUERY.where(is_in(DrawRow.id, ids[start : start + 2000])))
            found.update((row[0], _draw_of(row)) for row in rows)
        return found

    def by_decision(self, decision_id: int) -> Draw | None:
        """The draw that a decision in force answers, or None."""
        row = self._connection.execute(
            _QUERY.where(DrawRow.decision_id == decision_id, DrawRow.state == "answered")
        ).first()
        return None if row is None else _draw_of(row)

    def open_for(self, listing_id: int) -> Draw | None:
        """The open draw on a listing, or None."""
        row = self._connection.execute(
            _QUERY.where(literal_column("draw.state = 'open'"), DrawRow.listing_id == listing_id)
        ).first()
        return None if row is None else _draw_of(row)

    def page(self, after_id: int = 0, limit: int = 5000) -> list[Draw]:
        """The next ``limit`` draws after a number, answered or not, by number."""
        rows = self._connection.execute(_QUERY.where(DrawRow.id > after_id).order_by(DrawRow.id).limit(limit))
        return [_draw_of(row) for row in rows]


def _draw_of(row: AnyRow) -> Draw:
    return Draw(*tuple(row))
