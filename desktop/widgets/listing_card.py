"""The listing in front: where it is from, why it is here, and how it stands to the marked candidate."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QWidget

from desktop.item_models.details import stretches
from desktop.item_models.presentation import CandidateSketch, Sketch
from desktop.widgets.basics import GAP, INSET, Badge, Card, column, row, scrolling, words
from desktop.widgets.candidate_card import plain_title
from desktop.widgets.description_text import DescriptionText
from desktop.widgets.field_table import FieldTable
from desktop.widgets.token_diff import TokenText, title_pieces
from desktop.widgets.wording import counted, when

_PAST_SHOWN = 3


class _NoteField(QLineEdit):
    """Enter ends the note, and must not decide on the listing as well."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's hook."""
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()


class ListingCard(Card):
    """Shows a :class:`Sketch`'s listing beside one of its candidates. ``note_left``: done writing."""

    note_left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setAccessibleName("Listing")
        self._origin = words("", "overline")
        self._origin.setMinimumWidth(1)
        self._origin.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._reason = Badge()
        self._identical = Badge()
        self._explanation = words("", "caption", wrap=True)
        self._title = TokenText(scale=1.5, bold=True)
        self._table = FieldTable()
        self._past_head = words("Matched with this item before", "overline")
        self._past = words("", "muted", wrap=True)
        self._listing_details = DescriptionText()
        self._item_details = DescriptionText()
        self._note_name = words("Note", "muted")
        self.note = _NoteField()
        self.note.setPlaceholderText("A note for whoever reads this decision later")
        self.note.setAccessibleName("Note on this decision")
        self.note.returnPressed.connect(self.note_left)
        self._note_row = QWidget()
        self._note_row.setLayout(row(self._note_name, self.note, spacing=10))
        self._note_row.hide()
        inner = QWidget()
        inner.setLayout(
            column(
                row(self._origin, self._reason, spacing=6),
                self._title,
                self._explanation,
                row(self._identical, None),
                self._table,
                column(self._past_head, self._past, spacing=3),
                self._listing_details,
                self._item_details,
                None,
                spacing=GAP,
            )
        )
        area = scrolling(inner)
        self.body.setContentsMargins(INSET, INSET - 4, INSET - 8, INSET - 6)
        self.add(area, self._note_row)

    def show_listing(self, shown: Sketch) -> None:
        """Draw another listing; its candidate follows with :meth:`compare_with`."""
        entry, listing = shown.card.entry, shown.card.listing
        self._origin.setText(f"{entry.feed}  ·  {listing.external_id}")
        self._reason.show_as(shown.reason, "accent" if shown.blind else "neutral")
        self._reason.setToolTip(shown.explanation)
        self._explanation.setText(shown.explanation)
        same = shown.card.identical_pending
        self._identical.show_as(f"{counted(same, 'identical listing')} waiting" if same else "", "neutral")
        self._identical.setVisible(same > 0)
        self.note.clear()
        self._note_row.hide()
        self.setAccessibleDescription(f"{listing.title}. {shown.reason}. {shown.explanation}")

    def compare_with(self, shown: Sketch, candidate: CandidateSketch | None) -> None:
        """Mark what differs from a candidate; None: nothing to compare with."""
        self._table.setVisible(bool(shown.fields if candidate is None else candidate.fields))
        if candidate is None:
            self._title.show_pieces(plain_title(shown.card.listing.title))
            self._table.show_rows(shown.fields, here="This listing")
            self._listing_details.show_description(
                "Description", stretches(shown.card.listing.description, ())
            )
            self._item_details.show_description("", ())
            self._show_past(())
            return
        self._title.show_pieces(title_pieces(candidate.listing_marked, ghosts=False))
        there = f"Candidate {candidate.number}" if candidate.number else "Candidate"
        self._table.show_rows(candidate.fields, here="This listing", there=there)
        lines = tuple(
            f"{past.listing_title}  ·  {past.reviewer}, {when(past.decided_at)}"
            for past in candidate.past[:_PAST_SHOWN]
        )
        self._show_past(() if shown.blind else lines)
        own = "Description of this listing" if candidate.item_details else "Description"
        self._listing_details.show_description(own, candidate.listing_details)
        self._item_details.show_description(f"Description of {there.casefold()}", candidate.item_details)

    def open_note(self) -> None:
        """Begin to write a note."""
        self._note_row.show()
        self.note.setFocus()

    def _show_past(self, lines: tuple[str, ...]) -> None:
        self._past.setText("\n".join(lines))
        self._past.setVisible(bool(lines))
        self._past_head.setVisible(bool(lines))
