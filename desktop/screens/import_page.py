"""The page on which a file becomes a catalogue or a feed: look first, then import."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QButtonGroup, QLineEdit, QPushButton, QSplitter, QTableView, QWidget

from desktop.item_models.rows_model import Column, RowsModel
from desktop.operations import importing
from desktop.session import Session
from desktop.widgets.basics import (
    PAGE,
    Card,
    column,
    page_title,
    primary_button,
    row,
    scrolling,
    secondary_button,
    set_role,
    words,
)
from desktop.widgets.job_panel import JobPanel
from desktop.widgets.mapping_table import MappingTable, sample_value
from desktop.widgets.pieces import table
from desktop.widgets.wording import count, counted, table_format
from engine.contracts import (
    REQUIRED_FIELDS,
    ImportPreview,
    ImportReport,
    RecordKind,
    RefusedRow,
)
from engine.errors import EngineError

# Long enough that choosing through a list with the arrow keys reads the file once.
_SETTLE_MS = 120

_REFUSED_COLUMNS: tuple[Column[RefusedRow], ...] = (
    Column("Row", lambda refused: count(refused.row), right=True),
    Column("Column", lambda refused: refused.column),
    Column("Why it is not imported", lambda refused: refused.reason),
)


class ImportPage(QWidget):
    """Shows what an import would do, lets a person correct the columns, and imports.

    ``closed`` carries the report of a finished import, or None when nothing was imported.
    """

    closed = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._file = Path()
        self._kind = RecordKind.LISTINGS
        self._preview: ImportPreview | None = None
        self._asked = 0
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._read_again)
        self._build()

    # -- what the home screen calls ------------------------------------------------------------

    def open(self, file: Path, kind: RecordKind) -> None:
        """Show what importing ``file`` as ``kind`` would do."""
        self._file, self._kind = file, kind
        self.kind_buttons[kind].setChecked(True)
        self._title.setText(f"Import {file.name}")
        self.feed_edit.setText(file.stem)
        self._show_kind()
        self._preview = None
        self._ask(None)

    @property
    def preview(self) -> ImportPreview | None:
        """What is shown; None while the file is being read or cannot be."""
        return self._preview

    @property
    def problem(self) -> str:
        """Why the file cannot be imported, "" while it can."""
        return "" if self._problem.isHidden() else self._problem.text()

    # -- building ------------------------------------------------------------------------------

    def _build(self) -> None:
        self._title = page_title("")
        self._facts = words("", "caption")
        self.import_button = primary_button("Import", self.import_now, icon_name="download")
        self.back_button = secondary_button("Back", self._close)
        self.kind_buttons = {
            RecordKind.LISTINGS: QPushButton("Listings to match"),
            RecordKind.CATALOGUE: QPushButton("Catalogue items"),
        }
        group = QButtonGroup(self)
        for kind, choice in self.kind_buttons.items():
            choice.setCheckable(True)
            choice.setProperty("kind", "segment")
            choice.clicked.connect(lambda _checked, kind=kind: self._choose_kind(kind))
            group.addButton(choice)
        self.feed_edit = QLineEdit()
        self.feed_edit.setAccessibleName("Name of the feed")
        self.feed_edit.setMinimumWidth(220)
        self._feed_label = words("Feed name")
        self._feed_label.setBuddy(self.feed_edit)
        self.mapping_table = MappingTable()
        self.mapping_table.changed.connect(lambda _mapping: self._settle.start())
        self._refused_model: RowsModel[RefusedRow] = RowsModel(_REFUSED_COLUMNS, self)
        self.refused_view = table(self._refused_model, "Rows that are not imported", stretch=(2,))
        self._refused_words = words("", "caption", wrap=True)
        self._sample_model: RowsModel[tuple[str, ...]] = RowsModel((), self)
        self.sample_view = table(self._sample_model, "First rows of the file")
        self._problem = words("", "problem", wrap=True, selectable=True)
        self._problem.hide()
        self.job_panel = JobPanel()

        mapping_card = Card("Columns")
        mapping_card.body.addWidget(
            words("Columns that are no field are kept as attributes of the record.", "caption")
        )
        mapping_card.body.addWidget(scrolling(self.mapping_table), 1)
        right = QSplitter(Qt.Orientation.Vertical)
        right.addWidget(_with(Card("First rows of the file"), self.sample_view))
        right.addWidget(_with(Card("Rows that are not imported"), self._refused_words, self.refused_view))
        right.setSizes([300, 300])
        whole = QSplitter(Qt.Orientation.Horizontal)
        whole.addWidget(mapping_card)
        whole.addWidget(right)
        whole.setSizes([600, 560])
        for split in (right, whole):
            split.setChildrenCollapsible(False)
            split.setHandleWidth(12)

        page = column(
            row(column(self._title, self._facts, spacing=2), None, self.back_button, self.import_button),
            row(
                row(*self.kind_buttons.values(), spacing=4),
                self._feed_label,
                self.feed_edit,
                None,
                spacing=16,
            ),
            self._problem,
            self.job_panel,
            spacing=14,
        )
        page.addWidget(whole, 1)
        page.setContentsMargins(PAGE, PAGE - 4, PAGE, PAGE)
        self.setLayout(page)

    # -- reading the file ----------------------------------------------------------------------

    def _choose_kind(self, kind: RecordKind) -> None:
        if kind is not self._kind:
            self._kind = kind
            self._show_kind()
            self._ask(None)

    def _show_kind(self) -> None:
        listings = self._kind is RecordKind.LISTINGS
        self._feed_label.setVisible(listings)
        self.feed_edit.setVisible(listings)

    def _read_again(self) -> None:
        self._ask(self.mapping_table.mapping())

    def _ask(self, mapping: dict[str, str] | None) -> None:
        self._settle.stop()
        self._asked += 1
        asked = self._asked
        self.import_button.setEnabled(False)
        self._facts.setText("Reading the file")
        importing.preview(
            self._session,
            file=self._file,
            kind=self._kind,
            mapping=mapping,
            done=lambda preview: self._show(preview, asked),
            failed=lambda error: self._show_problem(error, asked),
        )

    def _show(self, preview: ImportPreview, asked: int) -> None:
        if asked != self._asked:  # a later choice is already being read
            return
        self._preview = preview
        self._problem.hide()
        self._facts.setText(f"{table_format(preview.format)} · {counted(preview.rows, 'row')}")
        self.mapping_table.show_preview(preview)
        outdated, self._sample_model = self._sample_model, RowsModel(_sample_columns(preview), self)
        self.sample_view.setModel(self._sample_model)
        outdated.deleteLater()
        self._sample_model.show_rows(
            [tuple(sample_value(line, name) for name in preview.columns) for line in preview.sample]
        )
        self.sample_view.resizeColumnsToContents()
        _cap_widths(self.sample_view)
        self._refused_model.show_rows(preview.refused)
        self.refused_view.setVisible(bool(preview.refused))
        mapped = all(preview.mapping.column(field) for field in REQUIRED_FIELDS)
        told = refused_words(preview.refused_total, len(preview.refused))
        self._refused_words.setText(told if mapped else "Choose the columns marked * first.")
        set_role(self._refused_words, "caption" if mapped and not preview.refused_total else "warning")
        importable = preview.rows - preview.refused_total
        what = "item" if self._kind is RecordKind.CATALOGUE else "listing"
        self.import_button.setText(f"Import {counted(importable, what)}" if mapped else "Import")
        self.import_button.setEnabled(mapped and importable > 0 and not self._session.read_only)

    def _show_problem(self, error: Exception, asked: int) -> None:
        if asked != self._asked:
            return
        self._preview = None
        self._facts.setText("")
        if not isinstance(error, EngineError):
            self._session.tasks.failure.emit(error)
            return
        self._problem.setText(error.message)
        self._problem.show()

    # -- importing -----------------------------------------------------------------------------

    def import_now(self) -> None:
        """Import what is shown."""
        if self._preview is None:
            return
        for part in (self.import_button, self.back_button, self.mapping_table, self.feed_edit):
            part.setEnabled(False)
        job = importing.import_table(
            self._session,
            file=self._file,
            kind=self._kind,
            feed=(self.feed_edit.text().strip() or None) if self._kind is RecordKind.LISTINGS else None,
            mapping=self.mapping_table.mapping(),
            initiator=None,
            done=self._imported,
            failed=lambda error: self._show_problem(error, self._asked),
        )
        self.job_panel.watch(job)
        job.ended.connect(self._unlock)

    def _imported(self, report: ImportReport) -> None:
        self.closed.emit(report)

    def _unlock(self) -> None:
        for part in (self.back_button, self.mapping_table, self.feed_edit):
            part.setEnabled(True)
        self.import_button.setEnabled(self._preview is not None)

    def _close(self) -> None:
        self._settle.stop()
        self._asked += 1
        self.closed.emit(None)


def refused_words(total: int, shown: int) -> str:
    """How many rows are refused, and of how many the reasons are listed."""
    if not total:
        return "Every row can be imported."
    text = f"{counted(total, 'row')} will be left out; the others are imported."
    return text if total <= shown else f"{text} The first {shown:,} are listed."


def _sample_columns(preview: ImportPreview) -> tuple[Column[tuple[str, ...]], ...]:
    def cell(position: int) -> Column[tuple[str, ...]]:
        return Column(preview.columns[position], lambda line: line[position])

    return tuple(cell(position) for position in range(len(preview.columns)))


def _cap_widths(view: QTableView) -> None:
    for section in range(view.model().columnCount()):
        view.setColumnWidth(section, min(260, view.columnWidth(section) + 12))


def _with(card: Card, *parts: QWidget) -> Card:
    for part in parts:
        card.body.addWidget(part, 1 if isinstance(part, QTableView) else 0)
    if parts and not isinstance(parts[0], QTableView):
        card.body.addStretch(0)
    return card
