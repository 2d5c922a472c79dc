"""Reviewers: how often each is right, how far they agree, and the last word where they do not."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QSpinBox, QTabWidget, QVBoxLayout, QWidget

from desktop.operations import agreeing, reviewing
from desktop.session import Session
from desktop.widgets.adjudication_view import AdjudicationView
from desktop.widgets.basics import PAGE, column, page_title, row, set_apart, words
from desktop.widgets.reviewers_view import ReviewersView
from desktop.widgets.wording import answer_words, counted
from engine.contracts import ChangeSet, Decision, Disagreement, ReviewersReport, Verdict


class ReviewersScreen(QWidget):
    """Two pages: the reviewers' table, and what waits for adjudication.

    ``reopen_asked`` carries a listing that is to be answered in Review.
    """

    reopen_asked = Signal(int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._stale = True
        self._saving = False
        self.report: ReviewersReport | None = None
        self.facts = words("", "muted")
        self.message = words("", "muted")
        self.share = QSpinBox()
        set_apart(self.share)
        self.share.setRange(0, 100)
        self.share.setSuffix(" %")
        self.share.setSpecialValueText("none")
        self.share.setKeyboardTracking(False)
        self.share.setAccessibleName("Share of decisions that are asked again")
        self.share.setToolTip("This share of all decisions is asked again of another reviewer, blind")
        self.share.setEnabled(not session.read_only)
        self.share.valueChanged.connect(self._on_share)
        self.view = ReviewersView()
        self.adjudication = AdjudicationView()
        self.adjudication.settled.connect(self._settle)
        self.adjudication.reopen_asked.connect(self.reopen_asked)
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.pages.tabBar().setDrawBase(False)
        self.pages.addTab(self.view, "Reviewers")
        self.pages.addTab(self.adjudication, "To adjudicate")
        self.pages.currentChanged.connect(lambda _page: self._focus())
        asked = words("Ask another reviewer again:", "muted")
        asked.setBuddy(self.share)
        head = row(column(page_title("Reviewers"), self.facts, spacing=2), None, asked, self.share)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PAGE, PAGE - 4, PAGE, PAGE - 8)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.message)
        session.hub.changed.connect(self._on_changed)
        for keys, intent in ((QKeySequence.StandardKey.Undo, self._undo), ("Ctrl+Shift+Z", self._redo)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(intent)

    def activate(self) -> None:
        """Shown: read again if anything was said since."""
        if self._stale:
            self._stale = False
            agreeing.load_agreeing(self._session, done=self._show)
        self._focus()

    # -- drawing ---------------------------------------------------------------------------------

    def _show(self, read: agreeing.Agreeing) -> None:
        report = read.report
        self.report = report
        with QSignalBlocker(self.share):
            self.share.setValue(round(100 * report.overlap_share))
        self.facts.setText(
            "  ·  ".join(
                (
                    f"{counted(report.answered, 'draw')} answered",
                    f"{report.waiting:,} waiting",
                    f"{counted(report.gold, 'decision')} marked as certain",
                )
            )
        )
        self.view.show_report(report)
        self.adjudication.show_disagreements(read.disagreements, writable=not self._session.read_only)
        waiting = f" ({report.to_adjudicate:,})" if report.to_adjudicate else ""
        self.pages.setTabText(1, f"To adjudicate{waiting}")

    def _focus(self) -> None:
        page = self.adjudication.table if self.pages.currentIndex() == 1 else self.view.reviewer_table
        page.setFocus()

    # -- intents ---------------------------------------------------------------------------------

    def _on_share(self, percent: int) -> None:
        agreeing.set_overlap_share(
            self._session,
            share=percent / 100,
            initiator=self,
            done=lambda share: self.message.setText(
                f"{share:.0%} of the decisions are asked again, blind" if share else "Nothing is asked again"
            ),
        )

    def _settle(
        self,
        one: Disagreement,
        verdict: Verdict,
        item_id: int | None,
        also_right: tuple[int, ...],
        note: str,
    ) -> None:
        if self._saving or self._session.read_only:
            return
        self._saving = True

        def done(decision: Decision) -> None:
            self._saving = False
            self.message.setText(f"Saved: {answer_words(decision)}.  Ctrl+Z undoes it")
            agreeing.load_agreeing(self._session, done=self._show)

        def failed(error: Exception) -> None:
            self._saving = False
            self._session.tasks.failure.emit(error)

        agreeing.adjudicate(
            self._session,
            disagreement=one,
            verdict=verdict,
            item_id=item_id,
            also_right=also_right,
            note=note,
            initiator=self,
            done=done,
            failed=failed,
        )

    def _undo(self) -> None:
        if not self._session.read_only:
            reviewing.undo(self._session, initiator=self, done=lambda _turned: self._turned("Undone"))

    def _redo(self) -> None:
        if not self._session.read_only:
            reviewing.redo(self._session, initiator=self, done=lambda _turned: self._turned("Redone"))

    def _turned(self, what: str) -> None:
        self.message.setText(what)
        agreeing.load_agreeing(self._session, done=self._show)

    def _on_changed(self, changes: ChangeSet, initiator: object) -> None:
        if initiator is self or not (changes.decisions or changes.opinions):
            return
        if self.isVisible():
            agreeing.load_agreeing(self._session, done=self._show)
        else:
            self._stale = True
