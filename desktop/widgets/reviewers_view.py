"""Who reviews how well: the reviewers, every two of them, and a pair's agreement by verdict."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.item_models.rows_model import Column, RowsModel
from desktop.widgets.basics import Card, heading, muted
from desktop.widgets.pieces import table
from desktop.widgets.wording import count, percent, verdict_words
from engine.contracts import (
    FEWEST_JUDGED,
    Agreement,
    PairAgreement,
    ReviewersReport,
    ReviewerSummary,
    Verdict,
)

_ROW = 34


def _index(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _pabak(agreement: Agreement) -> str:
    return "–" if agreement.judged < FEWEST_JUDGED else _index(agreement.pabak)


def _agreed(agreement: Agreement) -> str:
    return f"{count(agreement.agreed)} of {count(agreement.judged)} ({percent(agreement.raw)})"


REVIEWERS: tuple[Column[ReviewerSummary], ...] = (
    Column("Reviewer", lambda one: one.reviewer),
    Column("Decisions", lambda one: count(one.decisions), right=True),
    Column("Second opinions", lambda one: count(one.second_opinions), right=True),
    Column(
        "Right",
        lambda one: one.answers.words,
        tip=lambda _one: "Verdict and item, estimated from all second opinions, with its 95 % interval",
    ),
    Column(
        "Right verdict",
        lambda one: one.verdicts.words,
        tip=lambda _one: "The verdict alone, estimated by Dawid and Skene's model, with its 95 % interval",
    ),
    Column(
        "On certain decisions",
        lambda one: one.gold.words,
        tip=lambda _one: "Verdict and item on decisions that were marked as certain, counted",
    ),
)
PAIRS: tuple[Column[PairAgreement], ...] = (
    Column("Reviewers", lambda pair: f"{pair.first} and {pair.second}"),
    Column("Agree", lambda pair: _agreed(pair.verdicts)),
    Column(
        "Kappa of verdicts",
        lambda pair: pair.verdicts.words,
        tip=lambda _pair: "Agreement beyond chance on the six verdicts, with its 95 % interval",
    ),
    Column(
        "Kappa of items",
        lambda pair: pair.same_item.words,
        tip=lambda _pair: "Agreement beyond chance on the item, or that there is none",
    ),
    Column(
        "PABAK",
        lambda pair: _pabak(pair.verdicts),
        right=True,
        tip=lambda _pair: "Kappa as it would be if every verdict were as frequent and nobody leaned to one",
    ),
)
_Line = tuple[Verdict, Agreement]
BY_VERDICT: tuple[Column[_Line], ...] = (
    Column("Verdict", lambda line: verdict_words(line[0]).capitalize()),
    Column("Agree", lambda line: _agreed(line[1])),
    Column("Kappa", lambda line: line[1].words),
    Column("PABAK", lambda line: _pabak(line[1]), right=True),
    Column(
        "Prevalence",
        lambda line: _index(line[1].prevalence),
        right=True,
        tip=lambda _line: "How much more often both said it than neither; far from 0, kappa is low by itself",
    ),
    Column(
        "Bias",
        lambda line: _index(line[1].bias),
        right=True,
        tip=lambda _line: "How much more often the first said it than the second",
    ),
)


class ReviewersView(QWidget):
    """Draws a :class:`ReviewersReport`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.reviewers: RowsModel[ReviewerSummary] = RowsModel(REVIEWERS, self)
        self.pairs: RowsModel[PairAgreement] = RowsModel(PAIRS, self)
        self.by_verdict: RowsModel[_Line] = RowsModel(BY_VERDICT, self)
        self.reviewer_table = table(self.reviewers, "Reviewers", stretch={3, 4, 5})
        self.pair_table = table(self.pairs, "Agreement of pairs", stretch={0, 2, 3})
        self.verdict_table = table(self.by_verdict, "Agreement by verdict", stretch={1, 2})
        self.pair_table.selectionModel().currentRowChanged.connect(self._on_pair)
        people, agreement = Card("Reviewers"), Card("Agreement")
        people.add(self.reviewer_table)
        self._nothing = muted(
            "Nobody has given a second opinion yet. Set a share of decisions to ask again, or mark decisions "
            "as certain in History; other reviewers are then asked in Review, blind."
        )
        self._each = heading("")
        agreement.add(self._nothing, self.pair_table, self._each, self.verdict_table)
        # Takes up the height while there is no table to do so.
        agreement.body.addStretch(1)
        agreement.body.setStretchFactor(self.verdict_table, 100)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 12, 0, 0)
        layout.setSpacing(14)
        layout.addWidget(people, 2)
        layout.addWidget(agreement, 3)

    def show_report(self, report: ReviewersReport) -> None:
        """Draw another report; the pair that was looked at stays in front."""
        kept = self.pair_table.currentIndex().row()
        self.reviewers.show_rows(report.reviewers)
        self.pairs.show_rows(report.pairs)
        some = bool(report.pairs)
        self._nothing.setVisible(not some)
        for part in (self.pair_table, self._each, self.verdict_table):
            part.setVisible(some)
        if some:
            self.pair_table.setFixedHeight(_ROW * (min(len(report.pairs), 5) + 1) + 12)
            self.pair_table.setCurrentIndex(self.pairs.index(max(0, min(kept, len(report.pairs) - 1)), 0))

    def _on_pair(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid():
            pair = self.pairs.row(index.row())
            self._each.setText(f"{pair.first} and {pair.second}, by verdict")
            self.by_verdict.show_rows(tuple(pair.by_verdict.items()))
