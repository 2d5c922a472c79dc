"""replay and demo: the whole loop on gold answers, and on a synthetic catalogue."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from engine.cli.invocation import JsonOption, invocation
from engine.cli.terminal import Terminal, percent, table
from engine.contracts import Promise, QueueOrder

DEMO_FOLDER = Path("demo-workspace")


class Scale(StrEnum):
    """How much the demo makes: ``full`` trains long enough to see it help, ``tiny`` only runs."""

    FULL = "full"
    TINY = "tiny"


def replay(
    ctx: typer.Context,
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET_DIR",
            help="Holds catalogue.csv, queries.csv and matches.csv.",
            show_default=False,
        ),
    ],
    decisions: Annotated[int, typer.Option(min=1, help="Decisions to spend.")] = 500,
    rounds: Annotated[int, typer.Option(min=1, help="Refits on the way.")] = 4,
    policy: Annotated[QueueOrder, typer.Option(help="Order of the learning stream.")] = QueueOrder.GAIN,
    recipe: Annotated[str, typer.Option(help="How to train, or `none`.")] = "none",
    precision: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Required precision.")] = 0.95,
    delta: Annotated[float, typer.Option(min=0.0001, max=0.5, help="One minus the confidence.")] = 0.1,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions; each draws another future.")] = 1,
    promise: Annotated[
        Promise, typer.Option(help="Precision of each kind of answer, or of both together.")
    ] = Promise.EACH,
    as_json: JsonOption = False,
) -> None:
    """Let the gold answers of a data set play the reviewer; report what was certified and realised."""
    from engine.replay import ReplaySettings
    from engine.replay import replay as run_replay

    invocation(ctx).kept = "a replay keeps nothing"
    settings = ReplaySettings(
        decisions=decisions,
        rounds=rounds,
        policy=policy.value,
        recipe=recipe,
        precision=precision,
        delta=delta,
        seeds=seeds,
        promise=promise.value,
    )
    terminal = Terminal(as_json)
    with terminal.listening() as listen:
        report = run_replay(dataset, settings, listen)
    terminal.answer(report, *_replay_tables(report))


_ROUND_COLUMNS = (
    "seed",
    "round",
    "decisions",
    "release",
    "threshold",
    "certified coverage",
    "realised precision",
    "automation rate",
    "precision of it",
    "oracle C@95",
    "best right",
)


def _replay_tables(report: dict[str, Any]) -> list[Table | str]:
    rows = [
        (
            entry["seed"],
            entry["round"],
            entry["decisions"],
            f"{entry['release']}{' promoted' if entry['promoted'] else ''}",
            "–" if entry["threshold"] is None else f"{entry['threshold']:.4f}",
            percent(entry["certified_coverage"]),
            percent(entry["realised_precision"]),
            percent(entry["automation_rate"]),
            percent(entry["automated_precision"]),
            percent(entry["oracle"]["C@95"]),
            percent(entry["best_right"]),
        )
        for entry in report["rounds"]
    ]
    final = report["final"]
    mean = [
        (name, f"{value:.4f}", f"{final['std'].get(name, 0.0):.4f}") for name, value in final["mean"].items()
    ]
    return [
        table(f"Replay of {report['dataset']}", _ROUND_COLUMNS, rows, right=_ROUND_COLUMNS),
        table("Last round over the seeds", ("", "mean", "std"), mean, right=("mean", "std")),
        f"Seeds without a certificate: {final['uncertified_seeds']}",
    ]


def demo(
    ctx: typer.Context,
    workspace: Annotated[Path, typer.Argument(metavar="[WORKSPACE]", help="Where to make it.")] = DEMO_FOLDER,
    headless: Annotated[bool, typer.Option("--headless", help="Do not open the desktop then.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Start an earlier demo here over.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the catalogue and the listings.")] = 0,
    scale: Annotated[Scale, typer.Option(help="How large.")] = Scale.FULL,
    as_json: JsonOption = False,
) -> None:
    """The whole loop on a synthetic catalogue, with a before/after report; leaves the workspace."""
    from engine.demo import SCALES, run_demo

    call = invocation(ctx)
    call.kept = f"the demo is unfinished; `alcove demo {workspace} --again` starts it over"
    terminal = Terminal(as_json)
    with terminal.listening() as listen:
        report = run_demo(workspace, SCALES[scale.value], seed=seed, again=again, on_event=listen)
    names = ("before training", "after training")
    rows = [(name, percent(before), percent(after)) for name, before, after in report.rows()]
    terminal.answer(
        report.document(),
        table(
            f"Demo on {report.listings:,} synthetic listings of {report.items:,} items",
            ("", *names),
            rows,
            right=names,
        ),
        *report.sentences(),
    )
    if not headless and not as_json and call.open_desktop is not None:
        raise typer.Exit(call.open_desktop(workspace))
