"""What a wrong automation, a review and a missed match cost, and what follows for the threshold."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from desktop.widgets.basics import TIGHT, Card, column, row, secondary_button, words
from engine.contracts import CostReport

#: Field of the settings -> its name, what it means, an example.
FIELDS = {
    "wrong": ("A wrong automation", "a listing sent out with the wrong item", "20"),
    "review": ("A review", "a person's time for one listing", "0.40"),
    "missed": ("A missed match", "a right match that waits for a person", "0"),
}


def cost_of(text: str) -> float | None:
    """A typed amount; None for an empty field.

    Raises:
        ValueError: it is no amount.
    """
    plain = text.strip().replace("\u202f", "").replace(" ", "")
    if not plain:
        return None
    if "," in plain and "." not in plain:
        plain = plain.replace(",", ".")
    amount = float(plain.replace(",", ""))
    if not 0 <= amount <= 1e12:
        raise ValueError(text)
    return amount


class CostPanel(Card):
    """Three fields, a button and a sentence. Amounts are in whatever money the owner thinks in."""

    #: wrong, review, missed as amounts or None, once they are entered.
    entered = Signal(object, object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("What it costs", parent)
        self.fields: dict[str, QLineEdit] = {}
        line = row(spacing=16)
        for name, (title, meaning, example) in FIELDS.items():
            field = QLineEdit()
            field.setAccessibleName(f"Cost of {title.lower()}")
            field.setAccessibleDescription(meaning)
            field.setToolTip(meaning.capitalize())
            field.setPlaceholderText(f"e.g. {example}")
            field.setMaximumWidth(170)
            field.returnPressed.connect(self._enter)
            label = words(title, "caption")
            label.setBuddy(field)
            self.fields[name] = field
            line.addLayout(column(label, field, spacing=TIGHT))
        self.button = secondary_button("Work out", self._enter)
        line.addLayout(column(words("", "caption"), self.button, spacing=TIGHT))
        line.addStretch(1)
        self._sentence = words("", wrap=True, selectable=True)
        self.add(line, self._sentence)

    @property
    def sentence(self) -> str:
        """What is said about the costs."""
        return self._sentence.text()

    def show_report(self, report: CostReport, *, read_only: bool = False) -> None:
        """Show what is known; fields that a person is typing in are left alone."""
        for name, field in self.fields.items():
            amount: float | None = getattr(report, name)
            field.setReadOnly(read_only)
            if not field.hasFocus() and not field.isModified():
                field.setText("" if amount is None else f"{amount:g}")
        self.button.setEnabled(not read_only)
        self._sentence.setText(report.sentence)

    def _enter(self) -> None:
        amounts: list[float | None] = []
        for name, field in self.fields.items():
            try:
                amounts.append(cost_of(field.text()))
            except ValueError:
                title = FIELDS[name][0]
                self._sentence.setText(f"{title}: “{field.text()}” is no amount; write one like 2.50.")
                field.setFocus()
                return
        for field in self.fields.values():
            field.setModified(False)
        self.entered.emit(*amounts)
