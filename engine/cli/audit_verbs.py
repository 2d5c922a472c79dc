"""audit: the live precision of automated matches, with its band, and the drift of the feeds."""

from __future__ import annotations

import typer
from rich.table import Table

from engine.cli.documents import Document
from engine.cli.invocation import JsonOption, WorkspaceArgument, invocation
from engine.cli.terminal import Terminal, facts, percent, table
from engine.cli.words import KIND_WORDS
from engine.contracts import AuditReport, AuditState, FeedDrift, LiveAudit

_STATES = {
    AuditState.OK: "ok",
    AuditState.WATCH: "watch: fallen, but not shown to be below the promise",
    AuditState.ALARM: "alarm: the certificate is suspended",
}


def audit(ctx: typer.Context, workspace: WorkspaceArgument, as_json: JsonOption = False) -> None:
    """Live precision of automated answers with its band, drift of the feeds, and what to do next."""
    with invocation(ctx).opened(workspace, read_only=True) as ws:
        report = ws.audit()
    parts: list[Table | str] = [_audit_table(one) for one in report.audits]
    feeds = [one for one in report.audits if len(one.feeds) > 1]
    parts += [_feeds_table(one) for one in feeds]
    if report.drift:
        parts.append(_drift_table(report.drift))
    Terminal(as_json).answer(audit_document(report), *parts, f"Next: {report.next_step}")


def _audit_table(audit: LiveAudit) -> Table:
    band = f"{percent(audit.low)} to {percent(audit.high)}" if audit.audits else "–"
    values = {
        "state": _STATES[audit.state],
        "promise": f"precision ≥ {percent(audit.precision)} (release {audit.release_id}, "
        f"{audit.accepted:,} labels, {audit.errors:,} wrong)",
        "audits": f"{audit.audits:,}, {audit.wrong:,} wrong",
        "precision": percent(audit.estimate),
        f"band at {audit.confidence:.0%}": band,
    }
    if audit.answers:
        told = (f"{KIND_WORDS[one.kind]} {one.audits:,}, {one.wrong:,} wrong" for one in audit.answers)
        values["of these"] = f"{'; '.join(told)}; neither is promised separately"
    if audit.fallen_since is not None:
        values["fallen since"] = (
            f"audit {audit.fallen_since:,}: {audit.since_wrong:,} of {audit.since_audits:,} wrong since"
        )
    if audit.suspended_at:
        values["suspended at"] = audit.suspended_at
    return facts(f"Live audit of automated {KIND_WORDS[audit.kind]}", values)


def _feeds_table(audit: LiveAudit) -> Table:
    rows = [
        (feed.feed, f"{feed.audits:,}", f"{feed.wrong:,}", percent(1 - feed.wrong / feed.audits))
        for feed in audit.feeds
    ]
    columns = ("feed", "audits", "wrong", "precision")
    return table(f"Audits of {KIND_WORDS[audit.kind]} by feed", columns, rows, right=columns[1:])


def _drift_table(drift: tuple[FeedDrift, ...]) -> Table:
    rows = [(one.feed, one.state.value.replace("_", " "), f"{one.listings:,}", one.words) for one in drift]
    columns = ("feed", "state", "listings looked at", "compared with the feeds before")
    return table("Drift of the newest feeds", columns, rows, right=("listings looked at",))


def audit_document(report: AuditReport) -> Document:
    """``alcove audit``."""
    return {
        "workspace": report.workspace,
        "champion": report.champion,
        "audits": [_audit(one) for one in report.audits],
        "drift": [_drift(one) for one in report.drift],
        "next_step": report.next_step,
    }


def _audit(audit: LiveAudit) -> Document:
    return {
        "kind": audit.kind.value,
        "release": audit.release_id,
        "opened_at": audit.opened_at,
        "state": audit.state.value,
        "suspended_at": audit.suspended_at,
        "precision": audit.precision,
        "accepted": audit.accepted,
        "errors": audit.errors,
        "certified_level": audit.certified_level,
        "audits": audit.audits,
        "wrong": audit.wrong,
        "estimate": audit.estimate,
        "low": audit.low,
        "high": audit.high,
        "confidence": audit.confidence,
        "fallen_since": audit.fallen_since,
        "since_audits": audit.since_audits,
        "since_wrong": audit.since_wrong,
        "evidence_below": audit.below,
        "evidence_fallen": audit.fallen,
        "advice": audit.advice,
        "answers": [{"kind": a.kind.value, "audits": a.audits, "wrong": a.wrong} for a in audit.answers],
        "feeds": [{"feed": f.feed, "audits": f.audits, "wrong": f.wrong} for f in audit.feeds],
        "points": [
            {"audits": p.audits, "precision": p.precision, "low": p.low, "high": p.high} for p in audit.points
        ],
    }


def _drift(drift: FeedDrift) -> Document:
    return {
        "feed": drift.feed,
        "state": drift.state.value,
        "listings": drift.listings,
        "before": drift.before,
        "words": drift.words,
        "findings": [
            {
                "measure": finding.measure.value,
                "state": finding.state.value,
                "value": finding.value,
                "before": finding.before,
                "distance": finding.distance,
                "p_value": finding.p_value,
                "words": finding.words,
            }
            for finding in drift.findings
        ],
    }
