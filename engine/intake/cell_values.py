"""What one cell of a table means: clean text, prices, GTINs, and the guard against spreadsheet formulas.

Nothing here raises: a value that cannot be understood gives None or "" and the caller keeps the raw
text as an attribute, so that no information of the user's file is lost.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable

#: What exports of pandas, SQL tools and spreadsheets write for "no value".
_EMPTY_WORDS = frozenset({"null", "nan", "none", "n/a", "#n/a", "<na>", "nat"})
#: The last four are the full-width forms, which some spreadsheets read alike.
_FORMULA_START = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
_ESCAPABLE = re.compile(f"'*[{re.escape(_FORMULA_START)}]")
#: Control characters, lone surrogates (SQLite cannot store them), zero-width space, BOM, direction
#: marks, and U+FFFE and U+FFFF, which are no characters and which XLSX cannot hold. The joiners U+200C and
#: U+200D stay: several scripts need them.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff\ufffe\uffff\ud800-\udfff]"
)
_PRICE = re.compile(r"(?P<before>\D{0,20}?)(?P<number>\d(?:[\d.,'\u2019\s]*\d)?)(?P<after>\D{0,20})")
#: Blanks and apostrophes stand between groups of three digits; ``_amount`` judges points and commas.
_GROUPED = re.compile(r"\d{1,3}(?:[\s'\u2019]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*")
_PLAIN_PRICE = re.compile(r"\d{1,9}(?:\.\d{1,2})?", re.ASCII)
_POINT_DECIMALS = re.compile(r"\.\d{1,2}(?!\d)\D*$|\.\d{4,}\D*$")
_COMMA_DECIMALS = re.compile(r",\d{1,2}(?!\d)\D*$|,\d{4,}\D*$")
_GTIN_NOISE = re.compile(r"[\s\-.]")
_PRICE_LIMIT = 1e12
_THOUSANDS = 3


def clean_text(text: str) -> str:
    """``text`` on one line: white space collapsed, control characters and lone surrogates removed."""
    text = " ".join(text.split())
    if text.isprintable():
        return text
    return " ".join(_UNWANTED.sub(" ", text).split())


def is_empty_word(text: str) -> bool:
    """Whether a cleaned cell only says that there is no value (``NULL``, ``nan``, ``N/A``)."""
    return not text or (len(text) <= len("#n/a") and text.casefold() in _EMPTY_WORDS)


def as_text(value: object) -> str:
    """A typed cell (Parquet, JSON) as the text a person would have typed; None and NaN are ``""``."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return ""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, Iterable):
        return ", ".join(part for part in map(as_text, value) if part)
    return str(value)


def escape_formula(text: str) -> str:
    """Guard a cell that a spreadsheet would run: one apostrophe before ``= + - @`` or a tab.

    A text that already looks guarded gets one more, so that :func:`unescape_formula` is its exact
    inverse. Source: OWASP, CSV injection.
    """
    return f"'{text}" if _ESCAPABLE.match(text) else text


def unescape_formula(text: str) -> str:
    """The inverse of :func:`escape_formula`, applied to every imported cell."""
    return text[1:] if text.startswith("'") and _ESCAPABLE.match(text) else text


def guess_decimal(samples: Iterable[str]) -> str:
    """Which of ``.`` and ``,`` is the decimal sign of a price column; ``""`` when nothing tells."""
    point = comma = 0
    for sample in samples:
        point += bool(_POINT_DECIMALS.search(sample))
        comma += bool(_COMMA_DECIMALS.search(sample))
    if point == comma:
        return ""
    return "." if point > comma else ","


def parse_price(text: str, decimal: str = "") -> float | None:
    """The amount in ``$1,299.00``, ``1.299,00 €``, ``CHF 1'299.-`` or ``69``; None if there is not one.

    ``decimal`` settles the one ambiguous form: with ``"."``, ``1.299`` is about one; without a hint,
    three digits behind a single sign are thousands. Zero, negative and absurd amounts are None.
    """
    if _PLAIN_PRICE.fullmatch(text):  # nearly every cell of a machine-written file
        return float(text) or None
    text = unicodedata.normalize("NFKC", text).strip()
    found = _PRICE.fullmatch(text)
    if not found or "%" in text:
        return None
    before, number = found["before"].strip(), found["number"]
    if before.endswith(("-", "\u2212", "\u2013")):
        return None
    if before.endswith((".", ",")) and not before[:-1][-1:].isalpha():
        number = f"0.{number}" if number.isdigit() else ""
        decimal = "."
    amount = _amount(number, decimal)
    return amount if amount is not None and 0 < amount < _PRICE_LIMIT else None


def _amount(number: str, decimal: str) -> float | None:
    if not _GROUPED.fullmatch(number):
        return None
    number = re.sub(r"[\s'\u2019]", "", number)
    points, commas = number.count("."), number.count(",")
    if points and commas:
        sign, other = (".", ",") if number.rfind(".") > number.rfind(",") else (",", ".")
        if number.count(sign) > 1:
            return None
        whole, _, rest = number.partition(sign)
        groups = whole.split(other)
        return float(f"{''.join(groups)}.{rest}") if _are_thousands(groups) else None
    if not points and not commas:
        return float(number)
    sign = "." if points else ","
    groups = number.split(sign)
    if len(groups) > 2:
        return float("".join(groups)) if _are_thousands(groups) else None
    if _are_thousands(groups) and sign != decimal:
        return float("".join(groups))
    return float(".".join(groups))


def _are_thousands(groups: list[str]) -> bool:
    first, *rest = groups
    return 1 <= len(first) <= _THOUSANDS and first != "0" and all(len(group) == _THOUSANDS for group in rest)


def gtin_check_digit(digits: str) -> int:
    """The GS1 check digit that belongs behind ``digits`` (all but the last digit of a GTIN)."""
    weighted = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(digits)))
    return -weighted % 10


def parse_gtin(text: str) -> str:
    """A GTIN-8, -12, -13 or -14 with a right check digit, as digits; ``""`` for anything else.

    UPC-12 and padded GTIN-14 become GTIN-13, so that equal products have equal digits; a UPC whose
    leading zero a spreadsheet dropped (11 digits) is restored.
    """
    text = text.strip()
    if text.endswith(".0"):  # a spreadsheet or pandas took the column for numbers
        text = text[:-2]
    digits = _GTIN_NOISE.sub("", text)
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in {8, 11, 12, 13, 14}:
        return ""
    if not digits.strip("0") or gtin_check_digit(digits[:-1]) != int(digits[-1]):
        return ""
    if len(digits) in {11, 12}:
        return digits.zfill(13)
    return digits[1:] if len(digits) == 14 and digits.startswith("0") else digits
