"""Backups, the way back to one, and verifying that everything is whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.cli.app import run
from engine.contracts import Verdict
from engine.store.backup import backups_in
from engine.workspace import Workspace
from tests.loop import matched_workspace

Alcove = Callable[..., dict[str, Any]]


@pytest.fixture
def alcove(capsys: pytest.CaptureFixture[str]) -> Alcove:
    def call(*arguments: object, exit_code: int = 0) -> dict[str, Any]:
        assert run([*map(str, arguments), "--json"]) == exit_code
        shown = capsys.readouterr()
        if exit_code:
            assert shown.err.count("\n") == 1, shown.err
        return json.loads(shown.out) if shown.out else {"error": shown.err}

    return call


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    matched_workspace(tmp_path / "shop").close()
    return tmp_path / "shop"


def _decide(shop: Path) -> None:
    with Workspace.open(shop) as workspace:
        entry = workspace.queue(limit=1)[0]
        workspace.decide(
            listing_id=entry.listing_id, verdict=Verdict.NONE, reviewer="ann", draw_id=entry.draw_id
        )


def _decisions(shop: Path) -> int:
    with Workspace.open(shop, read_only=True) as workspace:
        return workspace.status().counts.decisions


def test_that_a_restored_workspace_is_as_it_was_and_the_one_from_before_is_kept(
    shop: Path, alcove: Alcove
) -> None:
    _decide(shop)
    made = alcove("backup", shop)["backup"]
    _decide(shop)
    told = alcove("restore", shop)
    assert told["restored"] == made
    assert _decisions(shop) == 1
    assert alcove("restore", shop, "--from", told["before"])["restored"] == told["before"]
    assert _decisions(shop) == 2
    with Workspace.open(shop) as workspace:
        for _ in workspace.match():
            pass


def test_that_evidence_of_another_catalogue_is_not_taken_over(shop: Path, alcove: Alcove) -> None:
    """Revisions of the catalogue are counted; after a restore the same number means another one."""
    alcove("backup", shop)
    assert any((shop / "cache" / "evidence").iterdir())
    alcove("restore", shop)
    assert not (shop / "cache" / "evidence").exists()


def test_that_a_backup_can_be_made_while_another_program_writes(shop: Path, alcove: Alcove) -> None:
    with Workspace.open(shop):
        assert Path(alcove("backup", shop)["backup"]).is_file()
        assert "open for writing in another program" in alcove("restore", shop, exit_code=1)["error"]


@pytest.mark.parametrize("harm", ["overwritten", "lost"])
def test_that_a_database_beyond_reading_is_replaced(shop: Path, alcove: Alcove, harm: str) -> None:
    _decide(shop)
    alcove("backup", shop)
    for name in ("workspace.db-wal", "workspace.db-shm"):
        (shop / name).unlink(missing_ok=True)
    if harm == "lost":
        (shop / "workspace.db").unlink()
    else:
        (shop / "workspace.db").write_bytes(os.urandom(50_000))
    kept = alcove("restore", shop)["before"]
    assert (kept is None) is (harm == "lost")
    if kept:
        assert (Path(kept) / "workspace.db").stat().st_size == 50_000
    assert _decisions(shop) == 1


def test_that_a_restore_that_fails_leaves_the_workspace_as_it_was(
    shop: Path, alcove: Alcove, tmp_path: Path
) -> None:
    _decide(shop)
    stray = tmp_path / "stray.db"
    with sqlite3.connect(stray) as other:
        other.execute("CREATE TABLE t (a)")
    newer = tmp_path / "newer.db"
    shutil.copyfile(alcove("backup", shop)["backup"], newer)
    with sqlite3.connect(newer) as other:
        other.execute("PRAGMA user_version = 99")
    text = tmp_path / "feed.csv"
    text.write_text("id,title\n" * 100, encoding="utf-8")
    for source, exit_code, words in (
        (tmp_path / "nothing.db", 2, "there is no file"),
        (text, 2, "no backup of a workspace"),
        (stray, 2, "no backup of a workspace"),
        (newer, 1, "newer Alcove"),
    ):
        assert words in alcove("restore", shop, "--from", source, exit_code=exit_code)["error"]
        assert _decisions(shop) == 1


def test_that_without_a_backup_there_is_nothing_to_restore(
    shop: Path, alcove: Alcove, tmp_path: Path
) -> None:
    assert "alcove backup" in alcove("restore", shop, exit_code=2)["error"]
    (tmp_path / "other").mkdir()
    assert "not a workspace" in alcove("restore", tmp_path / "other", exit_code=2)["error"]
    assert list((tmp_path / "other").iterdir()) == []


def test_that_a_folder_nobody_may_write_to_can_be_verified(
    shop: Path, alcove: Alcove, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.connections.may_write", lambda path: False)
    shop.chmod(0o555)
    try:
        assert alcove("verify", shop)["ok"]
    finally:
        shop.chmod(0o755)


def test_that_verifying_names_what_is_damaged(shop: Path, alcove: Alcove) -> None:
    made = Path(alcove("backup", shop)["backup"])
    whole = alcove("verify", shop)
    assert whole["ok"]
    assert [line["name"] for line in whole["findings"]] == [
        "database",
        "release r0001, the champion",
        f"backup {made.name}",
    ]
    with (shop / "releases" / "r0001" / "encoder" / "tokenizer.json").open("ab") as file:
        file.write(b" ")
    made.write_bytes(made.read_bytes()[:-5000])
    damaged = alcove("verify", shop, exit_code=1)
    assert [line["ok"] for line in damaged["findings"]] == [True, False, False]


def test_that_a_day_of_work_begins_with_a_copy_and_has_one(shop: Path, alcove: Alcove) -> None:
    assert backups_in(shop) == [], "what was imported and matched can be made again"
    _decide(shop)
    alcove("queue", shop, "--limit", 1)
    (first,) = backups_in(shop)
    alcove("match", shop)
    assert backups_in(shop) == [first]
    yesterday = datetime.now(UTC) - timedelta(days=1, minutes=1)
    first.rename(first.with_name(f"workspace-{yesterday:%Y%m%dT%H%M%S}.db"))
    _decide(shop)
    alcove("status", shop)
    assert len(backups_in(shop)) == 1, "a verb that only reads makes none"
    alcove("undo", shop)
    assert len(backups_in(shop)) == 2
    alcove("restore", shop)
    assert _decisions(shop) == 2, "the copy is of before the change"


def test_that_a_backup_that_fails_stops_nothing(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _decide(shop)

    def full(*_: object, **__: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.store.backup.copy_database", full)
    assert run(["undo", str(shop), "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)
    assert shown.err.startswith("note: today's backup could not be made: ")
    assert shown.err.count("\n") == 1
    assert _decisions(shop) == 0
