"""The command line's manners: exit codes, one-line errors, logs, interruptions."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.cli.app import VERBS, opens_desktop, run
from engine.cli.failures import explain
from engine.cli.invocation import Invocation
from engine.errors import InputError, WorkspaceLockedError

if TYPE_CHECKING:
    from engine.workspace import Workspace


def raising(error: BaseException) -> Callable[[Path, bool], Workspace]:
    def open_workspace(folder: Path, read_only: bool) -> Workspace:
        raise error

    return open_workspace


def call_that_raises(error: BaseException) -> int:
    return run(["status", "shop"], call=Invocation(open_workspace=raising(error)))


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuchverb"],
        ["status"],
        ["status", "shop", "--nosuchoption"],
        ["import", "shop", "products", "file.csv"],
        ["certify", "shop", "--precision", "1.5"],
        ["train", "shop", "--device", "abacus"],
        ["queue", "shop", "--order", "alphabetical"],
    ],
)
def test_that_a_wrong_command_line_is_one_line_and_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("alcove: ")
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (InputError("row 3: no title"), 2),
        (WorkspaceLockedError("another program writes to shop"), 1),
        (OSError(errno.ENOSPC, "No space left on device"), 1),
        (MemoryError(), 1),
        (ZeroDivisionError("division by zero"), 3),
    ],
)
def test_that_errors_are_told_by_whose_fault_they_are(
    error: Exception, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call_that_raises(error) == exit_code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "base/encoder.onnx", None, "shop/encoder.onnx"),
            "shop",
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (OSError("Not enough free space to write 4096 bytes"), "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "shop/report"), "shop/report: permission denied"),
    ],
    ids=["copy", "quota", "numpy", "denied"],
)
def test_that_a_full_or_closed_disk_is_named_by_what_was_written(error: OSError, words: str) -> None:
    exit_code, line = explain(error, arguments=("match", "shop"), workspace=None)
    assert exit_code == 1
    assert words in line
    assert "base/" not in line


def test_that_a_bugs_traceback_goes_to_the_workspaces_log(tmp_path: Path) -> None:
    (tmp_path / "workspace.db").touch()
    try:
        raise KeyError("evidence")
    except KeyError as error:
        exit_code, line = explain(error, arguments=("match", "shop"), workspace=tmp_path)
    log = tmp_path / "logs" / "errors.log"
    assert exit_code == 3
    assert str(log) in line
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert "alcove match shop" in log.read_text(encoding="utf-8")


def test_that_a_bug_outside_a_workspace_is_logged_in_the_programs_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALCOVE_HOME", str(tmp_path / "home"))
    explain(KeyError("evidence"), arguments=("doctor",), workspace=tmp_path / "not-a-workspace")
    assert (tmp_path / "home" / "logs" / "errors.log").is_file()
    assert not (tmp_path / "not-a-workspace").exists()


def test_that_a_file_the_user_named_and_that_is_not_there_is_wrong_input() -> None:
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", "feed.csv")
    named, line = explain(error, arguments=("import", "shop", "listings", "feed.csv"), workspace=None)
    unnamed, _ = explain(error, arguments=("match", "shop"), workspace=None)
    assert (named, unnamed) == (2, 3)
    assert line == "feed.csv: no such file or directory"


def test_that_an_interruption_says_what_was_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert call_that_raises(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "alcove: interrupted; nothing was changed\n"


def test_that_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {verb} " in shown for verb in VERBS)


@pytest.mark.parametrize("verb", list(VERBS))
def test_that_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert f"alcove {verb}" in capsys.readouterr().out


def test_that_the_desktop_opens_without_a_verb_with_gui_or_on_a_folder(tmp_path: Path) -> None:
    assert opens_desktop([])
    assert opens_desktop(["gui"])
    assert opens_desktop(["gui", "anything"])
    assert opens_desktop([str(tmp_path)])
    assert not opens_desktop([str(tmp_path / "absent")])
    assert not opens_desktop(["status", str(tmp_path)])
    assert not opens_desktop(["--help"])


def test_that_a_feed_name_for_the_catalogue_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "shop", "catalogue", "items.csv", "--feed", "monday"]) == 2
    assert "leave it out" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["title", "colour=Farbe"])
def test_that_a_mapping_to_no_known_field_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "shop", "listings", "feed.csv", "--map", option]) == 2
    assert option in capsys.readouterr().err
