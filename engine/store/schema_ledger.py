"""The tables of what happened to a workspace: releases, runs, snapshots, imports; and its settings."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.schema_base import Base


class ReleaseRow(Base):
    """A release: its manifest, certificates and gate as JSON."""

    __tablename__ = "release"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[str]
    manifest: Mapped[str]
    certificate: Mapped[str | None]
    none_certificate: Mapped[str | None]
    gate: Mapped[str | None]


class ChampionEventRow(Base):
    """Which release became champion, when and how; the last one is the champion. Append-only."""

    __tablename__ = "champion_event"
    __table_args__ = (CheckConstraint("action IN ('first', 'promote', 'rollback', 'refit')", name="action"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str]
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"))
    action: Mapped[str]


class TrainingRunRow(Base):
    """A training run. ``folder`` is relative to the workspace where it lies inside it."""

    __tablename__ = "training_run"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    recipe: Mapped[str]
    seed: Mapped[int]
    device: Mapped[str]
    state: Mapped[str]
    pairs: Mapped[int]
    created_at: Mapped[str]
    folder: Mapped[str]
    message: Mapped[str]
    release_id: Mapped[str | None]


class RateSnapshotRow(Base):
    """The automation rate at one moment."""

    __tablename__ = "rate_snapshot"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str]
    release_id: Mapped[str | None]
    listings: Mapped[int]
    coverage: Mapped[float]
    none_rate: Mapped[float]
    memory_rate: Mapped[float]
    automation_rate: Mapped[float]
    decisions: Mapped[int]


class ImportRow(Base):
    """An import that was committed; ``sha256`` is of the file."""

    __tablename__ = "import"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str]
    kind: Mapped[str]
    feed: Mapped[str]
    path: Mapped[str]
    sha256: Mapped[str]
    rows: Mapped[int]
    added: Mapped[int]
    updated: Mapped[int]
    unchanged: Mapped[int]
    refused_total: Mapped[int]


class RefusedRowRow(Base):
    """A row of a file that an import refused (the first thousand)."""

    __tablename__ = "refused_row"
    __table_args__ = (Index("ix_refused_row_import_id", "import_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("import.id"))
    row: Mapped[int]
    column: Mapped[str]
    reason: Mapped[str]


class SettingRow(Base):
    """Named JSON values: the workspace's settings and the catalogue's revision."""

    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
