"""``alcove audit`` and what ``alcove status`` says of an alarm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli.app import run
from tests.engine.audited_workspace import AuditedWorkspace


def document(capsys: pytest.CaptureFixture[str], *arguments: object):
    capsys.readouterr()
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def suspended(tmp_path: Path) -> Path:
    """A workspace of two feeds whose certificate for matches is suspended."""
    with AuditedWorkspace(tmp_path / "shop", feeds=("monday", "tuesday")) as shop:
        for _ in range(8):
            shop.audit(wrong=False, feed="monday")
        shop.until_alarm(feed="tuesday")
    return tmp_path / "shop"


def test_that_audit_and_status_tell_the_alarm(suspended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = document(capsys, "audit", suspended)
    match, none = report["audits"]
    assert (match["kind"], match["state"]) == ("match", "alarm")
    assert (none["kind"], none["state"], none["estimate"]) == ("none", "ok", None)
    assert match["points"][-1]["audits"] == match["audits"] == sum(f["audits"] for f in match["feeds"])
    assert match["evidence_below"] >= 1 / 0.01 or match["evidence_fallen"] >= 1 / 0.03
    assert report["next_step"] == match["advice"]
    status = document(capsys, "status", suspended)
    assert status["suspended"] == ["match"]
    assert status["alarms"] == [match["advice"]]
    assert status["next_steps"][0] == match["advice"]


def test_that_the_tables_say_it_in_words(suspended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", str(suspended)]) == 0
    shown = capsys.readouterr().out
    assert "alarm: the certificate is suspended" in shown
    assert "Next: Suspended:" in shown
    assert "tuesday" in shown
    assert run(["status", str(suspended)]) == 0
    shown = capsys.readouterr().out
    assert "suspended by the live audit" in shown
    assert "Next: Suspended:" in shown


def test_that_an_audit_without_a_certificate_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path / "shop")]) == 0
    report = document(capsys, "audit", tmp_path / "shop")
    assert report["audits"] == []
    assert report["next_step"].startswith("Nothing is certified yet")
