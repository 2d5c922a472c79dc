"""The schema as text: what ``tests/golden/schema.sql`` holds and the models are compared with.

``python -m engine.store.schema_text tests/golden/schema.sql`` writes the golden file anew after a
migration was added.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from sqlalchemy import Connection

from engine.store.connections import database_engine
from engine.store.store import Store


def schema_text(connection: Connection) -> str:
    """Every table, index and trigger as it was created, by kind and name, without SQLite's own."""
    rows = connection.exec_driver_sql(
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        # FTS5 keeps tables of its own beside each virtual table.
        " AND name NOT LIKE '%_search_data' AND name NOT LIKE '%_search_idx'"
        " AND name NOT LIKE '%_search_docsize' AND name NOT LIKE '%_search_config'"
        " AND name NOT LIKE '%_search_content'"
        " ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, name"
    )
    return "\n".join(f"{_tidy(sql)};\n" for _, _, sql in rows)


def migrated_schema_text() -> str:
    """The schema of a new workspace."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "workspace"
        Store.create(folder).close()
        engine = database_engine(folder, writer=False, read_only=True)
        try:
            with engine.connect() as connection:
                return schema_text(connection)
        finally:
            engine.dispose()


def _tidy(sql: str) -> str:
    # SQLite puts a column that was added later on the line of the last one.
    sql = re.sub(r"(?<= NOT NULL), (?=\w+ [A-Z])", ",\n    ", sql)
    return "\n".join(line.rstrip().replace("\t", "    ") for line in sql.strip().splitlines())


if __name__ == "__main__":
    text = migrated_schema_text()
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
