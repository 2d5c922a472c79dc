"""What several tests of the command line share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from engine.cli.app import run

Alcove = Callable[..., dict[str, Any]]


@pytest.fixture
def alcove(capsys: pytest.CaptureFixture[str]) -> Alcove:
    """Run a verb with ``--json``; checks the exit code and returns the one document it prints."""

    def call(*arguments: object, exit_code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert run([*map(str, arguments), "--json"]) == exit_code, capsys.readouterr().err
        shown = capsys.readouterr().out
        document: dict[str, Any] = json.loads(shown) if shown else {}
        return document

    return call
