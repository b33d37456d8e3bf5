"""Bloom filters over the training texts, a few megabytes: runs of words tell most copies, words made-up ones.

B. H. Bloom, Space/Time Trade-offs in Hash Coding with Allowable Errors (1970), with the double hashing of A. Kirsch
and M. Mitzenmacher, Less Hashing, Same Performance (2006).
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from model_pipeline.judging.pieces import runs_of, words_of

# One in 2,000 of other runs, and of other words, is taken for one of them. A quote of 15 words has eight runs: at eight
# bits each, 2% of runs, one honest quote of that length in six was taken for a copy.
BITS_EACH = 16
HASHES = 11  # the best number for so many bits
LEAST_WORDS = 10_000  # fewer different words are no vocabulary: that one is not among them says nothing

Filter = NDArray[np.uint8]


def learned_filters(texts: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """The arrays of a judge's file that say what its model learned: `filter`, `words` and `hashes`."""
    return {"filter": copy_filter(texts), "words": word_filter(texts), "hashes": np.array(HASHES)}


def copy_filter(texts: Iterable[str]) -> Filter:
    """The bytes of the filter of the texts' runs of words, for `HASHES` hashes each."""
    return _filled({run for text in texts for run in runs_of(text)})


def word_filter(texts: Iterable[str]) -> Filter:
    """The same of their words; empty where they have fewer than `LEAST_WORDS`."""
    words = {word for text in texts for word in words_of(text)}
    return _filled(words) if len(words) >= LEAST_WORDS else np.zeros(0, dtype=np.uint8)


def _filled(held: Collection[str]) -> Filter:
    filled = np.zeros(max(1, len(held) * BITS_EACH // 8), dtype=np.uint8)
    for each in held:
        for place in places_of(each, len(filled) * 8):
            filled[place >> 3] |= 1 << (place & 7)
    return filled


def places_of(run: str, bits: int) -> Iterator[int]:
    """The bits that stand for a run, or for a word."""
    data = run.encode("utf-8", "replace")
    first, step = zlib.crc32(data), zlib.adler32(data) | 1
    for number in range(HASHES):
        yield (first + number * step) % bits
