"""Reviewers and disagreements as JSON documents; see :mod:`engine.cli.documents`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from engine.cli.documents import Document
from engine.contracts import (
    Accuracy,
    AdjudicationReport,
    Agreement,
    Decision,
    Disagreement,
    PairAgreement,
    ReviewersReport,
    ReviewerSummary,
)


def reviewers_document(report: ReviewersReport) -> Document:
    """``alcove reviewers``. Figures are given whatever ``judged`` is; below 10 they say nothing."""
    return {
        "overlap_share": report.overlap_share,
        "waiting": report.waiting,
        "answered": report.answered,
        "gold": report.gold,
        "to_adjudicate": report.to_adjudicate,
        "reviewers": [_reviewer(one) for one in report.reviewers],
        "pairs": [_pair(one) for one in report.pairs],
    }


def disagreements_document(waiting: Sequence[Disagreement]) -> Document:
    """``alcove adjudicate``: what waits, with both answers and who gave them."""
    return {
        "to_adjudicate": len(waiting),
        "listings": [
            {
                "listing_id": one.listing_external_id,
                "feed": one.feed,
                "title": one.listing_title,
                "decision": _said(
                    one.decision,
                    one.decision_item_external_id,
                    one.decision_item_title,
                    one.decision_also_right,
                ),
                "second_opinion": _said(
                    one.opinion,
                    one.opinion_item_external_id,
                    one.opinion_item_title,
                    one.opinion_also_right,
                ),
            }
            for one in waiting
        ],
    }


def adjudication_document(report: AdjudicationReport) -> Document:
    """``alcove adjudicate --from FILE``."""
    return {
        "rows": report.rows,
        "adjudicated": report.adjudicated,
        "refused": [{"row": row, "reason": reason} for row, reason in report.refused],
    }


def _reviewer(one: ReviewerSummary) -> Document:
    return {
        "reviewer": one.reviewer,
        "decisions": one.decisions,
        "second_opinions": one.second_opinions,
        "answers": _accuracy(one.answers),
        "verdicts": _accuracy(one.verdicts),
        "gold": _accuracy(one.gold),
    }


def _pair(one: PairAgreement) -> Document:
    return {
        "first": one.first,
        "second": one.second,
        "verdicts": _agreement(one.verdicts),
        "same_item": _agreement(one.same_item),
        "by_verdict": [
            {"verdict": verdict.value, **_agreement(agreement)}
            for verdict, agreement in one.by_verdict.items()
        ],
    }


def _accuracy(accuracy: Accuracy) -> Document:
    return {**asdict(accuracy), "words": accuracy.words}


def _agreement(agreement: Agreement) -> Document:
    return {**asdict(agreement), "words": agreement.words}


def _said(decision: Decision, item: str, title: str, also: Sequence[tuple[str, str]]) -> Document:
    return {
        "reviewer": decision.reviewer,
        "verdict": decision.verdict.value,
        "item_id": item or None,
        "item_title": title or None,
        "also_item_ids": [external_id for external_id, _ in also],
        "decided_at": decision.decided_at,
        "note": decision.note,
    }
