"""DTOs as JSON documents. The field names are the glossary's words and stay stable.

Ids in a document are the user's own (``listing_id``, ``item_id``), never the workspace's numbers, so
that what ``queue`` prints can be answered with ``decide --from``. ``tests/golden/cli_fields.json``
holds every name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

from engine.contracts import (
    CandidateView,
    Certificate,
    CertificatePart,
    Comparison,
    Counts,
    Decision,
    DecisionFileReport,
    DoctorLine,
    Flip,
    Gate,
    ImportPreview,
    ImportReport,
    Item,
    Listing,
    RefusedRow,
    ReleaseEvaluation,
    ReleaseSummary,
    ReviewCard,
    SecondOpinion,
    SettingRow,
    Status,
    TrainingRun,
)

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | dict[str, Json] | None"
Document: TypeAlias = dict[str, Json]


def certificate_document(certificate: Certificate | None) -> Document | None:
    """A certificate, or null where there is none."""
    if certificate is None:
        return None
    return {
        "kind": certificate.kind.value,
        "precision": certificate.precision,
        "delta": certificate.delta,
        "threshold": certificate.threshold,
        "labels": certificate.labels,
        "accepted": certificate.accepted,
        "errors": certificate.errors,
        "p_value": certificate.p_value,
        "lower_bound": certificate.lower_bound,
        "expected_coverage": certificate.expected_coverage,
        "labels_missing": certificate.labels_missing,
        "delta_spent": certificate.delta_spent,
        "note": certificate.note,
        "match_part": _part(certificate.match_part),
        "none_part": _part(certificate.none_part),
        "forecasts": [asdict(one) for one in certificate.forecasts],
        "segments": [
            {**asdict(one), "holds": one.holds_at(certificate.threshold)} for one in certificate.segments
        ],
    }


def _part(part: CertificatePart | None) -> Document | None:
    return None if part is None else dict(asdict(part))


def counts_document(counts: Counts) -> Document:
    """Listings by route."""
    return dict(asdict(counts))


def status_document(status: Status) -> Document:
    """``alcove status``."""
    return {
        "workspace": status.workspace,
        "read_only": status.read_only,
        "counts": counts_document(status.counts),
        "coverage": status.coverage,
        "automation_rate": status.automation_rate,
        "champion": status.champion,
        "certificate": certificate_document(status.certificate),
        "none_certificate": certificate_document(status.none_certificate),
        "decisions_since_certificate": status.decisions_since_certificate,
        "next_steps": list(status.next_steps),
        "alarms": list(status.alarms),
        "suspended": [kind.value for kind in status.suspended],
    }


def _refused(rows: Sequence[RefusedRow]) -> list[Json]:
    return [{"row": row.row, "column": row.column, "reason": row.reason} for row in rows]


def preview_document(preview: ImportPreview) -> Document:
    """``alcove import --dry-run``."""
    return {
        "path": preview.path,
        "kind": preview.kind.value,
        "format": dict(asdict(preview.format)),
        "columns": list(preview.columns),
        "mapping": dict(preview.mapping.columns),
        "sample": [dict(row) for row in preview.sample],
        "rows": preview.rows,
        "refused": _refused(preview.refused),
        "refused_total": preview.refused_total,
    }


def import_document(report: ImportReport) -> Document:
    """``alcove import``."""
    return {
        "kind": report.kind.value,
        "feed": report.feed,
        "path": report.path,
        "rows": report.rows,
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "refused": _refused(report.refused),
        "refused_total": report.refused_total,
    }


def _candidate(view: CandidateView, *, figures: bool) -> Document:
    return {
        "item_id": view.item.external_id,
        "title": view.item.title,
        "confidence": view.candidate.confidence if figures else None,
        "similarity": view.candidate.similarity if figures else None,
        "lexical": view.candidate.lexical if figures else None,
        "via_alias": view.candidate.via_alias,
    }


def queue_document(order: str, waiting: int, cards: Sequence[ReviewCard]) -> Document:
    """``alcove queue``. Says nothing about streams or reasons: audits are blind here too.

    Where a second opinion is asked for, the candidates come by title and without figures.
    """
    return {
        "order": order,
        "waiting": waiting,
        "listings": [
            {
                "listing_id": card.listing.external_id,
                "feed": card.entry.feed,
                "title": card.listing.title,
                "identical_pending": card.identical_pending,
                "candidates": [
                    _candidate(view, figures=card.entry.about is None) for view in card.candidates
                ],
            }
            for card in cards
        ],
    }


def decision_document(
    decision: Decision, listing: Listing, item: Item | None, also_right: Sequence[Item] = ()
) -> Document:
    """One decision, or second opinion (the number is then its own), with the user's own ids."""
    return {
        "decision": decision.id,
        "second_opinion": isinstance(decision, SecondOpinion),
        "listing_id": listing.external_id,
        "title": listing.title,
        "verdict": decision.verdict.value,
        "item_id": None if item is None else item.external_id,
        "also_item_ids": [one.external_id for one in also_right],
        "reviewer": decision.reviewer,
        "decided_at": decision.decided_at,
        "undone": decision.undone,
    }


def decision_file_document(report: DecisionFileReport) -> Document:
    """``alcove decide --from FILE``."""
    return {
        "rows": report.rows,
        "decided": report.decided,
        "second_opinions": report.second_opinions,
        "unchanged": report.unchanged,
        "refused": [{"row": row, "reason": reason} for row, reason in report.refused],
    }


def gate_document(gate: Gate | None) -> Document | None:
    """Whether a challenger may be promoted, and why; null before it was evaluated."""
    if gate is None:
        return None
    return {
        "passed": gate.passed,
        "reasons": list(gate.reasons),
        "champion_coverage": gate.champion_coverage,
        "challenger_coverage": gate.challenger_coverage,
        "difference_low": gate.difference_low,
        "difference_high": gate.difference_high,
        "contradictions": gate.contradictions,
    }


def release_document(release: ReleaseSummary) -> Document:
    """One release."""
    return {
        "release": release.id,
        "created_at": release.created_at,
        "parent": release.parent,
        "training_run": release.run_id,
        "origin": release.origin,
        "trained_share": release.trained_share,
        "champion": release.is_champion,
        "matcher": release.matcher,
        "decisions": release.decisions,
        "certificate": certificate_document(release.certificate),
        "none_certificate": certificate_document(release.none_certificate),
        "gate": gate_document(release.gate),
    }


def _evaluation(evaluation: ReleaseEvaluation) -> Document:
    return {
        "release": evaluation.release_id,
        "labels": evaluation.labels,
        "oracle": {f"C@{p}": value for p, value in evaluation.coverage_at.items()},
        "similarity_oracle": {f"C@{p}": value for p, value in evaluation.similarity_coverage_at.items()},
        "aurc": evaluation.aurc,
        "similarity_aurc": evaluation.similarity_aurc,
        "best_right": evaluation.best_right,
        "certified_coverage": evaluation.certified_coverage,
        "automation_rate": evaluation.automation_rate,
        "encoder_coverage": {name: dict(levels) for name, levels in evaluation.encoder_coverage.items()},
    }


def _flip(flip: Flip) -> Document:
    return {
        "listing_id": flip.listing_external_id,
        "title": flip.listing_title,
        "before": flip.before,
        "after": flip.after,
        "before_item": flip.before_item,
        "after_item": flip.after_item,
        "contradicts_decision": flip.contradicts_decision,
    }


def comparison_document(comparison: Comparison) -> Document:
    """``alcove evaluate``."""
    return {
        "champion": _evaluation(comparison.champion),
        "challenger": _evaluation(comparison.challenger),
        "gate": gate_document(comparison.gate),
        "flips": [_flip(flip) for flip in comparison.flips],
        "flips_total": comparison.flips_total,
        "feeds": [{**asdict(part), "feeds": list(part.feeds)} for part in comparison.feeds],
        "segments": [
            {**asdict(one), "beyond_tolerance": one.falls_beyond(comparison.max_segment_drop)}
            for one in comparison.segments
        ],
        "max_segment_drop": comparison.max_segment_drop,
    }


def training_document(run: TrainingRun, release: ReleaseSummary, comparison: Comparison) -> Document:
    """``alcove train``: the run, the challenger it made, and how it compares."""
    return {
        "training_run": _run_document(run),
        "release": release_document(release),
        "comparison": comparison_document(comparison),
    }


def exported_run_document(run: TrainingRun, target: Path) -> Document:
    """``alcove train --export-job``: the run that waits, and where it was written."""
    return {"training_run": _run_document(run), "exported_to": str(target)}


def _run_document(run: TrainingRun) -> Document:
    return {
        "id": run.id,
        "recipe": run.recipe,
        "seed": run.seed,
        "device": run.device,
        "state": run.state.value,
        "pairs": run.pairs,
        "created_at": run.created_at,
        "message": run.message,
    }


def backup_document(made: Path) -> Document:
    """``alcove backup``."""
    return {"backup": str(made)}


def restore_document(restored: Path, before: Path | None) -> Document:
    """``alcove restore``: the backup, and where the database from before is; null where there was none."""
    return {"restored": str(restored), "before": None if before is None else str(before)}


def doctor_document(lines: Sequence[DoctorLine]) -> Document:
    """``alcove doctor`` and ``alcove verify``."""
    return {
        "ok": all(line.ok for line in lines),
        "findings": [
            {"name": line.name, "ok": line.ok, "value": line.value, "advice": line.advice} for line in lines
        ],
    }


def settings_document(rows: Sequence[SettingRow]) -> Document:
    """The settings that are changed by hand."""
    return {
        "settings": [
            {
                "name": row.name,
                "value": row.value,
                "default": row.default,
                "kind": row.kind.value,
                "group": row.group,
                "meaning": row.meaning,
                "takes_effect": row.takes_effect.value,
            }
            for row in rows
        ]
    }
