"""The candidates of a listing below one another; one of them is marked."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from desktop.item_models.marks import Marks
from desktop.item_models.presentation import Sketch
from desktop.widgets.basics import EmptyState
from desktop.widgets.candidate_card import CandidateCard


class CandidateList(QScrollArea):
    """Shows a sketch's candidates. The cards are made once and used again for every listing.

    ``marked`` carries the place of the card that was clicked, ``chosen`` of the one double-clicked.
    """

    marked = Signal(int)
    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Candidates")
        self._cards: list[CandidateCard] = []
        self._count = 0
        self._current = -1
        content = QWidget()
        content.setProperty("plain", True)
        self._layout = QVBoxLayout(content)
        self._layout.setContentsMargins(2, 2, 8, 2)
        self._layout.setSpacing(8)
        self.nothing = EmptyState(
            "No candidates", "Search the catalogue, or say that none of its items is this product."
        )
        self._layout.addWidget(self.nothing)
        self._layout.addStretch(1)
        self.setWidget(content)

    def show_sketch(self, shown: Sketch, marks: Marks) -> None:
        """Draw another listing's candidates, or how they are marked now."""
        self._count = len(shown.candidates)
        while len(self._cards) < self._count:
            self._add_card()
        for at, card in enumerate(self._cards):
            if at < self._count:
                candidate = shown.candidates[at]
                number = candidate.item.id
                card.show_candidate(
                    candidate,
                    blind=shown.blind,
                    rejected=number in marks.rejected,
                    also_right=number in marks.also_right,
                )
            card.setVisible(at < self._count)
        self.nothing.setVisible(self._count == 0)

    def mark(self, place: int, *, take_focus: bool) -> None:
        """Mark a candidate (-1: none) and bring it into view."""
        self._current = place
        for at, card in enumerate(self._cards):
            card.set_current(at == place and at < self._count)
        if 0 <= place < self._count:
            card = self._cards[place]
            if take_focus:
                card.setFocus(Qt.FocusReason.OtherFocusReason)
            if place == 0:
                self.verticalScrollBar().setValue(0)
            else:
                self.ensureWidgetVisible(card, 0, 12)

    def cards(self) -> list[CandidateCard]:
        """The cards on screen, best first."""
        return self._cards[: self._count]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's hook: the keys are the desk's; this area must not scroll away with the arrows."""
        event.ignore()

    def _add_card(self) -> None:
        at = len(self._cards)
        card = CandidateCard()
        card.clicked.connect(lambda: self.marked.emit(at))
        card.chosen.connect(lambda: self.chosen.emit(at))
        self._cards.append(card)
        self._layout.insertWidget(at + 1, card)
