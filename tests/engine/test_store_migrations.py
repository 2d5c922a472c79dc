"""Workspaces of earlier versions: opened, backed up, brought up to date, with everything in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from engine.contracts import Verdict
from engine.errors import EnvironmentError_
from engine.store import Store
from engine.store.connections import database_engine
from engine.store.migrate import MIGRATIONS, SCHEMA_VERSION
from engine.workspace import Workspace
from tests.engine.store_samples import decide, matched_store

#: What revision 0002 brought; a workspace of version 1 is one of today without it.
_SINCE_ONE = ("adjudication", "gold_event", "opinion_state", "opinion_event", "second_opinion", "overlap")


@pytest.fixture
def version_one(tmp_path: Path) -> tuple[Path, list[int]]:
    folder = tmp_path / "shop"
    with Store.create(folder) as store:
        ids = matched_store(store)
        with store.writing() as uow:
            decide(uow, ids[0])
    engine = database_engine(folder, writer=True)
    with engine.connect() as connection, connection.begin():
        for table in _SINCE_ONE:
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
        connection.exec_driver_sql("PRAGMA user_version = 1")
    engine.dispose()
    return folder, ids


def test_that_a_workspace_of_version_one_is_backed_up_and_goes_on_with_its_decisions(
    version_one: tuple[Path, list[int]],
) -> None:
    folder, ids = version_one
    with Workspace.open(folder) as workspace:
        assert [entry.decision.listing_id for entry in workspace.history()] == [ids[0]]
        workspace.update_settings(overlap_share=1.0)
        [entry] = [one for one in workspace.queue(limit=50, reviewer="bob") if one.about]
        workspace.give_second_opinion(
            listing_id=entry.listing_id, about=entry.about or 0, verdict=Verdict.NONE, reviewer="bob"
        )
        assert len(workspace.disagreements()) == 1
    assert (folder / "backups" / f"workspace-before-schema-{SCHEMA_VERSION}.db").exists()


def test_that_an_older_workspace_has_to_be_opened_for_writing_once(
    version_one: tuple[Path, list[int]],
) -> None:
    with pytest.raises(EnvironmentError_, match="older Alcove"):
        Store.open(version_one[0], read_only=True)


def test_that_the_first_revision_is_still_what_it_was() -> None:
    engine = create_engine("sqlite://")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        names = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_schema")}
    engine.dispose()
    assert not names & set(_SINCE_ONE)
    assert {"decision", "decision_state", "draw"} <= names
