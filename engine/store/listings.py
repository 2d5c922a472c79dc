"""Listings: their records; placements and the queue are in the modules beside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from engine.contracts.matching import Route, RouteReason
from engine.contracts.records import Listing
from engine.errors import NotInWorkspaceError
from engine.store import decision_log, records
from engine.store.heads import head_ids
from engine.store.packing import in_reserve, is_in, now, random_key
from engine.store.placements import ListingPlacements
from engine.store.reserve import ListingReserve
from engine.store.results import RouteCounts, UpsertCounts
from engine.store.schema import CandidateListRow, ListingRouteRow, ListingRow, RouteCountRow
from engine.store.traits import keep_traits
from engine.store.waiting import ListingQueue

_COLUMNS = (*records.record_columns(ListingRow), ListingRow.feed_id)


class Listings(ListingPlacements, ListingQueue, ListingReserve):
    """Listings by number, external id and page, where they stand, and which wait."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upsert(self, feed_id: int, listings: Sequence[Listing], text_keys: Sequence[str]) -> UpsertCounts:
        """Add new listings of a feed and update changed ones, told apart by external id and content.

        A changed listing loses its placement (it has to be matched again, with the reason
        ``changed``). Where its text key changed too, a decision in force lapses: it stays in the
        history, but it was about another text, so the listing is asked again and its alias rests.
        Where only other fields changed (a new price), the decision keeps its force.
        """
        counts = UpsertCounts()
        at = now()
        ids = records.next_ids(self._connection, ListingRow)
        for start in range(0, len(listings), records.CHUNK):
            end = start + records.CHUNK
            chunk = listings[start:end]
            entries = records.incoming(chunk, text_keys[start:end])
            known = records.stored(self._connection, ListingRow, list(entries), ListingRow.feed_id == feed_id)
            new = [entry for external_id, entry in entries.items() if external_id not in known]
            changed = [
                (before, entries[external_id])
                for external_id, before in known.items()
                if before.content_hash != entries[external_id].content_hash
            ]
            if new:
                added = records.insert_records(self._connection, ListingRow, ids, new, at, feed_id)
                self._connection.exec_driver_sql(
                    "INSERT INTO listing_route (listing_id, feed_id, random_key, reserve)"
                    " VALUES (?, ?, ?, ?)",
                    [
                        (
                            id_,
                            feed_id,
                            random_key(feed_id, entry.record.external_id),
                            in_reserve(feed_id, entry.record.external_id),
                        )
                        for id_, entry in zip(added, new, strict=True)
                    ],
                )
                keep_traits(self._connection, zip(added, (entry.record for entry in new), strict=True))
            if changed:
                self._update(changed, at)
            counts += UpsertCounts(len(new), len(changed), len(chunk) - len(new) - len(changed))
        return counts

    def _update(self, changed: Sequence[tuple[records.Stored, records.Incoming]], at: str) -> None:
        records.update_records(
            self._connection, ListingRow, [(before.id, entry) for before, entry in changed], at
        )
        keep_traits(self._connection, ((before.id, entry.record) for before, entry in changed))
        retold = [before.id for before, entry in changed if before.text_key != entry.text_key]
        if retold:
            decision_log.lapse(self._connection, retold, at)
        ids = [{"changed_id": before.id} for before, _ in changed]
        self._connection.execute(
            update(ListingRouteRow)
            .where(ListingRouteRow.listing_id == bindparam("changed_id"))
            .values(
                machine_route=None,
                machine_reason=RouteReason.CHANGED.value,
                item_id=None,
                confidence=None,
                none_confidence=None,
                margin=None,
                uncertainty=None,
                priority=None,
                release_id=None,
                snoozed=0,
            ),
            ids,
        )
        self._connection.execute(
            delete(CandidateListRow).where(CandidateListRow.listing_id == bindparam("changed_id")), ids
        )

    def get(self, id: int) -> Listing:
        """The listing with this number.

        Raises:
            NotInWorkspaceError: there is none.
        """
        row = self._connection.execute(select(*_COLUMNS).where(ListingRow.id == id)).first()
        if row is None:
            raise NotInWorkspaceError(f"there is no listing with number {id} in this workspace")
        return records.listing_of(row)

    def get_many(self, ids: Iterable[int]) -> dict[int, Listing]:
        """Listings by number; numbers that do not exist are left out."""
        found: dict[int, Listing] = {}
        for chunk in records.chunks(list(dict.fromkeys(ids))):
            rows = self._connection.execute(select(*_COLUMNS).where(is_in(ListingRow.id, chunk)))
            found.update((row[0], records.listing_of(row)) for row in rows)
        return found

    def count(self, feed_id: int | None = None) -> int:
        """How many listings there are, of one feed or altogether (from kept counts)."""
        query = select(func.coalesce(func.sum(RouteCountRow.listings), 0))
        if feed_id is not None:
            query = query.where(RouteCountRow.feed_id == feed_id)
        return int(self._connection.execute(query).scalar_one())

    def ids_by_external(
        self, external_ids: Iterable[str], feed_id: int | None = None
    ) -> dict[str, list[int]]:
        """Numbers by external id, which is unique only within a feed; missing ones are left out."""
        found: dict[str, list[int]] = {}
        for chunk in records.chunks(list(dict.fromkeys(external_ids))):
            query = select(ListingRow.external_id, ListingRow.id).where(is_in(ListingRow.external_id, chunk))
            if feed_id is not None:
                query = query.where(ListingRow.feed_id == feed_id)
            for external_id, id_ in self._connection.execute(query.order_by(ListingRow.id)):
                found.setdefault(external_id, []).append(id_)
        return found

    def page(
        self,
        after_id: int = 0,
        limit: int = 5000,
        feed_id: int | None = None,
        route: Route | None = None,
        unmatched_only: bool = False,
    ) -> list[Listing]:
        """The next ``limit`` listings after a number, by number.

        ``unmatched_only``: those without a placement; among them are decided ones whose record
        changed. ``route`` is the effective one.
        """
        query = select(*_COLUMNS)
        if route is None and not unmatched_only:
            query = query.where(ListingRow.id > after_id)
            if feed_id is not None:
                query = query.where(ListingRow.feed_id == feed_id)
            rows = self._connection.execute(query.order_by(ListingRow.id).limit(limit))
            return [records.listing_of(row) for row in rows]
        conditions = ["listing_id > ?2"]
        parameters: list[object] = [after_id]
        if unmatched_only:
            conditions.append("machine_route IS NULL")
        if route is not None:
            conditions.append("route = ?3")
            parameters.append(Route(route).value)
        ids = head_ids(
            self._connection,
            where=" AND ".join(conditions),
            limit=limit,
            feed_id=feed_id,
            parameters=parameters,
        )
        found = self.get_many(ids)
        return [found[id_] for id_ in ids]

    def text_key(self, id: int) -> str:
        """The text key of a listing.

        Raises:
            NotInWorkspaceError: there is no such listing.
        """
        key = self._connection.execute(select(ListingRow.text_key).where(ListingRow.id == id)).scalar()
        if key is None:
            raise NotInWorkspaceError(f"there is no listing with number {id} in this workspace")
        return key

    def text_keys(self, ids: Iterable[int]) -> dict[int, str]:
        """Text keys by listing; numbers that do not exist are left out."""
        found: dict[int, str] = {}
        for chunk in records.chunks(list(dict.fromkeys(ids))):
            rows = self._connection.execute(
                select(ListingRow.id, ListingRow.text_key).where(is_in(ListingRow.id, chunk))
            )
            found.update((id_, key) for id_, key in rows)
        return found

    def counts(self, feed_id: int | None = None) -> RouteCounts:
        """Listings by route, of one feed or altogether (from kept counts)."""
        query = select(RouteCountRow.route, RouteCountRow.reason, func.sum(RouteCountRow.listings)).group_by(
            RouteCountRow.route, RouteCountRow.reason
        )
        if feed_id is not None:
            query = query.where(RouteCountRow.feed_id == feed_id)
        return _route_counts([tuple(row) for row in self._connection.execute(query)])


def _route_counts(rows: Sequence[tuple[Any, ...]]) -> RouteCounts:
    def total(route: str | None = None, reason: str | None = None) -> int:
        return sum(n for r, why, n in rows if route in (None, r) and reason in (None, why))

    none = total(Route.AUTOMATED, RouteReason.NOT_IN_CATALOGUE)
    automated = total(Route.AUTOMATED)
    return RouteCounts(
        total=total(),
        unmatched=total(""),
        automated=automated,
        review=total(Route.REVIEW),
        settled=total(Route.SETTLED),
        automated_match=automated - none,
        automated_none=none,
        memory=total(Route.SETTLED, RouteReason.MEMORY),
        decided=total(Route.SETTLED, RouteReason.DECIDED),
    )
