"""What revision 0001 creates besides tables: full-text search, counts, append-only tables.

``item_search`` is an index without text of its own over title, brand and model of ``item``. The items
repository keeps it, in bulk: a trigger would make imports several times slower;
``decision_search`` keeps only the index of the words a decision can be found by. Part of the revision:
never edit it for a later one.
"""

from __future__ import annotations

_COUNT = """
    INSERT INTO route_count (feed_id, route, reason, listings)
    VALUES ({row}.feed_id, coalesce({row}.route, ''), coalesce({row}.reason, ''), {step})
    ON CONFLICT (feed_id, route, reason) DO UPDATE SET listings = listings + excluded.listings;"""

#: Words are runs of letters and digits without regard to case and accents; prefixes of 2 and 3
#: characters have their own index because people type the beginnings of words.
SEARCH_TABLES = (
    """CREATE VIRTUAL TABLE item_search USING fts5 (
    title, brand, model, content='item', content_rowid='id', prefix='2 3',
    tokenize='unicode61 remove_diacritics 2')""",
    """CREATE VIRTUAL TABLE decision_search USING fts5 (
    words, content='', prefix='2 3', tokenize='unicode61 remove_diacritics 2')""",
)

_APPEND_ONLY = ("decision", "decision_event", "champion_event")

TRIGGERS = (
    "CREATE TRIGGER route_count_insert AFTER INSERT ON listing_route BEGIN"
    + _COUNT.format(row="new", step=1)
    + "\nEND",
    "CREATE TRIGGER route_count_update AFTER UPDATE ON listing_route\n"
    "WHEN old.route IS NOT new.route OR old.reason IS NOT new.reason OR old.feed_id IS NOT new.feed_id BEGIN"
    + _COUNT.format(row="old", step=-1)
    + _COUNT.format(row="new", step=1)
    + "\nEND",
    "CREATE TRIGGER route_count_delete AFTER DELETE ON listing_route BEGIN"
    + _COUNT.format(row="old", step=-1)
    + "\nEND",
    *(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN\n"
        f"    SELECT raise(ABORT, '{table} is append-only');\nEND"
        for table in _APPEND_ONLY
        for verb in ("UPDATE", "DELETE")
    ),
)
