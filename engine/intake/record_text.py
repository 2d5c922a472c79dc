"""Record text: the one string made of a record that is encoded, the same for items and listings."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence

from engine.contracts import Record

DEFAULT_FIELDS: tuple[str, ...] = ("title", "brand", "model")
MAX_CHARS = 2000
#: A squashed value shorter than this is only found as whole words: "LG" is not in "Belgium".
_SQUASHED_MIN = 5


class _WordCharacters(dict[int, str]):
    """Translation table: letters, marks, digits and ``+`` stay, everything else separates words.

    Marks stay because Indic vowels are marks; ``+`` stays because "S20" and "S20+" are two products.
    """

    def __missing__(self, code: int) -> str:
        character = chr(code)
        keep = character == "+" or unicodedata.category(character)[0] in "LMN"
        self[code] = character if keep else " "
        return self[code]


_WORD_CHARACTERS = _WordCharacters()


def words_of(text: str) -> list[str]:
    """The words of a text for comparison: NFKC, casefolded, punctuation dropped."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).translate(_WORD_CHARACTERS).split()


def record_text(record: Record, fields: Sequence[str] = DEFAULT_FIELDS, max_chars: int = MAX_CHARS) -> str:
    """Title, then each further field that the text so far does not already contain.

    Args:
        record: An item or a listing.
        fields: Record fields or attribute names, in order.
        max_chars: The text is cut here; encoders read far less.

    Returns:
        One line with single spaces. Containment ignores case and punctuation.
    """
    parts: list[str] = []
    spaced, squashed = " ", ""
    for name in fields:
        value = _value(record, name)
        words = words_of(value)
        if not words and parts:
            continue
        joined, glued = " ".join(words), "".join(words)
        if parts and (f" {joined} " in spaced or (len(glued) >= _SQUASHED_MIN and glued in squashed)):
            continue
        parts.append(value)
        spaced += f"{joined} "
        squashed += f"{glued} "
    return " ".join(" ".join(parts).split())[:max_chars].rstrip()


def text_key(record: Record) -> str:
    """The identity of an exact repeat: a hash of the normalised record text.

    Returns:
        16 hexadecimal digits (BLAKE2b, 8 bytes). Two records have the same key if their title, brand
        and model are the same words in the same order, whatever their case and punctuation.
    """
    text = record_text(record, max_chars=1_000_000)
    normalised = " ".join(words_of(text)) or text
    return hashlib.blake2b(normalised.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _value(record: Record, name: str) -> str:
    value = getattr(record, name, None) if name != "attributes" else None
    if value is None:
        value = record.attributes.get(name, "")
    return str(value)
