"""Auditing: do automated matches keep their promise, and do feeds still look as they did?"""

from __future__ import annotations

from engine.contracts import AuditReport
from engine.pipeline.audit_report import audit_report, catalogue_brands
from engine.store import UnitOfWork
from engine.workspace.base import WorkspaceBase


class Auditing(WorkspaceBase):
    """What owners look at between two certificates."""

    _brands: tuple[int, frozenset[str]] | None = None

    def audit(self) -> AuditReport:
        """The live audit of the certificates in use, the drift of the newest feeds, what to do next.

        Only reads: alarms are raised when decisions are made.
        """
        with self._store.reading() as uow:
            return audit_report(uow, str(self.path), self._known_brands(uow))

    def _known_brands(self, uow: UnitOfWork) -> frozenset[str]:
        revision = uow.items.revision()
        if self._brands is None or self._brands[0] != revision:
            self._brands = (revision, catalogue_brands(uow))
        return self._brands[1]
