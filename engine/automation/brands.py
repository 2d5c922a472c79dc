"""Brands, as the catalogue writes them: names, and the other names that mean the same.

Nobody hands over a list of brands. The catalogue's own column says some of them; where there is none, the
words that begin many titles do. Three kinds of aliases are learnt: a name without its legal form
("Bosch GmbH"), the word that the brand's titles begin with ("hp" before titles of "Hewlett Packard"),
and its initials where titles begin with them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from engine.automation.tokens import TokenSets, normalise
from engine.contracts import Record

#: So many items that begin with one word make it look like a brand.
BRAND_ITEMS = 6
#: A first word is an alias of the brand that so many of its titles carry, from so many titles on.
_ALIAS_SHARE, _ALIAS_ITEMS = 0.8, 3
_LEGAL_FORMS = """
    inc ltd limited llc plc gmbh ag kg co corp corporation company sa spa srl bv nv oy ab as
    international intl technologies technology electronics usa uk europe the
"""
_LEGAL = frozenset(_LEGAL_FORMS.split())
#: Words that begin titles of many brands.
_NO_BRANDS = "new the a an set pack genuine original for with neu refurbished used"
_NO_BRAND = frozenset(_NO_BRANDS.split())


def brand_key(name: str) -> str:
    """A brand name without case, punctuation and legal form."""
    words = "".join(c if c.isalnum() else " " for c in normalise(name)).split()
    return "".join(word for word in words if word not in _LEGAL) or "".join(words)


class BrandBook:
    """The brands of one catalogue.

    Args:
        items: the items.
        parsed: their record texts, in the same order.
    """

    def __init__(self, items: Sequence[Record], parsed: Sequence[TokenSets]) -> None:
        self._number: dict[str, int] = {}
        first_words = Counter(tokens.first for tokens in parsed)
        said = [brand_key(item.brand) for item in items]
        initials: dict[str, str] = {}
        by_first: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for item, key, tokens in zip(items, said, parsed, strict=True):
            if not key:
                continue
            self._add(key)
            by_first[tokens.first][key] += 1
            parts = normalise(item.brand).split()
            if len(parts) > 1:
                initials["".join(part[0] for part in parts)] = key
        for word, keys in by_first.items():
            key, count = keys.most_common(1)[0]
            if count >= _ALIAS_ITEMS and count >= _ALIAS_SHARE * first_words[word] and len(word) > 1:
                self._number.setdefault(word, self._number[key])
        for letters, key in initials.items():
            if len(letters) > 1 and first_words[letters]:
                self._number.setdefault(letters, self._number[key])
        for word, count in first_words.items():
            if count >= BRAND_ITEMS and word.isalpha() and len(word) > 1 and word not in _NO_BRAND:
                self._add(word)

    def _add(self, key: str) -> None:
        self._number.setdefault(key, len(self._number) + 1)

    def number(self, name: str) -> int:
        """The brand that a name means; 0 where it says none, -1 where no item is of that brand."""
        key = brand_key(name)
        return self._number.get(key, -1) if key else 0

    def of_item(self, item: Record, tokens: TokenSets) -> int:
        """The item's brand: what it says, else its first word if that is one; 0 = unknown."""
        return self.number(item.brand) or self._number.get(tokens.first, 0)

    def named(self, record: Record, tokens: TokenSets) -> frozenset[int]:
        """Every brand that a record names, in its brand column or anywhere in its text."""
        pairs = (left + right for left, right in zip(tokens.words, tokens.words[1:], strict=False))
        found = {self._number[word] for word in (*tokens.words, *pairs) if word in self._number}
        own = self.number(record.brand)
        return frozenset({*found, own} if own else found)
