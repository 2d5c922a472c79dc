"""What people type, as an expression of SQLite's full-text search that cannot fail."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

_WORD = re.compile(r"[^\W_]+")
_MOST_WORDS = 16
_LONGEST_WORD = 64
_GTIN_LENGTHS = (8, 12, 13, 14)


def words_of(text: str) -> list[str]:
    """The words of a text as search compares them: without case and accents."""
    bare = unicodedata.normalize("NFKD", text)
    return _WORD.findall("".join(c for c in bare if not unicodedata.combining(c)).casefold())


def closeness(typed: Collection[str], text: str) -> tuple[int, int]:
    """A sort key: records with more of the typed words in full come first, then shorter ones."""
    words = words_of(text)
    return -len(set(typed).intersection(words)), len(words)


def match_all_words(typed: str) -> str | None:
    """An FTS5 expression: every word typed must begin a word of the record. None without any word.

    Each word is quoted, so that nothing typed is read as an operator.
    """
    words = [word[:_LONGEST_WORD] for word in _WORD.findall(typed.replace("\x00", " "))[:_MOST_WORDS]]
    return " ".join(f'"{word}"*' for word in words) or None


def gtin_forms(digits: str) -> list[str]:
    """The ways a barcode's digits may be written: with and without leading zeros."""
    bare = digits.lstrip("0")
    return list(dict.fromkeys([digits, *(bare.zfill(n) for n in _GTIN_LENGTHS if n >= len(bare))]))
