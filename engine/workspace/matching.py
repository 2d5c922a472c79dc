"""Matching: the first release, and every listing's route under the champion."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.backends.base_encoder import base_model_folder, ensure_base_encoder
from engine.contracts import ChangeSet, Counts, Finished, Notice, Placement, Progress, WorkEvent
from engine.errors import InputError
from engine.pipeline.live_audit import follow
from engine.pipeline.match_listings import write_placements
from engine.pipeline.score_listings import LoadedRelease, score_listings
from engine.pipeline.search_side import SearchRecipe
from engine.reporting.automation_rate import counts, snapshot
from engine.workspace.base import WorkspaceBase, now

BASE_SOURCE_FILE = "base_model.txt"


@dataclass(frozen=True, slots=True)
class ScoredFeed:
    """The listings of a feed as a release sees them, [n] each; ``item_ids`` is [n, candidates].

    Items are workspace numbers, 0 = none; ``item_names`` maps them to the catalogue's own ids.
    """

    listing_ids: npt.NDArray[np.int64]
    listing_external_ids: tuple[str, ...]
    item_ids: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float32]
    none_confidence: npt.NDArray[np.float32]
    top_similarity: npt.NDArray[np.float32]
    top_similarity_item: npt.NDArray[np.int64]
    item_names: dict[int, str]

    @property
    def best_item(self) -> npt.NDArray[np.int64]:
        """Number of the best candidate: [n]."""
        return self.item_ids[:, 0]

    def item_external_id(self, number: int) -> str:
        """The catalogue's own id of an item number; empty for 0."""
        return self.item_names.get(int(number), "")


class Matching(WorkspaceBase):
    """Encode, retrieve, weigh, route."""

    def match(self, *, feed: str | None = None) -> Iterator[WorkEvent[Counts]]:
        """Match the listings of a feed, or all; makes the first release where there is none."""
        settings = self.settings
        with self._store.reading() as uow:
            feed_id = self._feed_id(uow, feed)
            champion = uow.releases.champion()
            items, listings = uow.items.count(), uow.listings.count()
            revision = uow.items.revision()
        if not items:
            raise InputError("the catalogue is empty; import a catalogue first")
        if not listings:
            raise InputError("there are no listings; import a feed first")
        changes = ChangeSet(routes=True, listings=True)
        if champion is None:
            champion = yield from self._first_release()
            changes |= ChangeSet(releases=True)
        elif self._shelf.manifest(champion).catalogue_revision != revision:
            champion = yield from self._reindexed(champion)
            changes |= ChangeSet(releases=True)
            yield Notice("the catalogue has changed: its index was built again")
        release = yield from self._shelf.open(champion, settings)
        if release.search.recipe != SearchRecipe.of(settings):
            yield Notice(
                f"release {champion} keeps the settings of texts and search that it was made with, for its "
                "certificate holds for nothing else; certify makes one with those that are set now"
            )
        now_counts = yield from self._route(release, feed_id=feed_id)
        yield Finished(now_counts, changes)

    def _route(
        self, release: LoadedRelease, *, feed_id: int | None = None
    ) -> Generator[Progress | Notice, None, Counts]:
        """Score and place; a snapshot of the automation rate at the end."""
        settings = self.settings
        scores = yield from score_listings(
            release, self._shelf.blocks(release.search), shown=settings.shown_candidates
        )
        for notice in follow(self._store, release, scores):
            yield Notice(notice)
        yield from write_placements(self._store, release, scores, feed_id=feed_id)
        with self._store.writing() as uow:
            uow.snapshots.add(snapshot(uow, now(), release.id))
            return counts(uow)

    def scored(self, *, feed: str, candidates: int) -> Iterator[WorkEvent[ScoredFeed]]:
        """Every listing of a feed as the champion sees it, ``candidates`` each; nothing is routed."""
        settings = self.settings
        release = yield from self._shelf.open(self._champion(), settings)
        scores = yield from score_listings(release, self._shelf.blocks(release.search), shown=candidates)
        with self._store.reading() as uow:
            members = uow.listings.feed_listing_ids(self._feed_id(uow, feed))
        rows = np.flatnonzero(np.isin(scores.listing_ids, members))
        names: list[str] = []
        with self._store.reading() as uow:
            for start in range(0, len(rows), 500):
                ids = scores.listing_ids[rows[start : start + 500]].tolist()
                found = uow.listings.get_many(ids)
                names.extend(found[i].external_id for i in ids)
            items: dict[int, str] = {0: ""}
            wanted = np.unique(scores.item_ids[rows]).tolist()
            wanted = sorted({*wanted, *scores.top_similarity_item[rows].tolist()} - {0})
            for start in range(0, len(wanted), 500):
                part = uow.items.get_many(wanted[start : start + 500])
                items.update((number, item.external_id) for number, item in part.items())
        yield Finished(
            ScoredFeed(
                listing_ids=scores.listing_ids[rows],
                listing_external_ids=tuple(names),
                item_ids=scores.item_ids[rows],
                confidence=scores.best_confidence[rows],
                none_confidence=scores.none_confidence[rows],
                top_similarity=scores.top_similarity[rows],
                top_similarity_item=scores.top_similarity_item[rows],
                item_names=items,
            ),
            ChangeSet(),
        )

    def placements(self, *, feed: str | None = None) -> Iterator[Placement]:
        """Where the listings of a feed stand, in order of their numbers."""
        after = 0
        while True:
            with self._store.reading() as uow:
                page = uow.listings.placements(after, 2000, feed_id=self._feed_id(uow, feed))
            if not page:
                return
            after = page[-1].listing_id
            yield from page

    def _first_release(self) -> Generator[Progress | Notice, None, str]:
        encoder_folder = yield from self._base_encoder()
        search = yield from self._shelf.search_side(encoder_folder, SearchRecipe.of(self.settings))
        with self._store.reading() as uow:
            release_id = uow.releases.next_id()
        self._shelf.write(
            release_id,
            encoder_folder=encoder_folder,
            search=search,
            refit=None,
            origin="base",
            parent=None,
            run_id=None,
        )
        with self._store.writing() as uow:
            uow.releases.make_champion(release_id, "first")
        return release_id

    def _reindexed(self, champion: str) -> Generator[Progress, None, str]:
        search = yield from self._shelf.side_of(champion, self.settings)
        with self._store.reading() as uow:
            release_id = uow.releases.next_id()
        self._shelf.carry_over(champion, search, release_id)
        with self._store.writing() as uow:
            uow.releases.make_champion(release_id, "refit")
        return release_id

    def use_base_model(self, folder: Path) -> None:
        """Start this workspace from a local sentence-transformers folder instead of the packaged model.

        Raises:
            InputError: it is no such folder, or the workspace has releases already.
        """
        base_model_folder(folder)
        with self._store.reading() as uow:
            if uow.releases.champion() is not None:
                raise InputError(
                    "this workspace already has a release; choose the base model before matching"
                )
        (self.path / BASE_SOURCE_FILE).write_text(str(folder.resolve()), encoding="utf-8")

    def _base_source(self) -> Path | None:
        path = self.path / BASE_SOURCE_FILE
        return Path(path.read_text(encoding="utf-8").strip()) if path.exists() else None

    def _base_encoder(self) -> Generator[Progress | Notice, None, Path]:
        for event in ensure_base_encoder(self._base_source()):
            if isinstance(event, Finished):
                return event.result
            yield event
        raise AssertionError("ensure_base_encoder always finishes")
