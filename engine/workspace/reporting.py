"""Reporting: who gets automated, what it costs, and the report that is handed on."""

from __future__ import annotations

import numpy as np

from engine.contracts import CostReport, SegmentReport
from engine.reporting.costs import cost_report
from engine.reporting.segments import segment_report
from engine.workspace.automating import Automating


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
            audits = uow.segments.audits()
            _, inclusion = uow.segments.reserve()
        return cost_report(
            np.asarray([audit.confidence for audit in audits], dtype=np.float64),
            np.asarray([audit.right for audit in audits], dtype=bool),
            np.asarray([audit.inclusion for audit in audits], dtype=np.float64),
            wrong=settings.cost_wrong if wrong is None else wrong,
            review=settings.cost_review if review is None else review,
            missed=settings.cost_missed if missed is None else missed,
            threshold=certificate.threshold if certificate else None,
            reached=float((inclusion > 0).mean()) if inclusion.size else 1.0,
            seed=settings.seed,
        )
