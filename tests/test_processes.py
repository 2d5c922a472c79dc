"""What a process loads: neither the desktop nor the command line brings torch, the latter no Qt either."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.loop import matched_workspace

ROOT = Path(__file__).resolve().parent.parent

#: Every module the command line can reach without training, and every verb that works on a fresh match.
_CLI = """
import sys
import main
import engine.cli.app, engine.workspace, engine.replay, engine.demo
from engine.cli.app import run
for arguments in (
    ["--help"],
    ["doctor"],
    ["match", {workspace!r}],
    ["status", {workspace!r}],
    ["queue", {workspace!r}],
    ["certify", {workspace!r}],
    ["audit", {workspace!r}],
    ["evaluate", {workspace!r}],
    ["rollback", {workspace!r}],
    ["decide", {workspace!r}, "--from", {workspace!r} + "/../decisions.csv"],
    ["undo", {workspace!r}],
    ["reviewers", {workspace!r}],
    ["adjudicate", {workspace!r}],
    ["costs", {workspace!r}, "--wrong", "5", "--review", "1"],
    ["report", {workspace!r}],
    ["backup", {workspace!r}],
    ["verify", {workspace!r}],
    ["restore", {workspace!r}],
    *(["export", {workspace!r}, what, "--to", {workspace!r} + "/../" + what + ".csv"]
      for what in ("matches", "decisions", "pairs", "encoder")),
):
    assert run(arguments) == 0, arguments
"""
_LOADED = "modules loaded:"
_DESKTOP = "import sys\nimport desktop.app"
#: All that a training step needs, on a machine that only trains.
_STEPS = "import sys\nimport trainer.encoder_trainer, trainer.run_callback, trainer.devices"
_TRAINER = "import sys\nimport trainer.__main__"


def loaded_after(code: str) -> set[str]:
    """Names of the top-level modules a fresh process has loaded after running ``code``."""
    script = f"{code}\nprint('{_LOADED}', *{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition(_LOADED)[2].split())


def test_that_the_command_line_loads_neither_torch_nor_qt(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    with matched_workspace(folder) as workspace:
        listing = workspace.listing(workspace.queue(limit=1)[0].listing_id).external_id
    rows = f"listing_id,verdict\n{listing},unsure\n"
    (tmp_path / "decisions.csv").write_text(rows, encoding="utf-8")
    loaded = loaded_after(_CLI.format(workspace=str(folder)))
    assert "engine" in loaded
    assert not loaded & {"torch", "sentence_transformers", "transformers", "PySide6", "trainer", "desktop"}


def test_that_the_desktop_loads_no_torch() -> None:
    loaded = loaded_after(_DESKTOP)
    assert "PySide6" in loaded
    assert not loaded & {"torch", "sentence_transformers", "transformers", "trainer"}


def test_that_the_trainer_loads_neither_qt_nor_the_store() -> None:
    assert not loaded_after(_TRAINER) & {"PySide6", "sqlalchemy", "desktop"}


def test_that_help_is_quick_to_load() -> None:
    loaded = loaded_after("import sys\nfrom engine.cli.app import run\nrun(['--help'])")
    heavy = {"onnxruntime", "polars", "sklearn", "scipy", "sqlalchemy", "matplotlib"}
    assert not loaded & heavy


@pytest.mark.parametrize("module", ["engine", "trainer", "desktop"])
def test_that_packages_import_without_side_effects_on_the_home(module: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    code = f"import os, sys\nos.environ['ALCOVE_HOME'] = {str(home)!r}\nimport {module}"
    loaded_after(code)
    assert not home.exists()


def test_that_training_steps_need_neither_polars_nor_a_database() -> None:
    loaded = loaded_after(_STEPS)
    assert "torch" in loaded
    assert not loaded & {"polars", "sqlalchemy", "PySide6", "hnswlib"}
