"""A training run that is trained somewhere else: out as a folder or ZIP file, back whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.cli.app import run
from engine.contracts import RunState
from engine.workspace import Workspace
from tests.engine.conftest import Alcove
from tests.loop import certified_workspace


def _shop(folder: Path) -> Path:
    certified_workspace(folder).close()
    return folder


def _job(folder: Path) -> dict[str, Any]:
    job: dict[str, Any] = json.loads((folder / "job.json").read_text())
    return job


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose run t0001 was exported, and beside it the ZIP file."""
    folder = tmp_path_factory.mktemp("waiting")
    shop = _shop(folder / "shop")
    assert run(["train", str(shop), "--recipe", "quick", "--export-job", str(folder / "job.zip")]) == 0
    return folder


@pytest.fixture(scope="module")
def trained(waiting: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder, unpacked and trained where there is no workspace."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with zipfile.ZipFile(waiting / "job.zip") as archive:
        archive.extractall(elsewhere)
    folder = elsewhere / "t0001"
    job = _job(folder)
    # Of another machine's making: where and in what it computes is not part of the job.
    (folder / "job.json").write_text(json.dumps(job | {"device": "cpu", "precision": "fp32", "threads": 1}))
    done = subprocess.run(
        [sys.executable, "-m", "trainer", str(folder)], env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def shop(waiting: Path, tmp_path: Path) -> Path:
    """A copy of the workspace that waits for its run."""
    folder = tmp_path / "shop"
    shutil.copytree(waiting / "shop", folder)
    return folder


@pytest.fixture
def result(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run folder that a test may spoil."""
    folder = tmp_path / "back" / "t0001"
    shutil.copytree(trained, folder)
    return folder


def _state(shop: Path) -> tuple[RunState, list[str]]:
    """State of the run, and what its folder holds."""
    with Workspace.open(shop, read_only=True) as workspace:
        found = workspace.runs()[0]
    return found.state, sorted(path.name for path in Path(found.folder).iterdir())


def test_that_an_exported_run_waits_and_the_folder_holds_all_that_training_needs(
    waiting: Path, tmp_path: Path, alcove: Alcove
) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(waiting / "shop", shop)
    with zipfile.ZipFile(waiting / "job.zip") as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
        assert {name.partition("/")[0] for name in archive.namelist()} == {"t0001"}
    assert {"job.json", "pairs.parquet", "items.parquet", "start/modules.json"} <= names
    assert _state(shop)[0] is RunState.PREPARED
    document = alcove("train", shop, "--resume", "t0001", "--export-job", tmp_path / "again")
    assert document["training_run"]["id"] == "t0001"
    assert document["exported_to"] == str(tmp_path / "again")
    files = {path.relative_to(tmp_path / "again").as_posix() for path in (tmp_path / "again").rglob("*")}
    assert names <= files
    assert (tmp_path / "again" / "pairs.parquet").read_bytes() == (
        shop / "runs" / "t0001" / "pairs.parquet"
    ).read_bytes()


def test_that_a_run_folder_nobody_recorded_is_set_aside(shop: Path, tmp_path: Path, alcove: Alcove) -> None:
    """A process was killed between writing the folder and recording the run."""
    left = shop / "runs" / "t0002"
    shutil.copytree(shop / "runs" / "t0001", left)
    (left / "mine.txt").write_text("kept", encoding="utf-8")
    document = alcove("train", shop, "--export-job", tmp_path / "job")
    assert document["training_run"]["id"] == "t0002"
    assert not (left / "mine.txt").exists()
    assert (shop / "runs" / "t0002-unknown-1" / "mine.txt").is_file()


def test_that_the_result_becomes_the_challenger(shop: Path, result: Path, alcove: Alcove) -> None:
    checkpoint = shop / "runs" / "t0001" / "checkpoints" / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    document = alcove("train", shop, "--import-result", result)
    assert document["training_run"]["state"] == "finished"
    assert "on another machine" in document["training_run"]["message"]
    assert document["release"]["training_run"] == "t0001"
    assert not document["release"]["champion"]
    own = shop / "runs" / "t0001"
    for name in (
        "artefact/encoder.onnx",
        "averaged/artefact/encoder.onnx",
        "encoder/model.safetensors",
        "result.json",
        "events.jsonl",
        "dynamics.parquet",
    ):
        assert (own / name).read_bytes() == (result / name).read_bytes()
    assert not checkpoint.parent.exists()
    alcove("promote", shop, document["release"]["release"], "--force")
    assert run(["train", str(shop), "--import-result", str(result)]) == 2


@pytest.mark.parametrize("layout", ["t0001/", ""])
def test_that_a_zip_file_is_taken_back_with_or_without_a_folder_in_it(
    shop: Path, result: Path, tmp_path: Path, layout: str
) -> None:
    with zipfile.ZipFile(tmp_path / "back.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in result.rglob("*"):
            archive.write(path, f"{layout}{path.relative_to(result).as_posix()}")
    with Workspace.open(shop) as workspace:
        assert workspace.import_training(tmp_path / "back.zip").state is RunState.FINISHED
    assert (shop / "runs" / "t0001" / "artefact" / "encoder.int8.onnx").is_file()


def _rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _change_result(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((folder / "result.json").read_text())
    change(document)
    (folder / "result.json").write_text(json.dumps(document))


def _other_seed(folder: Path) -> None:
    _change_result(folder, lambda document: document["job"].update(seed=9))


def _other_pairs(folder: Path) -> None:
    _change_result(folder, lambda document: document["inputs"].update({"pairs.parquet": "0" * 64}))


def _other_start(folder: Path) -> None:
    _change_result(folder, lambda document: document["inputs"].update({"start/model.safetensors": "0" * 64}))


def _outside(folder: Path) -> None:
    (folder.parent / "secret").write_text("mine")
    sha = hashlib.sha256(b"mine").hexdigest()
    _change_result(folder, lambda document: document["files"].update({"artefact/../../secret": sha}))


def _strange(folder: Path) -> None:
    (folder / "start" / "extra").write_text("x")
    sha = hashlib.sha256(b"x").hexdigest()
    _change_result(folder, lambda document: document["files"].update({"start/extra": sha}))


def _flip_a_byte(folder: Path) -> None:
    path = folder / "artefact" / "encoder.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _no_hashes(folder: Path) -> None:
    _change_result(folder, lambda document: [document.pop(name) for name in ("job", "files", "inputs")])


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "unfinished": (lambda folder: (folder / "result.json").unlink(), "has not finished"),
    "no job": (lambda folder: (folder / "job.json").unlink(), "holds no training run"),
    "another run id": (lambda folder: _rewrite(folder / "job.json", run_id="t0007"), "no training run t0007"),
    "another seed": (_other_seed, "its job differs in seed"),
    "other pairs": (_other_pairs, "pairs.parquet differs"),
    "another start": (_other_start, "start/model.safetensors differs"),
    "a file is missing": (lambda folder: (folder / "artefact" / "tokenizer.json").unlink(), "is missing"),
    "a file was changed": (_flip_a_byte, "artefact/encoder.onnx in"),
    "a file outside": (_outside, "outside of the run"),
    "a strange file": (_strange, "which is no result of a run"),
    "an older trainer": (_no_hashes, "noted no hashes"),
    "garbled result": (lambda folder: (folder / "result.json").write_text("{"), "result.json in"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_that_a_wrong_result_is_one_line_and_nothing_is_taken_over(
    shop: Path, result: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    spoil, words = SPOILED[how]
    spoil(result)
    before = _state(shop)
    capsys.readouterr()
    assert run(["train", str(shop), "--import-result", str(result)]) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert _state(shop) == before


def test_that_a_damaged_zip_file_is_one_line(
    shop: Path, result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "back.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(result.rglob("*")):
            archive.write(file, file.relative_to(result))
        offset = archive.getinfo("artefact/encoder.onnx").header_offset
    data = bytearray(path.read_bytes())
    data[offset + 200] ^= 1
    path.write_bytes(bytes(data))
    before = _state(shop)
    capsys.readouterr()
    assert run(["train", str(shop), "--import-result", str(path)]) == 2
    assert "damaged ZIP file" in capsys.readouterr().err
    assert _state(shop) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--import-result", "{tmp}/nowhere"], "there is no folder or ZIP file"),
        (["--import-result", "{tmp}/letter.txt"], "neither a run folder nor a ZIP file"),
        (["--import-result", "{tmp}"], "holds no training run"),
        (["--import-result", "{tmp}", "--recipe", "quick"], "give it alone"),
        (["--import-result", "{tmp}", "--export-job", "{tmp}/x"], "give it alone"),
        (["--export-job", "{tmp}/letter.txt"], "exists already"),
        (["--resume", "t0001", "--export-job", "{tmp}/no/where.zip"], "there is no folder"),
        (["--resume", "t0009", "--export-job", "{tmp}/x"], "there is no training run t0009"),
    ],
)
def test_that_wrong_input_is_one_line(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    (tmp_path / "letter.txt").write_text("dear all")
    folder = tmp_path / "empty"
    folder.mkdir()
    filled = [part.format(tmp=folder if part == "{tmp}" else tmp_path) for part in arguments]
    capsys.readouterr()
    assert run(["train", str(shop), *filled]) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.err.count("\n") == 1
    assert not (shop / "runs" / "t0002").exists()


def test_that_a_write_that_fails_leaves_neither_a_target_nor_a_run_half_taken_over(
    shop: Path,
    result: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = Path.rename

    def full(self: Path, target: Path) -> Path:
        if Path(target).name in {"there.zip", "artefact"}:
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", full)
    assert run(["train", str(shop), "--resume", "t0001", "--export-job", str(tmp_path / "there.zip")]) == 1
    assert run(["train", str(shop), "--import-result", str(result)]) == 1
    assert capsys.readouterr().err.count("the disk is full") == 2
    assert not [path for path in tmp_path.iterdir() if "there" in path.name]
    state, files = _state(shop)
    assert state is RunState.PREPARED
    assert "result.json" not in files
    monkeypatch.undo()
    with Workspace.open(shop) as workspace:
        assert workspace.import_training(result).state is RunState.FINISHED


def test_that_settings_of_the_recipe_can_be_changed(shop: Path, tmp_path: Path, alcove: Alcove) -> None:
    changes = ["--set", "base=prime", "--set", "hard_negatives=3", "--set", "average=[0.5, 0.75]"]
    alcove("train", shop, "--recipe", "quick", *changes, "--export-job", tmp_path / "other")
    assert _job(tmp_path / "other")["overrides"] == {
        "base": "prime",
        "hard_negatives": 3,
        "average": [0.5, 0.75],
    }


@pytest.mark.parametrize("change", ["hard_negatives", "=3"])
def test_that_a_setting_without_field_and_value_is_refused(
    change: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", str(shop), "--set", change]) == 2
    assert "is no FIELD=VALUE; for example --set hard_negatives=3" in capsys.readouterr().err
    with Workspace.open(shop) as workspace:
        assert [one.id for one in workspace.runs()] == ["t0001"]
