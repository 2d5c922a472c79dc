"""What decisions have taught of words goes with the release: kept, read again, carried over, rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.automation import learnt_words
from engine.automation.evidence_columns import column
from engine.contracts import RecordKind
from engine.pipeline.release_files import LEARNT_WORDS, read_words
from engine.workspace import Workspace
from tests.loop import certified_workspace, drain, returned


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """260 decisions, of which some 180 teach; so few teach words here."""
    with certified_workspace(tmp_path / "w") as workspace:
        # Only now: the workspace that was copied is everyone's.
        monkeypatch.setattr(learnt_words, "LEAST_LISTINGS", 50)
        yield workspace


def learnt_columns(workspace: Workspace, release_id: str) -> np.ndarray:
    """The column of learnt words as the release is used."""
    release = returned(workspace._shelf.open(release_id, workspace.settings))
    blocks = workspace._shelf.blocks(release.search)
    numbers = returned(blocks.prepare())
    read = [blocks.read(number, release.aliases, release.words) for number in numbers]
    return np.concatenate([block.evidence[:, column("learnt_words")] for block in read])


def test_that_a_refit_learns_words_and_its_release_keeps_them(shop: Workspace) -> None:
    before = shop.status().champion or ""
    assert read_words(shop.path / "releases" / before) is None, "too few decisions taught it"
    assert not learnt_columns(shop, before).any()
    refit = drain(shop.certify())
    assert LEARNT_WORDS in shop._shelf.manifest(refit.id).files
    words = read_words(shop.path / "releases" / refit.id)
    assert words is not None
    assert words.weights.shape == (3, len(words.words))
    assert (np.diff(words.words.astype(np.int64)) > 0).all()
    assert learnt_columns(shop, refit.id).any()
    placed = list(shop.placements())
    drain(shop.match())
    assert list(shop.placements()) == placed, "read again, it says what it said when it was fitted"


def test_that_another_catalogue_keeps_what_was_learnt(shop: Workspace, tmp_path: Path) -> None:
    refit = drain(shop.certify())
    table = tmp_path / "more.csv"
    table.write_text("id,title\nnew-1,Acme kettle one\n", encoding="utf-8")
    drain(shop.import_table(table, RecordKind.CATALOGUE))
    drain(shop.match())
    champion = shop.status().champion or ""
    assert champion != refit.id
    kept, first = (read_words(shop.path / "releases" / one) for one in (champion, refit.id))
    assert kept is not None
    assert first is not None
    assert np.array_equal(kept.weights, first.weights)


def test_that_rolling_back_forgets_them(shop: Workspace) -> None:
    before = shop.status().champion
    placed = list(shop.placements())
    drain(shop.certify())
    drain(shop.rollback())
    assert shop.status().champion == before
    drain(shop.match())
    assert list(shop.placements()) == placed
