"""Releases, training runs, snapshots, imports and settings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.contracts import (
    Certificate,
    CertificateKind,
    Gate,
    ImportReport,
    RateSnapshot,
    RecordKind,
    RefusedRow,
    ReleaseManifest,
    RunState,
    TrainingRun,
)
from engine.errors import InputError, NotInWorkspaceError
from engine.settings import WorkspaceSettings, app_home, base_encoder_cache
from engine.store import Store, UnitOfWork


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "shop") as opened:
        yield opened


def manifest(id_: str, parent: str | None = None) -> ReleaseManifest:
    return ReleaseManifest(
        id=id_,
        created_at="2031-01-01T00:00:00+00:00",
        parent=parent,
        run_id="t0001",
        origin="training",
        encoder_sha256="ab" * 32,
        encoder_variant="int8",
        dimension=384,
        text_recipe={"fields": ["title", "brand"], "max_chars": 2000, "alias": True},
        matcher="logistic",
        evidence_columns=["cosine", "lexical"],
        decisions=12,
        aliases=3,
        files={"encoder.onnx": "cd" * 32},
    )


MATCH = Certificate(
    kind=CertificateKind.MATCH,
    precision=0.95,
    delta=0.1,
    threshold=0.83,
    labels=200,
    accepted=120,
    errors=1,
    p_value=0.04,
    lower_bound=0.96,
    expected_coverage=0.58,
    labels_missing=None,
    delta_spent=0.1,
    note="first",
)
NONE = Certificate(CertificateKind.NONE, 0.95, 0.1, None, 20, 0, 0, None, None, 0.0, 180, 0.0)
GATE = Gate(True, ("coverage rose", "no segment fell"), 0.5, 0.6, 0.02, 0.18, 3)


def add_release(uow: UnitOfWork) -> str:
    id_ = uow.releases.next_id()
    uow.releases.add(manifest(id_), None, None)
    return id_


def test_that_a_release_comes_back_with_certificates_and_gate(store: Store) -> None:
    with store.writing() as uow:
        uow.releases.add(manifest("r0001", parent="r0000"), MATCH, NONE)
        found = uow.releases.get("r0001")
        assert (found.certificate, found.none_certificate, found.gate) == (MATCH, NONE, None)
        assert (found.parent, found.run_id, found.origin) == ("r0000", "t0001", "training")
        assert (found.matcher, found.decisions, found.is_champion) == ("logistic", 12, False)
        uow.releases.set_gate("r0001", GATE)
        assert uow.releases.get("r0001").gate == GATE
        assert uow.releases.manifest("r0001") == manifest("r0001", parent="r0000")


def test_that_releases_are_numbered_and_listed_newest_first(store: Store) -> None:
    with store.writing() as uow:
        assert uow.releases.next_id() == "r0001"
        assert [add_release(uow) for _ in range(3)] == ["r0001", "r0002", "r0003"]
        uow.releases.make_champion("r0002", "first")
        found = uow.releases.all()
        assert [(release.id, release.is_champion) for release in found] == [
            ("r0003", False),
            ("r0002", True),
            ("r0001", False),
        ]


def test_that_rolling_back_goes_back_step_by_step_and_not_in_a_circle(store: Store) -> None:
    with store.writing() as uow:
        for _ in range(4):
            add_release(uow)
        assert uow.releases.champion() is None
        assert uow.releases.previous_champion() is None
        uow.releases.make_champion("r0001", "first")
        assert uow.releases.previous_champion() is None
        uow.releases.make_champion("r0002", "refit")
        uow.releases.make_champion("r0003", "promote")
        assert (uow.releases.champion(), uow.releases.previous_champion()) == ("r0003", "r0002")
        uow.releases.make_champion("r0002", "rollback")
        assert (uow.releases.champion(), uow.releases.previous_champion()) == ("r0002", "r0001")
        uow.releases.make_champion("r0004", "promote")
        assert (uow.releases.champion(), uow.releases.previous_champion()) == ("r0004", "r0002")
        assert [(id_, action) for _, id_, action in uow.releases.champion_history()] == [
            ("r0001", "first"),
            ("r0002", "refit"),
            ("r0003", "promote"),
            ("r0002", "rollback"),
            ("r0004", "promote"),
        ]


def test_that_unknown_releases_and_runs_are_said(store: Store) -> None:
    with store.writing() as uow:
        for ask in (
            lambda: uow.releases.get("r9"),
            lambda: uow.releases.manifest("r9"),
            lambda: uow.releases.make_champion("r9", "promote"),
            lambda: uow.releases.set_gate("r9", GATE),
            lambda: uow.runs.get("t9"),
            lambda: uow.runs.update("t9"),
            lambda: uow.runs.update("t9", message="x"),
        ):
            with pytest.raises(NotInWorkspaceError, match="9"):
                ask()


def run_in(folder: Path, id_: str = "t0001") -> TrainingRun:
    return TrainingRun(
        id=id_,
        recipe="default",
        seed=3,
        device="cpu",
        state=RunState.PREPARED,
        pairs=120,
        created_at="2031-01-01T00:00:00+00:00",
        folder=str(folder),
    )


def test_that_a_training_run_is_kept_and_changed_by_what_is_given(store: Store) -> None:
    run = run_in(store.folder / "runs" / "t0001")
    with store.writing() as uow:
        assert uow.runs.next_id() == "t0001"
        uow.runs.add(run)
        assert uow.runs.get("t0001") == run
        uow.runs.update("t0001", state=RunState.RUNNING)
        uow.runs.update("t0001", message="epoch 1")
        uow.runs.update("t0001", state=RunState.FINISHED, release_id="r0002")
        found = uow.runs.get("t0001")
        assert (found.state, found.message, found.release_id) == (RunState.FINISHED, "epoch 1", "r0002")
        uow.runs.add(run_in(store.folder / "runs" / "t0002", uow.runs.next_id()))
        assert [one.id for one in uow.runs.all()] == ["t0002", "t0001"]


def test_that_runs_inside_the_workspace_move_with_it_and_others_stay(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "t0002"
    with Store.create(tmp_path / "shop") as store, store.writing() as uow:
        uow.runs.add(run_in(tmp_path / "shop" / "runs" / "t0001"))
        uow.runs.add(run_in(elsewhere, "t0002"))
    shutil.move(tmp_path / "shop", tmp_path / "moved")
    with Store.open(tmp_path / "moved") as store, store.reading() as uow:
        assert uow.runs.get("t0001").folder == str(tmp_path / "moved" / "runs" / "t0001")
        assert uow.runs.get("t0002").folder == str(elsewhere)


def test_that_snapshots_come_back_in_order(store: Store) -> None:
    snapshots = [RateSnapshot(f"2031-01-0{n}", "r0001", 10, 0.5, 0.1, 0.05, 0.65, n) for n in range(1, 4)]
    with store.writing() as uow:
        for snapshot in snapshots:
            uow.snapshots.add(snapshot)
        assert uow.snapshots.all() == snapshots


def test_that_an_import_keeps_its_refusals_and_dates_its_feed(store: Store) -> None:
    refused = (RefusedRow(3, "title", "empty"), RefusedRow(2, "id", "twice"))
    report = ImportReport(RecordKind.LISTINGS, "monday", "/x/feed.csv", 10, 8, 0, 0, refused, 2)
    with store.writing() as uow:
        uow.feeds.ensure("monday")
        before = uow.feeds.all()[0].imported_at
        first = uow.imports.add(report, "ab" * 32)
        other = ImportReport(RecordKind.CATALOGUE, "", "/x/items.csv", 1, 1, 0, 0, (), 0)
        second = uow.imports.add(other, "cd" * 32)
        assert uow.imports.refused(first) == list(refused)
        assert uow.imports.refused(second) == []
        assert [found.path for found in uow.imports.all()] == ["/x/items.csv", "/x/feed.csv"]
        assert uow.imports.all()[1].refused_total == 2
        assert uow.feeds.all()[0].imported_at >= before


# Settings


def test_that_settings_start_as_the_defaults_and_are_kept(store: Store) -> None:
    with store.writing() as uow:
        assert uow.settings.load() == WorkspaceSettings()
        changed = WorkspaceSettings(precision=0.9, text_fields=("title", "category"))
        uow.settings.save(changed)
    with Store.open(store.folder, read_only=True) as reader, reader.reading() as uow:
        assert uow.settings.load() == changed


def test_that_settings_that_are_no_longer_valid_are_said_by_name(store: Store) -> None:
    with store.writing() as uow:
        uow.settings.save(WorkspaceSettings())
        uow.items._connection.exec_driver_sql(
            "UPDATE setting SET value = json_set(value, '$.precision', 7) WHERE name = 'workspace'"
        )
        with pytest.raises(InputError, match="precision"):
            uow.settings.load()


@pytest.mark.parametrize(
    "wrong",
    [
        {"precision": 1.0},
        {"precision": 0.4},
        {"delta": 0.0},
        {"random_share": 1.1},
        {"neighbours": 0},
        {"text_fields": ("brand",)},
        {"text_fields": ("title", "price")},
        {"text_max_chars": 1},
        {"max_segment_drop": -0.1},
        {"unknown": 1},
    ],
)
def test_that_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WorkspaceSettings.model_validate(wrong)


def test_that_the_home_folder_can_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ALCOVE_HOME", str(tmp_path))
    assert app_home() == tmp_path
    assert base_encoder_cache() == tmp_path / "base"
    monkeypatch.delenv("ALCOVE_HOME")
    assert app_home().name == "alcove"
