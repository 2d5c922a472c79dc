"""Intake: tables in and out. Reading, column mapping, validation, import in one transaction, export."""

from engine.intake.column_mapping import guess_mapping
from engine.intake.export_tables import EXPORT_FORMATS, TableWriter, format_of, write_table
from engine.intake.import_tables import import_table
from engine.intake.record_reader import TableReader, preview_table, read_records
from engine.intake.record_text import record_text, text_key

__all__ = [
    "EXPORT_FORMATS",
    "TableReader",
    "TableWriter",
    "format_of",
    "guess_mapping",
    "import_table",
    "preview_table",
    "read_records",
    "record_text",
    "text_key",
    "write_table",
]
