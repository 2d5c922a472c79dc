"""Automating: certificates, status, automation rate, risk and coverage."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.contracts import (
    ANSWERING_VERDICTS,
    CertificateKind,
    ChangeSet,
    Finished,
    Notice,
    Promise,
    RateSnapshot,
    ReleaseSummary,
    RiskCoverage,
    Status,
    WorkEvent,
)
from engine.errors import InputError
from engine.pipeline.audit_report import alarms
from engine.pipeline.certify_release import Refit, refit
from engine.pipeline.fold_encoders import FoldEncoders
from engine.pipeline.release_files import ENCODER_FOLDER, read_cross_fitted, read_trained_on
from engine.pipeline.search_side import SearchRecipe
from engine.reporting.automation_rate import automation_rate, counts, coverage, next_steps
from engine.reporting.risk_coverage import risk_coverage
from engine.settings import WorkspaceSettings
from engine.workspace.matching import Matching


class Automating(Matching):
    """What owners read and sign."""

    def certify(
        self,
        *,
        precision: float | None = None,
        confidence: float | None = None,
        promise: Promise | None = None,
    ) -> Iterator[WorkEvent[ReleaseSummary]]:
        """Refit the matcher to all decisions, certify it, make it the champion, route again.

        A refit that cannot be certified does not replace a release that is: that one goes on.
        ``precision`` and ``confidence`` (1 - delta) are kept as settings when given; ``promise`` too,
        unless a champion certified for each kind goes on because one promise for both cannot be kept.

        Raises:
            StaleChangeError: another promise while a certificate is suspended.
        """
        with self._store.reading() as uow:
            self._check_promise(uow, promise or Promise(uow.settings.load().promise))
        changes: dict[str, object] = {}
        if precision is not None:
            changes["precision"] = precision
        if confidence is not None:
            if not 0 < confidence < 1:
                raise InputError(f"confidence is a share between 0 and 1, not {confidence:g}")
            changes["delta"] = 1 - confidence
        if changes:
            self.update_settings(**changes)
        settings = self.settings
        if promise is not None:
            settings = settings.model_copy(update={"promise": promise.value})
        champion = self._champion()
        encoder_folder = self._shelf.folder_of(champion) / ENCODER_FOLDER
        recipe = SearchRecipe.of(settings)
        search = yield from self._shelf.search_side(encoder_folder, recipe, release=champion)
        with self._store.reading() as uow:
            release_id = uow.releases.next_id()
        refitted = yield from refit(
            self._store,
            search,
            self._shelf.blocks(search),
            settings,
            release_id=release_id,
            precision=settings.precision,
            delta=settings.delta,
            trained_on=read_trained_on(self._shelf.folder_of(champion)),
            folds=self._folds_of(champion),
        )
        kept = self._still_certified(champion, refitted, settings)
        if kept is not None:
            yield Notice(_kept_words(kept, refitted, Promise(settings.promise)))
            yield Finished(kept, ChangeSet())
            return
        if settings.promise != self.settings.promise:
            self.update_settings(promise=settings.promise)
        if self._gives_up(champion, refitted):
            yield Notice(
                f"nothing could be certified with a promise for each kind of answer"
                f"{_missing_words(refitted)}. Nothing is automated until then; rollback returns to release "
                f"{champion} and its one promise for both"
            )
        before = self._shelf.manifest(champion)
        self._shelf.write(
            release_id,
            encoder_folder=encoder_folder,
            search=search,
            refit=refitted,
            origin="refit",
            parent=champion,
            run_id=before.run_id,
            trained_share=before.trained_share,
        )
        with self._store.writing() as uow:
            uow.releases.make_champion(release_id, "refit")
        yield from self._route(refitted.release)
        with self._store.reading() as uow:
            summary = uow.releases.get(release_id)
        yield Finished(summary, ChangeSet(releases=True, routes=True))

    def _folds_of(self, release_id: str) -> FoldEncoders | None:
        """The encoders of the folds of the run that a release's encoder came from."""
        run = self._shelf.manifest(release_id).fold_run
        return self._shelf.folds(run, read_cross_fitted(self._shelf.folder_of(release_id))) if run else None

    def _still_certified(
        self, champion: str, refitted: Refit, settings: WorkspaceSettings
    ) -> ReleaseSummary | None:
        """The champion, if it holds what is promised now and the refit would not.

        A promise for both together says nothing of each, so it does not hold where that is asked for. A
        champion certified for each goes on where one promise for both was asked for and cannot be kept:
        automation must not stop over the question, and what is asked for is less.
        """
        new = refitted.release.certificate
        with self._store.reading() as uow:
            summary = uow.releases.get(champion)
            revision = uow.items.revision()
            suspended = bool(uow.live_audits.suspended() - {CertificateKind.NONE})
        old = summary.certificate
        if suspended or new is None or new.threshold is not None or old is None or old.threshold is None:
            return None
        holds = old.precision >= settings.precision and old.delta <= settings.delta
        if old.kind is CertificateKind.BOTH and settings.promise != Promise.TOGETHER.value:
            return None
        same = self._shelf.manifest(champion).catalogue_revision == revision
        return summary if holds and same else None

    def _gives_up(self, champion: str, refitted: Refit) -> bool:
        """Whether a refit for each kind, itself without a certificate, replaces one promise for both."""
        new = refitted.release.certificate
        with self._store.reading() as uow:
            old = uow.releases.get(champion).certificate
        held = old is not None and old.threshold is not None and old.kind is CertificateKind.BOTH
        return held and new is not None and new.threshold is None and new.kind is not CertificateKind.BOTH

    def status(self) -> Status:
        """Counts, rates, certificate, and what to do next."""
        with self._store.reading() as uow:
            current = counts(uow)
            champion = uow.releases.champion()
            summary = uow.releases.get(champion) if champion else None
            releases = uow.releases.all()
            raised = alarms(uow)
        since = current.decisions - summary.decisions if summary else current.decisions
        challenger = next((r.id for r in releases if r.is_trained and not r.is_champion), None)
        steps = next_steps(
            current,
            champion=champion,
            certificate=summary.certificate if summary else None,
            decisions_since_certificate=max(0, since),
            trained=bool(summary and summary.run_id),
            challenger=challenger if challenger and champion and challenger > champion else None,
            matcher=bool(summary and summary.matcher != "none"),
        )
        return Status(
            workspace=str(self.path),
            read_only=self.read_only,
            counts=current,
            coverage=coverage(current),
            automation_rate=automation_rate(current),
            champion=champion,
            certificate=summary.certificate if summary else None,
            none_certificate=summary.none_certificate if summary else None,
            decisions_since_certificate=max(0, since),
            next_steps=(*(audit.advice for audit in raised), *steps)[:3],
            alarms=tuple(audit.advice for audit in raised),
            suspended=tuple(audit.kind for audit in raised),
        )

    def automation_rates(self) -> list[RateSnapshot]:
        """The automation rate over time, oldest first."""
        with self._store.reading() as uow:
            return uow.snapshots.all()

    def risk_coverage(self) -> RiskCoverage:
        """The champion's precision against coverage on the random stream, and similarity's.

        Under one promise for both kinds of answers it is of the answer given, "not in catalogue" included.
        Coverage is of listings, not of decisions: draws are made where automation might happen. Read
        from the stored placements, so it costs no matching.
        """
        with self._store.reading() as uow:
            together = uow.live_audits.kinds_in_force() == Promise.TOGETHER.kinds
            audits = [
                audit
                for audit in uow.segments.audits()
                if (audit.best_item or together) and audit.verdict in ANSWERING_VERDICTS
            ]
            reserve = uow.segments.reserve(together=together)
        judged = [audit.judged(together=together) for audit in audits]
        return risk_coverage(
            np.asarray([confidence for confidence, _ in judged], dtype=np.float64),
            np.asarray([audit.similarity for audit in audits], dtype=np.float64),
            np.asarray([right for _, right in judged], dtype=bool),
            np.asarray([audit.nearest_right for audit in audits], dtype=bool),
            inclusion=np.asarray([audit.inclusion for audit in audits], dtype=np.float64),
            reserve=reserve,
        )


def _kept_words(kept: ReleaseSummary, refitted: Refit, asked: Promise) -> str:
    """Why the champion goes on, and under which promise."""
    more = _missing_words(refitted)
    if kept.certificate is None or kept.certificate.kind in asked.kinds:
        return f"the refit could not be certified{more}. Release {kept.id} keeps its certificate"
    return (
        f"nothing could be certified with one promise for both kinds of answers{more}. Nothing was "
        f"changed: release {kept.id} keeps its certificate, which promises precision of each by itself"
    )


def _missing_words(refitted: Refit) -> str:
    missing = refitted.release.certificate.labels_missing if refitted.release.certificate else None
    return "" if missing is None else f"; about {missing} more random decisions should do"
