"""Says when two texts are the same but for case, spaces and punctuation; knows no row."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_WORD = re.compile(r"\w+")


def normalised(text: str) -> str:
    """The words in lower case with one space between them; of a text without words, its characters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_WORD.findall(plain)) or " ".join(plain.split())


def digest(text: str) -> str:
    """A short name for a text, which all texts that are the same to `normalised` share."""
    return hashlib.sha256(normalised(text).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def in_one_line(text: str) -> str:
    """The text with single spaces instead of line breaks, tabs and runs of spaces."""
    return " ".join(text.split())
