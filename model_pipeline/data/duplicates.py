"""Removes rows that say what an earlier row says, word for word or nearly; knows no source and no split.

Near duplicates are found with MinHash signatures and then compared exactly, so that none is removed by chance.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from model_pipeline.data.fit import drop
from model_pipeline.data.items import Dropped
from model_pipeline.data.rows import Row, reply_of
from model_pipeline.data.texts import normalised

GRAM_WORDS = 3
SAME, NEARLY_SAME = "duplicate", "near duplicate"
_PERMUTATIONS = 128
_MISSED = 1e-6  # at most: the probability that a pair as similar as the threshold is not compared

Grams = frozenset[str]


def remove_duplicates(rows: Iterable[Row], near_duplicate: float) -> tuple[list[Row], list[Dropped]]:
    """The rows without those that repeat an earlier one, and what was removed, each with the row that it repeats.

    Two rows are near duplicates from a Jaccard similarity of `near_duplicate` of their runs of three words; at 1 only
    texts of the same words are removed. Of quotes the quote alone counts, of a chat all but its system turn. Chats of
    one group are never near duplicates, because each reply repeats what was said before it.
    """
    kept: list[Row] = []
    dropped: list[Dropped] = []
    first: dict[str, Row] = {}
    seen = _Seen(near_duplicate) if near_duplicate < 1 else None
    for row in rows:
        text = compared_text(row)
        if same := first.get(text):
            dropped.append(drop(row, SAME, f"of {same.origin}"))
        elif seen and (near := seen.look_up_or_add(row, text)):
            dropped.append(drop(row, NEARLY_SAME, f"of {near.row.origin}: {near.similarity:.2f}"))
        else:
            first[text] = row
            kept.append(row)
    return kept, dropped


def compared_text(row: Row) -> str:
    """The words of a row that count: the quote, or everything that was said in a chat but for its system turn."""
    if row.kind == "quote" or isinstance(row.prompt, str):
        return normalised(reply_of(row))
    said = [turn["content"] for turn in row.prompt if turn["role"] != "system"]
    return normalised("\n".join([*said, reply_of(row)]))


def word_grams(text: str) -> Grams:
    """The runs of three words of a normalised text; of a shorter one, the whole."""
    words = text.split()
    runs = range(max(len(words) - GRAM_WORDS + 1, 1))
    return frozenset(" ".join(words[start : start + GRAM_WORDS]) for start in runs)


def similarity(left: Grams, right: Grams) -> float:
    """Jaccard similarity: the share of runs that both have, of all."""
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)


@dataclass(frozen=True, slots=True)
class _Near:
    row: Row
    similarity: float


class _Seen:
    """The rows that were kept, found again by their likeness."""

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHash, MinHashLSH  # late: it belongs to the training extra

        self._threshold = threshold
        self._empty = MinHash(_PERMUTATIONS)
        self._index = MinHashLSH(num_perm=_PERMUTATIONS, params=_bands(threshold))
        self._rows: list[tuple[Row, str]] = []  # texts, for their runs of words take thirty times the memory

    def look_up_or_add(self, row: Row, text: str) -> _Near | None:
        """The first row that this one nearly repeats; if there is none, this one is kept from now on."""
        grams = word_grams(text)
        signature = self._empty.copy()
        signature.update_batch(gram.encode() for gram in grams)
        if near := self._nearest(row, grams, self._index.query(signature)):
            return near
        self._index.insert(len(self._rows), signature, check_duplication=False)
        self._rows.append((row, text))
        return None

    def _nearest(self, row: Row, grams: Grams, candidates: Iterable[Any]) -> _Near | None:
        for place in sorted(candidates):
            other, text = self._rows[place]
            if _one_conversation(row, other):
                continue
            alike = similarity(grams, word_grams(text))
            if alike >= self._threshold:
                return _Near(other, alike)
        return None


def _one_conversation(row: Row, other: Row) -> bool:
    return row.kind == other.kind == "chat" and row.group == other.group


def _bands(threshold: float) -> tuple[int, int]:
    """Bands and rows of the index: as many rows as still let no pair from the threshold on slip through."""
    for rows in range(_PERMUTATIONS // 2, 1, -1):
        bands = _PERMUTATIONS // rows
        if (1 - threshold**rows) ** bands <= _MISSED:
            return bands, rows
    return _PERMUTATIONS, 1
