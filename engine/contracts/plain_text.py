"""Descriptions as people read them: feeds send them as HTML, escaped once or twice, or not at all."""

from __future__ import annotations

import html
import re

_TAG = re.compile(r"</?[a-zA-Z!][^<>]{0,400}>")
_LINK = re.compile(r"\b(?:\w+://|www\.)\S+")


def plain_text(markup: str) -> str:
    """A text without markup and links; a "<" that begins no tag stays."""
    for _ in range(2):
        if "&" in markup:
            markup = html.unescape(markup)
    return _LINK.sub(" ", _TAG.sub(" ", markup)).strip()
