"""Which listings wait for a decision, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, func, literal_column, select, update

from engine.contracts.decisions import QueueOrder
from engine.contracts.matching import RouteReason
from engine.store.heads import head_ids
from engine.store.packing import AnyRow, is_in
from engine.store.results import QueueRow
from engine.store.schema import QUEUE_DRAWN, FeedRow, ListingRouteRow, ListingRow

_ORDERS = {
    QueueOrder.GAIN: ("priority DESC",),
    QueueOrder.UNCERTAIN: ("uncertainty", "margin"),
    QueueOrder.OLDEST: (),
    QueueOrder.FAMILY: ("item_id", "confidence DESC"),
    QueueOrder.RANDOM: ("random_key",),
}


class ListingQueue:
    """The queue part of :class:`engine.store.listings.Listings`."""

    _connection: Connection

    def waiting(
        self,
        order: QueueOrder,
        limit: int,
        feed_id: int | None = None,
        exclude: Iterable[int] = (),
    ) -> list[QueueRow]:
        """The first ``limit`` listings that wait for a decision.

        Those routed to review, without those that are snoozed or wait as a draw of the random stream.
        Skipped and unsure ones come behind all others. ``uncertain`` orders by the distance of the
        confidence from 0.5, then by margin; equal ones come in the order they were imported.
        """
        skipped = set(exclude)
        # Reading past the excluded ones is cheaper than telling SQLite about them.
        ids = head_ids(
            self._connection,
            where="queue < 2",
            order=("queue", *_ORDERS[QueueOrder(order)]),
            limit=limit + len(skipped) if limit > 0 else 0,
            feed_id=feed_id,
        )
        wanted = [id_ for id_ in ids if id_ not in skipped][: max(limit, 0)]
        found: dict[int, QueueRow] = {}
        for start in range(0, len(wanted), 2000):
            found.update(self._queue_rows(wanted[start : start + 2000]))
        return [found[id_] for id_ in wanted]

    def _queue_rows(self, ids: Sequence[int]) -> dict[int, QueueRow]:
        rows = self._connection.execute(
            select(
                ListingRouteRow.listing_id,
                ListingRow.external_id,
                ListingRow.title,
                ListingRow.feed_id,
                FeedRow.name,
                ListingRouteRow.reason,
                ListingRouteRow.item_id,
                ListingRouteRow.confidence,
                ListingRouteRow.none_confidence,
                ListingRouteRow.margin,
                ListingRouteRow.priority,
            )
            .join(ListingRow, ListingRow.id == ListingRouteRow.listing_id)
            .join(FeedRow, FeedRow.id == ListingRow.feed_id)
            .where(is_in(ListingRouteRow.listing_id, ids))
        )
        return {row.listing_id: _queue_row(row) for row in rows}

    def identical_waiting(self, text_key: str) -> list[int]:
        """The listings with this text key that wait for a decision, snoozed ones included."""
        ids = self._connection.execute(
            select(ListingRow.id)
            .join(ListingRouteRow, ListingRouteRow.listing_id == ListingRow.id)
            .where(
                ListingRow.text_key == text_key,
                # A draw is judged on its own, blind: it is not swept along with others.
                ListingRouteRow.queue < QUEUE_DRAWN,
            )
            .order_by(ListingRow.id)
        )
        return list(ids.scalars())

    def snooze(self, ids: Sequence[int], until_recalled: bool) -> None:
        """Put listings off: hidden until :meth:`recall`, or else behind all others."""
        for start in range(0, len(ids), 500):
            self._connection.execute(
                update(ListingRouteRow)
                .where(is_in(ListingRouteRow.listing_id, ids[start : start + 500]))
                .values(snoozed=2 if until_recalled else 1)
            )

    def recall(self) -> int:
        """Bring back everything that was put off; returns how many listings that were."""
        recalled = self._connection.execute(
            update(ListingRouteRow).where(literal_column("snoozed > 0")).values(snoozed=0)
        )
        return recalled.rowcount

    def snoozed_count(self) -> int:
        """How many listings are put off."""
        return self._connection.execute(
            select(func.count()).select_from(ListingRouteRow).where(literal_column("snoozed > 0"))
        ).scalar_one()


def _queue_row(row: AnyRow) -> QueueRow:
    return QueueRow(
        listing_id=row[0],
        external_id=row[1],
        title=row[2],
        feed_id=row[3],
        feed=row[4],
        reason=RouteReason(row[5]),
        item_id=row[6],
        confidence=row[7],
        none_confidence=row[8],
        margin=row[9],
        priority=row[10],
    )
