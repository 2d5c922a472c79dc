"""The schema: one golden file, models and migrations that agree, tables that only grow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import IntegrityError

from engine.errors import BugError
from engine.store import Store
from engine.store.migrate import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, upgrade
from engine.store.schema import Base
from engine.store.schema_text import migrated_schema_text, schema_text
from tests.engine.store_samples import decide, matched_store

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "schema.sql"
REGENERATE = "python -m engine.store.schema_text tests/golden/schema.sql"


@pytest.fixture
def empty() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def test_that_the_schema_is_the_golden_one() -> None:
    assert migrated_schema_text() == GOLDEN.read_text(encoding="utf-8"), (
        f"the schema differs from {GOLDEN.name}: if a migration was added on purpose, run {REGENERATE}"
    )


def clauses(statements: str) -> dict[str, list[str]]:
    """Statements by their first line, with their clauses in any order (constraints have none)."""
    found = {}
    for statement in re.findall(r"CREATE (?:TABLE|INDEX|UNIQUE INDEX) .*?;\n", statements, re.DOTALL):
        head, *rest = statement.rstrip(";\n").splitlines()
        found[head] = sorted(line.strip().rstrip(",") for line in rest)
    return found


def test_that_the_migrations_make_what_the_models_say(empty: Connection) -> None:
    Base.metadata.create_all(empty)
    by_models = clauses(schema_text(empty))
    migrated = clauses(migrated_schema_text())
    del migrated["CREATE TABLE alembic_version ("]
    assert len(by_models) > 30
    assert migrated == by_models


def test_that_the_migrations_are_one_line_and_as_many_as_the_schema_version() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert len(scripts.get_heads()) == 1
    assert len(list(scripts.walk_revisions())) == SCHEMA_VERSION


def test_that_migrating_from_empty_marks_the_database_and_doing_it_again_changes_nothing(
    empty: Connection,
) -> None:
    upgrade(empty)
    first = schema_text(empty)
    upgrade(empty)
    assert schema_text(empty) == first
    assert empty.exec_driver_sql("PRAGMA application_id").scalar() == APPLICATION_ID
    assert empty.exec_driver_sql("PRAGMA user_version").scalar() == SCHEMA_VERSION


@pytest.mark.parametrize("table", ["decision", "decision_event", "champion_event"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id + 100", "DELETE FROM {}"])
def test_that_append_only_tables_refuse_changes(tmp_path: Path, table: str, statement: str) -> None:
    with Store.create(tmp_path / "shop") as store:
        ids = matched_store(store)
        with store.writing() as uow:
            decide(uow, ids[0])
            uow.items._connection.exec_driver_sql(
                "INSERT INTO release (number, id, created_at, manifest) VALUES (1, 'r0001', '', '{}')"
            )
            uow.items._connection.exec_driver_sql(
                "INSERT INTO champion_event (at, release_id, action) VALUES ('', 'r0001', 'first')"
            )
        with pytest.raises(BugError, match="append-only") as caught, store.writing() as uow:
            uow.items._connection.exec_driver_sql(statement.format(table))
        assert isinstance(caught.value.__cause__, IntegrityError)


def test_that_the_effective_route_follows_from_its_parts_and_cannot_be_set(tmp_path: Path) -> None:
    with Store.create(tmp_path / "shop") as store:
        matched_store(store)
        with pytest.raises(BugError, match="generated"), store.writing() as uow:
            uow.items._connection.exec_driver_sql("UPDATE listing_route SET route = 'automated'")
