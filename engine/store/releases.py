"""Releases, their certificates and gates, and which one is the champion."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, update

from engine.contracts.matching import Certificate
from engine.contracts.releases import Gate, ReleaseManifest, ReleaseSummary
from engine.errors import NotInWorkspaceError
from engine.store.packing import AnyRow, now
from engine.store.schema import ChampionEventRow, ReleaseRow

ChampionAction = Literal["promote", "rollback", "first", "refit"]


class Releases:
    """Releases by number, newest first, and the champion's history."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        manifest: ReleaseManifest,
        certificate: Certificate | None,
        none_certificate: Certificate | None,
        gate: Gate | None = None,
    ) -> None:
        """Keep a release; it is not the champion yet."""
        self._connection.execute(
            insert(ReleaseRow).values(
                id=manifest.id,
                created_at=manifest.created_at,
                manifest=manifest.model_dump_json(),
                certificate=_json(certificate),
                none_certificate=_json(none_certificate),
                gate=_json(gate),
            )
        )

    def get(self, id: str) -> ReleaseSummary:
        """The release with this id.

        Raises:
            NotInWorkspaceError: there is none.
        """
        row = self._connection.execute(select(ReleaseRow.__table__).where(ReleaseRow.id == id)).first()
        if row is None:
            raise NotInWorkspaceError(f"there is no release {id} in this workspace")
        return _summary(row, self.champion())

    def manifest(self, id: str) -> ReleaseManifest:
        """The manifest of a release.

        Raises:
            NotInWorkspaceError: there is no such release.
        """
        saved = self._connection.execute(select(ReleaseRow.manifest).where(ReleaseRow.id == id)).scalar()
        if saved is None:
            raise NotInWorkspaceError(f"there is no release {id} in this workspace")
        return ReleaseManifest.model_validate_json(saved)

    def all(self) -> list[ReleaseSummary]:
        """All releases, newest first."""
        champion = self.champion()
        rows = self._connection.execute(select(ReleaseRow.__table__).order_by(ReleaseRow.number.desc()))
        return [_summary(row, champion) for row in rows]

    def next_id(self) -> str:
        """The id of the next release: r0001, r0002, ..."""
        highest = self._connection.execute(select(func.max(ReleaseRow.number))).scalar() or 0
        return f"r{highest + 1:04d}"

    def champion(self) -> str | None:
        """The release in use, or None before the first."""
        return self._connection.execute(
            select(ChampionEventRow.release_id).order_by(ChampionEventRow.id.desc()).limit(1)
        ).scalar()

    def make_champion(self, id: str, action: ChampionAction) -> None:
        """Let a release be the one in use from now on.

        Raises:
            NotInWorkspaceError: there is no such release.
        """
        self.manifest(id)
        self._connection.execute(insert(ChampionEventRow).values(at=now(), release_id=id, action=action))

    def previous_champion(self) -> str | None:
        """The release that rolling back would return to, or None.

        Rolling back again goes further back: a release that was rolled away from is not returned to.
        """
        line: list[str] = []
        for _, release_id, action in self.champion_history():
            if action == "rollback" and release_id in line:
                while line[-1] != release_id:
                    line.pop()
            elif not line or line[-1] != release_id:
                line.append(release_id)
        return line[-2] if len(line) > 1 else None

    def set_gate(self, id: str, gate: Gate) -> None:
        """Keep what the gate said of a challenger.

        Raises:
            NotInWorkspaceError: there is no such release.
        """
        changed = self._connection.execute(
            update(ReleaseRow).where(ReleaseRow.id == id).values(gate=_json(gate))
        )
        if changed.rowcount == 0:
            raise NotInWorkspaceError(f"there is no release {id} in this workspace")

    def champion_history(self) -> list[tuple[str, str, str]]:
        """When which release became champion and how, oldest first: (at, release id, action)."""
        rows = self._connection.execute(
            select(ChampionEventRow.at, ChampionEventRow.release_id, ChampionEventRow.action).order_by(
                ChampionEventRow.id
            )
        )
        return [(at, release_id, action) for at, release_id, action in rows]


def _json(value: Certificate | Gate | None) -> str | None:
    return None if value is None else json.dumps(asdict(value))


def _certificate(saved: str | None) -> Certificate | None:
    if saved is None:
        return None
    return Certificate.of(json.loads(saved))


def _gate(saved: str | None) -> Gate | None:
    if saved is None:
        return None
    fields: dict[str, Any] = json.loads(saved)
    return Gate(**{**fields, "reasons": tuple(fields["reasons"])})


def _summary(row: AnyRow, champion: str | None) -> ReleaseSummary:
    manifest = ReleaseManifest.model_validate_json(row.manifest)
    return ReleaseSummary(
        id=row.id,
        created_at=row.created_at,
        parent=manifest.parent,
        run_id=manifest.run_id,
        origin=manifest.origin,
        is_champion=row.id == champion,
        matcher=manifest.matcher,
        decisions=manifest.decisions,
        certificate=_certificate(row.certificate),
        none_certificate=_certificate(row.none_certificate),
        gate=_gate(row.gate),
        trained_share=manifest.trained_share,
    )
