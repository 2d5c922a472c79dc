"""Feeds as small as they come: the whole loop goes round on one item and one listing."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.app import run
from tests.loop import tiny_base


def alcove(*arguments: object) -> int:
    with tiny_base():
        return run([str(part) for part in arguments])


def test_that_the_loop_goes_round_on_one_item(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = tmp_path / "shop"
    (tmp_path / "items.csv").write_text("id,title\nA,Acme kettle 2 l steel\n", encoding="utf-8")
    (tmp_path / "feed.csv").write_text("id,title\nL0,Acme kettle steel 2l\n", encoding="utf-8")
    (tmp_path / "said.csv").write_text("listing_id,verdict,item_id\nL0,match,A\n", encoding="utf-8")
    for verb in (
        ("init", shop),
        ("import", shop, "catalogue", tmp_path / "items.csv"),
        ("import", shop, "listings", tmp_path / "feed.csv"),
        ("match", shop),
        ("decide", shop, "--from", tmp_path / "said.csv"),
        # The only confirmed listing is no alias of itself, so no candidate has one.
        ("certify", shop),
        ("match", shop),
        ("audit", shop),
        ("status", shop),
        ("evaluate", shop),
        ("costs", shop),
        ("report", shop, "--out", tmp_path / "report"),
        ("export", shop, "matches", "--to", tmp_path / "matches.xlsx"),
        ("undo", shop),
        ("rollback", shop),
    ):
        assert alcove(*verb) == 0, (verb, capsys.readouterr().err)
