"""The catalogue's items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, func, literal_column, select

from engine.contracts.records import Item
from engine.errors import NotInWorkspaceError
from engine.store import records
from engine.store.packing import id_list, is_in, now
from engine.store.results import UpsertCounts
from engine.store.schema import ItemRow
from engine.store.search import closeness, gtin_forms, match_all_words, words_of
from engine.store.setting_table import bump_revision, catalogue_revision

#: A search ranks at most this many matches: typing "s" must not rank half a catalogue.
_RANKED = 1000


class Items:
    """Items of the catalogue by number, by external id, by page and by search."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upsert(self, items: Sequence[Item], text_keys: Sequence[str]) -> UpsertCounts:
        """Add new items and update changed ones, told apart by external id and content.

        The catalogue's revision rises when anything changed. Of items that share an external id
        within ``items`` the last one counts, the others are counted as unchanged.
        """
        counts = UpsertCounts()
        at = now()
        ids = records.next_ids(self._connection, ItemRow)
        for start in range(0, len(items), records.CHUNK):
            end = start + records.CHUNK
            chunk = items[start:end]
            entries = records.incoming(chunk, text_keys[start:end])
            known = records.stored(self._connection, ItemRow, list(entries))
            new = [entry for external_id, entry in entries.items() if external_id not in known]
            changed = [
                (before.id, entries[external_id])
                for external_id, before in known.items()
                if before.content_hash != entries[external_id].content_hash
            ]
            if new:
                added = records.insert_records(self._connection, ItemRow, ids, new, at)
                self._index_words(added)
            if changed:
                touched = [id_ for id_, _ in changed]
                self._unindex_words(touched)
                records.update_records(self._connection, ItemRow, changed, at)
                self._index_words(touched)
            counts += UpsertCounts(len(new), len(changed), len(chunk) - len(new) - len(changed))
        if counts.added or counts.updated:
            bump_revision(self._connection)
        return counts

    def _index_words(self, ids: Sequence[int]) -> None:
        self._connection.exec_driver_sql(
            "INSERT INTO item_search (rowid, title, brand, model) SELECT id, title, brand, model FROM item"
            " WHERE id IN (SELECT value FROM json_each(?))",
            (id_list(ids),),
        )

    def _unindex_words(self, ids: Sequence[int]) -> None:
        """To be called before the items change: the index has to be told what it holds of them."""
        self._connection.exec_driver_sql(
            "INSERT INTO item_search (item_search, rowid, title, brand, model)"
            " SELECT 'delete', id, title, brand, model FROM item"
            " WHERE id IN (SELECT value FROM json_each(?))",
            (id_list(ids),),
        )

    def get(self, id: int) -> Item:
        """The item with this number.

        Raises:
            NotInWorkspaceError: there is none.
        """
        row = self._connection.execute(
            select(*records.record_columns(ItemRow)).where(ItemRow.id == id)
        ).first()
        if row is None:
            raise NotInWorkspaceError(f"there is no item with number {id} in this workspace")
        return records.item_of(row)

    def get_many(self, ids: Iterable[int]) -> dict[int, Item]:
        """Items by number; numbers that do not exist are left out."""
        found: dict[int, Item] = {}
        for chunk in records.chunks(list(dict.fromkeys(ids))):
            rows = self._connection.execute(
                select(*records.record_columns(ItemRow)).where(is_in(ItemRow.id, chunk))
            )
            found.update((row[0], records.item_of(row)) for row in rows)
        return found

    def ids_by_external(self, external_ids: Iterable[str]) -> dict[str, int]:
        """Numbers by external id; external ids that do not exist are left out."""
        found: dict[str, int] = {}
        for chunk in records.chunks(list(dict.fromkeys(external_ids))):
            rows = self._connection.execute(
                select(ItemRow.external_id, ItemRow.id).where(is_in(ItemRow.external_id, chunk))
            )
            found.update((external_id, id_) for external_id, id_ in rows)
        return found

    def page(self, after_id: int = 0, limit: int = 5000) -> list[Item]:
        """The next ``limit`` items after a number, by number."""
        rows = self._connection.execute(
            select(*records.record_columns(ItemRow))
            .where(ItemRow.id > after_id)
            .order_by(ItemRow.id)
            .limit(limit)
        )
        return [records.item_of(row) for row in rows]

    def count(self) -> int:
        """How many items there are. Items are never deleted, so the highest number is the count."""
        return self._connection.execute(select(func.max(ItemRow.id))).scalar() or 0

    def revision(self) -> int:
        """A number that rises whenever an item was added or changed."""
        return catalogue_revision(self._connection)

    def text_keys(self, ids: Iterable[int]) -> dict[int, str]:
        """The text keys of items by number."""
        found: dict[int, str] = {}
        for chunk in records.chunks(list(dict.fromkeys(ids))):
            rows = self._connection.execute(
                select(ItemRow.id, ItemRow.text_key).where(is_in(ItemRow.id, chunk))
            )
            found.update((id_, key) for id_, key in rows)
        return found

    def search(self, text: str, limit: int = 50) -> list[Item]:
        """Items for what a person typed: exact external id, exact GTIN, then words and their beginnings.

        Any text is accepted; all words must occur in title, brand or model.
        """
        wanted = text.strip()[:1000]
        if not wanted or limit <= 0:
            return []
        order = dict.fromkeys(self._exact(wanted, limit))
        order.update(dict.fromkeys(self._by_words(wanted, limit)))
        ids = list(order)[:limit]
        found = self.get_many(ids)
        return [found[id_] for id_ in ids]

    def _exact(self, wanted: str, limit: int) -> list[int]:
        digits = "".join(character for character in wanted if character.isdigit())
        ids = (
            self._connection.execute(select(ItemRow.id).where(ItemRow.external_id == wanted)).scalars().all()
        )
        by_gtin: Sequence[int] = []
        if len(digits) >= 8:
            # The index on gtin leaves out the empty ones, so the statement has to as well.
            by_gtin = (
                self._connection.execute(
                    select(ItemRow.id)
                    .where(ItemRow.gtin != literal_column("''"), is_in(ItemRow.gtin, gtin_forms(digits)))
                    .order_by(ItemRow.id)
                    .limit(limit)
                )
                .scalars()
                .all()
            )
        return [*ids, *by_gtin]

    def _by_words(self, wanted: str, limit: int) -> list[int]:
        expression = match_all_words(wanted)
        if expression is None:
            return []
        # SQLite's own ranking counts every occurrence of every word in the catalogue first: a fifth of
        # a second for a common brand among a million items. People look for few items, or type on.
        rows = self._connection.exec_driver_sql(
            "SELECT id, title || ' ' || brand || ' ' || model FROM item WHERE id IN"
            " (SELECT rowid FROM item_search WHERE item_search MATCH ? LIMIT ?)",
            (expression, max(limit, _RANKED)),
        )
        typed = set(words_of(wanted))
        ranked = sorted((*closeness(typed, text), id_) for id_, text in rows)
        return [id_ for *_, id_ in ranked[:limit]]
