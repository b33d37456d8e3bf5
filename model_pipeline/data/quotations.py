"""Makes a quote and its keyword out of a row's text and tags, as people write them; knows no row."""

from __future__ import annotations

import re
from collections.abc import Sequence

from model_pipeline.data.texts import in_one_line

_MARKS = {"“": "”", "„": "“”", "«": "»", "»": "«", "‹": "›", "›": "‹", "「": "」", "『": "』", "‘": "’", '"': '"'}
_ATTRIBUTION = re.compile(r"(mis)?attributed\b", re.IGNORECASE)  # says who is said to have said it, not what about


def bare_quote(text: str) -> str:
    """The quote in one line, without the quotation marks that stand around the whole of it."""
    quote = in_one_line(text)
    closing = _MARKS.get(quote[:1], "")
    if len(quote) < 2 or quote[-1] not in closing:
        return quote
    inside = quote[1:-1]
    alone = not any(mark in inside for mark in (quote[0], quote[-1]))
    return inside.strip() if alone or _encloses_all(quote) else quote


def keyword_of_tags(tags: Sequence[str] | str) -> str:
    """The first tag that says what a quote is about, as words: `be-yourself` is "be yourself"; "" if there is none.

    `tags` is a list, or a string with commas.
    """
    for tag in tags.split(",") if isinstance(tags, str) else tags:
        words = in_one_line(re.sub(r"[-_]", " ", str(tag)))
        if words and not _ATTRIBUTION.match(words):
            return words
    return ""


def _encloses_all(quote: str) -> bool:
    """The mark at the beginning is closed by the one at the end, and by none before it."""
    opening, closing = quote[0], quote[-1]
    if opening == closing:
        return False
    depth = 0
    for position, char in enumerate(quote):
        depth += (char == opening) - (char == closing)
        if depth == 0:
            return position == len(quote) - 1
    return False
