"""Releases, runs, certificates and curves as a workspace of some weeks would have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from engine.contracts import (
    AuditPoint,
    AuditReport,
    AuditState,
    Certificate,
    CertificateKind,
    CertificatePart,
    ColumnMapping,
    Comparison,
    CostPoint,
    CostReport,
    Estimate,
    Flip,
    Gate,
    ImportPreview,
    ImportReport,
    LiveAudit,
    RateSnapshot,
    RecordKind,
    RefusedRow,
    ReleaseEvaluation,
    ReleaseSummary,
    RiskCoverage,
    RunState,
    Segment,
    SegmentGrouping,
    SegmentReport,
    TableFormat,
    TrainingRun,
)
from engine.settings import WorkspaceSettings

_REFUSED = (
    RefusedRow(14, "title", "the title is empty"),
    RefusedRow(203, "id", 'the id "8812" was already used in row 97'),
)


def certificate(precision: float | None = None) -> Certificate:
    return Certificate(
        kind=CertificateKind.MATCH,
        precision=precision or 0.95,
        delta=0.1,
        threshold=0.83,
        labels=212,
        accepted=124,
        errors=2,
        p_value=0.04,
        lower_bound=0.957,
        expected_coverage=0.58,
        labels_missing=None,
        delta_spent=0.05,
    )


def certificate_for_both(precision: float | None = None) -> Certificate:
    return replace(
        certificate(precision or 0.9),
        kind=CertificateKind.BOTH,
        expected_coverage=0.78,
        match_part=CertificatePart(0.86, 108, 6, 0.95, 0.9, 0.98, 0.9, "95 % (90–98 %, 108 audits)"),
        none_part=CertificatePart(0.14, 16, 3, 0.81, 0.57, 0.95, 0.9, "81 % (57–95 %, 16 audits)"),
    )


def none_certificate() -> Certificate:
    return Certificate(
        kind=CertificateKind.NONE,
        precision=0.95,
        delta=0.1,
        threshold=None,
        labels=31,
        accepted=0,
        errors=0,
        p_value=None,
        lower_bound=None,
        expected_coverage=0.0,
        labels_missing=44,
        delta_spent=0.0,
        note="One promise for matches and “not in catalogue” together is expected to automate 71 % of the "
        "listings (matches alone 58 %); estimated precision of “not in catalogue”: 81 % (57–95 %, 16 "
        "audits). Expected, not certified",
    )


def made_releases() -> list[ReleaseSummary]:
    refit = ReleaseSummary(
        id="r0002",
        created_at="2026-11-12T16:20:00+00:00",
        parent="r0001",
        run_id=None,
        origin="refit",
        is_champion=True,
        matcher="logistic",
        decisions=412,
        certificate=certificate(),
        none_certificate=none_certificate(),
    )
    base = ReleaseSummary(
        id="r0001",
        created_at="2026-11-02T09:00:00+00:00",
        parent=None,
        run_id=None,
        origin="base",
        is_champion=False,
        matcher="none",
        decisions=0,
        certificate=None,
        none_certificate=None,
    )
    return [refit, base]


def made_runs(path: Path) -> list[TrainingRun]:
    return [
        TrainingRun(
            id="t0001",
            recipe="default",
            seed=0,
            device="cpu",
            state=RunState.FINISHED,
            pairs=412,
            created_at="2026-11-20T18:00:00+00:00",
            folder=str(path / "runs" / "t0001"),
        )
    ]


def _evaluation(release_id: str, lift: float) -> ReleaseEvaluation:
    return ReleaseEvaluation(
        release_id=release_id,
        labels=212,
        coverage_at={90: 0.71 + lift, 95: 0.60 + lift, 99: 0.41 + lift},
        similarity_coverage_at={90: 0.32 + 2 * lift, 95: 0.21 + 2 * lift, 99: 0.08 + lift},
        aurc=0.041 - lift / 4,
        similarity_aurc=0.093 - lift / 2,
        best_right=0.88 + lift / 4,
        certified_coverage=0.58 + lift,
        automation_rate=0.63 + lift,
    )


def comparison(champion: str, challenger: str) -> Comparison:
    gate = Gate(
        passed=True,
        reasons=("certified coverage rises from 58 % to 64 %", "9 contradictions stay under 2 %"),
        champion_coverage=0.58,
        challenger_coverage=0.64,
        difference_low=0.02,
        difference_high=0.10,
        contradictions=9,
    )
    flips = tuple(
        Flip(number, f"ME-{number:04d}", title, "automated", "automated", before, after, contradicts)
        for number, title, before, after, contradicts in (
            (2, "Samsung Galaxy S23 5G 256 GB", "Galaxy S23 128GB", "Galaxy S23 256GB", False),
            (11, "Sony Wireless Headphones WH-1000XM5", "WH-1000XM4 Silver", "WH-1000XM5 Black", True),
        )
    )
    return Comparison(_evaluation(champion, 0.0), _evaluation(challenger, 0.06), gate, flips, 312)


def rate_snapshots() -> list[RateSnapshot]:
    made = []
    for week, rate in enumerate((0.0, 0.12, 0.31, 0.44, 0.52, 0.58, 0.63)):
        made.append(
            RateSnapshot(
                at=f"2026-{10 + (week * 7 + 4) // 31:02d}-{(week * 7 + 4) % 28 + 1:02d}T08:00:00+00:00",
                release_id="r0001" if week < 2 else "r0002",
                listings=40_000,
                coverage=rate * 0.9,
                none_rate=rate * 0.06,
                memory_rate=rate * 0.04,
                automation_rate=rate,
                decisions=week * 70,
            )
        )
    return made


def risk_coverage() -> RiskCoverage:
    coverage = tuple(step / 50 for step in range(1, 51))
    precision = tuple(round(0.995 - 0.13 * share**3, 4) for share in coverage)
    return RiskCoverage(
        coverage=coverage,
        precision=precision,
        low=tuple(
            round(value - 0.05 + 0.03 * share, 4) for value, share in zip(precision, coverage, strict=True)
        ),
        high=tuple(min(1.0, round(value + 0.012, 4)) for value in precision),
        thresholds=tuple(round(1.0 - 0.8 * share, 4) for share in coverage),
        similarity_coverage=coverage,
        similarity_precision=tuple(round(0.97 - 0.2 * share, 4) for share in coverage),
        labels=212,
    )


def _estimate(share: float | None, audits: int) -> Estimate:
    if share is None:
        return Estimate(None, 0.0, 1.0, audits, "exact", f"too few to say: {audits} audits")
    low, high = max(0.0, share - 0.1), min(1.0, share + 0.04)
    said = f"{100 * share:.0f} % ({100 * low:.0f}–{100 * high:.0f} %, {audits} audits)"
    return Estimate(share, low, high, audits, "exact", said)


def _segment(
    name: str, listings: int, rate: float, precision: float | None, audits: int, *, starved: bool = False
) -> Segment:
    right = None if precision is None else min(1.0, rate + 0.2)
    return Segment(
        name=name,
        listings=listings,
        automation_rate=rate,
        coverage=rate * 0.9,
        automated_of_right=_estimate(right, audits),
        precision=_estimate(precision, audits),
        starved=starved,
        below_promise=False,
    )


def segment_report() -> SegmentReport:
    brands = (
        _segment("Samsung", 9_120, 0.71, 0.98, 61),
        _segment("Sony", 4_040, 0.64, 0.96, 44),
        _segment("a brand of a very long name that no column is wide enough for", 310, 0.22, None, 3),
        _segment("LG", 2_950, 0.31, 0.97, 25, starved=True),
    )
    forms = (_segment("single", 38_000, 0.64, 0.97, 190), _segment("pack", 2_000, 0.4, 0.93, 22))
    return SegmentReport(
        release="r0002",
        promise=0.95,
        level=0.9,
        audits=212,
        workspace=_segment("all listings", 40_000, 0.63, 0.97, 124),
        groupings=(
            SegmentGrouping("brand", "Brand", 4, brands),
            SegmentGrouping("pack", "Pack or single", 2, forms),
        ),
    )


def cost_report(settings: WorkspaceSettings) -> CostReport:
    costs = (settings.cost_wrong, settings.cost_review, settings.cost_missed)
    if settings.cost_wrong is None or settings.cost_review is None:
        return CostReport(*costs, 212, 0.9, (), None, None, None, None, None, "Enter what a review costs.")
    point = CostPoint(0.83, 0.58, 240.0)
    said = f"At {settings.cost_wrong:g} for a wrong automation, 0.830 is cheapest."
    return CostReport(*costs, 212, 0.9, (point,), point, point, 0.0, 0.0, 0.0, said)


def import_preview(file: Path, kind: RecordKind, mapping: Mapping[str, str] | None) -> ImportPreview:
    columns = ("sku", "name", "maker", "price_eur", "ean", "colour")
    guessed = {"external_id": "sku", "title": "name", "brand": "maker", "price": "price_eur", "gtin": "ean"}
    chosen = {field: column for field, column in {**guessed, **(mapping or {})}.items() if column}
    sample = tuple(
        dict(zip(columns, (f"88{at:02d}", name, "Sony", "279.00", "4548736112001", "black"), strict=True))
        for at, name in enumerate(("sony wh1000xm4 headphones", "Sony WF-1000XM4 earbuds", "Sony XM5 silver"))
    )
    return ImportPreview(
        path=str(file),
        kind=kind,
        format=TableFormat("csv", "utf-8", ";"),
        columns=columns,
        mapping=ColumnMapping(chosen),
        sample=sample,
        rows=2000,
        refused=_REFUSED,
        refused_total=2,
    )


def import_report(file: Path, kind: RecordKind, feed: str) -> ImportReport:
    return ImportReport(
        kind=kind,
        feed=feed,
        path=str(file),
        rows=2000,
        added=1990,
        updated=5,
        unchanged=3,
        refused=_REFUSED,
        refused_total=2,
    )


def live_audit(state: AuditState = AuditState.OK, kind: CertificateKind = CertificateKind.MATCH) -> LiveAudit:
    """140 audits: 3 wrong, or 12 in an alarm."""
    wrong = 12 if state is AuditState.ALARM else 3
    at = range(2, 141, 2)
    share = [1.0 - wrong / 140 * (n / 140) for n in at]
    advice = {
        AuditState.OK: "Nothing to do: 3 of 140 audits were wrong, and nothing shows more than 5 %.",
        AuditState.WATCH: "Fallen from what was certified: review more random listings, or certify again.",
        AuditState.ALARM: "Suspended: 12 of the last 140 audits were wrong where at most 5 % may be. "
        "Review 59 random listings, then certify again.",
    }[state]
    return LiveAudit(
        kind=kind,
        release_id="r0002",
        opened_at="2026-11-12T16:20:00+00:00",
        precision=0.95,
        accepted=124,
        errors=2,
        certified_level=0.95,
        state=state,
        suspended_at="2026-11-20T10:00:00+00:00" if state is AuditState.ALARM else None,
        audits=140,
        wrong=wrong,
        estimate=1 - wrong / 140,
        low=0.84,
        high=0.99,
        confidence=0.95,
        fallen_since=None if state is AuditState.OK else 61,
        since_audits=0 if state is AuditState.OK else 80,
        since_wrong=0 if state is AuditState.OK else wrong - 1,
        below=1.0,
        fallen=1.0,
        advice=advice,
        points=tuple(
            AuditPoint(n, p, max(0.0, p - 2.2 / n**0.6), min(1.0, p + 0.6 / n**0.6))
            for n, p in zip(at, share, strict=True)
        ),
    )


def audit_report(workspace: str, champion: str | None) -> AuditReport:
    one = live_audit()
    return AuditReport(workspace, champion, (one,), (), one.advice)
