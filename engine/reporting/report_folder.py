"""The report's folder: a page, its pictures and its numbers, written whole or not at all."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from engine.contracts import Progress
from engine.errors import EnvironmentError_, InputError
from engine.reporting.report_document import FORMAT, ReportSource, percent, report_document
from engine.reporting.report_pictures import draw_pictures

PAGE_FILE, NUMBERS_FILE = "report.html", "report.json"
#: Everything that a report's folder may hold; anything else is somebody's own file.
FILES = (PAGE_FILE, NUMBERS_FILE, "automation_rate.png", "risk_coverage.png", "costs.png")
_STEPS = 3


def check_target(target: Path) -> None:
    """Refuse to write a report where something else is.

    Raises:
        InputError: the target is a file, or a folder with something else than a report in it.
    """
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir() or target.is_symlink():
        raise InputError(f"{target} is not a folder: name another one with --out")
    try:
        names = sorted(path.name for path in target.iterdir())
    except OSError as error:
        raise EnvironmentError_(f"cannot read {target}: {error.strerror or error}") from error
    foreign = [name for name in names if name not in FILES]
    if foreign:
        raise InputError(f"{target} holds {foreign[0]}, which is no part of a report: name another folder")
    if names and not _is_report(target / NUMBERS_FILE):
        raise InputError(f"{target} holds {names[0]} of something else: name another folder with --out")


def write_report(target: Path, source: ReportSource) -> Iterator[Progress]:
    """Write page, pictures and numbers, in place of an earlier report; nothing is left half-written.

    Raises:
        InputError: as :func:`check_target`.
        EnvironmentError_: the folder cannot be written.
    """
    check_target(target)
    part = target.with_name(f".{target.name}.writing")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield Progress("reporting", 0, _STEPS, "drawing pictures")
        pictures = draw_pictures(part, source)
        yield Progress("reporting", 1, _STEPS, "writing the page")
        document = report_document(source)
        (part / PAGE_FILE).write_text(render_page(document, _embedded(part, pictures)), encoding="utf-8")
        numbers = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
        (part / NUMBERS_FILE).write_text(numbers + "\n", encoding="utf-8")
        yield Progress("reporting", 2, _STEPS, "putting it in place")
        _put_in_place(part, target)
    except OSError as error:
        raise EnvironmentError_(
            f"cannot write the report to {target}: {error.strerror or error}; name another folder with --out"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def render_page(document: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """The page: one file without anything to load, in which words from a feed are only ever text.

    Args:
        document: from :func:`engine.reporting.report_document.report_document`.
        pictures: their data URIs by what they show (``rates``, ``curve``, ``costs``).
    """
    from jinja2 import Environment, StrictUndefined  # deferred: only reports need it

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["percent"] = percent
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["money"] = lambda amount: "nothing" if amount is None else f"{amount:,.2f}"
    template = resources.files("resources.report").joinpath("report.html.j2").read_text(encoding="utf-8")
    latest = {rate["release_id"]: rate for rate in document["rates"]}
    return environment.from_string(template).render(
        report=document,
        pictures={"rates": None, "curve": None, "costs": None, **pictures},
        by_release=list(latest.values()),
        certified=any(one["champion"] and one["threshold"] is not None for one in document["certificates"]),
    )


def _embedded(folder: Path, pictures: Mapping[str, str]) -> dict[str, str]:
    return {
        shown: "data:image/png;base64," + base64.b64encode((folder / name).read_bytes()).decode("ascii")
        for shown, name in pictures.items()
    }


def _put_in_place(part: Path, target: Path) -> None:
    """Two renames; between them the earlier report lies beside its place, and is put back on failure."""
    if not target.exists():
        os.rename(part, target)
        return
    earlier = target.with_name(f".{target.name}.earlier")
    shutil.rmtree(earlier, ignore_errors=True)
    os.rename(target, earlier)
    try:
        os.rename(part, target)
    except OSError:
        with contextlib.suppress(OSError):
            os.rename(earlier, target)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _is_report(numbers: Path) -> bool:
    try:
        document = json.loads(numbers.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("format") == FORMAT
