"""What the segment report wants to know of a listing's words: its brand, its category, pack, model code.

Read once when a listing is stored (see :mod:`engine.store.traits`), so that reports count narrow rows
and never read a title. The rules are rough on purpose: they sort listings into groups, they are no
evidence for a match.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

#: Longer brands and categories are cut: nobody has one, broken feeds do.
MOST_CHARACTERS = 80

_CHUNK = re.compile(r"[^\s,;()\[\]|/]+")
_NOT_ALNUM = re.compile(r"[\W_]+")
#: A number with letters after it is a measure ("128gb", "55inch", "1080p"), not a code.
_MEASURE = re.compile(r"\d+(?:[.,x]\d+)*[^\W\d_]{0,7}[\"']*")
_PACK_OF = re.compile(r"\b(?:pack|set|box|case|lot|bundle) of (\d{1,4})\b")
_N_PACK = re.compile(r"\b(\d{1,4})[\s-]?(?:packs?|pk|pcs?|pieces?|count|ct|ks|stk|stück)\b")
_WORD_PACK = re.compile(r"\b(?:twin|double|triple|multi)[\s-]?pack\b")
_DIGIT = re.compile(r"\d")


class Traits(NamedTuple):
    """Of one listing. ``brand`` and ``category`` are folded for grouping, "" where the feed has none."""

    brand: str
    category: str
    pack: bool
    model_code: bool


def listing_traits(title: str, brand: str, category: str) -> Traits:
    """The traits of a listing, from its record's fields."""
    text = unicodedata.normalize("NFKC", title).casefold()
    return Traits(folded(brand), folded(category), is_pack(text), has_model_code(text))


def folded(name: str) -> str:
    """A name so that spellings of one name are equal: NFKC, case folded, single spaces, cut."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())[:MOST_CHARACTERS]


def is_pack(text: str) -> bool:
    """Whether a folded title speaks of several pieces: "pack of 2", "2-pack", "10 pcs", "twin pack"."""
    if _WORD_PACK.search(text):
        return True
    counts = (*_PACK_OF.findall(text), *_N_PACK.findall(text))
    return any(int(count) > 1 for count in counts)


def has_model_code(text: str) -> bool:
    """Whether a folded title holds a model code: letters and digits in one word, and no measure."""
    if not _DIGIT.search(text):
        return False
    for chunk in _CHUNK.findall(text):
        word = _NOT_ALNUM.sub("", chunk)
        if not 4 <= len(word) <= 24 or _MEASURE.fullmatch(word):
            continue
        digits = sum(letter.isdigit() for letter in word)
        letters = sum(letter.isalpha() for letter in word)
        if letters and (digits >= 2 or (digits == 1 and len(word) >= 5)):
            return True
    return False
