"""The report's numbers: one document that the HTML page, the pictures and ``report.json`` are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.contracts import (
    CertificateKind,
    CostReport,
    RateSnapshot,
    ReleaseSummary,
    RiskCoverage,
    SegmentReport,
    Status,
)
from engine.contracts.certificate_words import forecast_words, segment_words
from engine.reporting.weighted import counted

#: Says of a folder that it holds a report of ours, and in which form.
FORMAT = "alcove-report-1"


@dataclass(frozen=True, slots=True)
class ReportSource:
    """Everything a report is made from, read in one go. ``made_at`` is ISO 8601 in UTC."""

    name: str
    made_at: str
    status: Status
    rates: Sequence[RateSnapshot]
    curve: RiskCoverage
    segments: SegmentReport
    releases: Sequence[ReleaseSummary]
    costs: CostReport


def report_document(source: ReportSource) -> dict[str, Any]:
    """``report.json``. Shares are fractions of 1; field names are the glossary's words and stay stable."""
    status = source.status
    return {
        "format": FORMAT,
        "workspace": source.name,
        "made_at": source.made_at,
        "sentence": headline(status),
        "reasons": list(reasons(status)),
        "counts": asdict(status.counts),
        "automation_rate": status.automation_rate,
        "coverage": status.coverage,
        "champion": status.champion,
        "rates": [asdict(rate) for rate in source.rates],
        "risk_coverage": curve_document(source.curve, status),
        "segments": segments_document(source.segments),
        "certificates": [_release(release) for release in sorted(source.releases, key=lambda r: r.id)],
        "costs": costs_document(source.costs),
        "next_steps": list(status.next_steps),
    }


def headline(status: Status) -> str:
    """The certificate in one sentence."""
    certificate = status.certificate
    if not status.counts.listings:
        return "There are no listings yet, so there is nothing to report."
    automated = f"{percent(status.automation_rate)} of these listings are settled without a person"
    if certificate is None or certificate.threshold is None:
        return f"Nothing is certified yet, so every match is reviewed by a person; {automated}."
    if certificate.kind is CertificateKind.BOTH:
        answered = status.counts.automated_matches + status.counts.automated_none
        none = status.counts.automated_none / status.counts.listings
        return (
            f"{percent(answered / status.counts.listings)} of these listings are automated, "
            f"{percent(status.coverage)} as a match and {percent(none)} as “not in catalogue”; at least "
            f"{percent(certificate.precision)} of that together is right, and here is why you may believe it."
        )
    return (
        f"{percent(status.coverage)} of these listings are automated as a match, "
        f"at least {percent(certificate.precision)} of that is right, and here is why you may believe it."
    )


def reasons(status: Status) -> tuple[str, ...]:
    """Why the sentence may be believed; or what is missing before one could be."""
    certificate = status.certificate
    if certificate is None:
        return (
            "A certificate is made of random decisions, which come up in the review queue by themselves.",
        )
    labels = counted(certificate.labels, "random decision")
    if certificate.threshold is None:
        missing = certificate.labels_missing
        more = (
            f"About {counted(missing, 'more random decision')} are expected to be needed."
            if missing
            else "No number of further decisions is expected to change that at this precision."
        )
        none_yet = f"{labels} did not certify any threshold at {percent(certificate.precision)}."
        expected = forecast_words(certificate)
        return (none_yet, more, f"{expected}.") if expected else (none_yet, more)
    said = [
        f"{labels}: listings drawn by lot, with a known probability, and judged by a person who did not see "
        "what the machine thought.",
        f"None of them was ever learnt from. {certificate.accepted:,} of them lie at or above the threshold "
        f"of {certificate.threshold:.3f}; {certificate.errors:,} of those are wrong.",
        f"If fewer than {percent(certificate.precision)} were right, so few errors would turn up with a "
        f"probability of at most {percent(certificate.delta)}: that is the risk that is signed for.",
    ]
    if certificate.lower_bound is not None:
        bound = f"{100 * certificate.lower_bound:.1f} %"
        confidence = percent(1 - certificate.delta)
        said.append(f"With {confidence} confidence the precision there is at least {bound}.")
    match, none = certificate.match_part, certificate.none_part
    if match is not None and none is not None:
        said.append(
            "The promise covers matches and “not in catalogue” together, and neither separately. Precision "
            f"estimated from the same decisions: of the matches {match.said}; of “not in catalogue”, which "
            f"is {percent(none.share)} of what is automated, {none.said}."
        )
    said += [f"{words}." for words in (segment_words(certificate), forecast_words(certificate)) if words]
    return tuple(said)


def curve_document(curve: RiskCoverage, status: Status) -> dict[str, Any]:
    """The risk-coverage curve and the certified point on it."""
    certificate = status.certificate
    threshold = certificate.threshold if certificate else None
    document: dict[str, Any] = {name: list(value) for name, value in _curve_columns(curve).items()}
    document["labels"] = curve.labels
    document["certified"] = None
    if certificate is not None and threshold is not None:
        above = [i for i, value in enumerate(curve.thresholds) if value >= threshold]
        document["certified"] = {
            "threshold": threshold,
            "required_precision": certificate.precision,
            "coverage": curve.coverage[above[-1]] if above else 0.0,
            "precision": curve.precision[above[-1]] if above else None,
        }
    return document


def _curve_columns(curve: RiskCoverage) -> dict[str, Sequence[float]]:
    return {
        "coverage": curve.coverage,
        "precision": curve.precision,
        "low": curve.low,
        "high": curve.high,
        "thresholds": curve.thresholds,
        "similarity_coverage": curve.similarity_coverage,
        "similarity_precision": curve.similarity_precision,
    }


def segments_document(segments: SegmentReport) -> dict[str, Any]:
    """The segment report."""
    document: dict[str, Any] = asdict(segments)
    document["groupings"] = [
        {**grouping, "segments": list(grouping["segments"])} for grouping in document["groupings"]
    ]
    return document


def costs_document(costs: CostReport) -> dict[str, Any]:
    """Costs by threshold."""
    document: dict[str, Any] = asdict(costs)
    document["curve"] = list(document["curve"])
    return document


def _release(release: ReleaseSummary) -> dict[str, Any]:
    certificate = release.certificate
    return {
        "release": release.id,
        "created_at": release.created_at,
        "origin": release.origin,
        "champion": release.is_champion,
        "decisions": release.decisions,
        "kind": certificate.kind.value if certificate else None,
        "precision": certificate.precision if certificate else None,
        "threshold": certificate.threshold if certificate else None,
        "labels": certificate.labels if certificate else 0,
        "accepted": certificate.accepted if certificate else 0,
        "errors": certificate.errors if certificate else 0,
        "expected_coverage": certificate.expected_coverage if certificate else 0.0,
        "delta": certificate.delta if certificate else None,
        "delta_spent": certificate.delta_spent if certificate else 0.0,
        "note": certificate.note if certificate else "",
    }


def percent(share: float) -> str:
    """``0.583`` as ``58 %``; shares that are no whole percentage keep a digit where that matters."""
    digits = 1 if share > 0.97 and abs(100 * share - round(100 * share)) > 1e-6 else 0
    return f"{100 * share:.{digits}f} %"
