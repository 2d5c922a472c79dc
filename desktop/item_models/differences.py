"""Where two product records differ: token by token in their titles, field by field in the rest.

Numbers with units, model codes and colours tell products apart more than words do, so differences
there are *conflicts* and drawn strongest. What one side does not say at all is *missing*, which is
not a conflict. For the eyes of a reviewer only; the evidence that decides is the engine's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from functools import lru_cache
from itertools import islice, pairwise

from engine.contracts import Record


class TokenKind(StrEnum):
    """What a token is. ``MARK`` is punctuation: shown, never compared."""

    MARK = "mark"
    WORD = "word"
    MEASURE = "measure"
    NUMBER = "number"
    CODE = "code"
    COLOUR = "colour"


class Difference(StrEnum):
    """How a token or a field of one record stands to the other record.

    ``DETAILED``: the other title lacks the token, and the other record has it elsewhere.
    """

    EQUAL = "equal"
    SIMILAR = "similar"
    ONLY_HERE = "only_here"
    DETAILED = "detailed"
    MISSING = "missing"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a title: as written, in its normal form, what it is, and its unit if it has one.

    ``spaced`` says that there is a space before it.
    """

    text: str
    normal: str
    kind: TokenKind
    unit: str = ""
    spaced: bool = True

    @property
    def strong(self) -> bool:
        """Whether a difference here tells products apart."""
        return self.kind not in {TokenKind.WORD, TokenKind.MARK}


@dataclass(frozen=True, slots=True)
class MarkedToken:
    """A token and how it stands to the other title; ``against`` is what stands there instead."""

    token: Token
    difference: Difference
    against: str = ""


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of both records. Empty string: that side does not say."""

    name: str
    here: str
    there: str
    difference: Difference
    remark: str = ""


_UNITS = {
    "gb": "gb", "tb": "tb", "mb": "mb", "go": "gb", "to": "tb",
    "mm": "mm", "cm": "cm", "m": "m", "km": "km", "in": "in", "inch": "in", "inches": "in", "zoll": "in",
    '"': "in", "″": "in", "”": "in", "''": "in",
    "g": "g", "kg": "kg", "mg": "mg", "oz": "oz", "lb": "lb", "lbs": "lb",
    "ml": "ml", "cl": "cl", "l": "l", "w": "w", "kw": "kw", "v": "v", "mah": "mah", "wh": "wh", "a": "a",
    "hz": "hz", "khz": "khz", "mhz": "mhz", "ghz": "ghz", "mp": "mp", "px": "px", "dpi": "dpi", "fps": "fps",
    "pack": "pack", "pk": "pack", "pcs": "pack", "pieces": "pack", "count": "pack", "ct": "pack",
    "port": "port", "ports": "port", "h": "h", "hours": "h",
}  # fmt: skip
_COLOURS = {
    "black": "black", "schwarz": "black", "noir": "black", "white": "white", "weiß": "white",
    "weiss": "white", "blanc": "white", "silver": "silver", "silber": "silver", "argent": "silver",
    "grey": "grey",
    "gray": "grey", "grau": "grey", "gris": "grey", "graphite": "graphite", "graphit": "graphite",
    "charcoal": "charcoal", "midnight": "midnight", "blue": "blue", "blau": "blue", "bleu": "blue",
    "navy": "navy", "red": "red", "rot": "red", "rouge": "red", "green": "green", "grün": "green",
    "vert": "green", "yellow": "yellow", "gelb": "yellow", "pink": "pink", "rosa": "pink", "rose": "rose",
    "purple": "purple", "violet": "purple", "lavender": "lavender", "orange": "orange", "brown": "brown",
    "gold": "gold", "beige": "beige", "cream": "cream", "titanium": "titanium", "bronze": "bronze",
}  # fmt: skip
_UNIT_PATTERN = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_TOKEN = re.compile(
    rf"(?P<measure>(?<![\w-])\d+(?:[.,]\d+)?(?:\s?-?\s?)(?:{_UNIT_PATTERN})(?!\w))"
    r"|(?P<word>\w+(?:[-/.+'&]\w+)*\+?)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"^\d+(?:[.,]\d+)?$")
_LONGEST_JOIN = 3
_SHORTEST_PART = 4
_ALIKE = 0.6
#: Tokens of a title that are compared; nobody reads further.
_MOST_TOKENS = 80


def _plain(text: str) -> str:
    return re.sub(r"[^\w+]", "", unicodedata.normalize("NFKC", text).casefold()).replace("_", "")


def tokens_of(text: str) -> list[Token]:
    """Cut a title into tokens, punctuation included; what comes after the eightieth is one token more."""
    tokens: list[Token] = []
    end = 0
    for match in islice(_TOKEN.finditer(text), _MOST_TOKENS):
        gap = text[end : match.start()]
        tokens.extend(_marks(gap))
        tokens.append(replace(_token(match), spaced=not gap or gap[-1].isspace()))
        if not gap and end:
            tokens[-1] = replace(tokens[-1], spaced=False)
        end = match.end()
    rest = text[end:]
    if _TOKEN.search(rest):
        rest = " …"
    tokens.extend(_marks(rest))
    return tokens


def _marks(gap: str) -> list[Token]:
    words = gap.split()
    starts_spaced = gap[:1].isspace()
    return [Token(word, "", TokenKind.MARK, spaced=starts_spaced or at > 0) for at, word in enumerate(words)]


def _token(match: re.Match[str]) -> Token:
    text = match.group()
    if match["measure"]:
        number = re.match(r"\d+(?:[.,]\d+)?", text)
        amount = number.group() if number else ""
        unit = _UNITS[text[len(amount) :].strip(" -").casefold()]
        value = amount.replace(",", ".")
        if "." in value:
            value = value.rstrip("0").rstrip(".")
        return Token(text, f"{value}{unit}", TokenKind.MEASURE, unit)
    normal = _plain(text)
    if _NUMBER.match(text):
        return Token(text, text.replace(",", "."), TokenKind.NUMBER)
    if normal in _COLOURS:
        return Token(text, _COLOURS[normal], TokenKind.COLOUR)
    has_digit = any(character.isdigit() for character in normal)
    has_letter = any(character.isalpha() for character in normal)
    return Token(text, normal, TokenKind.CODE if has_digit and has_letter else TokenKind.WORD)


def _covered(mine: Sequence[Token], theirs: Sequence[Token]) -> list[bool]:
    """Which of my tokens the other side has too, however they are split ("MX 3 S" and "MX 3S")."""
    known = {token.normal for token in theirs}
    joined = {
        "".join(token.normal for token in theirs[start : start + length])
        for length in range(2, _LONGEST_JOIN + 1)
        for start in range(len(theirs) - length + 1)
    }
    covered = [token.normal in known or token.normal in joined for token in mine]
    for length in range(2, _LONGEST_JOIN + 1):
        for start in range(len(mine) - length + 1):
            run = mine[start : start + length]
            if "".join(token.normal for token in run) in known:
                covered[start : start + length] = [True] * length
    return covered


def _alike(one: str, other: str) -> bool:
    """Whether two codes look like variants of one another."""
    if re.sub(r"\d", "0", one) == re.sub(r"\d", "0", other):
        return True
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= _ALIKE


def _part_of(token: Token, others: Iterable[Token]) -> bool:
    """Whether a code or number is written shorter or longer on the other side (CU8000, UE65CU8000)."""
    return any(
        min(len(token.normal), len(other.normal)) >= _SHORTEST_PART
        and (token.normal in other.normal or other.normal in token.normal)
        for other in others
        if token.strong and other.strong
    )


def _rival(token: Token, others: Iterable[Token]) -> Token | None:
    """The uncovered token of the other side that says something else about the same thing."""
    for other in others:
        if other.kind is not token.kind:
            continue
        match token.kind:
            case TokenKind.MEASURE if other.unit == token.unit:
                return other
            case TokenKind.CODE if _alike(token.normal, other.normal):
                return other
            case TokenKind.NUMBER | TokenKind.COLOUR:
                return other
            case _:
                continue
    return None


@lru_cache(maxsize=64)
def normals_at(text: str) -> tuple[tuple[int, int, str], ...]:
    """Begin, end and normal form of every token of a text, and of every two neighbours written as one.

    The last texts are remembered: a listing's description is asked about for each of its candidates.
    """
    single = [(match.start(), match.end(), _token(match).normal) for match in _TOKEN.finditer(text)]
    double = [(left[0], right[1], left[2] + right[2]) for left, right in pairwise(single)]
    return (*single, *double)


def compare_titles(
    mine: str, theirs: str, *, my_details: Collection[str] = (), their_details: Collection[str] = ()
) -> tuple[MarkedToken, ...]:
    """My title's tokens as they stand to the other, then the strong ones that only the other has.

    The latter are marked ``MISSING``: they are not in my title at all.

    Args:
        mine: the title that is marked.
        theirs: the other.
        my_details: normal forms of what my record says outside its title; it is not missing then.
        their_details: the same of the other; what it has of my title is ``DETAILED``.
    """
    left = tokens_of(mine)
    shown, left = left, [token for token in left if token.kind is not TokenKind.MARK]
    right = [token for token in tokens_of(theirs) if token.kind is not TokenKind.MARK]
    left_covered, right_covered = _covered(left, right), _covered(right, left)
    open_right = [token for token, known in zip(right, right_covered, strict=True) if not known]
    open_left = [token for token, known in zip(left, left_covered, strict=True) if not known]
    marked = []
    covered = iter(left_covered)
    for token in shown:
        if token.kind is TokenKind.MARK:
            marked.append(MarkedToken(token, Difference.EQUAL))
            continue
        known = next(covered)
        part = not known and _part_of(token, open_right)
        rival = None if known or part else _rival(token, open_right)
        if known:
            marked.append(MarkedToken(token, Difference.EQUAL))
        elif part:
            marked.append(MarkedToken(token, Difference.SIMILAR))
        elif rival is not None:
            marked.append(MarkedToken(token, Difference.CONFLICT, rival.text))
        else:
            told = token.normal in their_details
            marked.append(MarkedToken(token, Difference.DETAILED if told else Difference.ONLY_HERE))
    for token in open_right:
        if token.normal in my_details:
            continue
        if token.strong and not _part_of(token, open_left) and _rival(token, open_left) is None:
            marked.append(MarkedToken(token, Difference.MISSING))
    return tuple(marked)


def words_for(marked: Sequence[MarkedToken]) -> str:
    """The differences as a sentence, for a screen reader and for who cannot tell colours apart."""
    conflicts = [
        f"{one.token.text} instead of {one.against}" for one in marked if one.difference == "conflict"
    ]
    extra = [one.token.text for one in marked if one.difference == "only_here" and one.token.strong]
    missing = [one.token.text for one in marked if one.difference == "missing"]
    told = [one.token.text for one in marked if one.difference == "detailed"]
    parts = []
    if conflicts:
        parts.append("Conflicts: " + ", ".join(conflicts))
    if missing:
        parts.append("Does not say: " + ", ".join(missing))
    if told:
        parts.append("Said outside the other title: " + ", ".join(told))
    if extra:
        parts.append("Only here: " + ", ".join(extra))
    return ". ".join(parts) if parts else "No conflicting numbers or codes"


# -- fields --------------------------------------------------------------------------------------

#: A price within this share of the other is taken for the same product in another shop.
_CLOSE_PRICE = 0.3


def price_words(price: float | None) -> str:
    """A price as a reviewer reads it; empty when there is none."""
    return "" if price is None else f"{price:,.2f}"


def compare_fields(here: Record, there: Record | None) -> tuple[FieldRow, ...]:
    """Every field either record fills, titles and descriptions apart. ``there`` None: nothing to compare."""
    rows = [
        _row("Brand", here.brand, there.brand if there else ""),
        _row("Model", here.model, there.model if there else "", code=True),
        _price_row(here.price, there.price if there else None),
        _row("Barcode", here.gtin, there.gtin if there else "", code=True),
        _row("Category", here.category, there.category if there else "", loose=True),
    ]
    mine = {name.casefold(): (name, value) for name, value in here.attributes.items()}
    others = {name.casefold(): (name, value) for name, value in (there.attributes if there else {}).items()}
    for key in [*mine, *(key for key in others if key not in mine)]:
        name = (mine.get(key) or others[key])[0]
        rows.append(
            _row(name[:1].upper() + name[1:], mine.get(key, ("", ""))[1], others.get(key, ("", ""))[1])
        )
    return tuple(row for row in rows if row.here or row.there)


def _row(name: str, here: str, there: str, *, code: bool = False, loose: bool = False) -> FieldRow:
    if not here or not there:
        return FieldRow(name, here, there, Difference.ONLY_HERE if here else Difference.MISSING)
    left, right = _plain(here), _plain(there)
    if left == right or _normals(here) == _normals(there):
        return FieldRow(name, here, there, Difference.EQUAL)
    contained = min(len(left), len(right)) >= 3 and (left in right or right in left)
    if loose or contained or (not code and _overlap(here, there)):
        return FieldRow(name, here, there, Difference.SIMILAR)
    return FieldRow(name, here, there, Difference.CONFLICT)


def _normals(text: str) -> list[str]:
    return [one.normal for one in tokens_of(text) if one.kind is not TokenKind.MARK]


def _overlap(here: str, there: str) -> bool:
    marked = compare_titles(here, there)
    return any(one.difference is Difference.EQUAL and one.token.normal for one in marked) and not any(
        one.difference is Difference.CONFLICT for one in marked
    )


def _price_row(here: float | None, there: float | None) -> FieldRow:
    if here is None or there is None:
        state = Difference.ONLY_HERE if here is not None else Difference.MISSING
        return FieldRow("Price", price_words(here), price_words(there), state)
    if here == there:
        return FieldRow("Price", price_words(here), price_words(there), Difference.EQUAL)
    apart = (here - there) / there if there else 1.0
    sign = "+" if apart > 0 else "−"
    state = Difference.SIMILAR if abs(apart) <= _CLOSE_PRICE else Difference.CONFLICT
    return FieldRow("Price", price_words(here), price_words(there), state, f"{sign}{abs(apart):.0%}")
