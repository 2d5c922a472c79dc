"""JSON field names are stable: the golden file holds every one of them.

After a deliberate change: ``python -m tests.engine.test_cli_documents`` rewrites the golden file.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.cli import agreement_documents, documents
from engine.cli.audit_verbs import audit_document
from engine.contracts import (
    Accuracy,
    AdjudicationReport,
    Agreement,
    AnswerAudit,
    AuditPoint,
    AuditReport,
    AuditState,
    Candidate,
    CandidateView,
    Certificate,
    CertificateKind,
    CertificatePart,
    ColumnMapping,
    Comparison,
    CostPoint,
    CostReport,
    Counts,
    Decision,
    DecisionFileReport,
    Disagreement,
    DoctorLine,
    DriftFinding,
    DriftMeasure,
    DriftState,
    Estimate,
    FeedAudit,
    FeedCoverage,
    FeedDrift,
    Flip,
    Forecast,
    Gate,
    ImportPreview,
    ImportReport,
    Item,
    Listing,
    LiveAudit,
    PairAgreement,
    QueueEntry,
    RateSnapshot,
    RecordKind,
    RefusedRow,
    ReleaseEvaluation,
    ReleaseSummary,
    ReviewCard,
    ReviewersReport,
    ReviewerSummary,
    RiskCoverage,
    RouteReason,
    RunState,
    SecondOpinion,
    Segment,
    SegmentCertificate,
    SegmentCoverage,
    SegmentGrouping,
    SegmentReport,
    SettingKind,
    SettingRow,
    Status,
    Stream,
    TableFormat,
    TakesEffect,
    TrainingRun,
    Verdict,
)
from engine.demo import DemoReport, Moment
from engine.reporting.report_document import ReportSource, costs_document, report_document

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "cli_fields.json"

ITEM = Item(id=7, external_id="P7", title="LG 55UP75")
LISTING = Listing(id=3, external_id="Q3", title="lg 55up75 tv", feed_id=1)
PART = CertificatePart(0.9, 50, 1, 0.98, 0.93, 0.99, 0.9, "98 % (93–99 %, 50 audits)")
CERTIFICATE = Certificate(
    kind=CertificateKind.BOTH,
    precision=0.95,
    delta=0.1,
    threshold=0.9,
    labels=100,
    accepted=60,
    errors=1,
    p_value=0.02,
    lower_bound=0.951,
    expected_coverage=0.6,
    labels_missing=None,
    delta_spent=0.1,
    match_part=PART,
    none_part=PART,
    forecasts=(Forecast(100, 0.6, 0.5, 0.7, 0.9),),
    segments=(SegmentCertificate("TV", 500, 60, 0.05, 0.7, 0.9, 0.6),),
)
COUNTS = Counts(10, 5, 0, 6, 3, 1, 1, 5, 1, 4, 2, 2)
GATE = Gate(True, ("coverage rises",), 0.5, 0.6, 0.01, 0.2, 0)
RELEASE = ReleaseSummary(
    "r0002",
    "2026-01-01T00:00:00Z",
    "r0001",
    "t0001",
    "training",
    False,
    "logistic",
    4,
    CERTIFICATE,
    None,
    GATE,
)
EVALUATION = ReleaseEvaluation(
    "r0002", 40, {95: 0.5}, {95: 0.1}, 0.05, 0.3, 0.8, 0.5, 0.6, {"fp32": {"C@95": 0.4}}
)
FLIP = Flip(3, "Q3", LISTING.title, "automated", "review", "P7", "", False)
FEEDS = (FeedCoverage(("june",), 9, 0.5, 0.6), FeedCoverage(("may",), 9, 0.5, 0.4))
BY_SEGMENT = (SegmentCoverage("TV", 60, 0.5, 0.3),)
COMPARISON = Comparison(EVALUATION, EVALUATION, GATE, (FLIP,), 1, FEEDS, BY_SEGMENT, 0.1)
RUN = TrainingRun("t0001", "default", 0, "cpu", RunState.FINISHED, 30, "2026-01-01T00:00:00Z", "/runs/t0001")
REFUSED = (RefusedRow(4, "title", "is empty"),)
ENTRY = QueueEntry(3, "Q3", LISTING.title, "monday", RouteReason.AUDIT, 0.97, 0.4, "random", 11, True)
CARD = ReviewCard(ENTRY, LISTING, (CandidateView(Candidate(7, 0.97, 0.8, 0.7), ITEM),), {}, 0, "r0001")
LIVE_AUDIT = LiveAudit(
    kind=CertificateKind.MATCH,
    release_id="r0002",
    opened_at="2026-01-01T00:00:00Z",
    precision=0.95,
    accepted=60,
    errors=1,
    certified_level=0.923,
    state=AuditState.ALARM,
    suspended_at="2026-01-02T00:00:00Z",
    audits=40,
    wrong=9,
    estimate=0.775,
    low=0.6,
    high=0.9,
    confidence=0.95,
    fallen_since=12,
    since_audits=29,
    since_wrong=8,
    below=120.0,
    fallen=300.0,
    advice="Suspended: 8 of the last 29 audits were wrong.",
    feeds=(FeedAudit("monday", 40, 9),),
    points=(AuditPoint(40, 0.775, 0.6, 0.9),),
    answers=(AnswerAudit(CertificateKind.NONE, 8, 3),),
)
DRIFT = FeedDrift(
    "tuesday",
    300,
    400,
    DriftState.DRIFTED,
    (DriftFinding(DriftMeasure.SIMILARITY, DriftState.DRIFTED, 0.5, 0.8, 0.4, 0.001, "falls"),),
    "falls",
)
AUDIT = AuditReport("/shop", "r0002", (LIVE_AUDIT,), (DRIFT,), LIVE_AUDIT.advice)
ESTIMATE = Estimate(0.95, 0.9, 0.99, 60, "exact", "95 % (90–99 %, 60 audits)")
SEGMENT = Segment("Sony", 10, 0.6, 0.5, ESTIMATE, ESTIMATE, False, False)
SEGMENTS = SegmentReport("r0002", 0.95, 0.9, 60, SEGMENT, (SegmentGrouping("brand", "Brand", 1, (SEGMENT,)),))
RATE = RateSnapshot("2026-01-01T00:00:00Z", "r0002", 10, 0.5, 0.1, 0.0, 0.6, 4)
POINT = CostPoint(0.9, 0.5, 120.0)
COSTS = CostReport(20.0, 0.4, 0.0, 60, 0.9, (POINT,), POINT, POINT, 1.0, 0.5, 2.0, "It saves 1.")
CURVE = RiskCoverage((0.5, 1.0), (1.0, 0.9), (0.9, 0.8), (1.0, 1.0), (0.9, 0.1), (1.0,), (0.5,), 2, (1, 2))
ACCURACY = Accuracy(0.97, 0.91, 0.99, 64)
AGREEMENT = Agreement(64, 60, 0.94, 0.81, 0.66, 0.96, 0.88, 0.4, 0.02)
OPINION = SecondOpinion(
    2, 3, Verdict.NONE, None, "ann", "2026-01-02T00:00:00Z", Stream.RANDOM, "r0001", about=1, overlap_id=1
)
MOMENT = Moment(0.5, 0.4, 0.96, "r0001")


def every_document() -> dict[str, Any]:
    """One document per verb, made of DTOs whose every part is filled."""
    decision = Decision(1, 3, Verdict.MATCH, 7, "kim", "2026-01-01T00:00:00Z", Stream.LEARNING, "r0001")
    preview = ImportPreview(
        "feed.csv",
        RecordKind.LISTINGS,
        TableFormat("csv", "utf-8", ","),
        ("id", "name"),
        ColumnMapping({"external_id": "id", "title": "name"}),
        ({"id": "Q3", "name": "lg"},),
        1,
        REFUSED,
        1,
    )
    report = ImportReport(RecordKind.LISTINGS, "monday", "feed.csv", 2, 1, 0, 0, REFUSED, 1)
    status = Status(
        "/shop",
        False,
        COUNTS,
        0.5,
        0.6,
        "r0001",
        CERTIFICATE,
        CERTIFICATE,
        3,
        ("review 20",),
        ("Suspended: 8 of the last 29 audits were wrong.",),
        (CertificateKind.MATCH,),
    )
    demo = DemoReport(Path("/shop"), 5, 10, 4, MOMENT, MOMENT, True, (), Path("/shop/demo/before_after.png"))
    summary = ReviewerSummary("kim", 90, 64, ACCURACY, ACCURACY, ACCURACY)
    pair = PairAgreement("ann", "kim", AGREEMENT, AGREEMENT, {Verdict.MATCH: AGREEMENT})
    disagreement = Disagreement(decision, OPINION, "Q3", LISTING.title, "monday", "P7", ITEM.title, "", "")
    return {
        "status": documents.status_document(status),
        "import --dry-run": documents.preview_document(preview),
        "import": documents.import_document(report),
        "match": documents.counts_document(COUNTS),
        "queue": documents.queue_document("gain", 3, [CARD]),
        "decide": documents.decision_file_document(DecisionFileReport(2, 1, 0, ((2, "no such listing"),))),
        "undo": documents.decision_document(decision, LISTING, ITEM),
        "reviewers": agreement_documents.reviewers_document(
            ReviewersReport((summary,), (pair,), 0.1, 3, 64, 2, 1)
        ),
        "adjudicate": agreement_documents.disagreements_document([disagreement]),
        "adjudicate --from": agreement_documents.adjudication_document(
            AdjudicationReport(2, 1, ((2, "no such listing"),))
        ),
        "certify, promote, rollback": documents.release_document(RELEASE),
        "audit": audit_document(AUDIT),
        "evaluate": documents.comparison_document(COMPARISON),
        "train": documents.training_document(RUN, RELEASE, COMPARISON),
        "train --export-job": documents.exported_run_document(RUN, Path("job.zip")),
        "demo": demo.document(),
        "report.json": report_document(
            ReportSource("shop", "2026-01-01T00:00:00Z", status, [RATE], CURVE, SEGMENTS, [RELEASE], COSTS)
        ),
        "costs": costs_document(COSTS),
        "backup": documents.backup_document(Path("copy.db")),
        "restore": documents.restore_document(Path("copy.db"), Path("before.db")),
        "settings": documents.settings_document(
            [
                SettingRow(
                    "random_share", "Review", "Random", "Why", SettingKind.SHARE, TakesEffect.NOW, 0.3, 0.3
                )
            ]
        ),
        "doctor, verify": documents.doctor_document([DoctorLine("runtime", True, "onnxruntime 1.31")]),
    }


def field_names(value: Any, prefix: str = "") -> list[str]:
    """Dotted names of every field; ``[]`` stands for the elements of a list."""
    if isinstance(value, dict):
        return [
            name for key, part in value.items() for name in field_names(part, f"{prefix}.{key}".strip("."))
        ]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return field_names(value[0], f"{prefix}[]")
    return [prefix]


def names_by_verb() -> dict[str, list[str]]:
    return {verb: field_names(document) for verb, document in every_document().items()}


def test_that_json_field_names_are_the_golden_ones() -> None:
    assert names_by_verb() == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_that_every_document_is_json() -> None:
    assert json.loads(json.dumps(every_document(), allow_nan=False))


def test_that_ids_are_the_users_own() -> None:
    listing = every_document()["queue"]["listings"][0]
    assert (listing["listing_id"], listing["candidates"][0]["item_id"]) == ("Q3", "P7")


def test_that_the_queue_does_not_give_an_audit_away() -> None:
    shown = json.dumps(every_document()["queue"])
    assert "audit" not in shown
    assert "draw" not in shown
    assert "stream" not in shown
    assert "random" not in shown


def test_that_a_second_opinion_is_asked_for_without_figures() -> None:
    asked = replace(CARD, entry=replace(ENTRY, about=1, draw_id=None))
    shown = documents.queue_document("gain", 3, [asked])
    candidate = shown["listings"][0]["candidates"][0]
    assert {candidate[name] for name in ("confidence", "similarity", "lexical")} == {None}
    assert "about" not in json.dumps(shown)


def test_that_an_accuracy_comes_with_its_interval_and_number() -> None:
    assert ACCURACY.words == "0.97 (0.91-0.99), 64 judged"
    assert Accuracy(1.0, 0.7, 1.0, 9).words == "too few to say"
    assert AGREEMENT.words == "0.81 (0.66-0.96), 64 judged"
    assert Agreement(9, 9, 1.0, 1.0, 0.4, 1.0, 1.0).words == "too few to say"
    assert Agreement(20, 20, 1.0, None, None, None, 1.0).words == "not defined, 20 judged"


def test_that_nothing_certified_is_null() -> None:
    release = ReleaseSummary("r0001", "2026-01-01T00:00:00Z", None, None, "base", True, "none", 0, None, None)
    document = documents.release_document(release)
    assert document["certificate"] is None
    assert document["gate"] is None


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(names_by_verb(), indent=1) + "\n", encoding="utf-8")
