"""Details: what a record says in its description and its attributes, as people read it."""

from __future__ import annotations

import html
import re
from collections.abc import Container

from engine.contracts.records import Record

#: Longer details are cut: what comes after is terms of delivery.
MOST_CHARACTERS = 4000
_TAG = re.compile(r"</?[a-zA-Z!][^<>]{0,400}>")
_LINK = re.compile(r"\b(?:\w+://|www\.)\S+")


def plain_text(markup: str) -> str:
    """A text without markup and links; a "<" that begins no tag stays.

    Feeds send descriptions as HTML, escaped once or twice, or not at all.
    """
    for _ in range(2):
        if "&" in markup:
            markup = html.unescape(markup)
    return _LINK.sub(" ", _TAG.sub(" ", markup)).strip()


def raw_details(record: Record, attributes: Container[str]) -> str:
    """The values of some attributes and the description as they were imported.

    Args:
        record: an item or a listing.
        attributes: names of those that count, in lower case.
    """
    named = [value for name, value in sorted(record.attributes.items()) if name.casefold() in attributes]
    # Attributes first: they are short, and a long description must not cut them off.
    return " \n ".join((*named, record.description))


def details_of(record: Record, attributes: Container[str]) -> str:
    """The :func:`raw_details` of a record as plain text."""
    return plain_text(raw_details(record, attributes))[:MOST_CHARACTERS]


def attribute_names(*records: Record) -> frozenset[str]:
    """The names of the attributes that any of some records has, in lower case."""
    return frozenset(name.casefold() for record in records for name in record.attributes)
