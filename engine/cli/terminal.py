"""What a verb says and where: the answer on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from engine.cli.documents import Document
from engine.contracts import Finished, Notice, WorkEvent
from engine.contracts import Progress as Step
from engine.contracts.training import (
    TrainingEvent,
    TrainingExported,
    TrainingNotice,
    TrainingProgress,
    TrainingStarted,
)
from engine.errors import BugError, InputError

T = TypeVar("T")

#: Tables that go to a file or a pipe are not squeezed into 80 columns.
_WIDTH_OFF_TERMINAL = 160


def plain(text: object) -> str:
    """Feed text for a terminal: one line, control characters (escape sequences) made visible."""
    return "".join(
        letter if letter.isprintable() else (" " if letter.isspace() else "\N{REPLACEMENT CHARACTER}")
        for letter in str(text)
    )


@dataclass(slots=True)
class Terminal:
    """One verb's standard output and error. ``as_json`` leaves exactly one document on the first."""

    as_json: bool
    output: IO[str] = field(default_factory=lambda: sys.stdout)
    messages: IO[str] = field(default_factory=lambda: sys.stderr)

    def answer(self, document: Document, *parts: Table | str) -> None:
        """Print the answer: the document with ``--json``, else the tables and lines of ``parts``."""
        if self.as_json:
            self.output.write(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n")
            self.output.flush()
            return
        width = None if self.output.isatty() else _WIDTH_OFF_TERMINAL
        console = Console(file=self.output, width=width, highlight=False)
        for part in parts:
            console.print(Text(part) if isinstance(part, str) else part)

    def note(self, message: str) -> None:
        """One line beside the answer, on standard error."""
        self.messages.write(f"note: {plain(message)}\n")
        self.messages.flush()

    def note_refused(self, name: str, rows: int, refused: Sequence[tuple[int, str]], *, taken: int) -> None:
        """Say beside the answer that rows of a file were refused.

        Raises:
            InputError: all were; what was wrong with the first one is named.
        """
        if not refused:
            return
        if not taken:
            row, reason = refused[0]
            raise InputError(f"{name}: none of its {rows:,} rows could be taken; row {row:,}: {reason}")
        self.note(f"{name}: {len(refused):,} of {rows:,} rows were refused")

    def follow(self, events: Iterator[WorkEvent[T]]) -> T:
        """Draw long work's progress (on a terminal only) and return its result.

        An interruption closes the work, which keeps what it had committed.
        """
        result: Finished[T] | None = None
        with self.listening() as listen, _closing(events):
            for event in events:
                if isinstance(event, Finished):
                    result = event
                else:
                    listen(event)
        if result is None:
            raise BugError("the work ended without a result")
        return result.result

    def follow_training(self, events: Iterator[TrainingEvent]) -> None:
        """Draw a training run (on a terminal only) to its end."""
        with self.listening() as listen, _closing(events):
            for event in events:
                listen(event)

    @contextmanager
    def listening(self) -> Iterator[Callable[[object], None]]:
        """A callback that draws the events it is given, for work that reports by callback."""
        with self._bars() as bars:
            tasks: dict[str, TaskID] = {}
            yield lambda event: self._show(bars, tasks, event)

    def _show(self, bars: Progress, tasks: dict[str, TaskID], event: object) -> None:
        match event:
            case Step(stage=stage, done=done, total=total, detail=detail):
                _draw(bars, tasks, stage, done, total, detail)
            case Notice(message=message) | TrainingNotice(message=message):
                self.note(message)
            case TrainingStarted(device=device, precision=precision, pairs=pairs, resumed_from=step):
                resumed = f", resumed at step {step:,}" if step else ""
                self._say(bars, f"training on {device} in {precision}, {pairs:,} pairs{resumed}")
            case TrainingProgress(step=step, total_steps=total, loss=loss):
                _draw(bars, tasks, "training", step, total, f"loss {loss:.4f}")
            case TrainingExported(parity=parity, coverage=coverage):
                least = ", ".join(f"{name} {value:.4f}" for name, value in parity.items())
                self._say(bars, f"encoder exported; least cosine to the trained one: {least}")
                automated = ", ".join(
                    f"{name} {percent(levels['C@90'])} and {percent(levels['C@95'])}"
                    for name, levels in coverage.items()
                )
                if automated:
                    self._say(bars, f"validation pairs automated at 90 % and 95 % precision: {automated}")
            case _:
                pass

    def _bars(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=Console(file=self.messages, highlight=False, markup=False),
            disable=not self.messages.isatty(),
            transient=True,
        )

    def _say(self, bars: Progress, line: str) -> None:
        if not bars.disable:
            bars.console.print(Text(plain(line)))


@contextmanager
def _closing(events: Iterator[object]) -> Iterator[None]:
    """Close a generator at the end of the block, however it ends."""
    try:
        yield
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()


def _draw(bars: Progress, tasks: dict[str, TaskID], stage: str, done: int, total: int, detail: str) -> None:
    if stage not in tasks:
        tasks[stage] = bars.add_task(plain(stage), total=total or None, detail="")
    bars.update(tasks[stage], completed=done, total=total or None, detail=plain(detail))


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()
) -> Table:
    """A Rich table whose cells are plain text; the columns named in ``right`` are right-aligned."""
    drawn = Table(title=title or None, title_justify="left")
    for column in columns:
        drawn.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(plain(cell)) for cell in row))
    return drawn


def facts(title: str, values: Mapping[str, object]) -> Table:
    """A two-column table of names and values."""
    drawn = Table(title=title or None, title_justify="left", show_header=False)
    drawn.add_column()
    drawn.add_column(overflow="fold")
    for name, value in values.items():
        drawn.add_row(Text(name), Text(plain(value)))
    return drawn


def percent(share: float | None) -> str:
    """A share as a percentage with one digit, or a dash."""
    return "–" if share is None else f"{share * 100:.1f} %"
