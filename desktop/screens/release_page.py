"""Releases: what each rests on, challenger against champion, promoting and rolling back."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from desktop.item_models.rows_model import Column, RowsModel
from desktop.operations import releasing
from desktop.operations.releasing import Shelf
from desktop.session import Session
from desktop.widgets.basics import (
    Badge,
    Card,
    EmptyState,
    primary_button,
    row,
    scrolling,
    secondary_button,
    words,
)
from desktop.widgets.certificate_card import certificate_basis, certificate_parts
from desktop.widgets.comparison_view import ComparisonView, gate_badge
from desktop.widgets.job_panel import JobPanel
from desktop.widgets.pieces import Banner, table
from desktop.widgets.wording import counted, origin, percent, when
from engine.contracts import CertificateKind, Comparison, ReleaseSummary


def standing(release: ReleaseSummary) -> str:
    """Champion, may be promoted, held back, or not compared yet."""
    if release.is_champion:
        return "champion"
    if release.gate is None:
        return ""
    return "gate passed" if release.gate.passed else "held back"


def signed(release: ReleaseSummary) -> str:
    """The coverage a release is signed for."""
    certificate = release.certificate
    if certificate is None or certificate.threshold is None:
        return "–"
    return percent(certificate.expected_coverage)


def basis_words(release: ReleaseSummary) -> str:
    """What a release is signed for, and on what that rests."""
    certificate = release.certificate
    if certificate is None:
        return "It has no certificate: with it, every match is reviewed."
    if certificate.threshold is None:
        missing = certificate.labels_missing
        if missing is None:
            return f"Nothing could be signed at {percent(certificate.precision)} precision."
        return (
            f"Nothing is signed yet: about {counted(missing, 'random decision')} missing for "
            f"{percent(certificate.precision)} precision."
        )
    if certificate.kind is CertificateKind.BOTH:
        return (
            f"Automates about {percent(certificate.expected_coverage)}, at least "
            f"{percent(certificate.precision)} of it right. {certificate_basis(certificate)} "
            f"{certificate_parts(certificate)}"
        ).strip()
    return (
        f"Automates about {percent(certificate.expected_coverage)} as a match, at least "
        f"{percent(certificate.precision)} of them right. {certificate_basis(certificate)}"
    )


_COLUMNS: tuple[Column[ReleaseSummary], ...] = (
    Column("Release", lambda release: release.id),
    Column("Standing", standing),
    Column("Signed coverage", signed, right=True, tip=basis_words),
    Column("Made", lambda release: when(release.created_at)),
)


class ReleasePage(QWidget):
    """The list of releases, and the one in front in detail."""

    #: The training run a release was made of is to be shown.
    wanted = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._release: ReleaseSummary | None = None
        self._champion: str | None = None
        self._comparisons: dict[str, Comparison] = {}
        self._build()
        self._show_release()

    @property
    def name(self) -> str:
        """The release in front."""
        return self._release.id if self._release is not None else ""

    @property
    def standing_word(self) -> str:
        """What its badge says."""
        return "" if self._badge.isHidden() else self._badge.text()

    # -- building ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.banner = Banner()
        self.job_panel = JobPanel()
        listed = Card("Releases")
        self._releases: RowsModel[ReleaseSummary] = RowsModel(_COLUMNS, self)
        self.releases_view = table(self._releases, "Releases", stretch=(1,))
        self.releases_view.selectionModel().currentRowChanged.connect(
            lambda _now, _before: self._on_selected()
        )
        self.roll_back_button = secondary_button("Roll back", self.roll_back, icon_name="undo")
        self.roll_back_button.setToolTip("Return to the champion before this one, with its own certificate")
        listed.body.addWidget(self.releases_view, 1)
        listed.add(row(self.roll_back_button, None))
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(12)
        split.addWidget(listed)
        split.addWidget(self._build_detail())
        split.setSizes([450, 720])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 12, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(self.banner)
        layout.addWidget(self.job_panel)
        layout.addWidget(split, 1)

    def _build_detail(self) -> QWidget:
        self._name = words("", "big")
        self._badge = Badge()
        self._about = words("", "caption", wrap=True, selectable=True)
        self._basis = words("", wrap=True, selectable=True)
        self.run_button = secondary_button("Show training run", self._show_run)
        self.compare_button = secondary_button("Compare with champion", self.compare, icon_name="automation")
        self.promote_button = primary_button("Promote", self.promote, icon_name="tick")
        self.force_box = QCheckBox("Promote although the gate holds it back")
        self.force_box.toggled.connect(lambda _on: self._show_buttons())
        card = Card()
        card.add(
            row(self._name, self._badge, None, self.run_button, self.compare_button, self.promote_button),
            self._about,
            self._basis,
            self.force_box,
        )
        self.comparison_view = ComparisonView()
        self._empty = EmptyState("", "", icon_name="releases")
        self._below = QStackedWidget()
        self._below.addWidget(self._empty)
        self._below.addWidget(self.comparison_view)
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(card)
        layout.addWidget(self._below, 1)
        # Small windows scroll here instead of growing.
        area = scrolling(inner)
        inner.setMinimumWidth(480)
        return area

    # -- showing -------------------------------------------------------------------------------

    def show_shelf(self, shelf: Shelf) -> None:
        """Show these releases; the one in front stays in front."""
        champion = next((release.id for release in shelf.releases if release.is_champion), None)
        if champion != self._champion:
            # A comparison is with a champion; with another champion it says nothing.
            self._champion = champion
            self._comparisons.clear()
        chosen = self._release.id if self._release else None
        self._releases.show_rows(shelf.releases)
        self.select(chosen or (shelf.releases[0].id if shelf.releases else None))

    def select(self, release_id: str | None) -> None:
        """Bring a release to the front."""
        for number, release in enumerate(self._releases.rows):
            if release.id == release_id:
                self._release = release
                self.releases_view.setCurrentIndex(self._releases.index(number, 0))
                break
        self._show_release()

    def bring(self, release: ReleaseSummary) -> None:
        """Bring a release to the front that the list may not hold yet."""
        self._release = release
        self.select(release.id)

    def _on_selected(self) -> None:
        index = self.releases_view.currentIndex()
        if not index.isValid():
            return
        release = self._releases.row(index.row())
        if self._release is None or release.id != self._release.id:
            self._release = release
            self.force_box.setChecked(False)
            self._show_release()

    def _show_release(self) -> None:
        release = self._release
        self._show_buttons()
        if release is None:
            self._name.setText("No release yet")
            self._badge.hide()
            self._about.setText("The first release is made when listings are first matched.")
            self._basis.setText("")
            self._basis.hide()
            self._below.hide()
            return
        self._name.setText(release.id)
        if release.is_champion:
            self._badge.show_as("Champion", "accent")
        elif release.gate is not None:
            self._badge.show_as(*gate_badge(release.gate))
        else:
            self._badge.show_as("Challenger", "neutral")
        self._badge.show()
        self._about.setText(about_words(release))
        self._basis.setText(basis_words(release))
        self._basis.show()
        comparison = self._comparisons.get(release.id)
        self._below.show()
        self._below.setCurrentIndex(0 if comparison is None else 1)
        if comparison is not None:
            self.comparison_view.show_comparison(comparison)
        elif release.is_champion:
            self._empty.say("This is the release in use", "Every automated answer is its own.")
        else:
            self._empty.say(
                "Not compared with the champion yet",
                "A comparison measures both on the same held-out decisions and lists every automated "
                "answer that would change.",
            )

    def _show_buttons(self) -> None:
        release = self._release
        free = not self.job_panel.busy
        writable = not self._session.read_only and free
        challenger = release is not None and not release.is_champion
        gate = release.gate if release is not None else None
        held_back = challenger and gate is not None and not gate.passed
        self.compare_button.setVisible(challenger)
        self.promote_button.setVisible(challenger)
        self.run_button.setVisible(release is not None and release.run_id is not None)
        self.force_box.setVisible(held_back)
        self.compare_button.setEnabled(free)
        passed = gate is not None and gate.passed
        self.promote_button.setEnabled(writable and (passed or (held_back and self.force_box.isChecked())))
        self.promote_button.setToolTip("" if gate is not None else "Compare it with the champion first")
        self.roll_back_button.setEnabled(writable and len(self._releases.rows) > 1)

    # -- intents -------------------------------------------------------------------------------

    def compare(self) -> None:
        """Measure the release in front against the champion."""
        release = self._release
        if release is None or self.job_panel.busy:
            return
        self.banner.say("")
        job = releasing.compare(
            self._session,
            release_id=release.id,
            initiator=None,
            done=lambda comparison: self._on_compared(release.id, comparison),
        )
        self.job_panel.watch(job)
        job.ended.connect(self._show_buttons)
        self._show_buttons()

    def _on_compared(self, asked: str, comparison: Comparison) -> None:
        compared = comparison.challenger.release_id
        self._comparisons[compared] = comparison
        if compared != asked:
            self.banner.say(
                f"The gate holds {asked} back. {compared}, the same averaged with the encoder it started "
                "from, may be promoted.",
                "good",
            )
            releasing.shelf(self._session, done=lambda shelf: self._show_tried(shelf, compared))
        self._show_release()

    def _show_tried(self, shelf: Shelf, release_id: str) -> None:
        self.show_shelf(shelf)
        self.select(release_id)

    def promote(self) -> None:
        """Make the release in front the champion."""
        release = self._release
        if release is None or self.job_panel.busy:
            return
        self.banner.say("")
        job = releasing.promote(
            self._session,
            release_id=release.id,
            force=self.force_box.isVisible() and self.force_box.isChecked(),
            initiator=None,
            done=lambda made: self.banner.say(f"{made.id} is the champion now; listings go by it.", "good"),
        )
        self.job_panel.watch(job)
        job.ended.connect(self._show_buttons)
        self._show_buttons()

    def roll_back(self) -> None:
        """Return to the champion before."""
        if self.job_panel.busy:
            return
        self.banner.say("")
        job = releasing.roll_back(
            self._session,
            initiator=None,
            done=lambda made: self.banner.say(f"Rolled back: {made.id} is the champion again.", "good"),
        )
        self.job_panel.watch(job)
        job.ended.connect(self._show_buttons)
        self._show_buttons()

    def _show_run(self) -> None:
        if self._release is not None and self._release.run_id is not None:
            self.wanted.emit(self._release.run_id)


def about_words(release: ReleaseSummary) -> str:
    """A release's particulars on one line."""
    made_by = origin(release.origin)
    if release.trained_share is not None:
        made_by += f", {percent(release.trained_share)} trained"
    facts = [made_by, f"made {when(release.created_at)}"]
    if release.run_id:
        facts.append(f"run {release.run_id}")
    if release.parent:
        facts.append(f"follows {release.parent}")
    facts.append(f"matcher: {release.matcher}")
    facts.append(counted(release.decisions, "decision"))
    return "  ·  ".join(facts)
