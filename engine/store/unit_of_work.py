"""One transaction and its repositories."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection

from engine.store.aliases import Aliases
from engine.store.decisions import Decisions
from engine.store.draws import Draws
from engine.store.feeds import Feeds
from engine.store.imports import Imports
from engine.store.items import Items
from engine.store.listings import Listings
from engine.store.live_audits import LiveAudits
from engine.store.memory import Memory
from engine.store.opinions import Opinions
from engine.store.overlaps import Overlaps
from engine.store.releases import Releases
from engine.store.runs import Runs
from engine.store.segments import Segments
from engine.store.setting_table import Settings
from engine.store.snapshots import Snapshots


class UnitOfWork:
    """The repositories over one transaction; see :meth:`Store.reading` and :meth:`Store.writing`.

    What is read is one consistent state of the workspace; what is written is kept altogether when the
    transaction ends well, and not at all otherwise.
    """

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    @cached_property
    def items(self) -> Items:
        """The catalogue."""
        return Items(self._connection)

    @cached_property
    def listings(self) -> Listings:
        """Listings, their placements and the queue."""
        return Listings(self._connection)

    @cached_property
    def feeds(self) -> Feeds:
        """Feeds."""
        return Feeds(self._connection)

    @cached_property
    def decisions(self) -> Decisions:
        """Decisions, their undoing and their history."""
        return Decisions(self._connection)

    @cached_property
    def draws(self) -> Draws:
        """Draws of the random stream."""
        return Draws(self._connection)

    @cached_property
    def overlaps(self) -> Overlaps:
        """Decisions that are asked again of another reviewer, and gold decisions."""
        return Overlaps(self._connection)

    @cached_property
    def opinions(self) -> Opinions:
        """Second opinions."""
        return Opinions(self._connection)

    @cached_property
    def aliases(self) -> Aliases:
        """Confirmed listings that stand for their items."""
        return Aliases(self._connection)

    @cached_property
    def memory(self) -> Memory:
        """What confirmed listings say of others with the same text."""
        return Memory(self._connection)

    @cached_property
    def releases(self) -> Releases:
        """Releases and which of them is the champion."""
        return Releases(self._connection)

    @cached_property
    def live_audits(self) -> LiveAudits:
        """The watch over the certificates."""
        return LiveAudits(self._connection)

    @cached_property
    def runs(self) -> Runs:
        """Training runs."""
        return Runs(self._connection, self._folder)

    @cached_property
    def snapshots(self) -> Snapshots:
        """The automation rate over time."""
        return Snapshots(self._connection)

    @cached_property
    def imports(self) -> Imports:
        """Imports and the rows they refused."""
        return Imports(self._connection)

    @cached_property
    def segments(self) -> Segments:
        """Listings and audits by segment."""
        return Segments(self._connection)

    @cached_property
    def settings(self) -> Settings:
        """The workspace's settings."""
        return Settings(self._connection)
