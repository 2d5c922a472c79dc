"""Exporting: matches, decisions, pairs and the encoder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from engine.contracts import ChangeSet, Finished, Progress, Route, WorkEvent
from engine.errors import InputError
from engine.intake.export_tables import TableWriter, format_of
from engine.learning.pairs import build_pairs
from engine.pipeline.release_files import ENCODER_FOLDER
from engine.pipeline.search_side import TextRecipe
from engine.review.decision_file import SEPARATOR
from engine.store import UnitOfWork
from engine.workspace.base import WorkspaceBase

EXPORTS = ("matches", "decisions", "pairs", "encoder")
_PAGE = 500

Row = dict[str, object]

MATCH_COLUMNS = (
    "feed",
    "listing_id",
    "listing_title",
    "route",
    "reason",
    "item_id",
    "item_title",
    "also_item_ids",
    "confidence",
    "release",
    "verdict",
    "reviewer",
    "decided_at",
)
DECISION_COLUMNS = (
    "decision",
    "feed",
    "listing_id",
    "listing_title",
    "verdict",
    "item_id",
    "item_title",
    "also_item_ids",
    "reviewer",
    "decided_at",
    "stream",
    "release",
    "draw_probability",
    "undone",
    "note",
)
PAIR_COLUMNS = (
    "feed",
    "listing_id",
    "listing_text",
    "item_id",
    "item_text",
    "verdict",
    "weight",
    "role",
)


class Exporting(WorkspaceBase):
    """Results out of the workspace."""

    def export(self, what: str, target: Path, *, format: str | None = None) -> Iterator[WorkEvent[int]]:
        """Write matches, decisions or pairs to a file, or the encoder to a folder; the count is the result.

        The file appears when it is complete; cancelling leaves none.
        """
        match what:
            case "matches":
                return self._table(MATCH_COLUMNS, _matches, target, format)
            case "decisions":
                return self._table(DECISION_COLUMNS, _decisions, target, format)
            case "pairs":
                return self._pairs(target, format)
            case "encoder":
                return self._encoder(target)
        raise InputError(f"cannot export {what!r}; choose one of {', '.join(EXPORTS)}")

    def _table(
        self,
        columns: Sequence[str],
        read: Callable[[UnitOfWork], Iterator[tuple[list[Row], int]]],
        target: Path,
        format: str | None,
    ) -> Iterator[WorkEvent[int]]:
        # One reading transaction: the file shows one moment, whatever reviewers do meanwhile.
        with self._store.reading() as uow, TableWriter(columns, target, format_of(target, format)) as writer:
            for rows, total in read(uow):
                writer.write(rows)
                yield Progress("exporting", writer.rows, max(total, writer.rows))
        yield Finished(writer.rows, ChangeSet())

    def _pairs(self, target: Path, format: str | None) -> Iterator[WorkEvent[int]]:
        recipe = TextRecipe.of(self.settings)
        with (
            self._store.reading() as uow,
            TableWriter(PAIR_COLUMNS, target, format_of(target, format)) as writer,
        ):
            pairs, items = build_pairs(uow, text_of=recipe.text, seed=self.settings.seed)
            texts = dict(
                zip(items.column("item_id").to_pylist(), items.column("item_text").to_pylist(), strict=True)
            )
            feeds = {feed.id: feed.name for feed in uow.feeds.all()}
            for batch in pairs.to_batches(max_chunksize=_PAGE):
                rows: list[Row] = batch.to_pylist()
                writer.write(_with_own_ids(uow, rows, feeds, texts))
                yield Progress("exporting", writer.rows, pairs.num_rows)
        yield Finished(writer.rows, ChangeSet())

    def _encoder(self, target: Path) -> Iterator[WorkEvent[int]]:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise InputError(f"{target} is not an empty folder; name a new one for the encoder")
        source = self._shelf.folder_of(self._champion()) / ENCODER_FOLDER
        part = target.with_name(f".{target.name}.writing")
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir(parents=True)
            names = sorted(path.name for path in source.iterdir())
            for done, name in enumerate(names):
                yield Progress("exporting", done, len(names), name)
                shutil.copy2(source / name, part / name)
            if target.exists():
                target.rmdir()
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        yield Finished(len(names), ChangeSet())


def _with_own_ids(
    uow: UnitOfWork, pairs: list[Row], feeds: Mapping[int, str], texts: Mapping[int, str]
) -> list[Row]:
    """Pairs as training sees them, with the user's own ids instead of the workspace's numbers."""
    listings = uow.listings.get_many(sorted({cast(int, pair["listing_id"]) for pair in pairs}))
    items = uow.items.get_many(sorted({cast(int, pair["item_id"]) for pair in pairs}))
    rows: list[Row] = []
    for pair in pairs:
        listing, item = listings[cast(int, pair["listing_id"])], items[cast(int, pair["item_id"])]
        rows.append(
            {
                **pair,
                "feed": feeds.get(listing.feed_id, ""),
                "listing_id": listing.external_id,
                "item_id": item.external_id,
                "item_text": texts[item.id],
            }
        )
    return rows


def _matches(uow: UnitOfWork) -> Iterator[tuple[list[Row], int]]:
    """Every listing with its answer: the reviewer's where there is one, else the machine's."""
    total = uow.listings.count()
    feeds = {feed.id: feed.name for feed in uow.feeds.all()}
    decided = {d.listing_id: d for d in uow.decisions.in_force()}
    after = 0
    while page := uow.listings.page(after_id=after, limit=_PAGE):
        after = page[-1].id
        placements = {p.listing_id: p for p in uow.listings.placements(page[0].id - 1, len(page))}
        answers: dict[int, int | None] = {}
        for listing in page:
            decision, placement = decided.get(listing.id), placements.get(listing.id)
            if decision is not None:
                answers[listing.id] = decision.item_id
            elif placement is not None and placement.route != Route.REVIEW:
                answers[listing.id] = placement.item_id
        also = {id_: decided[id_].also_right for id_ in answers if id_ in decided}
        named = {i for i in answers.values() if i is not None}.union(*also.values())
        items = uow.items.get_many(sorted(named))
        rows: list[Row] = []
        for listing in page:
            decision, placement = decided.get(listing.id), placements.get(listing.id)
            item = items.get(answers.get(listing.id) or 0)
            rows.append(
                {
                    "feed": feeds.get(listing.feed_id, ""),
                    "listing_id": listing.external_id,
                    "listing_title": listing.title,
                    "route": placement.route.value if placement and placement.route else "",
                    "reason": placement.reason.value if placement and placement.reason else "",
                    "item_id": item.external_id if item else "",
                    "item_title": item.title if item else "",
                    "also_item_ids": SEPARATOR.join(items[i].external_id for i in also.get(listing.id, ())),
                    "confidence": round(placement.confidence, 4) if placement else None,
                    "release": placement.release_id if placement else "",
                    "verdict": decision.verdict.value if decision else "",
                    "reviewer": decision.reviewer if decision else "",
                    "decided_at": decision.decided_at if decision else "",
                }
            )
        yield rows, total


def _decisions(uow: UnitOfWork) -> Iterator[tuple[list[Row], int]]:
    """Every decision ever made, newest first, undone ones marked."""
    before: int | None = None
    while page := uow.decisions.history("", "", None, before, _PAGE):
        before = page[-1].decision.id
        yield (
            [
                {
                    "decision": entry.decision.id,
                    "feed": entry.feed,
                    "listing_id": entry.listing_external_id,
                    "listing_title": entry.listing_title,
                    "verdict": entry.decision.verdict.value,
                    "item_id": entry.item_external_id,
                    "item_title": entry.item_title,
                    "also_item_ids": SEPARATOR.join(external_id for external_id, _ in entry.also_right),
                    "reviewer": entry.decision.reviewer,
                    "decided_at": entry.decision.decided_at,
                    "stream": entry.decision.stream.value,
                    "release": entry.decision.release_id or "",
                    "draw_probability": entry.decision.draw_probability,
                    "undone": entry.decision.undone,
                    "note": entry.decision.note,
                }
                for entry in page
            ],
            0,
        )
