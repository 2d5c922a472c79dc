"""Settings by hand: all are named, bad ones are refused whole, and a release keeps those it was made with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cli.app import run
from engine.contracts import Notice, Promise
from engine.errors import InputError
from engine.pipeline.search_side import SearchRecipe
from engine.settings import WorkspaceSettings
from engine.workspace import Workspace
from engine.workspace.configuring import _ELSEWHERE
from tests.loop import drain, matched_workspace, promised_workspace


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    with promised_workspace(tmp_path / "w", Promise.EACH) as workspace:
        yield workspace


@pytest.fixture
def matched(tmp_path: Path) -> Iterator[Workspace]:
    with matched_workspace(tmp_path / "w") as workspace:
        yield workspace


def value(workspace: Workspace, name: str) -> object:
    return next(row.value for row in workspace.setting_rows() if row.name == name)


def test_that_every_setting_is_named_or_set_elsewhere(matched: Workspace) -> None:
    rows = matched.setting_rows()
    assert {row.name for row in rows} | set(_ELSEWHERE) == set(WorkspaceSettings.model_fields)
    assert not {row.name for row in rows} & set(_ELSEWHERE)
    assert not any(row.changed for row in rows)
    groups = [row.group for row in rows]
    assert sorted(groups, key=groups.index) == groups, "the rows of a group stand together"


def test_that_bounds_are_those_that_are_checked(matched: Workspace) -> None:
    for row in matched.setting_rows():
        if row.choices or row.default is None:
            continue
        for held in (row.least, row.most):
            matched.change_settings({row.name: row.words(held)})
            assert value(matched, row.name) == pytest.approx(held)
        for beyond in (row.least - 1, row.most + 1):
            with pytest.raises(InputError, match=f"setting {row.name}: "):
                matched.change_settings({row.name: row.words(beyond)})
            assert value(matched, row.name) == pytest.approx(row.most)


def test_that_typed_values_become_what_the_setting_is(matched: Workspace) -> None:
    matched.change_settings({"random_share": " 0.4", "text_fields": "description, title", "cost_wrong": "20"})
    assert value(matched, "random_share") == 0.4
    assert value(matched, "text_fields") == ("title", "description"), "in the order that texts are made in"
    assert value(matched, "cost_wrong") == 20.0
    changed = {row.name for row in matched.setting_rows() if row.changed}
    assert changed == {"random_share", "text_fields", "cost_wrong"}
    matched.change_settings(dict.fromkeys(changed, ""))
    assert not any(row.changed for row in matched.setting_rows())


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("random_share", "often", "setting random_share: "),
        ("random_share", "nan", "setting random_share: "),
        ("neighbours", "4.5", "setting neighbours: "),
        ("text_fields", "brand", "must contain the title"),
        ("text_fields", "title,colour", "'colour' is no field"),
        ("cost_review", "-1", "setting cost_review: "),
        ("precision", "0.9", "alcove certify --precision"),
        ("seed", "3", "held out"),
        ("random_shares", "0.3", "there is no setting 'random_shares'; settings: random_share, "),
    ],
)
def test_that_bad_settings_change_nothing(matched: Workspace, name: str, typed: str, said: str) -> None:
    before = matched.settings
    with pytest.raises(InputError) as refused:
        matched.change_settings({"gold_share": "0.1", name: typed})
    assert said in str(refused.value)
    assert matched.settings == before


def test_that_a_release_keeps_the_evidence_it_was_certified_for(shop: Workspace) -> None:
    champion = shop.status().champion or ""
    placed = list(shop.placements())
    shop.change_settings({"text_fields": "title,brand,model,category", "neighbours": "30"})
    events = list(shop.match())
    assert list(shop.placements()) == placed
    (told,) = [event.message for event in events if isinstance(event, Notice)]
    assert told.startswith(f"release {champion} keeps the settings of texts and search")

    refit = drain(shop.certify())
    assert refit.id != champion
    made = shop._shelf.manifest(refit.id)
    assert made.text_recipe["fields"] == ["title", "brand", "model", "category"]
    assert (made.neighbours, made.lexical_neighbours) == (30, WorkspaceSettings().lexical_neighbours)
    assert not [event for event in shop.match() if isinstance(event, Notice)]
    assert list(shop.placements()) != placed

    drain(shop.rollback())
    drain(shop.match())
    assert shop.status().champion == champion
    assert list(shop.placements()) == placed


def test_that_an_index_of_other_texts_is_not_read(shop: Workspace) -> None:
    champion = shop.status().champion or ""
    shop.change_settings({"text_fields": "title"})
    refit = drain(shop.certify())
    before, after = (shop._shelf.manifest(one).files for one in (champion, refit.id))
    assert all(before[name] != after[name] for name in ("items.npy", "lexical.npz"))
    # And the one after it, made with the same texts, shares the index again.
    third = shop._shelf.manifest(drain(shop.certify()).id).files
    assert all(third[name] == after[name] for name in ("items.npy", "lexical.npz"))


def test_that_an_old_release_without_the_numbers_is_as_the_workspace_is_set(shop: Workspace) -> None:
    champion = shop.status().champion or ""
    old = shop._shelf.manifest(champion).model_copy(update={"neighbours": None, "lexical_neighbours": None})
    settings = WorkspaceSettings(neighbours=9, lexical_neighbours=3)
    recipe = SearchRecipe.made_with(old, settings)
    assert (recipe.neighbours, recipe.lexical_neighbours) == (9, 3)
    bare = old.model_copy(update={"text_recipe": {}})
    assert SearchRecipe.made_with(bare, settings) == SearchRecipe.of(settings)


def test_that_the_verb_shows_and_changes(matched: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(matched.path)
    matched.close()
    assert run(["settings", folder, "--set", "neighbours=60", "--set", "max_segment_drop=0.2", "--json"]) == 0
    shown = {row["name"]: row for row in json.loads(capsys.readouterr().out)["settings"]}
    assert (shown["neighbours"]["value"], shown["neighbours"]["default"]) == (60, 40)
    assert shown["max_segment_drop"]["value"] == 0.2
    assert run(["settings", folder, "--set", "neighbours="]) == 0
    out = capsys.readouterr().out
    assert "60" not in out
    assert "the champion keeps the" in out
    for wrong in ("neighbours", "neighbours=many"):
        assert run(["settings", folder, "--set", wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
