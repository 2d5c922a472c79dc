"""The report's folder: whole or not at all, nothing of anybody else's overwritten, words stay words."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.cli.app import run
from engine.contracts import Item, Listing
from engine.errors import EnvironmentError_, InputError
from engine.reporting.report_document import ReportSource, headline, reasons, report_document
from engine.reporting.report_folder import FILES, render_page
from engine.workspace import Workspace
from tests.engine.test_cli_documents import (
    CERTIFICATE,
    COSTS,
    CURVE,
    RATE,
    RELEASE,
    SEGMENT,
    SEGMENTS,
    every_document,
)
from tests.loop import certified_workspace, drain

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with certified_workspace(tmp_path_factory.mktemp("report") / "w") as workspace:
        workspace.update_settings(cost_wrong=20.0, cost_review=0.4)
        yield workspace


def no_leftovers(folder: Path) -> bool:
    return not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_that_page_pictures_and_numbers_say_the_same(certified: Workspace, tmp_path: Path) -> None:
    page = drain(certified.report(tmp_path / "out"))
    assert sorted(path.name for path in page.parent.iterdir()) == sorted(FILES)
    numbers = json.loads((page.parent / "report.json").read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    status = certified.status()
    assert numbers["automation_rate"] == status.automation_rate
    assert numbers["sentence"] == headline(status)
    assert "and here is why you may believe it" in numbers["sentence"]
    assert numbers["sentence"] in text
    assert numbers["segments"]["workspace"]["listings"] == status.counts.listings
    assert numbers["costs"]["sentence"] in text
    assert numbers["risk_coverage"]["certified"]["threshold"] == status.certificate.threshold
    assert [one["release"] for one in numbers["certificates"]] == sorted(r.id for r in certified.releases())
    for picture in page.parent.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert no_leftovers(tmp_path)


def test_that_the_page_loads_nothing_from_anywhere(certified: Workspace, tmp_path: Path) -> None:
    text = drain(certified.report(tmp_path / "out")).read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)""", text)
    assert "url(" not in text
    assert "http" not in re.sub(r"base64,[^\"]*", "", text).replace("http-equiv", "")
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_that_a_report_replaces_an_earlier_one(certified: Workspace, tmp_path: Path) -> None:
    page = drain(certified.report(tmp_path / "out"))
    page.write_text("old", encoding="utf-8")
    assert drain(certified.report(tmp_path / "out")).read_text(encoding="utf-8") != "old"
    assert no_leftovers(tmp_path)


def test_that_an_abandoned_report_leaves_nothing_and_the_earlier_one_stays(
    certified: Workspace, tmp_path: Path
) -> None:
    page = drain(certified.report(tmp_path / "out"))
    page.write_text("earlier", encoding="utf-8")
    events = certified.report(tmp_path / "out")
    for event in events:
        if "page" in getattr(event, "detail", ""):
            break
    events.close()  # type: ignore[attr-defined]
    assert page.read_text(encoding="utf-8") == "earlier"
    assert no_leftovers(tmp_path)


@pytest.mark.parametrize("name", ["thesis.docx", "report.html", "report.json"])
def test_that_files_of_somebody_else_are_not_overwritten(
    certified: Workspace, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "mine"
    target.mkdir()
    (target / name).write_text('{"format": "something else"}', encoding="utf-8")
    with pytest.raises(InputError, match="name another folder"):
        drain(certified.report(target))
    assert [path.name for path in target.iterdir()] == [name]


def test_that_a_file_is_no_folder(certified: Workspace, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is not a folder"):
        drain(certified.report(tmp_path / "out"))
    with pytest.raises(EnvironmentError_, match="cannot write the report"):
        drain(certified.report(tmp_path / "out" / "deeper"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_that_a_read_only_folder_is_said_in_one_line(certified: Workspace, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(EnvironmentError_, match="name another folder with --out"):
            drain(certified.report(tmp_path / "out"))
    finally:
        tmp_path.chmod(0o700)


def test_that_a_folder_that_refuses_writing_is_said_in_one_line(
    certified: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(EnvironmentError_, match="name another folder with --out") as caught:
            drain(certified.report(tmp_path / "out"))
    assert "\n" not in caught.value.message


def test_that_words_of_a_feed_are_text_and_no_markup(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        with workspace._store.writing() as uow:
            uow.items.upsert([Item(0, "i1", EVIL)], ["i"])
            feed = uow.feeds.ensure(f"{EVIL}feed")
            listing = Listing(0, "l1", EVIL, brand=f"{EVIL}brand", category='"onload="x')
            uow.listings.upsert(feed, [listing], ["l"])
        text = drain(workspace.report(tmp_path / "out")).read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;brand" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;feed" in text
    assert '"onload="x' not in text


def test_that_an_empty_workspace_has_a_report_that_says_so(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        page = drain(workspace.report())
        assert page == tmp_path / "w" / "report" / "report.html"
    text = page.read_text(encoding="utf-8")
    assert "There are no listings yet" in text
    assert "Import a catalogue." in text
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json"]


def test_that_nothing_is_claimed_without_a_certificate() -> None:
    status = source().status
    none = replace(status, certificate=None)
    assert headline(none).startswith("Nothing is certified yet")
    missing = replace(status, certificate=replace(CERTIFICATE, threshold=None, labels_missing=120))
    assert headline(missing).startswith("Nothing is certified yet")
    assert "120 more random decisions" in reasons(missing)[1]
    never = replace(status, certificate=replace(CERTIFICATE, threshold=None, labels_missing=None))
    assert "No number of further decisions" in reasons(never)[1]


def source() -> ReportSource:
    from engine.contracts import Status
    from tests.engine.test_cli_documents import COUNTS

    status = Status("/shop", False, COUNTS, 0.5, 0.6, "r0002", CERTIFICATE, None, 3, ("review 20",))
    return ReportSource("shop", RATE.at, status, [RATE], CURVE, SEGMENTS, [RELEASE], COSTS)


def test_that_flags_are_a_word_and_a_sign() -> None:
    made = source()
    assert "▼ starved" not in render_page(report_document(made), {})
    flagged = replace(SEGMENT, starved=True, below_promise=True)
    grouping = replace(SEGMENTS.groupings[0], segments=(flagged,))
    page = render_page(report_document(replace(made, segments=replace(SEGMENTS, groupings=(grouping,)))), {})
    assert "▼ starved" in page
    assert "⚠ below the promise" in page


def test_that_costs_are_left_out_until_they_are_entered() -> None:
    none = replace(COSTS, wrong=None, review=None, missed=None, curve=(), optimal=None, certified=None)
    assert "<h2>Costs</h2>" in render_page(report_document(source()), {})
    assert "<h2>Costs</h2>" not in render_page(report_document(replace(source(), costs=none)), {})


def test_that_the_certificate_on_the_page_is_the_champions() -> None:
    document = every_document()["report.json"]
    assert document["certificates"][0]["delta"] == CERTIFICATE.delta
    assert document["risk_coverage"]["certified"]["coverage"] == 0.5


# -- the command line --------------------------------------------------------------------------------


def test_that_the_verbs_write_the_report_and_keep_the_costs(
    certified: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(certified.path, folder)
    assert run(["report", str(folder), "--out", str(tmp_path / "out"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert Path(answer["page"]).is_file()
    assert sorted(answer["files"]) == sorted(FILES)
    assert run(["report", str(folder)]) == 0
    assert f"The report is in {folder / 'report' / 'report.html'}" in capsys.readouterr().out
    assert run(["costs", str(folder), "--wrong", "7", "--missed", "0.5", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["wrong"], first["review"], first["missed"]) == (7.0, 0.4, 0.5)
    assert run(["costs", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert run(["costs", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "cheapest" in shown
    assert "stays in force" in shown


def test_that_mistakes_are_one_line(
    certified: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(certified.path, folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    for arguments, code, words in (
        (["report", str(folder), "--out", str(tmp_path / "mine")], 2, "letter.txt"),
        (["costs", str(folder), "--wrong", "-1"], 2, "--wrong"),
        (["costs", str(folder), "--wrong", "nan"], 2, "--wrong"),
        (["costs", str(folder), "--wrong", "1e300"], 2, "cost_wrong"),
        (["report", str(tmp_path / "nowhere")], 2, "is not a workspace"),
    ):
        assert run(arguments) == code
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert words in said.err
