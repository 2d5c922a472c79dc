"""Placements of listings: saved in bulk, read one by one and by page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select, update

from engine.contracts.matching import Candidate, Placement, Route, RouteReason
from engine.store.heads import head_ids
from engine.store.packing import AnyRow, is_in, pack_candidates, unpack_candidates
from engine.store.records import CHUNK
from engine.store.results import StoredPlacement
from engine.store.schema import CandidateListRow, ListingRouteRow, ListingRow

_STORED = (
    ListingRouteRow.listing_id,
    ListingRouteRow.route,
    ListingRouteRow.reason,
    ListingRouteRow.item_id,
    ListingRouteRow.confidence,
    ListingRouteRow.none_confidence,
    ListingRouteRow.margin,
    ListingRouteRow.release_id,
    ListingRouteRow.machine_route,
    ListingRouteRow.machine_reason,
)


class ListingPlacements:
    """The placements part of :class:`engine.store.listings.Listings`."""

    _connection: Connection

    def save_placements(
        self, release_id: str, placements: Sequence[Placement], priorities: Sequence[float]
    ) -> None:
        """Keep what matching said of listings, with their candidates and priorities in the queue.

        While a decision in force settles a listing its effective route stays settled; the machine's
        is kept beside it and comes back when the decision is undone.
        """
        if len(placements) != len(priorities):
            raise ValueError(f"{len(placements)} placements but {len(priorities)} priorities")
        for start in range(0, len(placements), CHUNK):
            chunk = placements[start : start + CHUNK]
            self._connection.exec_driver_sql(
                "UPDATE listing_route SET machine_route = ?, machine_reason = ?, item_id = ?, confidence = ?,"
                " none_confidence = ?, margin = ?, uncertainty = ?, priority = ?, release_id = ?"
                " WHERE listing_id = ?",
                [
                    (
                        placement.route.value,
                        placement.reason.value,
                        None if placement.item_id is None else int(placement.item_id),
                        float(placement.confidence),
                        float(placement.none_confidence),
                        float(placement.margin),
                        abs(float(placement.confidence) - 0.5),
                        float(priority),
                        release_id,
                        int(placement.listing_id),
                    )
                    for placement, priority in zip(chunk, priorities[start : start + CHUNK], strict=True)
                ],
            )
            self._connection.exec_driver_sql(
                "INSERT INTO candidate_list (listing_id, candidates) VALUES (?, ?)"
                " ON CONFLICT (listing_id) DO UPDATE SET candidates = excluded.candidates",
                [(int(p.listing_id), pack_candidates(p.candidates)) for p in chunk],
            )

    def placement(self, listing_id: int) -> StoredPlacement | None:
        """The placement of a listing; None while it is neither matched nor decided."""
        row = self._connection.execute(
            select(*_STORED, CandidateListRow.candidates)
            .outerjoin(CandidateListRow, CandidateListRow.listing_id == ListingRouteRow.listing_id)
            .where(ListingRouteRow.listing_id == listing_id, ListingRouteRow.route.is_not(None))
        ).first()
        return None if row is None else _stored_placement(row, row.candidates)

    def placements(
        self,
        after_id: int = 0,
        limit: int = 5000,
        feed_id: int | None = None,
        route: Route | None = None,
        *,
        with_candidates: bool = True,
    ) -> list[StoredPlacement]:
        """The next ``limit`` placements after a listing's number, by number.

        Args:
            after_id: the last listing of the page before, 0 for the first page.
            limit: the most placements to return.
            feed_id: only listings of this feed.
            route: only listings with this effective route.
            with_candidates: False leaves the candidate lists out, which makes long reads quicker.
        """
        query = select(*_STORED, CandidateListRow.candidates) if with_candidates else select(*_STORED)
        if with_candidates:
            query = query.outerjoin(
                CandidateListRow, CandidateListRow.listing_id == ListingRouteRow.listing_id
            )
        if route is not None:
            ids = head_ids(
                self._connection,
                where="listing_id > ?2 AND route = ?3",
                limit=limit,
                feed_id=feed_id,
                parameters=(after_id, Route(route).value),
            )
            query = query.where(is_in(ListingRouteRow.listing_id, ids))
        else:
            query = query.where(ListingRouteRow.listing_id > after_id, ListingRouteRow.route.is_not(None))
            if feed_id is not None:
                # The index on listing.feed_id is in the order of listings, those on routes are not.
                query = query.join(ListingRow, ListingRow.id == ListingRouteRow.listing_id)
                query = query.where(ListingRow.feed_id == feed_id, ListingRow.id > after_id)
            query = query.limit(limit)
        order = ListingRow.id if route is None and feed_id is not None else ListingRouteRow.listing_id
        rows: Sequence[AnyRow] = self._connection.execute(query.order_by(order)).all()
        return [_stored_placement(row, row.candidates if with_candidates else None) for row in rows]

    def zone_ids(
        self,
        feed_id: int | None = None,
        min_confidence: float | None = None,
        limit: int | None = None,
        *,
        include_memory: bool = True,
    ) -> NDArray[np.int64]:
        """The listings that may be drawn for the random stream.

        Those matched, not decided and never drawn, with a machine confidence of at least
        ``min_confidence`` (None: any).

        Returns:
            int64 [n], by number; with ``limit`` the n most confident ones.
        """
        where = "decided = 0 AND drawn = 0 AND machine_route IS NOT NULL"
        parameters: list[object] = []
        if min_confidence is not None:
            where += " AND confidence >= ?2"
            parameters.append(float(min_confidence))
        if not include_memory:
            where += " AND machine_route <> 'settled'"
        if limit is not None:
            ids = head_ids(
                self._connection,
                where=where,
                order=("confidence DESC",),
                limit=limit,
                feed_id=feed_id,
                parameters=parameters,
            )
        else:
            feed = "" if feed_id is None else f" AND feed_id = {int(feed_id)}"
            rows = self._connection.exec_driver_sql(
                f"SELECT listing_id FROM listing_route WHERE {where.replace('?2', '?1')}{feed}",
                tuple(parameters),
            )
            ids = [row[0] for row in rows]
        return np.sort(np.array(ids, dtype=np.int64))


def put_first(connection: Connection, listing_id: int, shown: tuple[Candidate, ...]) -> None:
    """Put the candidates that were on screen back at the head of a listing's list, as they were.

    Candidates that were not on screen follow in their order. A listing that is not matched any more
    has no list to restore.
    """
    kept = connection.execute(
        select(CandidateListRow.candidates).where(CandidateListRow.listing_id == listing_id)
    ).scalar()
    if kept is None or not shown:
        return
    current = unpack_candidates(kept)
    if current[: len(shown)] == shown:
        return
    ids = {candidate.item_id for candidate in shown}
    restored = (*shown, *(candidate for candidate in current if candidate.item_id not in ids))
    connection.execute(
        update(CandidateListRow)
        .where(CandidateListRow.listing_id == listing_id)
        .values(candidates=pack_candidates(restored))
    )


def _stored_placement(row: AnyRow, candidates: bytes | None) -> StoredPlacement:
    return StoredPlacement(
        listing_id=row[0],
        route=Route(row[1]),
        reason=RouteReason(row[2]),
        item_id=row[3],
        confidence=row[4] if row[4] is not None else 0.0,
        none_confidence=row[5] if row[5] is not None else 0.0,
        margin=row[6] if row[6] is not None else 0.0,
        candidates=unpack_candidates(candidates) if candidates is not None else (),
        release_id=row[7],
        machine_route=Route(row[8]) if row[8] is not None else None,
        machine_reason=RouteReason(row[9]) if row[8] is not None else None,
    )
