"""Importing catalogues and feeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.contracts import FeedSummary, ImportPreview, ImportReport, RecordKind, WorkEvent
from engine.intake.import_tables import import_table
from engine.intake.record_reader import preview_table
from engine.workspace.base import WorkspaceBase


class Importing(WorkspaceBase):
    """Files into the workspace."""

    def preview(
        self, file: Path, kind: RecordKind, *, mapping: Mapping[str, str] | None = None
    ) -> ImportPreview:
        """What importing ``file`` would do; nothing is written."""
        return preview_table(file, kind, mapping)

    def import_table(
        self,
        file: Path,
        kind: RecordKind,
        *,
        feed: str | None = None,
        mapping: Mapping[str, str] | None = None,
    ) -> Iterator[WorkEvent[ImportReport]]:
        """Import a catalogue or a feed in one transaction; a feed is named after the file by default."""
        return import_table(self._store, file, kind, feed=feed, mapping=mapping)

    def feeds(self) -> list[FeedSummary]:
        """All feeds and where their listings stand."""
        with self._store.reading() as uow:
            return uow.feeds.all()

    def items_count(self) -> int:
        """How many items the catalogue has."""
        with self._store.reading() as uow:
            return uow.items.count()
