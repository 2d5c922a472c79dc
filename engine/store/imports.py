"""What was imported, and the rows that were refused."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from engine.contracts.records import ImportReport, RecordKind, RefusedRow
from engine.store.feeds import Feeds
from engine.store.packing import inserted_id, now
from engine.store.schema import ImportRow, RefusedRowRow


class Imports:
    """Imports in the order they were made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, report: ImportReport, sha256: str) -> int:
        """Keep what an import did, with the sha256 of its file; returns the import's number."""
        at = now()
        added = self._connection.execute(
            insert(ImportRow).values(
                at=at,
                kind=RecordKind(report.kind).value,
                feed=report.feed,
                path=report.path,
                sha256=sha256,
                rows=report.rows,
                added=report.added,
                updated=report.updated,
                unchanged=report.unchanged,
                refused_total=report.refused_total,
            )
        )
        id_ = inserted_id(added)
        if report.refused:
            self._connection.execute(
                insert(RefusedRowRow),
                [
                    {"import_id": id_, "row": refused.row, "column": refused.column, "reason": refused.reason}
                    for refused in report.refused
                ],
            )
        feeds = Feeds(self._connection)
        feed_id = feeds.by_name(report.feed)
        if report.kind == RecordKind.LISTINGS and feed_id is not None:
            feeds.imported(feed_id, at)
        return id_

    def refused(self, import_id: int) -> list[RefusedRow]:
        """The rows an import refused (the first thousand), in the order of the file."""
        rows = self._connection.execute(
            select(RefusedRowRow.row, RefusedRowRow.column, RefusedRowRow.reason)
            .where(RefusedRowRow.import_id == import_id)
            .order_by(RefusedRowRow.id)
        )
        return [RefusedRow(*row) for row in rows]

    def all(self) -> list[ImportReport]:
        """All imports, newest first, without their refused rows."""
        rows = self._connection.execute(
            select(
                ImportRow.kind,
                ImportRow.feed,
                ImportRow.path,
                ImportRow.rows,
                ImportRow.added,
                ImportRow.updated,
                ImportRow.unchanged,
                ImportRow.refused_total,
            ).order_by(ImportRow.id.desc())
        )
        return [ImportReport(RecordKind(row[0]), *row[1:7], refused=(), refused_total=row[7]) for row in rows]
