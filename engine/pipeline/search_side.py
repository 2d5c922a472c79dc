"""The part of a release that only depends on the encoder and the catalogue, loaded for use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.automation.evidence import EvidenceBuilder
from engine.automation.evidence_columns import EVIDENCE_NAMES, TEXT_NAMES
from engine.automation.ranking import PLAIN_WEIGHTS
from engine.contracts import Item, Progress, Record, ReleaseManifest
from engine.intake.record_text import record_text
from engine.retrieval.candidates import KEPT
from engine.retrieval.encode import Encoder, VectorCache
from engine.retrieval.item_index import ItemIndex
from engine.settings import WorkspaceSettings
from engine.store import Store


@dataclass(frozen=True, slots=True)
class TextRecipe:
    """How records become record texts in a release."""

    fields: tuple[str, ...]
    max_chars: int

    @classmethod
    def of(cls, settings: WorkspaceSettings) -> TextRecipe:
        """The recipe of the workspace's settings."""
        return cls(tuple(settings.text_fields), settings.text_max_chars)

    def text(self, record: Record) -> str:
        """Record text of an item or a listing."""
        return record_text(record, self.fields, self.max_chars)

    def manifest(self) -> dict[str, str | int | bool | list[str]]:
        """As the manifest keeps it."""
        return {"fields": list(self.fields), "max_chars": self.max_chars}


@dataclass(frozen=True, slots=True)
class SearchRecipe:
    """Which settings evidence depends on: how texts are made and how many candidates each search brings."""

    text: TextRecipe
    neighbours: int
    lexical_neighbours: int

    @classmethod
    def of(cls, settings: WorkspaceSettings) -> SearchRecipe:
        """As the workspace is set now, for a matcher that is about to be fitted."""
        return cls(TextRecipe.of(settings), settings.neighbours, settings.lexical_neighbours)

    @classmethod
    def made_with(cls, manifest: ReleaseManifest, settings: WorkspaceSettings) -> SearchRecipe:
        """As a release was made; its matcher and its certificate are for this evidence and no other.

        What an old release did not write down is as the workspace is set.
        """
        now = cls.of(settings)
        fields, max_chars = manifest.text_recipe.get("fields"), manifest.text_recipe.get("max_chars")
        return cls(
            TextRecipe(
                tuple(fields) if isinstance(fields, list) else now.text.fields,
                max_chars if isinstance(max_chars, int) else now.text.max_chars,
            ),
            now.neighbours if manifest.neighbours is None else manifest.neighbours,
            now.lexical_neighbours if manifest.lexical_neighbours is None else manifest.lexical_neighbours,
        )

    def text_of(self, record: Record) -> str:
        """Record text of an item or a listing."""
        return self.text.text(record)


@dataclass(frozen=True, slots=True)
class SearchSide:
    """Encoder, item index and evidence of one encoder over one state of the catalogue.

    ``key`` names that combination: evidence computed under the same key is the same.
    """

    key: str
    encoder: Encoder
    vectors: VectorCache
    index: ItemIndex
    evidence: EvidenceBuilder
    recipe: SearchRecipe


def search_key(encoder_sha256: str, revision: int, recipe: SearchRecipe) -> str:
    """Name of everything that evidence depends on but the listings."""
    parts = [
        encoder_sha256,
        revision,
        list(recipe.text.fields),
        recipe.text.max_chars,
        recipe.neighbours,
        recipe.lexical_neighbours,
        KEPT,
        EVIDENCE_NAMES,
        TEXT_NAMES,
        PLAIN_WEIGHTS,
    ]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()


def read_items(store: Store) -> tuple[list[Item], int]:
    """All items by number, and the catalogue's revision."""
    items: list[Item] = []
    with store.reading() as uow:
        revision = uow.items.revision()
        while page := uow.items.page(after_id=items[-1].id if items else 0, limit=5000):
            items.extend(page)
    return items, revision


def encode_items(texts: Sequence[str], vectors: VectorCache, encoder: Encoder) -> Iterator[Progress]:
    """Bring the items' vectors into the cache."""
    yield from vectors.encode_missing(texts, encoder, stage="encoding the catalogue")


def build_search_side(
    items: Sequence[Item],
    *,
    key: str,
    encoder: Encoder,
    vectors: VectorCache,
    recipe: SearchRecipe,
    load_index: Callable[[], ItemIndex] | None = None,
) -> SearchSide:
    """Put a search side together; ``load_index`` reads the index of a release instead of building it."""
    texts = [recipe.text_of(item) for item in items]
    if load_index is not None:
        index = load_index()
    else:
        index = ItemIndex.build([item.id for item in items], texts, vectors.vectors(texts))
    return SearchSide(
        key=key,
        encoder=encoder,
        vectors=vectors,
        index=index,
        evidence=EvidenceBuilder(items, texts),
        recipe=recipe,
    )


def vector_folder(workspace: Path, encoder_sha256: str) -> Path:
    """Where an encoder's vectors are cached."""
    return workspace / "cache" / "vectors" / encoder_sha256[:16]


def evidence_folder(workspace: Path, key: str) -> Path:
    """Where a search side's evidence is kept."""
    return workspace / "cache" / "evidence" / key
