"""Learning: challengers, promotion and rolling back."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

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
from engine.errors import BugError, NotInWorkspaceError, StaleChangeError
from engine.pipeline.certify_release import refit
from engine.pipeline.evaluate_release import compare_releases
from engine.pipeline.search_side import SearchRecipe
from engine.pipeline.training_runs import (
    artefact_folder,
    averaged_share,
    cross_fitted,
    trained_on,
)
from engine.workspace.training import Training

T = TypeVar("T")


class Learning(Training):
    """What model keepers do with what came out of training."""

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
        search = yield from self._shelf.search_side(encoder_folder, SearchRecipe.of(settings))
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


def _result_of(events: Iterator[WorkEvent[T]]) -> Generator[Progress | Notice, None, T]:
    """Pass on what work reports, and return its result."""
    for event in events:
        if isinstance(event, Finished):
            return event.result
        yield event
    raise BugError("the work ended without a result")
