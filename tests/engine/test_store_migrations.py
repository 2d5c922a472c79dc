"""Workspaces of earlier versions: opened, backed up, brought up to date, with everything in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from engine.contracts import CertificateKind, Verdict
from engine.errors import EnvironmentError_
from engine.store import Store
from engine.store.connections import database_engine
from engine.store.migrate import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from engine.store.store import FOLDERS
from engine.workspace import Workspace

#: What a workspace of version 1 holds: an item, a listing matched with it, and a decision of Ann's.
_RECORD = (
    "external_id, content_hash, text_key, added_at, gtin, title, brand, model, category, image, description,"
    " attributes"
)
_ROWS = (
    "INSERT INTO feed VALUES (1, 'monday', '')",
    f"INSERT INTO item (id, {_RECORD})"
    " VALUES (1, 'P1', x'00', 'k', '', '', 'Acme kettle', '', '', '', '', '', '{}')",
    f"INSERT INTO listing (id, feed_id, {_RECORD})"
    " VALUES (1, 1, 'L1', x'00', 'k', '', '', 'acme kettle', '', '', '', '', '', '{}')",
    "INSERT INTO listing_route (listing_id, feed_id, random_key, machine_route, machine_reason, item_id,"
    " confidence, none_confidence, margin, uncertainty, priority, decided)"
    " VALUES (1, 1, 7, 'review', 'no_matcher', 1, 0.5, 0, 0.5, 0, 1, 1)",
    "INSERT INTO decision (id, listing_id, verdict, item_id, reviewer, decided_at, stream, note, rejected,"
    " shown) VALUES (1, 1, 'match', 1, 'ann', '2026-01-02T03:04:05+00:00', 'learning', '', '[]', x'')",
    "INSERT INTO decision_event VALUES (1, 1, 'add', '')",
    "INSERT INTO decision_state VALUES (1, 1, 'ann', 'learning', 'in_force', 1)",
)


@pytest.fixture
def version_one(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    (folder / "workspace.db").touch()
    engine = database_engine(folder, writer=True)
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for row in _ROWS:
            connection.exec_driver_sql(row)
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql("PRAGMA user_version = 1")
    engine.dispose()
    return folder


def test_that_a_workspace_of_version_one_is_backed_up_and_goes_on_with_its_decisions(
    version_one: Path,
) -> None:
    with Workspace.open(version_one) as workspace:
        [entry] = workspace.history()
        assert (entry.decision.reviewer, entry.item_external_id) == ("ann", "P1")
        assert (entry.decision.right_items, entry.also_right) == ((1,), ())
        workspace.update_settings(overlap_share=1.0)
        [asked] = workspace.queue(limit=50, reviewer="bob")
        workspace.give_second_opinion(
            listing_id=1, about=asked.about or 0, verdict=Verdict.NONE, reviewer="bob"
        )
        assert len(workspace.disagreements()) == 1
    assert (version_one / "backups" / f"workspace-before-schema-{SCHEMA_VERSION}.db").exists()


def test_that_decisions_of_version_five_are_kept_and_new_ones_name_every_right_item(
    version_one: Path,
) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = database_engine(version_one, writer=True)
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        for row in (
            f"INSERT INTO item (id, {_RECORD})"
            " VALUES (2, 'P2', x'00', 'k2', '', '', 'Acme kettle, tray', '', '', '', '', '', '{}')",
            "INSERT INTO second_opinion (id, decision_id, listing_id, verdict, item_id, reviewer, decided_at,"
            " note, rejected, shown) VALUES (1, 1, 1, 'match', 2, 'bob', '', '', '[]', x'')",
            "INSERT INTO opinion_event VALUES (1, 1, 'add', 1, '')",
            "INSERT INTO opinion_state VALUES (1, 1, 'bob', 1, 'given', 1)",
        ):
            connection.exec_driver_sql(row)
        connection.exec_driver_sql("PRAGMA user_version = 5")
    engine.dispose()
    with Workspace.open(version_one) as workspace:
        [waiting] = workspace.disagreements()
        assert (waiting.decision.right_items, waiting.opinion.right_items) == ((1,), (2,))
        made, _ = workspace.adjudicate(
            listing_id=1, verdict=Verdict.MATCH, item_id=1, also_right=(2,), reviewer="eve"
        )
        assert made.right_items == (1, 2)
        assert workspace.history()[0].also_right == (("P2", "Acme kettle, tray"),)
    assert (version_one / "backups" / f"workspace-before-schema-{SCHEMA_VERSION}.db").exists()


def test_that_an_older_workspace_has_to_be_opened_for_writing_once(version_one: Path) -> None:
    with pytest.raises(EnvironmentError_, match="older Alcove"):
        Store.open(version_one, read_only=True)


def test_that_the_watches_and_their_audits_survive_the_certificates_for_both(version_one: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = database_engine(version_one, writer=True)
    audit = (1, "match", "r0001", "2026-01-02", 0.95, 124, 2, 0, 0, "2026-02-03", 1, "r0001", 3)
    outcome = (1, 1, 1, 1, "r0001", 1, 0.97, 0)
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        for row in (
            "INSERT INTO release (number, id, created_at, manifest) VALUES (1, 'r0001', '', '{}')",
            "INSERT INTO draw (id, listing_id, probability, policy, drawn_at, state)"
            " VALUES (1, 1, 0.5, '', '', 'answered')",
            f"INSERT INTO live_audit VALUES {audit}",
            f"INSERT INTO audit_outcome VALUES {outcome}",
        ):
            connection.exec_driver_sql(row)
        connection.exec_driver_sql("PRAGMA user_version = 4")
    engine.dispose()
    with Store.open(version_one) as store, store.writing() as uow:
        run = uow.live_audits._connection.exec_driver_sql
        assert run("SELECT * FROM live_audit").all() == [audit]
        assert run("SELECT * FROM audit_outcome").all() == [outcome]
        assert run("PRAGMA foreign_key_check").all() == []
        uow.live_audits.open(CertificateKind.BOTH, "r0001", precision=0.9, accepted=50, errors=1)
        watched = uow.live_audits.current(CertificateKind.BOTH)
        assert watched is not None
        assert watched.precision == 0.9
