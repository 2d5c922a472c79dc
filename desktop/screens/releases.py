"""The model keeper's screen: releases, and the training runs they come from."""

from __future__ import annotations

from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from desktop.operations import releasing
from desktop.operations.releasing import Shelf
from desktop.screens.release_page import ReleasePage
from desktop.screens.training_page import TrainingPage
from desktop.session import Session
from desktop.widgets.basics import PAGE, column, page_title, words
from desktop.widgets.wording import counted
from engine.contracts import ChangeSet, ReleaseSummary


class ReleasesScreen(QWidget):
    """Two pages over one shelf of releases and runs."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._facts = words("", "muted")
        self.release_page = ReleasePage(session)
        self.release_page.wanted.connect(self._show_run)
        self.training_page = TrainingPage(session)
        self.training_page.built.connect(self._show_challenger)
        self.training_page.wanted.connect(self._show_release)
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.pages.tabBar().setDrawBase(False)
        self.pages.addTab(self.release_page, "Releases")
        self.pages.addTab(self.training_page, "Training")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PAGE, PAGE - 4, PAGE, PAGE)
        layout.setSpacing(12)
        layout.addLayout(column(page_title("Releases"), self._facts, spacing=2))
        layout.addWidget(self.pages, 1)
        session.hub.changed.connect(self._on_changed)

    def activate(self) -> None:
        """Read releases and runs; called whenever the screen is shown."""
        releasing.shelf(self._session, done=self._show)

    def close_down(self) -> None:
        """The window closes: let the trainer come to a stop."""
        self.training_page.close_down()

    def _show(self, shelf: Shelf) -> None:
        champion = next((release.id for release in shelf.releases if release.is_champion), None)
        facts = [counted(len(shelf.releases), "release"), counted(len(shelf.runs), "training run")]
        self._facts.setText("  ·  ".join([*facts, f"champion {champion}"] if champion else facts))
        self.release_page.show_shelf(shelf)
        self.training_page.show_shelf(shelf)

    def _on_changed(self, changes: ChangeSet, _initiator: object) -> None:
        # Also when hidden: a trainer may end while another screen is in front.
        if changes.releases or changes.training_runs:
            self.activate()

    def _show_challenger(self, release: ReleaseSummary) -> None:
        self.release_page.bring(release)
        self.pages.setCurrentWidget(self.release_page)

    def _show_release(self, release_id: str) -> None:
        self.release_page.select(release_id)
        self.pages.setCurrentWidget(self.release_page)

    def _show_run(self, run_id: str) -> None:
        self.training_page.select(run_id)
        self.pages.setCurrentWidget(self.training_page)
