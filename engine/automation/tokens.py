"""What a record text says, token by token: words, numbers with units, model codes.

Units are brought to one base per quantity, so that "128 GB", "128gb" and "0.128 TB" are one token.
Model codes lose their punctuation, and neighbouring pieces are joined ("SIUF 32120" -> "siuf32120"),
because shops split and hyphenate them at will.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from engine.automation.named_values import named_values, variant_words

# quantity -> {spelling: factor to the base unit}. Spellings are lower case without dots.
_UNITS: dict[str, dict[str, float]] = {
    "storage": {"kb": 1e-6, "mb": 1e-3, "gb": 1.0, "gig": 1.0, "tb": 1000.0, "go": 1.0, "to": 1000.0},
    "screen": {"inch": 1.0, "inches": 1.0, "in": 1.0, '"': 1.0, "''": 1.0, "zoll": 1.0, "palců": 1.0},
    "length": {"mm": 0.1, "cm": 1.0, "m": 100.0, "ft": 30.48, "feet": 30.48},
    "power": {"w": 1.0, "watt": 1.0, "watts": 1.0, "kw": 1000.0},
    "frequency": {"hz": 1e-9, "khz": 1e-6, "mhz": 1e-3, "ghz": 1.0},
    "weight": {"g": 1.0, "kg": 1000.0, "oz": 28.35, "lb": 453.6, "lbs": 453.6},
    "volume": {"ml": 1e-3, "cl": 1e-2, "l": 1.0, "ltr": 1.0, "litre": 1.0, "litres": 1.0, "liter": 1.0},
    "capacity": {"cu ft": 1.0, "cuft": 1.0},
    "pixels": {"mp": 1.0, "megapixel": 1.0, "megapixels": 1.0, "mpix": 1.0},
    "voltage": {"v": 1.0, "volt": 1.0},
    "charge": {"mah": 1.0},
    "pack": {
        "pack": 1.0,
        "pk": 1.0,
        "pcs": 1.0,
        "pc": 1.0,
        "ct": 1.0,
        "count": 1.0,
        "ks": 1.0,
        "pieces": 1.0,
    },
    "speed": {"rpm": 1.0},
    "cores": {"core": 1.0, "cores": 1.0},
}
_UNIT_OF = {
    spelling: (quantity, factor) for quantity, table in _UNITS.items() for spelling, factor in table.items()
}
_SPELLINGS = "|".join(sorted((re.escape(s) for s in _UNIT_OF), key=len, reverse=True))
_MEASURE = re.compile(
    rf"(?<![\w.])(\d+(?:[.,]\d+)*)[\s-]?({_SPELLINGS})(?![\w])",
    re.UNICODE,
)
_PACK_OF = re.compile(r"\b(?:pack|set|box|case|lot) of (\d{1,4})\b")
_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+", re.UNICODE)
_CHUNK = re.compile(r"[^\s,;()\[\]|]+")
_NOT_ALNUM = re.compile(r"[\W_]+", re.UNICODE)
_HAS_DIGIT = re.compile(r"\d")
_HAS_LETTER = re.compile(r"[^\W\d_]", re.UNICODE)
_MAX_TOKENS = 400
#: Characters of the pieces of a code that was split: "KGN 33NL30" and "GI 64424 X" are, sentences are not.
_HEAD, _NUMBER, _TAIL = 6, 8, 4
_SPLIT_CODE, _RUN = 12, 14


@dataclass(frozen=True, slots=True)
class TokenSets:
    """The tokens of one record text.

    ``words`` are all tokens in reading order, ``numbers`` those that are numbers (canonical form),
    ``measures`` "quantity:value" with the unit normalised, ``codes`` model codes without
    punctuation, ``joined`` every neighbouring pair of tokens written as one, ``runs`` three short ones
    ("GI 64424 X"), ``spelled`` the codes and whatever of those looks like a code, ``named`` the
    "quantity:value" that words say and ``variants`` words like "plus" (``named_values.py``).
    """

    words: tuple[str, ...]
    numbers: frozenset[str]
    measures: frozenset[str]
    codes: frozenset[str]
    joined: frozenset[str]
    runs: frozenset[str]
    spelled: frozenset[str]
    named: frozenset[str]
    variants: frozenset[str]

    @property
    def first(self) -> str:
        """The first token: in most feeds the brand."""
        return self.words[0] if self.words else ""


def normalise(text: str) -> str:
    """NFKC, case folded."""
    return unicodedata.normalize("NFKC", text).casefold()


def _number(text: str) -> float | None:
    # "1,299" is a thousand, "5,5" a half: a comma before exactly three digits groups thousands.
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        text = text.replace(",", "")
    text = text.replace(",", ".")
    if text.count(".") > 1:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _canonical(value: float) -> str:
    return f"{value:.4g}" if value < 1e4 else f"{value:.0f}"


@lru_cache(maxsize=1 << 16)
def _is_code(token: str) -> bool:
    digits = sum(c.isdigit() for c in token)
    letters = sum(c.isalpha() for c in token)
    return 4 <= len(token) <= 24 and letters >= 1 and (digits >= 2 or (digits == 1 and len(token) >= 5))


def words_in(text: str) -> tuple[str, ...]:
    """The ``words`` of :class:`TokenSets` alone, which is all that a long text is asked for."""
    return _words(normalise(text))


def _words(normalised: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(normalised)[:_MAX_TOKENS])


def joined_numbers(words: Sequence[str]) -> frozenset[str]:
    """Neighbouring words written as one, where a digit is among them."""
    return frozenset(
        left + right
        for left, right in pairwise(words)
        if len(left) + len(right) <= 24 and _HAS_DIGIT.search(left + right) is not None
    )


@lru_cache(maxsize=1 << 13)
def parse_tokens(text: str) -> TokenSets:
    """Read one record text; the texts of the last block are remembered."""
    text = normalise(text)
    words = _words(text)
    measures: set[str] = set()
    numbers: set[str] = set()
    measured_tokens: set[str] = set()
    for match in _MEASURE.finditer(text):
        value = _number(match.group(1))
        if value is None:
            continue
        quantity, factor = _UNIT_OF[match.group(2)]
        numbers.add(_canonical(value))
        measures.add(f"{quantity}:{_canonical(value * factor)}")
        measured_tokens.add(_NOT_ALNUM.sub("", match.group(0)))
    measures.update(f"pack:{_canonical(float(m.group(1)))}" for m in _PACK_OF.finditer(text))
    for word in words:
        if word[0].isdigit() and not _HAS_LETTER.search(word):
            value = _number(word)
            if value is not None:
                numbers.add(_canonical(value))
    codes: set[str] = set()
    for chunk in _CHUNK.findall(text)[:_MAX_TOKENS]:
        joined = _NOT_ALNUM.sub("", chunk)
        if joined not in measured_tokens and _is_code(joined):
            codes.add(joined)
    codes.update(w for w in words if w not in measured_tokens and _is_code(w))
    split = {
        left + right
        for left, right in pairwise(words)
        if len(left) <= _HEAD and len(right) <= _NUMBER and len(left) + len(right) <= _SPLIT_CODE
    }
    runs = {
        left + middle + right
        for left, middle, right in zip(words, words[1:], words[2:], strict=False)
        if len(left) < _HEAD and len(right) <= _TAIL and len(left) + len(middle) + len(right) <= _RUN
    }
    runs = {run for run in runs if _HAS_DIGIT.search(run) is not None}
    return TokenSets(
        words=words,
        numbers=frozenset(numbers),
        measures=frozenset(measures),
        codes=frozenset(codes),
        joined=joined_numbers(words),
        runs=frozenset(runs),
        spelled=frozenset(codes | {token for token in split | runs if _is_code(token)}),
        named=named_values(text, words),
        variants=variant_words(words),
    )
