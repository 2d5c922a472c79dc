"""What an import did so far, added up over its chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Upserted(Protocol):
    """What the store reports of one chunk."""

    @property
    def added(self) -> int:
        """Records that are new."""

    @property
    def updated(self) -> int:
        """Records whose content differs from what was stored."""

    @property
    def unchanged(self) -> int:
        """Records that were there already."""


@dataclass(frozen=True, slots=True)
class UpsertTotals:
    """Records added, updated and found unchanged."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, chunk: Upserted) -> UpsertTotals:
        return UpsertTotals(
            self.added + chunk.added, self.updated + chunk.updated, self.unchanged + chunk.unchanged
        )
