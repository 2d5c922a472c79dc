"""Which column of a file is which field of a record."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QSizePolicy, QWidget

from desktop.widgets.basics import set_role, words
from desktop.widgets.wording import field_name
from engine.contracts import MAPPABLE_FIELDS, REQUIRED_FIELDS, ImportPreview

NOT_MAPPED = "(not in this file)"
_EXAMPLES = 3
_EXAMPLE_CHARS = 42


class _Examples(QLabel):
    """Words on one line that end in an ellipsis where the room ends; the tip has them all."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", "caption")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def show_examples(self, text: str) -> None:
        """Show these words."""
        self.setText(text)
        self.setToolTip(text)

    def paintEvent(self, _event: object) -> None:
        painter = QPainter(self)
        painter.setFont(self.font())
        painter.setPen(self.palette().color(self.foregroundRole()))
        room = self.contentsRect()
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)


class MappingTable(QWidget):
    """One line per field: its name, the column it comes from, and what that column holds."""

    #: The mapping a person chose: field -> column, "" for a field that is not in the file.
    changed = Signal(dict)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(2, 1)
        for column, text in enumerate(("Field", "Column of the file", "For example")):
            grid.addWidget(words(text, "caption"), 0, column)
        self.choices: dict[str, QComboBox] = {}
        self._examples = {field: _Examples() for field in MAPPABLE_FIELDS}
        for line, field in enumerate(MAPPABLE_FIELDS, start=1):
            name = words(field_name(field) + (" *" if field in REQUIRED_FIELDS else ""))
            choice = QComboBox()
            choice.setAccessibleName(f"Column for {field_name(field)}")
            choice.setMinimumWidth(190)
            choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            choice.activated.connect(self._on_chosen)
            name.setBuddy(choice)
            self.choices[field] = choice
            grid.addWidget(name, line, 0)
            grid.addWidget(choice, line, 1)
            grid.addWidget(self._examples[field], line, 2)
        grid.setRowStretch(len(MAPPABLE_FIELDS) + 1, 1)

    def show_preview(self, preview: ImportPreview) -> None:
        """Show the mapping of a preview without taking it for a choice."""
        for field, choice in self.choices.items():
            mapped = preview.mapping.column(field) or ""
            choice.clear()
            choice.addItem(NOT_MAPPED, "")
            for column in preview.columns:
                choice.addItem(column, column)
            choice.setCurrentIndex(max(0, choice.findData(mapped)))
            missing = field in REQUIRED_FIELDS and not mapped
            self._examples[field].show_examples(
                "needed: choose a column" if missing else examples(preview, mapped)
            )
            set_role(self._examples[field], "warning" if missing else "caption")

    def mapping(self) -> dict[str, str]:
        """What the combos say."""
        return {field: str(choice.currentData() or "") for field, choice in self.choices.items()}

    def _on_chosen(self, _index: int) -> None:
        self.changed.emit(self.mapping())


def examples(preview: ImportPreview, column: str) -> str:
    """A few values of a column, on one line."""
    if not column:
        return ""
    values = [sample_value(row, column) for row in preview.sample]
    distinct = list(dict.fromkeys(value for value in values if value))[:_EXAMPLES]
    short = [
        value if len(value) <= _EXAMPLE_CHARS else value[: _EXAMPLE_CHARS - 1] + "…" for value in distinct
    ]
    return "  ·  ".join(short) or "empty in the first rows"


def sample_value(row: Mapping[str, str], column: str) -> str:
    """A cell of a sample row on one line."""
    return " ".join(str(row.get(column, "") or "").split())
