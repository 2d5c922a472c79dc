"""What verbs print: exactly one document, plain tables, progress that stays off standard output."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from engine.cli.terminal import Terminal, facts, percent, plain, table
from engine.contracts import ChangeSet, Finished, Notice, Progress, WorkEvent
from engine.errors import BugError


def terminal(*, as_json: bool) -> Terminal:
    return Terminal(as_json, output=io.StringIO(), messages=io.StringIO())


def said(stream: object) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_that_json_is_one_document_and_nothing_else() -> None:
    screen = terminal(as_json=True)
    screen.answer({"title": "Fön [bold]"}, "a line", facts("", {"name": 1}))
    assert json.loads(said(screen.output)) == {"title": "Fön [bold]"}


def test_that_a_document_with_a_number_json_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        terminal(as_json=True).answer({"aurc": float("nan")})


def test_that_tables_show_feed_text_as_text() -> None:
    screen = terminal(as_json=False)
    screen.answer({}, table("Found", ("title",), [("[red]TV[/red] \x1b[2J 55\n inch",)]))
    shown = said(screen.output)
    assert "[red]TV[/red] \N{REPLACEMENT CHARACTER}[2J 55  inch" in shown
    assert "\x1b" not in shown


def test_that_plain_keeps_letters_of_every_script() -> None:
    assert plain("Čajník 電気ケトル") == "Čajník 電気ケトル"


def test_that_a_missing_share_is_a_dash() -> None:
    assert (percent(None), percent(0.0), percent(0.58449)) == ("–", "0.0 %", "58.4 %")


def test_that_progress_is_quiet_off_a_terminal_and_notices_are_not() -> None:
    def work() -> Iterator[WorkEvent[int]]:
        yield Progress(stage="encoding", done=1, total=2)
        yield Notice("CUDA did not load, the CPU is used")
        yield Finished(7, ChangeSet())

    screen = terminal(as_json=True)
    assert screen.follow(work()) == 7
    assert said(screen.output) == ""
    assert said(screen.messages) == "note: CUDA did not load, the CPU is used\n"


def test_that_an_interruption_closes_the_work() -> None:
    closed = []

    def work() -> Iterator[WorkEvent[int]]:
        try:
            yield Progress(stage="encoding", done=1, total=2)
            yield Finished(7, ChangeSet())
        finally:
            closed.append(True)

    class Interrupting:
        def __init__(self) -> None:
            self.events = work()

        def __iter__(self) -> Interrupting:
            return self

        def __next__(self) -> WorkEvent[int]:
            next(self.events)
            raise KeyboardInterrupt

        def close(self) -> None:
            self.events.close()  # type: ignore[attr-defined]

    with pytest.raises(KeyboardInterrupt):
        terminal(as_json=False).follow(Interrupting())
    assert closed == [True]


def test_that_work_without_a_result_is_a_bug() -> None:
    with pytest.raises(BugError):
        terminal(as_json=False).follow(iter([Progress(stage="encoding", done=1, total=1)]))
