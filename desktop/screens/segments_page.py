"""The page of segments and costs on the automation screen; it reads when it is looked at."""

from __future__ import annotations

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from desktop.operations import reporting
from desktop.operations.reporting import SegmentsAndCosts
from desktop.session import Session
from desktop.widgets.basics import INSET, PAGE, column, scrolling
from desktop.widgets.cost_panel import CostPanel
from desktop.widgets.segment_table import SegmentTable
from engine.contracts import ChangeSet, CostReport


class SegmentsPage(QWidget):
    """Who gets automated, and what it costs."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.segments = SegmentTable()
        self.costs = CostPanel()
        self.costs.entered.connect(self._enter_costs)
        content = QWidget()
        inner = column(self.segments, self.costs, spacing=INSET)
        inner.setStretch(0, 1)
        inner.setContentsMargins(PAGE, INSET, PAGE, PAGE)
        content.setLayout(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolling(content))
        session.hub.changed.connect(self._on_changed)

    def showEvent(self, event: QShowEvent) -> None:
        """Qt's hook: counting a large feed takes seconds, so only for somebody who looks."""
        super().showEvent(event)
        if not event.spontaneous():
            self.activate()

    def activate(self) -> None:
        """Read segments and costs."""
        reporting.segments_and_costs(self._session, done=self._show)

    def _show(self, found: SegmentsAndCosts) -> None:
        self.segments.show_report(found.segments)
        self.costs.show_report(found.costs, read_only=found.read_only)

    def _enter_costs(self, wrong: float | None, review: float | None, missed: float | None) -> None:
        reporting.enter_costs(
            self._session, wrong=wrong, review=review, missed=missed, initiator=self, done=self._show_costs
        )

    def _show_costs(self, costs: CostReport) -> None:
        self.costs.show_report(costs, read_only=self._session.read_only)

    def _on_changed(self, _changes: ChangeSet, initiator: object) -> None:
        if self.isVisible() and initiator is not self:
            self.activate()


def with_segments(overview: QWidget, page: SegmentsPage) -> QTabWidget:
    """The overview and the page of segments as two tabs."""
    tabs = QTabWidget()
    tabs.setDocumentMode(True)
    tabs.tabBar().setDrawBase(False)
    tabs.setStyleSheet(f"QTabWidget::tab-bar {{ left: {PAGE - 14}px; }}")
    tabs.addTab(overview, "Overview")
    tabs.addTab(page, "Segments and costs")
    return tabs
