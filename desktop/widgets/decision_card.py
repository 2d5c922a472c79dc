"""One decision in full: the answer, who, when, under which release, what was on screen."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.widgets.basics import (
    INSET,
    Badge,
    Card,
    column,
    muted,
    primary_button,
    row,
    rule,
    scrolling,
    secondary_button,
    words,
)
from desktop.widgets.pieces import clear
from desktop.widgets.wording import answer_words, verdict_words, when
from engine.contracts import HistoryEntry, Item, Stream, Verdict

_TONES = {
    Verdict.MATCH: "good",
    Verdict.VARIANT: "accent",
    Verdict.NONE: "neutral",
    Verdict.NEW_ITEM: "accent",
    Verdict.UNSURE: "warn",
    Verdict.BAD_LISTING: "bad",
}
_STREAMS = {
    Stream.RANDOM: "an audit, drawn at random",
    Stream.LEARNING: "from the review queue",
    Stream.MANUAL: "chosen by hand",
}


class DecisionCard(Card):
    """Shows a :class:`HistoryEntry`; the items that were on screen follow when they are read."""

    reopen_asked = Signal()
    undo_asked = Signal()
    gold_asked = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setAccessibleName("Decision")
        self._title = words("", "heading", wrap=True, selectable=True)
        self._origin = words("", "caption")
        self._badge = Badge()
        self._undone = Badge("Undone", "neutral")
        self._item = words("", wrap=True, selectable=True)
        self._who = muted()
        self._note_head = words("Note", "overline")
        self._note = words("", wrap=True, selectable=True)
        self._shown = QVBoxLayout()
        self._shown.setSpacing(6)
        self.reopen = primary_button("Answer again", self.reopen_asked.emit)
        self.gold = secondary_button("", lambda: self.gold_asked.emit(not self._is_gold))
        self.gold.setToolTip("Others are asked about a certain decision, blind, which judges them")
        self._is_gold = False
        self.show_gold(False, possible=False)
        self.undo = secondary_button("Undo", self.undo_asked.emit, icon_name="undo")
        inner = QWidget()
        inner.setLayout(
            column(
                self._origin,
                self._title,
                row(self._badge, self._undone, None),
                self._item,
                self._who,
                column(self._note_head, self._note, spacing=3),
                rule(),
                words("On screen then", "overline"),
                self._shown,
                None,
                spacing=10,
            )
        )
        self.body.setContentsMargins(INSET, INSET - 4, INSET - 6, INSET - 4)
        self.add(scrolling(inner), row(self.reopen, self.undo, self.gold, None))

    def show_entry(self, entry: HistoryEntry, *, writable: bool) -> None:
        """Draw another decision."""
        decision = entry.decision
        self._origin.setText(f"{entry.feed}  ·  {entry.listing_external_id}")
        self._title.setText(entry.listing_title)
        self._badge.show_as(verdict_words(decision.verdict).capitalize(), _TONES[decision.verdict])  # type: ignore[arg-type]
        self._undone.setVisible(decision.undone)
        named = [f"{entry.item_title}  ({entry.item_external_id})"] if entry.item_title else []
        named += [f"Also right: {title}  ({external_id})" for external_id, title in entry.also_right]
        self._item.setText("\n".join(named))
        self._item.setVisible(bool(named))
        under = f"under release {decision.release_id}" if decision.release_id else "before the first release"
        self._who.setText(
            f"{decision.reviewer}, {when(decision.decided_at)}, {under}; {_STREAMS[decision.stream]}."
        )
        for part in (self._note, self._note_head):
            part.setVisible(bool(decision.note))
        self._note.setText(decision.note)
        clear(self._shown)
        self.reopen.setEnabled(writable)
        self.undo.setEnabled(writable and not decision.undone)
        self.setAccessibleDescription(f"{entry.listing_title}: {answer_words(decision)} {entry.item_title}")

    def show_gold(self, gold: bool, *, possible: bool) -> None:
        """Say whether the decision is marked as certain, and whether that can be changed."""
        self._is_gold = gold
        text = "Not certain after all" if gold else "Mark as certain"
        self.gold.setText(text)
        self.gold.setAccessibleName(text)
        self.gold.setEnabled(possible)

    def show_items(self, entry: HistoryEntry, items: Sequence[Item]) -> None:
        """Draw what was on screen, in the order it was shown."""
        clear(self._shown)
        if not items:
            self._shown.addWidget(muted("No candidates."))
        for at, item in enumerate(items, 1):
            number = words(f"{at}", "muted")
            number.setFixedWidth(22)
            line = row(number, words(item.title, wrap=True), spacing=4)
            line.setStretch(1, 1)
            if item.id == entry.decision.item_id:
                line.addWidget(Badge("Chosen", "good"))
            elif item.id in entry.decision.also_right:
                line.addWidget(Badge("Also right", "good"))
            elif item.id in entry.decision.rejected:
                line.addWidget(Badge("Ruled out", "bad"))
            self._shown.addLayout(line)
