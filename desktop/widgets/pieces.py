"""Pieces that several screens share: tables of whole rows, a line of news, asking for a file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from PySide6.QtCore import QAbstractItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QFrame,
    QHeaderView,
    QLayout,
    QSizePolicy,
    QTableView,
    QWidget,
)

from desktop.widgets.basics import Tone, quiet_button, restyle, row, words

#: Asks for a file to read: parent, title, filter -> path, None when called off.
FileChooser = Callable[[QWidget, str, str], Path | None]
#: Asks for a file to write: parent, title, suggested name, filter -> path, None when called off.
SaveChooser = Callable[[QWidget, str, str, str], Path | None]

TABLE_FILES = "Tables (*.csv *.tsv *.txt *.xlsx *.parquet *.jsonl *.ndjson);;All files (*)"


def table(model: QAbstractItemModel, name: str, *, stretch: Collection[int] | None = None) -> QTableView:
    """A read-only table of whole rows, as every screen shows them.

    The columns in ``stretch`` share the room that is left and the others are as wide as their words;
    without it a person sets the widths.
    """
    view = QTableView()
    view.setModel(model)
    view.setAccessibleName(name)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setAlternatingRowColors(False)
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.setTabKeyNavigation(False)
    view.setFrameShape(QFrame.Shape.NoFrame)
    # A table stands on a card, which has the frame; the row in front shows where the focus is.
    view.setStyleSheet("QTableView, QTableView:focus, QHeaderView { border: none; border-radius: 0; }")
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.verticalHeader().setVisible(False)
    view.verticalHeader().setDefaultSectionSize(34)
    header = view.horizontalHeader()
    header.setHighlightSections(False)
    header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
    if stretch is None:
        header.setStretchLastSection(True)
    else:
        for section in range(model.columnCount()):
            grows = section in stretch
            mode = QHeaderView.ResizeMode.Stretch if grows else QHeaderView.ResizeMode.ResizeToContents
            header.setSectionResizeMode(section, mode)
    view.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
    return view


class Banner(QFrame):
    """A line of news above a screen's content, until it is put away or replaced."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self._words = words("", wrap=True, selectable=True)
        line = row(self._words, quiet_button("Dismiss", self.hide), spacing=12)
        line.setStretch(0, 1)
        line.setContentsMargins(14, 6, 6, 6)
        self.setLayout(line)
        self.hide()

    @property
    def text(self) -> str:
        """What the banner says."""
        return self._words.text()

    @property
    def tone(self) -> str:
        """Whether the news is good; "" for none."""
        return str(self.property("tone") or "") if self.text else ""

    def say(self, text: str, tone: Tone = "accent") -> None:
        """Show ``text``; nothing to say hides the banner."""
        self._words.setText(text)
        self.setProperty("tone", tone)
        restyle(self)
        self.setAccessibleName(text)
        self.setVisible(bool(text))


def clear(layout: QLayout) -> None:
    """Take every widget out of a layout and delete it."""
    while (taken := layout.takeAt(0)) is not None:
        if (widget := taken.widget()) is not None:
            widget.hide()
            widget.deleteLater()
        elif (inner := taken.layout()) is not None:
            clear(inner)


def choose_file(parent: QWidget, title: str, filters: str) -> Path | None:
    """Ask for a file to read."""
    name, _filter = QFileDialog.getOpenFileName(parent, title, "", filters)
    return Path(name) if name else None


def choose_target(parent: QWidget, title: str, suggested: str, filters: str) -> Path | None:
    """Ask for a file to write."""
    name, _filter = QFileDialog.getSaveFileName(parent, title, suggested, filters)
    return Path(name) if name else None


def choose_folder(parent: QWidget, title: str, _filters: str = "") -> Path | None:
    """Ask for a folder."""
    name = QFileDialog.getExistingDirectory(parent, title)
    return Path(name) if name else None


def choose_new_folder(parent: QWidget, title: str, suggested: str, _filters: str = "") -> Path | None:
    """Ask for the name and place of a folder that is to be made."""
    dialog = QFileDialog(parent, title)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setFileMode(QFileDialog.FileMode.AnyFile)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly, on=True)
    dialog.setLabelText(QFileDialog.DialogLabel.Accept, "Create")
    dialog.selectFile(suggested)
    chosen = dialog.selectedFiles() if dialog.exec() else []
    dialog.deleteLater()
    return Path(chosen[0]) if chosen else None
