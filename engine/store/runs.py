"""Training runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from engine.contracts.releases import RunState, TrainingRun
from engine.errors import NotInWorkspaceError
from engine.store.packing import AnyRow
from engine.store.schema import TrainingRunRow

_QUERY = select(
    TrainingRunRow.id,
    TrainingRunRow.recipe,
    TrainingRunRow.seed,
    TrainingRunRow.device,
    TrainingRunRow.state,
    TrainingRunRow.pairs,
    TrainingRunRow.created_at,
    TrainingRunRow.folder,
    TrainingRunRow.message,
    TrainingRunRow.release_id,
)


class Runs:
    """Training runs, newest first. Folders inside the workspace follow it when it is moved."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder.absolute()

    def add(self, run: TrainingRun) -> None:
        """Keep a new run."""
        folder = Path(run.folder).absolute()
        if folder.is_relative_to(self._folder):
            folder = folder.relative_to(self._folder)
        self._connection.execute(
            insert(TrainingRunRow).values(
                **{**asdict(run), "state": RunState(run.state).value, "folder": folder.as_posix()}
            )
        )

    def update(
        self,
        id: str,
        *,
        state: RunState | None = None,
        message: str | None = None,
        release_id: str | None = None,
    ) -> None:
        """Change what is given of a run.

        Raises:
            NotInWorkspaceError: there is no such run.
        """
        values: dict[str, Any] = {
            name: value
            for name, value in (
                ("state", None if state is None else RunState(state).value),
                ("message", message),
                ("release_id", release_id),
            )
            if value is not None
        }
        if not values:
            self.get(id)
            return
        changed = self._connection.execute(
            update(TrainingRunRow).where(TrainingRunRow.id == id).values(values)
        )
        if changed.rowcount == 0:
            raise NotInWorkspaceError(f"there is no training run {id} in this workspace")

    def get(self, id: str) -> TrainingRun:
        """The run with this id.

        Raises:
            NotInWorkspaceError: there is none.
        """
        row = self._connection.execute(_QUERY.where(TrainingRunRow.id == id)).first()
        if row is None:
            raise NotInWorkspaceError(f"there is no training run {id} in this workspace")
        return self._run_of(row)

    def all(self) -> list[TrainingRun]:
        """All runs, newest first."""
        rows = self._connection.execute(_QUERY.order_by(TrainingRunRow.number.desc()))
        return [self._run_of(row) for row in rows]

    def next_id(self) -> str:
        """The id of the next run: t0001, t0002, ..."""
        highest = self._connection.execute(select(func.max(TrainingRunRow.number))).scalar() or 0
        return f"t{highest + 1:04d}"

    def _run_of(self, row: AnyRow) -> TrainingRun:
        return TrainingRun(
            id=row.id,
            recipe=row.recipe,
            seed=row.seed,
            device=row.device,
            state=RunState(row.state),
            pairs=row.pairs,
            created_at=row.created_at,
            # An absolute folder stays as it is when joined.
            folder=str(self._folder / row.folder),
            message=row.message,
            release_id=row.release_id,
        )
