"""certify, train, evaluate, promote, rollback."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import documents
from engine.cli.invocation import JsonOption, WorkspaceArgument, invocation
from engine.cli.terminal import Terminal
from engine.cli.words import comparison_tables, release_table
from engine.contracts import Promise, RunState, TrainingRun
from engine.errors import InputError
from engine.training_process import run_training

if TYPE_CHECKING:
    from engine.workspace import Workspace


class Device(StrEnum):
    """Where the trainer computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class NumberFormat(StrEnum):
    """In what the trainer computes."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


def certify(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    precision: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.9999, help="Required precision (the workspace's)."),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.9999, help="Required confidence (the workspace's)."),
    ] = None,
    promise: Annotated[
        Promise | None,
        typer.Option(help="Precision of matches and of none each by itself, or of both together; kept."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Refit the matcher on all decisions, set the threshold, certify it, route again."""
    terminal = Terminal(as_json)
    with invocation(ctx).opened(workspace, kept="the champion is unchanged") as ws:
        release = terminal.follow(ws.certify(precision=precision, confidence=confidence, promise=promise))
    terminal.answer(documents.release_document(release), release_table(release))


def train(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    recipe: Annotated[str | None, typer.Option(help="How to train; without it `default`.")] = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.AUTO,
    number_format: Annotated[NumberFormat, typer.Option(help="What to compute in.")] = NumberFormat.AUTO,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training run.")] = 0,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change a setting of the recipe; repeatable."),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Carry on with a cancelled or failed training run.")
    ] = None,
    export_job: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER_OR_ZIP", help="Write the training run here, to train elsewhere; do not start it."
        ),
    ] = None,
    import_result: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER_OR_ZIP", help="Take back a training run that finished elsewhere."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train the encoder on the decisions and build a challenger of it; promoting is yours to decide."""
    terminal = Terminal(as_json)
    call = invocation(ctx)
    if resume is not None and (recipe is not None or changes):
        raise InputError(
            "--resume carries on with the training run's own recipe; leave --recipe and --set out"
        )
    overrides = _overrides(changes or [])
    if import_result is not None and (resume or recipe or export_job or overrides):
        raise InputError("--import-result takes a finished training run back; give it alone")
    if export_job is not None:
        from engine.pipeline.carried_runs import check_target

        check_target(export_job)  # before a training run is prepared for nothing
    with call.opened(workspace) as ws:
        if import_result is not None:
            run = ws.import_training(import_result)
        elif resume is None:
            preparing = ws.preparing_training(
                recipe=recipe or "default",
                device=device.value,
                precision=number_format.value,
                seed=seed,
                overrides=overrides,
            )
            run = terminal.follow(preparing)
        else:
            run = _run(ws, resume)
        if export_job is not None:
            run = ws.export_training(run.id, export_job)
            document = documents.exported_run_document(run, export_job)
            terminal.answer(document, _how_to_go_on(run, export_job))
            return
        again = f"`alcove train {workspace} --resume {run.id}` carries on"
        if run.state is not RunState.FINISHED:
            call.kept = f"training run {run.id} is kept up to its last checkpoint; {again}"
            terminal.follow_training(run_training(ws, run.id, Path(run.folder)))
        call.kept = f"training run {run.id} is finished and kept; {again}"
        release = terminal.follow(ws.build_challenger(run.id))
        compare = f"`alcove evaluate {workspace} --release {release.id}` compares it"
        call.kept = f"challenger {release.id} is kept; {compare}"
        comparison = terminal.follow(ws.challenge(release.id))
        run = _run(ws, run.id)
        tried = comparison.challenger.release_id
        release = next((known for known in ws.releases() if known.id == tried), release)
    document = documents.training_document(run, release, comparison)
    verdict = "may be" if comparison.gate.passed else "should not be"
    closing = f"Challenger {release.id} {verdict} promoted: alcove promote {workspace} {release.id}"
    if not comparison.gate.passed:
        closing = f"Challenger {release.id} should not be promoted; the champion stays"
    terminal.answer(document, release_table(release), *comparison_tables(comparison), closing)


def _overrides(changes: list[str]) -> dict[str, object]:
    """Settings by field; the trainer knows which there are and refuses others before its first step."""
    found: dict[str, object] = {}
    for change in changes:
        field, equals, value = change.partition("=")
        if not equals or not field.strip():
            raise InputError(f"--set {change} is no FIELD=VALUE; for example --set hard_negatives=3")
        try:
            found[field.strip()] = json.loads(value)
        except ValueError:
            found[field.strip()] = value  # a word, such as infonce
    return found


def _how_to_go_on(run: TrainingRun, target: Path) -> str:
    """What to do with a training run that was written for another machine."""
    if target.suffix.lower() == ".zip":
        there = f"unpack it there and run `python -m trainer {run.id}`"
    else:
        there = f"run `python -m trainer {target.name}` there"
    return (
        f"Training run {run.id} is in {target} and was not started; {there}, then take it back with "
        "`alcove train WORKSPACE --import-result FOLDER_OR_ZIP`"
    )


def _run(workspace: Workspace, run_id: str) -> TrainingRun:
    for run in workspace.runs():
        if run.id == run_id:
            return run
    known = ", ".join(run.id for run in workspace.runs()) or "none yet"
    raise InputError(f"there is no training run {run_id} in this workspace (there are: {known})")


def evaluate(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    release: Annotated[str | None, typer.Option(help="The challenger; without it the newest one.")] = None,
    against: Annotated[str | None, typer.Option(help="Compared with; without it the champion.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two releases on held-out decisions: coverage, gate, every automated answer that flips."""
    terminal = Terminal(as_json)
    with invocation(ctx).opened(workspace) as ws:
        comparison = terminal.follow(ws.evaluate(release, against=against))
    terminal.answer(documents.comparison_document(comparison), *comparison_tables(comparison))


def promote(
    ctx: typer.Context,
    workspace: WorkspaceArgument,
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="The challenger.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Promote although the gate refuses.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a challenger the champion and route again."""
    terminal = Terminal(as_json)
    kept = f"the champion is one whole release, the old or the new; `alcove status {workspace}` says which"
    with invocation(ctx).opened(workspace, kept=kept) as ws:
        champion = terminal.follow(ws.promote(release, force=force))
    terminal.answer(documents.release_document(champion), release_table(champion))


def rollback(ctx: typer.Context, workspace: WorkspaceArgument, as_json: JsonOption = False) -> None:
    """Return to the champion before this one, with its own certificate, and route again."""
    terminal = Terminal(as_json)
    kept = f"the champion is one whole release, the old or the new; `alcove status {workspace}` says which"
    with invocation(ctx).opened(workspace, kept=kept) as ws:
        champion = terminal.follow(ws.rollback())
    terminal.answer(documents.release_document(champion), release_table(champion))
