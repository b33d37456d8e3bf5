"""Splits text into words and runs of words; knows no reference and no figure."""

from __future__ import annotations

import re
from collections.abc import Sequence

Gram = tuple[str, ...]

_WORD = re.compile(r"\w+(?:['’]\w+)*")


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation; an apostrophe within a word belongs to it."""
    return [word.replace("’", "'") for word in _WORD.findall(text.casefold())]


def grams(text_words: Sequence[str], length: int) -> list[Gram]:
    """Every run of `length` words, in order; none where there are fewer words."""
    return [tuple(text_words[start : start + length]) for start in range(len(text_words) - length + 1)]
