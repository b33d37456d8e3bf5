"""Cuts quotes into what the judge looks at: hashed words and marks, and runs of words; the bot does the same."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

RUN_WORDS = 8
_PIECE = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def buckets_of(text: str, buckets: int) -> list[int]:
    """The row of the embedding for each word and mark, in their order."""
    return [zlib.crc32(piece.encode("utf-8", "replace")) % buckets for piece in _PIECE.findall(text.casefold())]


def words_of(text: str) -> list[str]:
    """Its words in lower case, without marks, in their order."""
    return _WORD.findall(text.casefold())


def runs_of(text: str) -> Iterator[str]:
    """Every run of eight words; of a text that is shorter, all of them."""
    words = words_of(text)
    for start in range(max(1, len(words) - RUN_WORDS + 1)):
        yield " ".join(words[start : start + RUN_WORDS])
