"""A Workspace in memory with the real one's methods: forty listings, two feeds, one certificate.

It keeps the promises the window relies on (decisions are append-only, undo restores the queue, audits
are blind, long work streams events and can be closed) and none of the mathematics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.contracts import (
    AuditReport,
    ChangeSet,
    Comparison,
    CostReport,
    Counts,
    DoctorLine,
    FeedSummary,
    Finished,
    ImportPreview,
    ImportReport,
    Progress,
    Promise,
    RateSnapshot,
    RecordKind,
    ReleaseSummary,
    RiskCoverage,
    RunState,
    SegmentReport,
    Status,
    TrainingRun,
    WorkEvent,
)
from engine.errors import StaleChangeError
from engine.workspace.configuring import Configuring
from tests.desktop.fake_numbers import (
    audit_report,
    certificate,
    certificate_for_both,
    comparison,
    cost_report,
    import_preview,
    import_report,
    none_certificate,
    rate_snapshots,
    risk_coverage,
    segment_report,
)
from tests.desktop.fake_review import FakeReview


class FakeWorkspace(FakeReview):
    """See the module."""

    # -- the folder ----------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path) -> FakeWorkspace:
        return cls(path)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> FakeWorkspace:
        return cls(path, read_only=read_only)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> FakeWorkspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update_settings(self, **changes: Any) -> ChangeSet:
        self._write("update_settings")
        self.settings = self.settings.model_copy(update=changes)
        return ChangeSet(routes=True)

    def backup_if_due(self) -> Path | None:
        self.calls.append("backup_if_due")
        return self.path / "backups" / "copy.db"

    #: The real one's words and checks, over the settings kept here.
    setting_rows = Configuring.setting_rows
    change_settings = Configuring.change_settings

    # -- intake --------------------------------------------------------------------------------

    def preview(
        self, file: Path, kind: RecordKind, *, mapping: Mapping[str, str] | None = None
    ) -> ImportPreview:
        return import_preview(file, kind, mapping)

    def import_table(
        self,
        file: Path,
        kind: RecordKind,
        *,
        feed: str | None = None,
        mapping: Mapping[str, str] | None = None,
    ) -> Iterator[WorkEvent[ImportReport]]:
        self._write("import_table")
        for done in range(0, 2001, 500):
            yield Progress("reading rows", done, 2000)
        report = import_report(file, kind, feed or file.stem)
        yield Finished(report, ChangeSet(listings=True, items=kind is RecordKind.CATALOGUE))

    def feeds(self) -> list[FeedSummary]:
        made = []
        for number, name in self.feed_names.items():
            mine = [one.id for one in self.listings_by_id.values() if one.feed_id == number]
            waiting = [one for one in mine if self._waits(one)]
            settled = [one for one in mine if self._in_force(one) is not None]
            made.append(
                FeedSummary(
                    id=number,
                    name=name,
                    imported_at="2026-11-16T08:05:00+00:00",
                    listings=len(mine),
                    unmatched=0,
                    automated=len(mine) - len(waiting) - len(settled),
                    review=len(waiting),
                    settled=len(settled),
                )
            )
        return made

    def items_count(self) -> int:
        return len(self.items_by_id)

    # -- matching ------------------------------------------------------------------------------

    def match(self, *, feed: str | None = None) -> Iterator[WorkEvent[Counts]]:
        self._write("match")
        for done in range(0, 41, 8):
            yield Progress("encoding", done, 40)
        yield Finished(self._counts(), ChangeSet(listings=True, routes=True))

    # -- automation ----------------------------------------------------------------------------

    def certify(
        self,
        *,
        precision: float | None = None,
        confidence: float | None = None,
        promise: Promise = Promise.EACH,
    ) -> Iterator[WorkEvent[ReleaseSummary]]:
        self._write("certify")
        for done in range(4):
            yield Progress("certifying", done, 3)
        number = f"r{len(self._releases) + 1:04d}"
        self.settings = self.settings.model_copy(update={"promise": promise.value})
        both = promise is Promise.TOGETHER
        made = replace(
            self._releases[0],
            id=number,
            origin="refit",
            is_champion=True,
            certificate=certificate_for_both(precision) if both else certificate(precision),
            none_certificate=None if both else none_certificate(),
        )
        self._releases = [made, *(replace(one, is_champion=False) for one in self._releases)]
        yield Finished(made, ChangeSet(releases=True, routes=True))

    def status(self) -> Status:
        counts = self._counts()
        champion = next((one for one in self._releases if one.is_champion), None)
        return Status(
            workspace=str(self.path),
            read_only=self.read_only,
            counts=counts,
            coverage=counts.automated_matches / max(1, counts.listings),
            automation_rate=(counts.automated + counts.settled_by_memory) / max(1, counts.listings),
            champion=champion.id if champion else None,
            certificate=champion.certificate if champion else None,
            none_certificate=champion.none_certificate if champion else None,
            decisions_since_certificate=counts.decisions,
            next_steps=(
                "Review: 100 more decisions are expected to automate about 3 % more of the feed.",
                "Train: 240 pairs are new since the running release.",
            ),
        )

    def automation_rates(self) -> list[RateSnapshot]:
        return rate_snapshots()

    def risk_coverage(self) -> RiskCoverage:
        return risk_coverage()

    def audit(self) -> AuditReport:
        return audit_report(str(self.path), self._champion())

    def segment_report(self) -> SegmentReport:
        return segment_report()

    def cost_report(self) -> CostReport:
        return cost_report(self.settings)

    # -- learning ------------------------------------------------------------------------------

    def recipes(self) -> list[str]:
        return ["default", "infonce"]

    def preparing_training(
        self,
        *,
        recipe: str = "default",
        device: str = "auto",
        seed: int = 0,
        overrides: Mapping[str, Any] | None = None,
    ) -> Iterator[WorkEvent[TrainingRun]]:
        self._write("preparing_training")
        yield Progress("writing pairs", 0, 1)
        number = f"t{len(self._runs) + 1:04d}"
        run = TrainingRun(
            id=number,
            recipe=recipe,
            seed=seed,
            device=device,
            state=RunState.PREPARED,
            pairs=240,
            created_at="2026-11-22T10:00:00+00:00",
            folder=str(self.path / "runs" / number),
        )
        self._runs = [run, *self._runs]
        yield Finished(run, ChangeSet(training_runs=True))

    def training_command(self, run_id: str) -> list[str]:
        return ["python", "-m", "trainer", str(self.path / "runs" / run_id)]

    def note_training(self, run_id: str, state: RunState, message: str = "") -> ChangeSet:
        self._write("note_training")
        self._runs = [
            replace(run, state=state, message=message) if run.id == run_id else run for run in self._runs
        ]
        return ChangeSet(training_runs=True)

    def runs(self) -> list[TrainingRun]:
        return list(self._runs)

    def build_challenger(self, run_id: str) -> Iterator[WorkEvent[ReleaseSummary]]:
        self._write("build_challenger")
        for done in range(0, 41, 10):
            yield Progress("encoding listings", done, 40)
        number = f"r{len(self._releases) + 1:04d}"
        made = replace(
            self._releases[0],
            id=number,
            origin="training",
            run_id=run_id,
            is_champion=False,
            parent=self._champion(),
            gate=None,
        )
        self._releases = [made, *self._releases]
        self._runs = [replace(run, release_id=number) if run.id == run_id else run for run in self._runs]
        yield Finished(made, ChangeSet(releases=True, training_runs=True))

    def releases(self) -> list[ReleaseSummary]:
        return list(self._releases)

    def evaluate(
        self, release_id: str | None = None, *, against: str | None = None
    ) -> Iterator[WorkEvent[Comparison]]:
        self._write("evaluate")
        yield Progress("evaluating", 1, 2)
        made = comparison(against or self._champion() or "r0001", release_id or self._releases[0].id)
        self._releases = [
            replace(one, gate=made.gate) if one.id == made.challenger.release_id else one
            for one in self._releases
        ]
        yield Finished(made, ChangeSet(releases=True))

    def challenge(self, release_id: str) -> Iterator[WorkEvent[Comparison]]:
        return self.evaluate(release_id)

    def promote(self, release_id: str, *, force: bool = False) -> Iterator[WorkEvent[ReleaseSummary]]:
        self._write(f"promote {release_id}")
        yield Progress("routing", 20, 40)
        self._releases = [replace(one, is_champion=one.id == release_id) for one in self._releases]
        made = next(one for one in self._releases if one.is_champion)
        yield Finished(made, ChangeSet(releases=True, routes=True))

    def rollback(self) -> Iterator[WorkEvent[ReleaseSummary]]:
        self._write("rollback")
        champion = self._champion()
        earlier = [one for one in self._releases if one.id < (champion or "")]
        if not earlier:
            raise StaleChangeError("there is no earlier release to return to")
        yield from self.promote(earlier[0].id)

    # -- out -----------------------------------------------------------------------------------

    def export(self, what: str, target: Path, *, format: str | None = None) -> Iterator[WorkEvent[int]]:
        self.calls.append(f"export {what} {target.name}")
        yield Progress("writing rows", 20, 40)
        yield Finished(40, ChangeSet())

    def doctor(self) -> list[DoctorLine]:
        return [
            DoctorLine("encoder", True, "int8 on CPU"),
            DoctorLine("trainer", False, "torch is not installed", "pip install 'alcove[trainer]'"),
        ]
