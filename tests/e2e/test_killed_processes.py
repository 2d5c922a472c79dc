"""A process killed at any moment leaves a workspace that opens, says the truth and can go on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.contracts import RecordKind
from engine.pipeline.release_files import read_manifest, verify_files
from engine.workspace import Workspace
from tests.conftest import ROOT
from tests.loop import FEED, LISTINGS, certified_workspace, drain, sample_files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a POSIX signal")

#: Runs a long intent of the workspace and is killed after so many events of it.
_VICTIM = """
import os, signal, sys
from pathlib import Path
from engine.contracts import RecordKind
from engine.workspace import Workspace
intent, events, folder, files = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
workspace = Workspace.open(folder)
work = {
    "certify": lambda: workspace.certify(),
    "match": lambda: workspace.match(),
    "promote": lambda: workspace.rollback(),
    "import": lambda: workspace.import_table(files / "listings.csv", RecordKind.LISTINGS, feed="again"),
}[intent]()
for number, event in enumerate(work):
    if number == events:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def _kill(intent: str, events: int, folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _VICTIM, intent, str(events), str(folder), str(sample_files())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode in (-signal.SIGKILL, 0), ended.stderr


@pytest.mark.parametrize("intent", ["certify", "match", "promote", "import"])
def test_that_a_killed_process_leaves_nothing_half_done(intent: str, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    with certified_workspace(folder) as workspace:
        before = workspace.status()
    for events in (1, 4):
        _kill(intent, events, folder)
        with Workspace.open(folder) as workspace:
            status = workspace.status()
            assert status.counts.decisions == before.counts.decisions
            assert status.champion is not None
            champion = folder / "releases" / status.champion
            verify_files(champion, read_manifest(champion))
            assert status.counts.listings in (LISTINGS, 2 * LISTINGS)
            for release in workspace.releases():
                assert (folder / "releases" / release.id / "manifest.json").exists()
    with Workspace.open(folder) as workspace:
        drain(workspace.import_table(sample_files() / "listings.csv", RecordKind.LISTINGS, feed=FEED))
        drain(workspace.certify())
        drain(workspace.match())
        assert workspace.status().counts.unmatched == 0
        assert workspace.status().champion == workspace.releases()[0].id
