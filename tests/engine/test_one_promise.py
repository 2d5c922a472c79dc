"""Certifying with one promise for both kinds of answers: setting, labels, zone, gate, reports, words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from engine.automation.certificate import certify
from engine.cli.app import run
from engine.cli.words import certificate_facts
from engine.contracts import (
    Certificate,
    CertificateKind,
    CertificatePart,
    Notice,
    Promise,
    RouteReason,
)
from engine.pipeline.random_stream import POLICY, POLICY_OF_ANSWERS, draw
from engine.reporting.report_document import headline, reasons
from engine.workspace import Workspace
from tests.loop import FEED, answers, drain, matched_workspace, promised_workspace


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    """Certified with a promise for each kind of answer, low enough for so few random decisions."""
    with promised_workspace(tmp_path / "w", Promise.EACH) as workspace:
        yield workspace


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Workspace]:
    """The same, certified once more with one promise for both."""
    with promised_workspace(tmp_path / "w", Promise.TOGETHER) as workspace:
        yield workspace


def uncertified(*kinds: CertificateKind) -> Callable[..., Certificate]:
    """``certify`` that certifies nothing of some kinds."""

    def attempt(*args: object, **options: object) -> Certificate:
        made = certify(*args, **options)  # type: ignore[arg-type]
        if made.kind in kinds:
            return replace(made, threshold=None, expected_coverage=0.0, labels_missing=30)
        return made

    return attempt


def notices(workspace: Workspace, promise: Promise) -> list[str]:
    return [e.message for e in workspace.certify(promise=promise) if isinstance(e, Notice)]


def test_that_each_kind_is_promised_by_itself_unless_asked_otherwise(shop: Workspace) -> None:
    status = shop.status()
    assert shop.settings.promise == "each"
    assert status.certificate is not None
    assert status.none_certificate is not None
    assert (status.certificate.kind, status.none_certificate.kind) == Promise.EACH.kinds
    assert status.certificate.match_part is None


def test_that_one_promise_automates_both_answers_from_one_threshold(shop: Workspace) -> None:
    release = drain(shop.certify(promise=Promise.TOGETHER))
    both = release.certificate
    assert both is not None
    assert (both.kind, release.none_certificate) == (CertificateKind.BOTH, None)
    assert shop.settings.promise == "together"
    assert both.threshold is not None
    counts = shop.status().counts
    assert counts.automated_matches > 0
    assert counts.automated_none > 0
    for placed in shop.placements(feed=FEED):
        sure = max(placed.confidence, placed.none_confidence)
        if placed.reason is RouteReason.NOT_IN_CATALOGUE:
            assert placed.none_confidence > placed.confidence
        elif placed.reason is RouteReason.ABOVE_THRESHOLD:
            assert placed.confidence >= placed.none_confidence
        else:
            assert sure < both.threshold or placed.reason in (RouteReason.DECIDED, RouteReason.MEMORY)
            continue
        assert sure >= both.threshold
    # It is read again as it was written, by the database and from the release's folder.
    assert drain(shop.match()) == counts
    with Workspace.open(shop.path, read_only=True) as again:
        assert again.status().certificate == both


def test_that_the_parts_are_estimated_from_the_labels_that_certify(together: Workspace) -> None:
    both = together.status().certificate
    assert both is not None
    match, none = both.match_part, both.none_part
    assert match is not None
    assert none is not None
    assert match.share + none.share == pytest.approx(1.0)
    assert (match.labels + none.labels, match.errors + none.errors) == (both.accepted, both.errors)
    for part in (match, none):
        assert 0 <= part.low <= part.high <= 1
        assert part.errors <= part.labels
        assert "audit" in part.said


def test_that_certificates_for_both_share_labels_with_those_of_either_kind(shop: Workspace) -> None:
    before = [r for r in shop.releases() if r.certificate and r.certificate.threshold is not None]
    nones = [r for r in before if r.none_certificate and r.none_certificate.threshold is not None]
    earlier = len(before) + len(nones)
    assert earlier > 0
    both = drain(shop.certify(promise=Promise.TOGETHER)).certificate
    assert both is not None
    assert both.delta_spent == pytest.approx(0.1 * (earlier + 1))
    # At a precision that so few labels certify of either kind.
    match = drain(shop.certify(promise=Promise.EACH, precision=0.55)).certificate
    assert match is not None
    assert match.kind is CertificateKind.MATCH
    assert match.threshold is not None
    assert match.delta_spent == pytest.approx(0.1 * (len(before) + 2))


def test_that_draws_are_made_where_either_answer_may_be_automated(together: Workspace) -> None:
    shop = together
    manifest = shop._shelf.manifest(shop.status().champion or "")
    assert manifest.zone_of == "both"
    assert manifest.zone_floor is not None
    # Far enough up that the zone has an outside: half of the reserve or so.
    floor = float(
        np.quantile([max(p.confidence, p.none_confidence) for p in shop.placements(feed=FEED)], 0.4)
    )
    with shop._store.writing() as uow:
        _, before = uow.listings.reserve()
        zone = uow.listings.reserve_zone(min_confidence=floor, of_answer=True).undrawn.tolist()
        assert set(uow.listings.reserve_zone(min_confidence=floor).undrawn.tolist()) < set(zone)
        numbers = draw(uow, 12, feed_id=None, zone_floor=floor, release_id=None, seed=1, of_answer=True)
        drawn = [uow.draws.get(number) for number in numbers]
        ids, after = uow.listings.reserve()
    assert {one.policy for one in drawn} == {POLICY, POLICY_OF_ANSWERS}
    assert {one.listing_id for one in drawn if one.policy == POLICY_OF_ANSWERS} <= set(zone)
    placed = {p.listing_id: max(p.confidence, p.none_confidence) for p in shop.placements(feed=FEED)}
    sure = np.asarray([placed[int(i)] >= floor for i in ids])
    # Listings that were certain to have been drawn stay so.
    left = before < 1
    chance, sure = (after - before)[left] / (1 - before[left]), sure[left]
    assert chance[sure].min() > chance[~sure].max() > 0


def test_that_the_queue_draws_in_the_zone_of_answers(tmp_path: Path) -> None:
    with matched_workspace(tmp_path / "w") as workspace:
        workspace.update_settings(precision=0.55, promise="together")
        answers().review(workspace, 80)
        drain(workspace.certify())
        answers().review(workspace, 40)
        with workspace._store.reading() as uow:
            policies = {one.policy for one in uow.draws.page()}
    assert POLICY_OF_ANSWERS in policies


def test_that_one_promise_that_cannot_be_kept_changes_nothing(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, routes = shop.status(), list(shop.placements(feed=FEED))
    monkeypatch.setattr("engine.pipeline.promises.certify", uncertified(CertificateKind.BOTH))
    (told,) = notices(shop, Promise.TOGETHER)
    assert told.startswith("nothing could be certified with one promise for both kinds of answers")
    assert f"release {before.champion} keeps its certificate" in told
    assert shop.status().champion == before.champion
    assert shop.settings.promise == "each"
    assert list(shop.placements(feed=FEED)) == routes


def test_that_one_promise_does_not_hold_where_each_kind_is_asked_for(
    together: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = together.status().champion or ""
    monkeypatch.setattr(
        "engine.pipeline.promises.certify", uncertified(CertificateKind.MATCH, CertificateKind.NONE)
    )
    (told,) = notices(together, Promise.EACH)
    assert "Nothing is automated until then" in told
    assert champion in told
    assert together.settings.promise == "each"
    assert together.status().counts.automated == 0


def test_that_a_refit_without_a_certificate_keeps_one_for_both(
    together: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = together.status().champion or ""
    monkeypatch.setattr("engine.pipeline.promises.certify", uncertified(CertificateKind.BOTH))
    (told,) = notices(together, Promise.TOGETHER)
    assert told.startswith("the refit could not be certified")
    assert together.status().champion == champion
    assert together.status().counts.automated > 0


def test_that_what_one_promise_may_bring_is_expected_and_not_certified(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.pipeline.promises.certify", uncertified(CertificateKind.NONE))
    drain(shop.certify())
    none = shop.status().none_certificate
    assert none is not None
    assert none.threshold is None
    assert none.note.startswith("One promise for matches and “not in catalogue” together is expected")
    assert none.note.endswith("Expected, not certified")
    assert "Expected, not certified" in certificate_facts(shop.status().certificate, none)["not in catalogue"]
    assert shop.status().counts.automated_none == 0


def test_that_releases_are_compared_on_what_is_promised(shop: Workspace) -> None:
    before = shop.status().champion
    both = drain(shop.certify(promise=Promise.TOGETHER))
    assert both.certificate is not None
    of_both = drain(shop.evaluate(both.id, against=before))
    assert any("certified share automated by certificate" in reason for reason in of_both.gate.reasons)
    assert of_both.challenger.certified_coverage == both.certificate.expected_coverage
    shop.update_settings(promise="each")
    each = drain(shop.evaluate(both.id, against=before))
    assert any("certified coverage" in reason for reason in each.gate.reasons)
    assert both.certificate.match_part is not None
    assert each.challenger.certified_coverage == pytest.approx(
        both.certificate.expected_coverage * both.certificate.match_part.share
    )


def test_that_reports_speak_of_both_answers(shop: Workspace, tmp_path: Path) -> None:
    before = shop.segment_report()
    assert not before.together
    both = drain(shop.certify(promise=Promise.TOGETHER)).certificate
    assert both is not None
    report = shop.segment_report()
    assert report.together
    assert report.promise == both.precision
    # The precision of what is automated rests on the labels that the certificate rests on.
    assert report.workspace.precision.audits == both.accepted
    curve = shop.risk_coverage()
    accepted = [n for n, t in zip(curve.accepted, curve.thresholds, strict=True) if t >= both.threshold]
    assert max(accepted) == both.accepted
    page = drain(shop.report(tmp_path / "report"))
    assert "of both together" in page.read_text(encoding="utf-8")
    assert json.loads((page.parent / "report.json").read_text(encoding="utf-8"))["segments"]["together"]


def test_that_the_report_says_what_is_promised_and_what_is_not(together: Workspace) -> None:
    status = together.status()
    assert "as “not in catalogue”; at least 55 % of that together is right" in headline(status)
    assert any("together, and neither separately" in reason for reason in reasons(status))


def test_that_the_promise_is_set_from_the_command_line(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.close()
    assert run(["certify", str(shop.path), "--promise", "together", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["certificate"]["kind"] == "both"
    assert document["certificate"]["none_part"]["labels"] >= 0
    assert document["none_certificate"] is None
    assert run(["status", str(shop.path)]) == 0
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "matches and not in catalogue together" in told
    assert "neither is promised separately" in told
    assert run(["certify", str(shop.path), "--promise", "some"]) == 2
    with Workspace.open(shop.path, read_only=True) as again:
        assert again.settings.promise == "together"


def test_that_a_certificate_is_made_again_from_its_fields() -> None:
    part = CertificatePart(0.5, 3, 1, None, 0.1, 0.9, 0.9, "too few to say: 3 audits")
    made = Certificate(
        CertificateKind.BOTH, 0.9, 0.1, 0.5, 9, 6, 1, 0.05, 0.91, 0.4, 0, 0.1, "a note", part, part
    )
    assert Certificate.of(json.loads(json.dumps(asdict(made)))) == made
    older = {k: v for k, v in asdict(made).items() if not k.endswith("_part")}
    assert Certificate.of(older) == replace(made, match_part=None, none_part=None)
