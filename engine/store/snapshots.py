"""The automation rate over time."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from engine.contracts.reports import RateSnapshot
from engine.store.schema import RateSnapshotRow


class Snapshots:
    """Snapshots of the automation rate in the order they were taken."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, snapshot: RateSnapshot) -> None:
        """Keep a snapshot."""
        self._connection.execute(insert(RateSnapshotRow).values(**asdict(snapshot)))

    def all(self) -> list[RateSnapshot]:
        """All snapshots, oldest first."""
        rows = self._connection.execute(
            select(
                RateSnapshotRow.at,
                RateSnapshotRow.release_id,
                RateSnapshotRow.listings,
                RateSnapshotRow.coverage,
                RateSnapshotRow.none_rate,
                RateSnapshotRow.memory_rate,
                RateSnapshotRow.automation_rate,
                RateSnapshotRow.decisions,
            ).order_by(RateSnapshotRow.id)
        )
        return [RateSnapshot(*row) for row in rows]
