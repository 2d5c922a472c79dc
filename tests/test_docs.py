"""The documentation is tested: its commands parse, every verb is in it, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from engine.cli.app import VERBS, build_app, opens_desktop

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/guide.md")
_BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)\)")


def commands(document: str) -> list[list[str]]:
    """Every command line in the shell blocks of a document, split into words, comments left out."""
    text = (ROOT / document).read_text(encoding="utf-8")
    lines = (line for block in _BLOCK.findall(text) for line in block.splitlines())
    return [words for line in lines if (words := shlex.split(line.removeprefix("$ "), comments=True))]


ALCOVE = [words[1:] for document in DOCUMENTS for words in commands(document) if words[0] == "alcove"]
MAKE = [words[1:] for document in DOCUMENTS for words in commands(document) if words[0] == "make"]


def parse(arguments: list[str]) -> dict[str, Any]:
    """The parameters a verb would be called with; raises where the command line is wrong."""
    verb, *rest = arguments
    group: Any = get_command(build_app())
    context = group.commands[verb].make_context(f"alcove {verb}", rest)
    parameters: dict[str, Any] = context.params
    return parameters


@pytest.mark.parametrize("arguments", ALCOVE, ids=" ".join)
def test_that_every_documented_command_is_accepted(arguments: list[str]) -> None:
    if opens_desktop(arguments):
        assert len(arguments) <= 2
    else:
        assert parse(arguments)


def test_that_every_verb_is_shown_in_the_documentation() -> None:
    shown = {arguments[0] for arguments in ALCOVE if arguments}
    assert set(VERBS) <= shown


@pytest.mark.parametrize("arguments", MAKE, ids=" ".join)
def test_that_every_documented_make_target_exists(arguments: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in arguments:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), (
            f"make {target} is documented only"
        )


@pytest.mark.parametrize("target", ["demo", "run", "test", "bench", "screenshots", "clean"])
def test_that_the_makefile_says_what_its_commands_do(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^#   make {target}\b", makefile, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_that_every_link_to_a_file_leads_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = [link for link in _LINK.findall(text) if "://" not in link]
    missing = [link for link in links if not ((ROOT / document).parent / link).exists()]
    assert not missing
