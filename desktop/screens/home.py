"""Home: where the workspace stands, its feeds, importing, matching, exporting."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QMenu, QStackedWidget, QVBoxLayout, QWidget

from desktop.item_models.rows_model import Column, RowsModel
from desktop.operations import exporting, matching
from desktop.operations.matching import Overview
from desktop.screens.import_page import ImportPage
from desktop.session import Session
from desktop.widgets.basics import (
    PAGE,
    Badge,
    Card,
    column,
    page_title,
    primary_button,
    row,
    secondary_button,
    words,
)
from desktop.widgets.drop_area import DropArea, dropped_file
from desktop.widgets.job_panel import JobPanel
from desktop.widgets.pieces import (
    TABLE_FILES,
    Banner,
    FileChooser,
    SaveChooser,
    choose_file,
    choose_target,
    clear,
    table,
)
from desktop.widgets.route_bar import RouteBar, RouteBarDelegate, route_shares
from desktop.widgets.stat_tile import StatTile
from desktop.widgets.wording import count, counted, percent, when
from engine.contracts import ChangeSet, Counts, FeedSummary, ImportReport, RecordKind, Status


def feed_sentence(feed: FeedSummary) -> str:
    """Where a feed's listings stand, for tips and screen readers."""
    return (
        f"{feed.automated:,} automated, {feed.settled:,} settled, "
        f"{feed.review:,} in review, {feed.unmatched:,} not matched yet"
    )


_FEED_COLUMNS: tuple[Column[FeedSummary], ...] = (
    Column("Feed", lambda feed: feed.name),
    Column("Imported", lambda feed: when(feed.imported_at)),
    Column("Listings", lambda feed: count(feed.listings), right=True),
    Column("Automated", lambda feed: count(feed.automated), right=True),
    Column("Settled", lambda feed: count(feed.settled), right=True),
    Column("Review", lambda feed: count(feed.review), right=True),
    Column("Not matched", lambda feed: count(feed.unmatched), right=True),
    Column("Where they stand", feed_sentence),
)
_NAME_COLUMN, _BAR_COLUMN = 0, 7
_EXPORTS = (("matches", "Matches"), ("decisions", "Decisions"), ("pairs", "Pairs for training"))
_EXPORT_FILES = "Excel (*.xlsx);;CSV (*.csv);;Parquet (*.parquet);;JSON lines (*.jsonl)"


class HomeScreen(QWidget):
    """Where things stand and what to do next."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._items = 0
        self._told: tuple[str, ...] | None = None
        self.choose_file: FileChooser = choose_file
        self.choose_target: SaveChooser = choose_target
        self.setAcceptDrops(True)
        self._pages = QStackedWidget()
        self.import_page = ImportPage(session)
        self.import_page.closed.connect(self._import_closed)
        self._pages.addWidget(self._build_overview())
        self._pages.addWidget(self.import_page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._pages)
        session.hub.changed.connect(self._on_changed)

    def activate(self) -> None:
        """Read where things stand; called whenever the screen is shown."""
        matching.overview(self._session, done=self._show)

    @property
    def importing(self) -> bool:
        """Whether the import page is in front."""
        return self._pages.currentWidget() is self.import_page

    # -- building ------------------------------------------------------------------------------

    def _build_overview(self) -> QWidget:
        self._title = page_title(self._session.workspace.path.name)
        self._facts = words("", "caption", selectable=True)
        self.import_catalogue_button = secondary_button(
            "Import catalogue", lambda: self._choose(RecordKind.CATALOGUE), icon_name="upload"
        )
        self.import_listings_button = secondary_button(
            "Import listings", lambda: self._choose(RecordKind.LISTINGS), icon_name="upload"
        )
        self.export_button = secondary_button("Export", icon_name="download")
        menu = QMenu(self.export_button)
        for what, name in _EXPORTS:
            menu.addAction(name).triggered.connect(lambda _checked=False, what=what: self._export(what))
        self.export_button.setMenu(menu)
        self.match_button = primary_button("Match", self.match, icon_name="play")
        self.job_panel = JobPanel()
        self.banner = Banner()

        page = QWidget()
        layout = column(
            row(
                column(self._title, self._facts, spacing=2),
                None,
                self.import_catalogue_button,
                self.import_listings_button,
                self.export_button,
                self.match_button,
            ),
            self.banner,
            self.job_panel,
            spacing=16,
        )
        glance = row(self._build_glance(), self._build_next_steps(), spacing=16)
        glance.setStretch(0, 5)
        glance.setStretch(1, 3)
        layout.addLayout(glance)
        layout.addWidget(self._build_feeds(), 1)
        layout.setContentsMargins(PAGE, PAGE - 4, PAGE, PAGE)
        page.setLayout(layout)
        return page

    def _build_glance(self) -> Card:
        card = Card("At a glance")
        self.rate_tile = StatTile("Automation rate")
        self.coverage_tile = StatTile("Automated matches")
        self.none_tile = StatTile("Automated “not in catalogue”")
        self.memory_tile = StatTile("Settled from memory")
        self.decided_tile = StatTile("Decisions")
        tiles = row(
            self.rate_tile,
            self.coverage_tile,
            self.none_tile,
            self.memory_tile,
            self.decided_tile,
            spacing=20,
        )
        for position in range(tiles.count()):
            tiles.setStretch(position, 1)
        self.route_bar = RouteBar()
        card.body.addLayout(tiles)
        card.body.addSpacing(6)
        card.body.addWidget(self.route_bar)
        return card

    def _build_next_steps(self) -> Card:
        card = Card("What to do next")
        self._steps = QVBoxLayout()
        self._steps.setSpacing(10)
        card.body.addLayout(self._steps)
        card.body.addStretch(1)
        return card

    def _build_feeds(self) -> QWidget:
        self._feeds: RowsModel[FeedSummary] = RowsModel(_FEED_COLUMNS, self)
        self.feeds_view = table(self._feeds, "Feeds", stretch=(_NAME_COLUMN, _BAR_COLUMN))
        self.feeds_view.setItemDelegateForColumn(_BAR_COLUMN, RouteBarDelegate(self.feeds_view))
        feeds = Card("Feeds")
        feeds.body.addWidget(self.feeds_view, 1)
        self.drop_area = DropArea(
            "Drop a catalogue or a feed here",
            "CSV, TSV, Excel, Parquet or JSON lines. Start with the catalogue, then import listings.",
        )
        self.drop_area.dropped.connect(self._dropped)
        self._lower = QStackedWidget()
        self._lower.addWidget(self.drop_area)
        self._lower.addWidget(feeds)
        return self._lower

    # -- showing -------------------------------------------------------------------------------

    def _show(self, overview: Overview) -> None:
        status, counts = overview.status, overview.status.counts
        self._items = counts.items
        facts = [counted(counts.items, "item"), counted(counts.listings, "listing")]
        if status.champion:
            facts.append(f"champion {status.champion}")
        if status.read_only:
            facts.append("open read-only")
        self._facts.setText("  ·  ".join(facts))
        self.rate_tile.show_figure(percent(status.automation_rate), "settled without a person")
        self.coverage_tile.show_figure(count(counts.automated_matches), percent(status.coverage, 1))
        self.none_tile.show_figure(count(counts.automated_none), "")
        self.memory_tile.show_figure(count(counts.settled_by_memory), "exact repeats")
        self.decided_tile.show_figure(count(counts.decisions), f"{count(counts.random_decisions)} random")
        self.route_bar.show_shares(
            route_shares(
                automated=counts.automated,
                settled=counts.settled,
                review=counts.review,
                unmatched=counts.unmatched,
            )
        )
        self._show_steps(status)
        self._feeds.show_rows(overview.feeds)
        self._lower.setCurrentIndex(1 if overview.feeds else 0)
        writable = not status.read_only
        self.import_catalogue_button.setEnabled(writable)
        self.import_listings_button.setEnabled(writable)
        self.match_button.setEnabled(
            writable and counts.unmatched > 0 and counts.items > 0 and not self.job_panel.busy
        )
        self.match_button.setText(f"Match {count(counts.unmatched)}" if counts.unmatched else "Match")
        self.export_button.setEnabled(counts.listings > 0)

    def _show_steps(self, status: Status) -> None:
        if status.next_steps == self._told:
            return
        self._told = status.next_steps
        clear(self._steps)
        for number, step in enumerate(status.next_steps, start=1):
            badge = Badge(str(number), "accent")
            badge.setFixedWidth(26)
            badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
            line = row(badge, words(step, wrap=True), spacing=10)
            line.setAlignment(badge, Qt.AlignmentFlag.AlignTop)
            line.setStretch(1, 1)
            self._steps.addLayout(line)
        if not status.next_steps:
            self._steps.addWidget(words("Nothing waits for you.", "caption"))

    def _on_changed(self, _changes: ChangeSet, _initiator: object) -> None:
        if self.isVisible():
            self.activate()

    # -- importing -----------------------------------------------------------------------------

    def open_import(self, file: Path, kind: RecordKind) -> None:
        """Show what importing a file would do."""
        self.banner.say("")
        self.import_page.open(file, kind)
        self._pages.setCurrentWidget(self.import_page)

    def _choose(self, kind: RecordKind) -> None:
        what = "catalogue" if kind is RecordKind.CATALOGUE else "listings"
        file = self.choose_file(self, f"Import {what}", TABLE_FILES)
        if file is not None:
            self.open_import(file, kind)

    def _dropped(self, file: Path) -> None:
        if self._session.read_only:
            self.banner.say("This workspace is open read-only; nothing can be imported.", "warn")
            return
        # The catalogue comes first; the page lets a person say otherwise.
        self.open_import(file, RecordKind.LISTINGS if self._items else RecordKind.CATALOGUE)

    def _import_closed(self, report: ImportReport | None) -> None:
        self._pages.setCurrentIndex(0)
        if report is not None:
            self.banner.say(report_words(report))
        self.activate()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """A file may be dropped anywhere on the screen."""
        if not self.importing and dropped_file(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the import page for the file."""
        file = dropped_file(event.mimeData())
        if file is not None:
            event.acceptProposedAction()
            self._dropped(file)

    # -- matching and exporting ----------------------------------------------------------------

    def match(self) -> None:
        """Match every listing that has not been."""
        if self.job_panel.busy:
            return
        self.banner.say("")
        self.match_button.setEnabled(False)
        job = matching.match(self._session, initiator=None, done=self._matched)
        self.job_panel.watch(job)
        job.ended.connect(self.activate)

    def _matched(self, counts: Counts) -> None:
        self.banner.say(
            f"Matched. {counted(counts.automated, 'listing')} automated, "
            f"{count(counts.review)} wait for review."
        )

    def _export(self, what: str) -> None:
        suggested = f"{self._session.workspace.path.name}-{what}.xlsx"
        target = self.choose_target(self, f"Export {what}", suggested, _EXPORT_FILES)
        if target is None or self.job_panel.busy:
            return
        job = exporting.export(
            self._session,
            what=what,
            target=target,
            initiator=self,
            done=lambda rows: self.banner.say(f"{counted(rows, 'row')} written to {target}."),
        )
        self.job_panel.watch(job)


def report_words(report: ImportReport) -> str:
    """What an import did, in one sentence."""
    what = "item" if report.kind is RecordKind.CATALOGUE else "listing"
    parts = [f"{counted(report.added, what)} added"]
    if report.updated:
        parts.append(f"{report.updated:,} updated")
    if report.unchanged:
        parts.append(f"{report.unchanged:,} unchanged")
    if report.refused_total:
        parts.append(f"{counted(report.refused_total, 'row')} left out")
    return f"{Path(report.path).name}: {', '.join(parts)}."
