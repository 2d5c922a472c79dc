"""Learning: training runs, challengers, promotion and rolling back."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

from engine.backends.base_encoder import base_model_folder
from engine.contracts import (
    ChangeSet,
    Comparison,
    Finished,
    Notice,
    Progress,
    ReleaseSummary,
    RunState,
    TrainingRun,
    WorkEvent,
)
from engine.contracts.training import NumberFormat
from engine.errors import BugError, InputError, NotInWorkspaceError, StaleChangeError
from engine.pipeline.carried_runs import carried_result, pack_run
from engine.pipeline.certify_release import refit
from engine.pipeline.evaluate_release import compare_releases
from engine.pipeline.release_files import ENCODER_FOLDER, read_trained_on
from engine.pipeline.training_runs import (
    RUNS,
    artefact_folder,
    averaged_share,
    cross_fitted,
    fold_folders,
    trained_model_folder,
    trained_on,
    write_run,
)
from engine.pipeline.weigh_pairs import weigh_pairs
from engine.workspace.automating import Automating
from engine.workspace.base import now

#: Recipes of the trainer that are meant to be chosen by a person.
RECIPES = ("default", "thorough", "infonce", "prime", "ngame", "decoupled", "quick")
Device = Literal["auto", "cpu", "cuda"]
T = TypeVar("T")


class Learning(Automating):
    """What model keepers do."""

    def recipes(self) -> list[str]:
        """Names of the trainer's recipes."""
        return list(RECIPES)

    def prepare_training(
        self,
        *,
        recipe: str = "default",
        device: Device = "auto",
        precision: NumberFormat = "auto",
        seed: int = 0,
        overrides: Mapping[str, object] | None = None,
    ) -> TrainingRun:
        """Write a run folder: pairs from decisions, items, the model to start from.

        A confirmed pair weighs little that the champion's evidence speaks against (``pair_weights``).
        """
        champion = self._champion()
        manifest = self._shelf.manifest(champion)
        averaged = manifest.trained_share is not None
        start = (
            trained_model_folder(self.path, manifest.run_id, averaged=averaged)
            if manifest.run_id
            else base_model_folder(self._base_source())
        )
        earlier = self.path / RUNS / manifest.run_id if manifest.run_id and not averaged else None
        with self._store.reading() as uow:
            run_id = uow.runs.next_id()
        run = write_run(
            self._store,
            run_id=run_id,
            recipe=recipe,
            device=device,
            precision=precision,
            seed=seed,
            overrides=dict(overrides or {}),
            start=start,
            start_release=champion,
            fold_starts=[folder / "encoder" for folder in fold_folders(earlier)] if earlier else [],
            settings=self.settings,
            created_at=now(),
            weights=self._pair_weights(champion),
        )
        with self._store.writing() as uow:
            uow.runs.add(run)
        return run

    def _pair_weights(self, champion: str) -> dict[int, float]:
        """What confirmed pairs count in training, by listing number."""
        folder = self._shelf.folder_of(champion)

        def steps() -> Generator[Progress, None, dict[int, float]]:
            settings = self.settings
            search = yield from self._shelf.search_side(folder / ENCODER_FOLDER, settings, release=champion)
            return (
                yield from weigh_pairs(
                    self._store,
                    search,
                    self._shelf.blocks(search),
                    trained_on=read_trained_on(folder),
                    folds=self._folds_of(champion),
                    seed=settings.seed,
                )
            )

        # Evidence is mostly there already, so nobody has to be told how far this is.
        return _returned(steps())

    def training_command(self, run_id: str) -> list[str]:
        """The command that trains a prepared run; run it and read its standard output."""
        return [sys.executable, "-m", "trainer", self._run(run_id).folder]

    def note_training(self, run_id: str, state: RunState, message: str = "") -> ChangeSet:
        """Record where a run stands."""
        with self._store.writing() as uow:
            uow.runs.update(run_id, state=state, message=message)
        return ChangeSet(training_runs=True)

    def export_training(self, run_id: str, target: Path) -> TrainingRun:
        """Write a run that has not finished into a new folder or ZIP file, to be trained elsewhere.

        Raises:
            StaleChangeError: the run has finished.
            InputError: there is no such run, or the target exists.
        """
        run = self._run(run_id)
        if run.state is RunState.FINISHED:
            raise StaleChangeError(f"training run {run_id} has finished; there is nothing left to train")
        pack_run(Path(run.folder), target)
        self.note_training(run_id, run.state, f"Carried to {target}; import its result when it is done.")
        return self._run(run_id)

    def import_training(self, source: Path) -> TrainingRun:
        """Take over what a run of this workspace became on another machine; all of it or nothing.

        Args:
            source: the run folder, or a ZIP file of it.

        Raises:
            StaleChangeError: the run has finished here already.
            InputError: it is no run of this workspace, was trained on something else, or is not whole.
        """
        with carried_result(source) as carried:
            run = self._run(carried.job.run_id)
            if run.state is RunState.FINISHED:
                raise StaleChangeError(
                    f"training run {run.id} has finished already; `--resume {run.id}` builds its challenger"
                )
            carried.take_over(Path(run.folder))
            steps = carried.result.finished.step
        self.note_training(run.id, RunState.FINISHED, f"Finished after {steps:,} steps on another machine.")
        return self._run(run.id)

    def runs(self) -> list[TrainingRun]:
        """All training runs, newest first."""
        with self._store.reading() as uow:
            return uow.runs.all()

    def _run(self, run_id: str) -> TrainingRun:
        with self._store.reading() as uow:
            return uow.runs.get(run_id)

    def build_challenger(self, run_id: str) -> Iterator[WorkEvent[ReleaseSummary]]:
        """A finished run as a release: re-encoded, refitted, certified, not yet the champion."""
        run = self._run(run_id)
        if run.release_id is not None:
            with self._store.reading() as uow:
                yield Finished(uow.releases.get(run.release_id), ChangeSet())
            return
        summary = yield from self._build(run, share=None)
        with self._store.writing() as uow:
            uow.runs.update(run_id, state=RunState.FINISHED, release_id=summary.id)
        yield Finished(summary, ChangeSet(releases=True, training_runs=True))

    def _build(self, run: TrainingRun, *, share: float | None) -> Generator[Progress, None, ReleaseSummary]:
        """A release of the run's encoder, or with ``share`` of the averaged one beside it."""
        encoder_folder = artefact_folder(Path(run.folder), averaged=share is not None)
        settings = self.settings
        search = yield from self._shelf.search_side(encoder_folder, settings)
        with self._store.reading() as uow:
            release_id = uow.releases.next_id()
            champion = uow.releases.champion()
        refitted = yield from refit(
            self._store,
            search,
            self._shelf.blocks(search),
            settings,
            release_id=release_id,
            precision=settings.precision,
            delta=settings.delta,
            trained_on=trained_on(Path(run.folder), self._shelf.folder),
            # Those of the folds are averaged as the run's own encoder is, and not as the one beside it.
            folds=self._shelf.folds(run.id, cross_fitted(Path(run.folder), self._shelf.folder))
            if share is None
            else None,
        )
        self._shelf.write(
            release_id,
            encoder_folder=encoder_folder,
            search=search,
            refit=refitted,
            origin="training" if share is None else "averaged",
            parent=champion,
            run_id=run.id,
            trained_share=share,
        )
        with self._store.reading() as uow:
            return uow.releases.get(release_id)

    def releases(self) -> list[ReleaseSummary]:
        """All releases, newest first."""
        with self._store.reading() as uow:
            return uow.releases.all()

    def evaluate(
        self, release_id: str | None = None, *, against: str | None = None
    ) -> Iterator[WorkEvent[Comparison]]:
        """A release (the newest trained one by default) against another (the champion by default)."""
        champion = against or self._champion()
        challenger = release_id or self._newest_challenger() or champion
        for known in (champion, challenger):
            self._check_release(known)
        comparison = yield from compare_releases(
            self._store, self._shelf, self.settings, champion=champion, challenger=challenger
        )
        comparison = replace(
            comparison,
            champion=replace(comparison.champion, encoder_coverage=self._shelf.encoder_coverage(champion)),
            challenger=replace(
                comparison.challenger, encoder_coverage=self._shelf.encoder_coverage(challenger)
            ),
        )
        if not self.read_only and against is None and challenger != champion:
            with self._store.writing() as uow:
                uow.releases.set_gate(challenger, comparison.gate)
        yield Finished(comparison, ChangeSet(releases=True))

    def challenge(self, release_id: str) -> Iterator[WorkEvent[Comparison]]:
        """A challenger against the champion; where the gate refuses it, once more averaged with its start.

        A training run whose recipe does not average leaves an average beside its encoder, the share
        chosen on its own validation pairs. It becomes a challenger of its own, measured by the same gate.

        Returns:
            The comparison of the average where that passes, else of the release itself.
        """
        first = yield from _result_of(self.evaluate(release_id))
        run = self._averaged_run(release_id)
        if first.gate.passed or self.read_only or run is None:
            yield Finished(first, ChangeSet(releases=True))
            return
        share = averaged_share(Path(run.folder))
        yield Notice(
            f"the gate refuses {release_id}; its average with the encoder it started from is tried "
            f"({share:.0%} trained)"
        )
        made = (r for r in self.releases() if r.origin == "averaged" and r.run_id == run.id)
        averaged = next(made, None) or (yield from self._build(run, share=share))
        second = yield from _result_of(self.evaluate(averaged.id))
        said = "passes" if second.gate.passed else "refuses"
        yield Notice(f"the gate {said} {averaged.id}, which is {release_id} averaged with its start")
        yield Finished(second if second.gate.passed else first, ChangeSet(releases=True))

    def _averaged_run(self, release_id: str) -> TrainingRun | None:
        """The run a release was made of, where that left an average and it is not the champion yet."""
        releases = self.releases()
        release = next(one for one in releases if one.id == release_id)
        if release.origin != "training" or release.run_id is None:
            return None
        run = self._run(release.run_id)
        in_use = any(one.is_champion and one.trained_share and one.run_id == run.id for one in releases)
        return None if in_use or averaged_share(Path(run.folder)) is None else run

    def _newest_challenger(self) -> str | None:
        return next((r.id for r in self.releases() if r.is_trained and not r.is_champion), None)

    def _check_release(self, release_id: str) -> None:
        known = [r.id for r in self.releases()]
        if release_id not in known:
            raise NotInWorkspaceError(
                f"there is no release {release_id}; releases: {', '.join(known) or 'none yet'}"
            )

    def promote(self, release_id: str, *, force: bool = False) -> Iterator[WorkEvent[ReleaseSummary]]:
        """Make a release the champion and route again.

        The gate must have passed it; ``force`` overrules a refusal.

        Raises:
            StaleChangeError: it is the champion already, or the gate has not passed it.
        """
        self._check_release(release_id)
        if release_id == self._champion():
            raise StaleChangeError(f"{release_id} is the champion already")
        with self._store.reading() as uow:
            gate = uow.releases.get(release_id).gate
        if not force:
            if gate is None:
                comparison: Comparison | None = None
                for event in self.evaluate(release_id):
                    if isinstance(event, Finished):
                        comparison = event.result
                    else:
                        yield event
                gate = comparison.gate if comparison else None
            if gate is None or not gate.passed:
                reasons = [r for r in (gate.reasons if gate else ()) if r.startswith("refused")]
                raise StaleChangeError(
                    f"the gate refuses {release_id}: {'; '.join(reasons) or 'not evaluated'}; "
                    "promote with --force to overrule it"
                )
        yield from self._enthrone(release_id, "promote")

    def rollback(self) -> Iterator[WorkEvent[ReleaseSummary]]:
        """Return to the champion before, with its own matcher, threshold and certificate."""
        with self._store.reading() as uow:
            previous = uow.releases.previous_champion()
        if previous is None:
            raise StaleChangeError("there is no earlier champion to roll back to")
        yield from self._enthrone(previous, "rollback")

    def _enthrone(
        self, release_id: str, action: Literal["promote", "rollback"]
    ) -> Iterator[WorkEvent[ReleaseSummary]]:
        # Opened before the switch: a damaged release must not become the champion.
        release = yield from self._shelf.open(release_id, self.settings)
        with self._store.writing() as uow:
            uow.releases.make_champion(release_id, action)
        yield from self._route(release)
        with self._store.reading() as uow:
            summary = uow.releases.get(release_id)
        yield Finished(summary, ChangeSet(releases=True, routes=True))


def _returned(steps: Generator[Progress, None, T]) -> T:
    """Take all steps of some work, and return what it does."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def _result_of(events: Iterator[WorkEvent[T]]) -> Generator[Progress | Notice, None, T]:
    """Pass on what work reports, and return its result."""
    for event in events:
        if isinstance(event, Finished):
            return event.result
        yield event
    raise BugError("the work ended without a result")


def checked_recipe(name: str) -> str:
    """A recipe's name, or an InputError that lists the names."""
    if name not in RECIPES:
        raise InputError(f"there is no recipe {name!r}; recipes: {', '.join(RECIPES)}")
    return name
