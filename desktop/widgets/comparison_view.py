"""Challenger against champion: figures, the gate's reasons, segments, every listing that would change."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtWidgets import QGridLayout, QSplitter, QVBoxLayout, QWidget

from desktop.item_models.rows_model import Column, RowsModel
from desktop.widgets.basics import Badge, Card, Tone, words
from desktop.widgets.pieces import clear, table
from desktop.widgets.segment_changes import SegmentChanges
from desktop.widgets.wording import THIN, count, counted, percent, points
from engine.contracts import Comparison, Flip, Gate, ReleaseEvaluation

_FLIP_COLUMNS: tuple[Column[Flip], ...] = (
    Column("Listing", lambda flip: flip.listing_external_id),
    Column("Title", lambda flip: flip.listing_title),
    Column("Champion says", lambda flip: answer_words(flip.before, flip.before_item)),
    Column("Challenger says", lambda flip: answer_words(flip.after, flip.after_item)),
    Column("Decision", lambda flip: "contradicts" if flip.contradicts_decision else ""),
)


_ROLES: dict[Tone, str] = {"good": "good", "bad": "problem", "neutral": "muted"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table of figures. ``difference`` is worded, ``tone`` says for better or worse."""

    name: str
    champion: str
    challenger: str
    difference: str
    tone: Tone


class ComparisonView(QWidget):
    """Shows a :class:`Comparison`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figures_card = Card("Figures")
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(24)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(0, 1)
        self._figures_card.add(self._grid)
        self._figures_card.add(
            words(
                "Coverage at a precision is the most that held-out decisions allow, with the threshold "
                "picked afterwards; of the newest and the earlier feeds it is that at the required "
                "precision. Of the risk-coverage area, less is better.",
                "caption",
                wrap=True,
            )
        )
        self._figures_card.body.addStretch(1)
        self._gate_card = Card("Gate")
        self.gate_badge = Badge()
        self._gate_card.head.insertWidget(1, self.gate_badge)
        self._reasons = QVBoxLayout()
        self._reasons.setSpacing(8)
        self._gate_card.add(self._reasons)
        self._gate_card.body.addStretch(1)
        self.segments = SegmentChanges()
        self._flips_card = Card("What would change")
        self._flips_words = words("", "muted", wrap=True)
        self._flips: RowsModel[Flip] = RowsModel(_FLIP_COLUMNS, self)
        self.flips_view = table(
            self._flips, "Listings whose automated answer would change", stretch=(1, 2, 3)
        )
        self.flips_view.setMinimumHeight(150)
        self._flips_card.add(self._flips_words)
        self._flips_card.body.addWidget(self.flips_view, 100)
        self._flips_card.body.addStretch(1)
        upper = QSplitter()
        upper.setChildrenCollapsible(False)
        upper.setHandleWidth(12)
        upper.addWidget(self._figures_card)
        upper.addWidget(self._gate_card)
        upper.setStretchFactor(0, 3)
        upper.setStretchFactor(1, 2)
        self._gate_card.setMinimumWidth(260)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(upper)
        layout.addWidget(self.segments)
        layout.addWidget(self._flips_card, 1)

    def show_comparison(self, comparison: Comparison) -> None:
        """Show figures, gate, segments and flips."""
        self._show_figures(comparison)
        self._show_gate(comparison.gate)
        self.segments.show_comparison(comparison)
        self._flips.show_rows(comparison.flips)
        self._flips_words.setText(flips_words(comparison))
        self.flips_view.setVisible(bool(comparison.flips))

    @property
    def flips_text(self) -> str:
        """How many automated answers would change."""
        return self._flips_words.text()

    def figures(self) -> list[str]:
        """The table of figures as it is on screen, line by line."""
        lines = []
        for line in range(self._grid.rowCount()):
            cells = [self._grid.itemAtPosition(line, at) for at in range(4)]
            texts = [cell.widget().text() for cell in cells if cell is not None and cell.widget()]  # type: ignore[union-attr]
            if texts:
                lines.append(" | ".join(texts))
        return lines

    def _show_figures(self, comparison: Comparison) -> None:
        clear(self._grid)
        champion, challenger = comparison.champion.release_id, comparison.challenger.release_id
        for at, text in enumerate(("", f"{champion} (champion)", challenger, "difference")):
            self._grid.addWidget(words(text, "caption"), 0, at)
        for line, figure in enumerate(comparison_figures(comparison), start=1):
            self._grid.addWidget(words(figure.name, "muted"), line, 0)
            self._grid.addWidget(words(figure.champion), line, 1)
            self._grid.addWidget(words(figure.challenger, "strong"), line, 2)
            self._grid.addWidget(words(figure.difference, _ROLES[figure.tone]), line, 3)
            self._grid.setRowMinimumHeight(line, 20)

    def _show_gate(self, gate: Gate) -> None:
        clear(self._reasons)
        self.gate_badge.show_as(*gate_badge(gate))
        for reason in gate_reasons(gate):
            self._reasons.addWidget(words(reason, wrap=True, selectable=True))


def gate_badge(gate: Gate) -> tuple[str, Tone]:
    """The gate's verdict as a badge."""
    return ("May be promoted", "good") if gate.passed else ("Held back", "bad")


def gate_reasons(gate: Gate) -> list[str]:
    """The gate's reasons as sentences, with the interval they rest on."""
    reasons = [reason[:1].upper() + reason[1:].rstrip(".") + "." for reason in gate.reasons]
    reasons.append(
        f"Difference in coverage: between {points(gate.difference_low)} and "
        f"{points(gate.difference_high)} percentage points."
    )
    return reasons


def comparison_figures(comparison: Comparison) -> list[Figure]:
    """Every figure of the two evaluations, in the order they matter."""
    one, other = comparison.champion, comparison.challenger
    lines = [
        _share("Certified coverage", one.certified_coverage, other.certified_coverage),
        _share("Automation rate", one.automation_rate, other.automation_rate),
        _share("Best candidate right", one.best_right, other.best_right),
    ]
    for level in sorted(set(one.coverage_at) & set(other.coverage_at)):
        name = f"Coverage at {level}{THIN}%"
        lines.append(_share(name, one.coverage_at[level], other.coverage_at[level]))
    for level in sorted(set(one.similarity_coverage_at) & set(other.similarity_coverage_at)):
        name = f"Similarity alone, {level}{THIN}%"
        lines.append(_share(name, one.similarity_coverage_at[level], other.similarity_coverage_at[level]))
    for place, part in enumerate(comparison.feeds):
        name = f"Newest feed, {part.feeds[0]}" if place == 0 else "Earlier feeds"
        lines.append(_share(f"{name} ({counted(part.labels, 'label')})", part.champion, part.challenger))
    lines.append(_area("Risk-coverage area", one, other))
    return lines


def flips_words(comparison: Comparison) -> str:
    """How many automated answers would change, and how many against a decision."""
    if not comparison.flips_total:
        return "No automated answer would change."
    text = f"{counted(comparison.flips_total, 'automated answer')} would change"
    against = comparison.gate.contradictions
    text += f"; {count(against)} of the challenger's contradict a past decision." if against else "."
    if len(comparison.flips) < comparison.flips_total:
        text += f" The first {count(len(comparison.flips))} are listed."
    return text


def answer_words(answer: str, item: str) -> str:
    """What a release says of a listing: the item, or where it goes."""
    return item or answer.replace("_", " ")


def _share(name: str, before: float, after: float) -> Figure:
    difference = after - before
    tone: Tone = "neutral" if abs(difference) < 5e-4 else "good" if difference > 0 else "bad"
    return Figure(name, percent(before, 1), percent(after, 1), f"{points(difference)} points", tone)


def _area(name: str, one: ReleaseEvaluation, other: ReleaseEvaluation) -> Figure:
    difference = other.aurc - one.aurc
    tone: Tone = "neutral" if abs(difference) < 5e-5 else "good" if difference < 0 else "bad"
    sign = "±" if tone == "neutral" else "+" if difference > 0 else "−"
    size = 0.0 if tone == "neutral" else abs(difference)
    return Figure(name, f"{one.aurc:.4f}", f"{other.aurc:.4f}", f"{sign}{size:.4f}", tone)
