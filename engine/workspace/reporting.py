"""Reporting: who gets automated, what it costs, and the report that is handed on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.contracts import (
    CertificateKind,
    ChangeSet,
    CostReport,
    Finished,
    Progress,
    SegmentReport,
    WorkEvent,
)
from engine.reporting.costs import cost_report
from engine.reporting.report_document import ReportSource
from engine.reporting.report_folder import PAGE_FILE, check_target, write_report
from engine.reporting.segments import segment_report
from engine.workspace.automating import Automating
from engine.workspace.base import now

#: Where a report goes when no folder is named, inside the workspace.
REPORT_FOLDER = "report"


class Reporting(Automating):
    """What owners show to others."""

    def segment_report(self) -> SegmentReport:
        """Automation, coverage and precision by brand, category, feed, popularity, pack and model code.

        Grouped in the database; nothing is matched and no title is read.
        """
        with self._store.reading() as uow:
            return segment_report(uow)

    def cost_report(
        self, *, wrong: float | None = None, review: float | None = None, missed: float | None = None
    ) -> CostReport:
        """Expected costs by threshold, from the settings' costs or from other ones to try out.

        Costs to keep are settings: ``update_settings(cost_wrong=..., cost_review=..., cost_missed=...)``.
        """
        with self._store.reading() as uow:
            settings = uow.settings.load()
            champion = uow.releases.champion()
            certificate = uow.releases.get(champion).certificate if champion else None
            together = certificate is not None and certificate.kind is CertificateKind.BOTH
            audits = uow.segments.audits()
            judged = [audit.judged(together=together) for audit in audits]
            _, inclusion = uow.segments.reserve()
        # A right "not in catalogue" that a person is asked about misses nothing.
        missable = np.asarray(
            [audit.right and not (together and audit.says_none) for audit in audits], dtype=bool
        )
        return cost_report(
            np.asarray([confidence for confidence, _ in judged], dtype=np.float64),
            np.asarray([right for _, right in judged], dtype=bool),
            np.asarray([audit.inclusion for audit in audits], dtype=np.float64),
            wrong=settings.cost_wrong if wrong is None else wrong,
            review=settings.cost_review if review is None else review,
            missed=settings.cost_missed if missed is None else missed,
            threshold=certificate.threshold if certificate else None,
            reached=float((inclusion > 0).mean()) if inclusion.size else 1.0,
            seed=settings.seed,
            missable=missable,
        )

    def report(self, target: Path | None = None) -> Iterator[WorkEvent[Path]]:
        """Write the report (page, pictures, numbers) to a folder; the page's path is the result.

        The folder appears when it is complete, in place of an earlier report; other files are never
        overwritten. Without ``target`` it is the workspace's own folder for it.
        """
        folder = self.path / REPORT_FOLDER if target is None else target
        check_target(folder)
        yield Progress("reporting", 0, 1, "counting segments")
        with self._store.reading() as uow:
            segments, releases = segment_report(uow), uow.releases.all()
        source = ReportSource(
            name=self.path.resolve().name,
            made_at=now(),
            status=self.status(),
            rates=self.automation_rates(),
            curve=self.risk_coverage(),
            segments=segments,
            releases=releases,
            costs=self.cost_report(),
        )
        yield from write_report(folder, source)
        yield Finished(folder / PAGE_FILE, ChangeSet())
