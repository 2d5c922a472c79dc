"""Descriptions and attributes reach the evidence of a workspace, and so does a change of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.automation.evidence_columns import EVIDENCE_GROUPS, column
from engine.contracts import RecordKind
from engine.workspace import Workspace
from tests.loop import drain, returned, tiny_base

DETAILS = [column(name) for name in EVIDENCE_GROUPS["details"]]


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    table = tmp_path / "catalogue.csv"
    table.write_text("id,title,colour\ni1,Lumeza Beacon 6 ounce,dusk\ni2,Lumeza Beacon 3 pound,noon\n")
    return table


def details(workspace: Workspace) -> np.ndarray:
    """What details say of the pairs of all listings, by the release in use."""
    release = returned(workspace._shelf.open(str(workspace.status().champion), workspace.settings))
    blocks = workspace._shelf.blocks(release.search)
    return np.concatenate([blocks.read(number).evidence[:, DETAILS] for number in returned(blocks.prepare())])


def imported(workspace: Workspace, folder: Path, description: str) -> np.ndarray:
    """The same listing with another description, matched again."""
    table = folder / "listings.csv"
    table.write_text(f"id,title,description\nl1,Lumeza Beacon dusk,{description}\n")
    drain(workspace.import_table(table, RecordKind.LISTINGS, feed="feed"))
    drain(workspace.match())
    return details(workspace)


def test_that_a_changed_description_changes_the_evidence(tmp_path: Path, catalogue: Path) -> None:
    with tiny_base(), Workspace.create(tmp_path / "w") as workspace:
        drain(workspace.import_table(catalogue, RecordKind.CATALOGUE))
        silent = imported(workspace, tmp_path, "")
        told = imported(workspace, tmp_path, "a bag of 6 ounce")
        assert not silent[:, :3].any(), "the listing says nothing beyond its title"
        assert silent[:, 3:].any(), "the catalogue's column of colours answers for dusk"
        assert told[:, :3].any()
        assert np.array_equal(imported(workspace, tmp_path, ""), silent)


def test_that_another_colour_in_the_catalogue_changes_the_evidence(tmp_path: Path, catalogue: Path) -> None:
    with tiny_base(), Workspace.create(tmp_path / "w") as workspace:
        drain(workspace.import_table(catalogue, RecordKind.CATALOGUE))
        before = imported(workspace, tmp_path, "")
        catalogue.write_text(catalogue.read_text().replace("dusk", "noon"))
        drain(workspace.import_table(catalogue, RecordKind.CATALOGUE))
        drain(workspace.match())
        assert before.any()
        assert not details(workspace).any()
