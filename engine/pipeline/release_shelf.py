"""The releases of a workspace: opened for use, and new ones written."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from engine.automation.listing_evidence import HEAD_NAMES
from engine.backends.onnx_encoder import OnnxEncoder, read_info
from engine.backends.onnx_matcher import OnnxMatcher
from engine.contracts import Certificate, Progress, ReleaseManifest
from engine.errors import EngineError, StaleChangeError
from engine.pipeline import release_files as files
from engine.pipeline.certify_release import Refit, load_aliases
from engine.pipeline.evidence_blocks import EvidenceBlocks
from engine.pipeline.fold_encoders import FoldEncoders
from engine.pipeline.score_listings import LoadedRelease
from engine.pipeline.search_side import (
    SearchRecipe,
    SearchSide,
    build_search_side,
    encode_items,
    evidence_folder,
    read_items,
    search_key,
    vector_folder,
)
from engine.pipeline.training_runs import RUNS, fold_folders
from engine.retrieval.encode import VectorCache
from engine.retrieval.item_index import GRAPH_FILE, ITEM_FILES, ItemIndex
from engine.settings import WorkspaceSettings
from engine.store import Store

logger = logging.getLogger(__name__)

#: Search sides kept in memory: the champion's and the challenger's.
_KEPT_IN_MEMORY = 2
#: Encoders kept in memory: of those two, and of the folds of one of them.
_ENCODERS_IN_MEMORY = 4

Origin = Literal["base", "training", "averaged", "refit", "reindex"]


class ReleaseShelf:
    """Opens and writes the releases of one workspace folder."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.folder = store.folder / "releases"
        self._encoders: OrderedDict[str, OnnxEncoder] = OrderedDict()
        self._sides: OrderedDict[str, SearchSide] = OrderedDict()

    def folder_of(self, release_id: str) -> Path:
        """Where a release's files are."""
        return self.folder / release_id

    def manifest(self, release_id: str) -> ReleaseManifest:
        """A release's manifest."""
        return files.read_manifest(self.folder_of(release_id))

    def encoder_coverage(self, release_id: str) -> dict[str, dict[str, float]]:
        """What the trainer measured of each file of a release's encoder; empty where no run made it."""
        return read_info(self.folder_of(release_id) / files.ENCODER_FOLDER).coverage

    def encoder(self, folder: Path) -> OnnxEncoder:
        """An encoder folder, loaded and verified once."""
        key = files.sha256_of(folder / "encoder.json")
        if key not in self._encoders:
            self._encoders[key] = OnnxEncoder.load(folder)
            while len(self._encoders) > _ENCODERS_IN_MEMORY:
                self._encoders.popitem(last=False)
        self._encoders.move_to_end(key)
        return self._encoders[key]

    def folds(self, run_id: str, listings: npt.NDArray[np.int64]) -> FoldEncoders | None:
        """The encoders of a run's folds, where it left any and they are still whole.

        Args:
            run_id: of the run.
            listings: which the encoder of their fold has never seen.
        """
        folders = fold_folders(self._store.folder / RUNS / run_id)
        if not folders or not len(listings):
            return None
        try:
            return FoldEncoders(tuple(self.encoder(folder / "artefact") for folder in folders), listings)
        except (EngineError, OSError) as error:
            # The matcher learns from fewer listings then, and is none the less right.
            logger.warning("the fold encoders of run %s cannot be used: %s", run_id, error)
            return None

    def search_side(
        self, encoder_folder: Path, recipe: SearchRecipe, *, release: str | None = None
    ) -> Generator[Progress, None, SearchSide]:
        """Encoder and catalogue as they are now; the index is read from ``release`` where it fits."""
        encoder = self.encoder(encoder_folder)
        with self._store.reading() as uow:
            revision = uow.items.revision()
        key = search_key(encoder.sha256, revision, recipe)
        if key in self._sides:
            self._sides.move_to_end(key)
            return self._sides[key]
        items, revision = read_items(self._store)
        key = search_key(encoder.sha256, revision, recipe)
        vectors = VectorCache(vector_folder(self._store.folder, encoder.sha256), encoder.dimension)
        yield from encode_items([recipe.text_of(item) for item in items], vectors, encoder)
        yield Progress("indexing the catalogue", 0, len(items))
        load = None
        if release is not None and self._indexes(release, revision, recipe):
            folder = self.folder_of(release)

            def load() -> ItemIndex:
                return ItemIndex.load(folder)

        side = build_search_side(
            items,
            key=key,
            encoder=encoder,
            vectors=vectors,
            recipe=recipe,
            load_index=load,
        )
        yield Progress("indexing the catalogue", len(items), len(items))
        self._sides[key] = side
        while len(self._sides) > _KEPT_IN_MEMORY:
            self._sides.popitem(last=False)
        return side

    def side_of(self, release_id: str, settings: WorkspaceSettings) -> Generator[Progress, None, SearchSide]:
        """The search side of a release, with the settings that the release was made with."""
        recipe = SearchRecipe.made_with(self.manifest(release_id), settings)
        folder = self.folder_of(release_id) / files.ENCODER_FOLDER
        return (yield from self.search_side(folder, recipe, release=release_id))

    def _indexes(self, release_id: str, revision: int, recipe: SearchRecipe) -> bool:
        """Whether a release's index is of this catalogue and of texts made like this."""
        manifest = self.manifest(release_id)
        return manifest.catalogue_revision == revision and manifest.text_recipe == recipe.text.manifest()

    def blocks(self, search: SearchSide) -> EvidenceBlocks:
        """The evidence of a search side."""
        return EvidenceBlocks(self._store, search, evidence_folder(self._store.folder, search.key))

    def open(self, release_id: str, settings: WorkspaceSettings) -> Generator[Progress, None, LoadedRelease]:
        """A release, verified and ready to score over the catalogue as it is now.

        Raises:
            StaleChangeError: its matcher was fitted to other evidence than is computed today.
        """
        folder = self.folder_of(release_id)
        manifest = files.read_manifest(folder)
        files.verify_files(folder, manifest)
        if manifest.matcher != "none" and manifest.evidence_columns != list(HEAD_NAMES):
            raise StaleChangeError(
                f"release {release_id} was made by another version of Alcove, whose evidence was different: "
                "run certify, which fits its matcher again"
            )
        search = yield from self.side_of(release_id, settings)
        certificate, none_certificate = files.read_certificates(folder)
        graphs = files.read_matcher(folder)
        listing_ids, item_ids = files.read_aliases(folder)
        with self._store.reading() as uow:
            standing = uow.aliases.standing()
        # A confirmation that was taken back speaks in no release any more, old ones and new ones alike.
        pairs = zip(listing_ids.tolist(), item_ids.tolist(), strict=True)
        held = np.fromiter((pair in standing for pair in pairs), dtype=bool, count=len(listing_ids))
        listing_ids, item_ids = listing_ids[held], item_ids[held]
        return LoadedRelease(
            id=release_id,
            search=search,
            matcher=OnnxMatcher(graphs) if graphs else None,
            words=files.read_words(folder),
            aliases=load_aliases(self._store, search, listing_ids, item_ids),
            certificate=certificate,
            none_certificate=none_certificate,
        )

    def write(
        self,
        release_id: str,
        *,
        encoder_folder: Path,
        search: SearchSide,
        refit: Refit | None,
        origin: Origin,
        parent: str | None,
        run_id: str | None,
        trained_share: float | None = None,
    ) -> tuple[ReleaseManifest, Certificate | None, Certificate | None]:
        """Write a release folder and record it; it is not the champion yet.

        A parent over the same encoder and catalogue shares its unchanged files.
        """
        with self._store.reading() as uow:
            revision = uow.items.revision()
        parent_manifest = self.manifest(parent) if parent else None
        known: dict[str, str] = {}
        draft = files.ReleaseDraft(self.folder, release_id)
        try:
            draft.add_encoder(encoder_folder)
            shares = (
                parent_manifest is not None
                and parent_manifest.encoder_sha256 == search.encoder.sha256
                and self._indexes(parent_manifest.id, revision, search.recipe)
            )
            if shares and parent is not None and parent_manifest is not None:
                names = [*ITEM_FILES, GRAPH_FILE]
                draft.add_files(self.folder_of(parent), names)
                prefix = f"{files.ENCODER_FOLDER}/"
                known = {n: h for n, h in parent_manifest.files.items() if n in names or n.startswith(prefix)}
            else:
                search.index.save(draft.folder)
            certificate = refit.release.certificate if refit else None
            none_certificate = refit.release.none_certificate if refit else None
            if refit is not None:
                draft.add_trained_on(refit.trained_on)
                draft.add_cross_fitted(refit.cross_fitted)
                draft.add_matcher(refit.fitted.graphs if refit.fitted else None)
                draft.add_words(refit.release.words)
                draft.add_aliases(refit.alias_listing_ids, refit.alias_item_ids)
            draft.add_certificates(certificate, none_certificate)
            manifest = draft.publish(
                ReleaseManifest(
                    id=release_id,
                    created_at=datetime.now(UTC).isoformat(timespec="seconds"),
                    parent=parent,
                    run_id=run_id,
                    origin=origin,
                    encoder_sha256=search.encoder.sha256,
                    encoder_variant=search.encoder.variant,
                    dimension=search.encoder.dimension,
                    catalogue_revision=revision,
                    text_recipe=search.recipe.text.manifest(),
                    neighbours=search.recipe.neighbours,
                    lexical_neighbours=search.recipe.lexical_neighbours,
                    matcher=refit.fitted.kind if refit and refit.fitted else "none",
                    evidence_columns=list(HEAD_NAMES),
                    decisions=refit.decisions if refit else 0,
                    aliases=len(refit.alias_item_ids) if refit else 0,
                    zone_floor=refit.zone_floor if refit else None,
                    zone_of=refit.zone_of if refit else "match",
                    trained_share=trained_share,
                ),
                known,
            )
        except BaseException:
            draft.discard()
            raise
        with self._store.writing() as uow:
            uow.releases.add(manifest, certificate, none_certificate)
        return manifest, certificate, none_certificate

    def carry_over(self, champion: str, search: SearchSide, release_id: str) -> ReleaseManifest:
        """The champion's matcher and certificates over a catalogue that has changed since."""
        old = self.manifest(champion)
        folder = self.folder_of(champion)
        certificate, none_certificate = files.read_certificates(folder)
        draft = files.ReleaseDraft(self.folder, release_id)
        try:
            draft.add_encoder(folder / files.ENCODER_FOLDER)
            draft.add_files(
                folder,
                [
                    *files.MATCHER_FILES,
                    files.LEARNT_WORDS,
                    files.ALIASES,
                    files.TRAINED_ON,
                    files.CROSS_FITTED,
                ],
            )
            search.index.save(draft.folder)
            draft.add_certificates(certificate, none_certificate)
            with self._store.reading() as uow:
                revision = uow.items.revision()
            manifest = draft.publish(
                old.model_copy(
                    update={
                        "id": release_id,
                        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
                        "parent": champion,
                        "origin": "reindex",
                        "catalogue_revision": revision,
                    }
                ),
                {},
            )
        except BaseException:
            draft.discard()
            raise
        with self._store.writing() as uow:
            uow.releases.add(manifest, certificate, none_certificate)
        return manifest
