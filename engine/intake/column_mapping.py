"""Which column of a file is which field of a record: a guess from names and values, then the user's word."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence

from engine.contracts import MAPPABLE_FIELDS, REQUIRED_FIELDS, ColumnMapping
from engine.errors import ColumnMappingError
from engine.intake.cell_values import parse_gtin

#: Header names per field, most telling first: English, German, Czech, French, Spanish, Italian.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "external_id": (
        "external id", "item id", "listing id", "query id", "offer id", "product id", "article id", "id",
        "sku", "item number", "item no", "article number", "article no", "artikelnummer", "artikel nr",
        "artnr", "art nr", "bestellnummer", "product code", "product number", "asin", "uid", "handle", "kod",
        "cislo", "referencia", "reference", "ref", "codigo", "codice", "code", "nr", "key",
    ),
    "title": (
        "title", "product title", "item title", "listing title", "product name", "item name", "listing name",
        "name", "titel", "produktname", "artikelname", "bezeichnung", "artikelbezeichnung", "nazev",
        "nazev produktu", "jmeno", "titre", "nom", "libelle", "designation", "titulo", "nombre", "titolo",
        "nome", "product", "produkt", "item", "artikel", "headline", "label", "short description", "text",
    ),
    "brand": (
        "brand", "brand name", "manufacturer", "manufacturer name", "marke", "hersteller", "znacka",
        "vyrobce", "marque", "fabricant", "marca", "fabricante", "produttore", "maker", "producer", "mfr",
    ),
    "model": (
        "model", "model number", "model no", "model code", "model name", "mpn", "manufacturer part number",
        "part number", "part no", "modell", "modellnummer", "herstellernummer", "modele", "modelo",
        "modello", "modelno", "type number", "typ",
    ),
    "category": (
        "category", "product category", "category name", "categories", "category path", "product type",
        "kategorie", "warengruppe", "produktgruppe", "categorie", "categoria", "product group",
        "department", "google product category", "type",
    ),
    "price": (
        "price", "sale price", "unit price", "list price", "retail price", "current price", "amount",
        "preis", "verkaufspreis", "cena", "prix", "precio", "prezzo", "rrp", "msrp", "uvp", "cost",
    ),
    "gtin": (
        "gtin", "gtin13", "gtin14", "ean", "ean13", "ean code", "upc", "barcode", "bar code", "isbn", "jan",
    ),
    "description": (
        "description", "product description", "long description", "beschreibung", "langbeschreibung",
        "popis", "descripcion", "descrizione", "details", "body html", "body", "summary", "specification",
    ),
    "image": (
        "image", "image url", "image link", "main image", "picture", "picture url", "photo", "img", "bild",
        "bild url", "obrazek", "imagen", "immagine", "thumbnail",
    ),
}  # fmt: skip
#: "vendor_id" and "category name" are somebody else's id and name.
_OTHER_THINGS = frozenset(
    {
        "vendor", "seller", "shop", "store", "merchant", "supplier", "manufacturer", "haendler",
        "dodavatel", "category", "department", "brand", "parent", "cluster", "group", "currency",
        "image", "user", "feed",
    }
)  # fmt: skip
_EXACT, _PARTIAL = 200, 100
_GTIN_SHARE = 0.9
_ID_LENGTH = 200


def guess_mapping(columns: Sequence[str], sample: Sequence[Mapping[str, str]]) -> ColumnMapping:
    """Guess the column of each field from header names, then from the values of a few rows.

    Args:
        columns: Header names in file order.
        sample: Some rows as column -> text; may be empty.

    Returns:
        A mapping with every field that could be guessed; each column is used at most once. Required
        fields may be missing: :func:`require_columns` says so in words.
    """
    scored = [
        (score, -MAPPABLE_FIELDS.index(field_name), -place, field_name, column)
        for field_name in MAPPABLE_FIELDS
        for place, column in enumerate(columns)
        if (score := _name_score(field_name, column) + _value_penalty(field_name, column, sample)) > 0
    ]
    chosen: dict[str, str] = {}
    for _, _, _, field_name, column in sorted(scored, reverse=True):
        if field_name not in chosen and column not in chosen.values():
            chosen[field_name] = column
    _guess_from_values(columns, sample, chosen)
    return _in_field_order(chosen)


def apply_overrides(
    guess: ColumnMapping, columns: Sequence[str], overrides: Mapping[str, str] | None
) -> ColumnMapping:
    """The guess with the user's choices put over it.

    Args:
        guess: From :func:`guess_mapping`.
        columns: Header names of the file.
        overrides: Field -> column; ``""`` leaves the field unmapped.

    Raises:
        ColumnMappingError: An unknown field, or a column that is not in the file.
    """
    chosen = dict(guess.columns)
    wanted: dict[str, str] = {}
    for field_name, column in (overrides or {}).items():
        if field_name not in MAPPABLE_FIELDS:
            raise ColumnMappingError(
                f"there is no field {field_name!r} to map; fields are {', '.join(MAPPABLE_FIELDS)}"
            )
        chosen.pop(field_name, None)
        if column:
            wanted[field_name] = _find_column(field_name, column, columns)
    chosen = {name: column for name, column in chosen.items() if column not in wanted.values()}
    return _in_field_order(chosen | wanted)


def require_columns(mapping: ColumnMapping, columns: Sequence[str], file_name: str) -> None:
    """Refuse a mapping that leaves the id or the title without a column.

    Raises:
        ColumnMappingError: Names what is missing, the columns there are, and how to map one.
    """
    missing = [name for name in REQUIRED_FIELDS if mapping.column(name) is None]
    if missing:
        words = " and ".join({"external_id": "the id", "title": "the title"}[name] for name in missing)
        raise ColumnMappingError(
            f"{file_name}: no column was found for {words}; the columns are {_listed(columns)}. "
            f"Map it by hand, for example {missing[0]}={_quoted(columns[0] if columns else 'COLUMN')}"
        )


def _in_field_order(chosen: Mapping[str, str]) -> ColumnMapping:
    return ColumnMapping({name: chosen[name] for name in MAPPABLE_FIELDS if name in chosen})


def _header_words(column: str) -> list[str]:
    column = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column)
    plain = unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode()
    return re.findall(r"[a-z]+\d*|\d+", plain.casefold())


def _name_score(field_name: str, column: str) -> int:
    words = _header_words(column)
    header = " ".join(words)
    names = _NAMES[field_name]
    if header in names:
        return _EXACT - names.index(header)
    if field_name in {"external_id", "title"} and _OTHER_THINGS.intersection(words):
        return 0
    for place, name in enumerate(names):
        # One vague word inside a longer header ("text colour", "type of plug") says nothing.
        if place < len(names) * 2 // 3 and f" {name} " in f" {header} ":
            return _PARTIAL - place
    return 0


def _value_penalty(field_name: str, column: str, sample: Sequence[Mapping[str, str]]) -> int:
    """Negative where the values speak against the name: an id that repeats, a title that is a number."""
    values = [row.get(column, "") for row in sample]
    filled = [value for value in values if value]
    if not filled:
        return -_PARTIAL // 2 if values else 0
    if field_name == "external_id":
        return 0 if len(set(filled)) == len(values) else -_PARTIAL * 2 // 3
    if field_name == "title":
        return 0 if sum(any(map(str.isalpha, value)) for value in filled) * 2 > len(filled) else -_PARTIAL
    if field_name == "price":
        return 0 if any(any(map(str.isdigit, value)) for value in filled) else -2 * _EXACT
    return 0


def _guess_from_values(
    columns: Sequence[str], sample: Sequence[Mapping[str, str]], chosen: dict[str, str]
) -> None:
    if not sample:
        return
    for field_name, rate in (("gtin", _gtin_rate), ("title", _title_rate), ("external_id", _id_rate)):
        if field_name in chosen:
            continue
        free = [column for column in columns if column not in chosen.values()]
        rates = [(rate([row.get(column, "") for row in sample]), column) for column in free]
        best = max(rates, key=lambda pair: pair[0], default=(0.0, ""))
        if best[0] > 0:
            chosen[field_name] = best[1]


def _gtin_rate(values: list[str]) -> float:
    share = sum(bool(parse_gtin(value)) for value in values) / len(values)
    return share if share >= _GTIN_SHARE else 0.0


def _title_rate(values: list[str]) -> float:
    """Words per value, for columns of phrases: long descriptions and links are not titles."""
    words = sum(len(value.split()) for value in values) / len(values)
    too_long = sum(len(value) for value in values) / len(values) > 250
    links = any(value.startswith(("http://", "https://")) for value in values)
    return 0.0 if too_long or links or words < 2 else words


def _id_rate(values: list[str]) -> float:
    unique = len(set(values)) == len(values) and all(values)
    short = all(len(value) <= _ID_LENGTH and " " not in value for value in values)
    return 1.0 if unique and short and not any(re.search(r"\d[.,]\d\d$", value) for value in values) else 0.0


def _find_column(field_name: str, column: str, columns: Sequence[str]) -> str:
    if column in columns:
        return column
    folded = {name.strip().casefold(): name for name in reversed(columns)}
    if column.strip().casefold() in folded:
        return folded[column.strip().casefold()]
    near = difflib.get_close_matches(column, columns, n=1)
    hint = f"; did you mean {_quoted(near[0])}?" if near else ""
    raise ColumnMappingError(
        f"{field_name} is mapped to {_quoted(column)}, which is not in the file{hint or ';'} "
        f"its columns are {_listed(columns)}"
    )


def _quoted(column: str) -> str:
    return f"'{column}'" if " " in column or not column else column


def _listed(columns: Sequence[str], most: int = 20) -> str:
    listed = ", ".join(_quoted(column[:60]) for column in columns[:most])
    return listed + (f" and {len(columns) - most} more" if len(columns) > most else "")
