"""Values that a word stands for: colours, sizes, versions, years, and variants of a model.

A number with a unit says its quantity; "schwarz", "Mk II" or "2nd gen" do so only to those who know
the words. They are brought to one value each, so that two spellings agree and two values conflict.
Variant words ("plus", "pro", "mini") are different: to lack one is a statement too.
"""

from __future__ import annotations

import re

#: Quantities that agree where a value is shared and conflict where both name some and none is.
QUANTITIES: tuple[str, ...] = ("colour", "size", "version", "year")

_COLOURS: dict[str, str] = {
    "black": "black blk schwarz noir nero negro negra zwart czarny černá černý cerna cerny jet",
    "white": "white wht weiss weiß blanc blanche bianco blanco wit biały bílá bílý bila bily ivory",
    "grey": "grey gray grau gris grigio grijs szary šedá šedý seda sedy graphite anthracite anthrazit "
    "graphit spacegrau charcoal slate",
    "silver": "silver slv silber argent argento plata zilver srebrny stříbrná stříbrný stribrna stribrny",
    "blue": "blue blau bleu blu azul blauw niebieski modrá modrý modra modry navy cobalt",
    "red": "red rot rouge rosso rojo rood czerwony červená červený cervena cerveny crimson burgundy",
    "green": "green grün gruen vert verde groen zielony zelená zelený zelena zeleny mint olive",
    "yellow": "yellow gelb jaune giallo amarillo geel żółty žlutá žlutý zluta zluty",
    "orange": "orange oranje arancione naranja pomarańczowy oranžová oranzova",
    "pink": "pink rosa rose roze różowy růžová růžový ruzova ruzovy",
    "purple": "purple violet violett lila viola fioletowy fialová fialový fialova fialovy lavender",
    "brown": "brown braun brun marron marrone bruin brązowy hnědá hnědý hneda hnedy walnut mahogany",
    "beige": "beige cream creme sand taupe champagne béžová bezova",
    "gold": "gold golden goud złoty zlatá zlatý zlata zlaty",
    "copper": "copper kupfer bronze",
    "steel": "stainless inox edelstahl nerez nerezová nerezova",
    "turquoise": "turquoise türkis tuerkis teal aqua cyan",
    "clear": "clear transparent",
}
_SIZES: dict[str, str] = {
    "small": "small klein malý maly malá mala petit",
    "medium": "medium mittel",
    "large": "large gross groß velký velky velká velka grand",
    "extra large": "xl xlarge",
    "double extra large": "xxl 2xl",
    "king": "king kingsize",
    "queen": "queen queensize",
    "travel": "travel reise",
    "jumbo": "jumbo",
}
_VARIANT_WORDS = """
    plus pro max mini lite light ultra air se neo prime premium deluxe elite classic standard basic
    professional enterprise home student academic upgrade oem retail edition express studio suite
    compact slim wireless cordless bluetooth wifi cellular refurbished renewed used bundle kit combo
    kids men women junior senior active sport touch dual single twin
"""
_VARIANTS = frozenset(_VARIANT_WORDS.split())
_VALUE_OF = {
    word: f"{quantity}:{value}"
    for quantity, table in (("colour", _COLOURS), ("size", _SIZES))
    for value, words in table.items()
    for word in words.split()
}
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_COUNT = r"(\d{1,3}(?:\.\d{1,3})*|i{1,3}|iv|vi{0,3}|ix)"
_VERSIONS = (
    re.compile(r"\b(?:v|ver\.?|version|release|rev\.?)\s?(\d{1,3}(?:\.\d{1,3})*)(?![\w.])"),
    re.compile(rf"\b(?:mk\.?|mark|gen\.?|generation|series|serie)\s?{_COUNT}(?![\w.])"),
    re.compile(r"\b(\d{1,2})(?:st|nd|rd|th|\.)\s?gen(?:eration)?\b"),
)
_SIZE_LETTER = re.compile(r"\bsize:?\s?(xs|s|m|l)\b")
_LETTERS = {"xs": "extra small", "s": "small", "m": "medium", "l": "large"}
_YEAR = re.compile(
    r"(?<![\w.,-])(19[89]\d|20[0-4]\d)(?![\w.,-]|\s?(?:mah|w|watts?|mm|cm|ml|g|gb|mb|rpm|hz|lm)\b)"
)


def named_values(text: str, words: tuple[str, ...]) -> frozenset[str]:
    """Every value named, as "quantity:value"; ``text`` is normalised, ``words`` are its tokens."""
    values = {_VALUE_OF[word] for word in words if word in _VALUE_OF}
    for pattern in _VERSIONS:
        for count in pattern.findall(text):
            values.add(f"version:{_ROMAN.get(count, count.removesuffix('.0'))}")
    values.update(f"size:{_LETTERS[letter]}" for letter in _SIZE_LETTER.findall(text))
    values.update(f"year:{year}" for year in _YEAR.findall(text))
    return frozenset(values)


def variant_words(words: tuple[str, ...]) -> frozenset[str]:
    """The words that make a model another one by being there or not."""
    return frozenset(word for word in words if word in _VARIANTS)
