"""What every part of the workspace stands on: the store, the release shelf, the settings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from engine.contracts import ChangeSet, Promise
from engine.errors import InputError, NotInWorkspaceError, StaleChangeError
from engine.pipeline.release_shelf import ReleaseShelf
from engine.settings import WorkspaceSettings
from engine.store import Store, UnitOfWork


def now() -> str:
    """The present moment as the store keeps it: ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class WorkspaceBase:
    """An open workspace folder; use :meth:`create` or :meth:`open`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelf = ReleaseShelf(store)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a new workspace in an empty or missing folder."""
        return cls(Store.create(path))

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """Open a workspace; only one program at a time may open it for writing."""
        return cls(Store.open(path, read_only=read_only))

    def close(self) -> None:
        """Release the lock and the database."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The workspace folder."""
        return self._store.folder

    @property
    def read_only(self) -> bool:
        """Whether changes are refused."""
        return self._store.read_only

    @property
    def settings(self) -> WorkspaceSettings:
        """The settings as stored."""
        with self._store.reading() as uow:
            return uow.settings.load()

    def update_settings(self, **changes: object) -> ChangeSet:
        """Change settings by name.

        Raises:
            InputError: an unknown name or a value out of range.
            StaleChangeError: another promise while a certificate is suspended.
        """
        try:
            settings = WorkspaceSettings.model_validate({**self.settings.model_dump(), **changes})
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "settings"
            raise InputError(f"setting {name}: {first['msg']}") from error
        with self._store.writing() as uow:
            if settings.promise != uow.settings.load().promise:
                self._check_promise(uow, Promise(settings.promise))
            uow.settings.save(settings)
        return ChangeSet(routes=True)

    def _check_promise(self, uow: UnitOfWork, promise: Promise) -> None:
        """Refuse a promise that would leave a suspension behind: switching must not evade an alarm."""
        if uow.live_audits.suspended() - set(promise.kinds):
            raise StaleChangeError(
                f"the promise cannot be changed to {promise.value!r} while a certificate is suspended: "
                "review random listings and certify until it is lifted, or roll back, then change it"
            )

    def _feed_id(self, uow: UnitOfWork, feed: str | None) -> int | None:
        if feed is None:
            return None
        feed_id = uow.feeds.by_name(feed)
        if feed_id is None:
            names = ", ".join(f.name for f in uow.feeds.all()) or "none yet"
            raise NotInWorkspaceError(f"there is no feed {feed!r}; feeds: {names}")
        return feed_id

    def _champion(self) -> str:
        with self._store.reading() as uow:
            champion = uow.releases.champion()
        if champion is None:
            raise StaleChangeError("nothing has been matched yet; run match first")
        return champion
