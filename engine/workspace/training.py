"""Training runs: prepared from decisions, carried to another machine and back, and where each stands."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Literal

from engine.backends.base_encoder import base_model_folder
from engine.contracts import ChangeSet, Finished, Progress, RunState, TrainingRun, WorkEvent
from engine.contracts.training import NumberFormat
from engine.errors import StaleChangeError
from engine.pipeline.carried_runs import carried_result, pack_run
from engine.pipeline.release_files import read_trained_on
from engine.pipeline.training_runs import RUNS, fold_folders, trained_model_folder, write_run
from engine.pipeline.weigh_pairs import weigh_pairs
from engine.workspace.automating import Automating
from engine.workspace.base import now

#: Recipes of the trainer that are meant to be chosen by a person.
RECIPES = ("default", "thorough", "infonce", "prime", "ngame", "decoupled", "quick")
Device = Literal["auto", "cpu", "cuda"]


class Training(Automating):
    """What model keepers do with training runs."""

    def recipes(self) -> list[str]:
        """Names of the trainer's recipes."""
        return list(RECIPES)

    def preparing_training(
        self,
        *,
        recipe: str = "default",
        device: Device = "auto",
        precision: NumberFormat = "auto",
        seed: int = 0,
        overrides: Mapping[str, object] | None = None,
    ) -> Iterator[WorkEvent[TrainingRun]]:
        """Write a run folder: pairs from decisions, items, the model to start from.

        A confirmed pair weighs little that the champion's evidence speaks against (``pair_weights``).
        """
        champion = self._champion()
        manifest = self._shelf.manifest(champion)
        start = (
            trained_model_folder(self.path, manifest.run_id, averaged=manifest.trained_share is not None)
            if manifest.run_id
            else base_model_folder(self._base_source())
        )
        folds = fold_folders(self.path / RUNS / manifest.fold_run) if manifest.fold_run else []
        weights = yield from self._pair_weights(champion)
        yield Progress("writing pairs", 0, 1)
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
            fold_starts=[folder / "encoder" for folder in folds],
            settings=self.settings,
            created_at=now(),
            weights=weights,
        )
        with self._store.writing() as uow:
            uow.runs.add(run)
        yield Progress("writing pairs", 1, 1)
        yield Finished(run, ChangeSet(training_runs=True))

    def prepare_training(
        self,
        *,
        recipe: str = "default",
        device: Device = "auto",
        seed: int = 0,
        overrides: Mapping[str, object] | None = None,
    ) -> TrainingRun:
        """:meth:`preparing_training`, for whoever does not look at its progress."""
        events = self.preparing_training(recipe=recipe, device=device, seed=seed, overrides=overrides)
        return next(event.result for event in events if isinstance(event, Finished))

    def _pair_weights(self, champion: str) -> Generator[Progress, None, dict[int, float]]:
        """What confirmed pairs count in training, by listing number."""
        folder, settings = self._shelf.folder_of(champion), self.settings
        search = yield from self._shelf.side_of(champion, settings)
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
