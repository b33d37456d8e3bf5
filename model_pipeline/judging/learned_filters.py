"""Bloom filters over the training texts, a few megabytes: runs of words tell most copies, words made-up ones.

B. H. Bloom, Space/Time Trade-offs in Hash Coding with Allowable Errors (1970), with the double hashing of A. Kirsch
and M. Mitzenmacher, Less Hashing, Same Performance (2006).
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_pipeline.errors import InputInvalid
from model_pipeline.judging.pieces import runs_of, words_of

# One in 2,000 of other runs, and of other words, is taken for one of them. A quote of 15 words has eight runs: at eight
# bits each, 2% of runs, one honest quote of that length in six was taken for a copy.
BITS_EACH = 16
HASHES = 11  # the best number for so many bits
LEAST_WORDS = 10_000  # fewer different words are no vocabulary: that one is not among them says nothing
# Of what is added to a filter that holds as many already as it was made for: one in 400 of others is taken for one of
# them then, and at 16 bits each it would be one in 25.
ADDED_BITS_EACH = 4 * BITS_EACH
MOST_BYTES = 6 << 20  # of such a filter; the bot takes a judge of 8 MiB

Filter = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Learned:
    """What a model learned, as the filters in its judge's file tell; about one in 2,000 of other runs is held too."""

    runs: Filter
    words: Filter  # empty where no word is said to be unknown
    hashes: int

    def has_all_of(self, text: str) -> bool:
        """Every run of eight words is held; a shorter text is one that was learned as a whole."""
        return bool(words_of(text)) and all(self._has(run) for run in runs_of(text))

    def has_run_of(self, text: str) -> bool:
        """Any run of eight words is held; of a shorter text, all of it."""
        return bool(words_of(text)) and any(self._has(run) for run in runs_of(text))

    def _has(self, run: str) -> bool:
        return _holds(self.runs, run, self.hashes)


def read_learned(judge: Path) -> Learned:
    """The filters of a judge's file. Raises `InputInvalid` where it is damaged."""
    try:
        arrays = _arrays(judge)
        words = arrays.get("words", np.zeros(0))  # older files have none
        found = Learned(arrays["filter"].astype(np.uint8), words.astype(np.uint8), int(arrays["hashes"]))
        if not len(found.runs):
            raise ValueError("a filter without bits")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputInvalid(
            f"{judge} cannot be read, and what the base has learned stands there; copy or download the base again, and "
            "begin with another run folder."
        ) from error
    return found


def save_with_filters(judge: Path, filters: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    """Write a judge's file, one that `read_learned` read, with these in the place of its filters."""
    np.savez_compressed(path, **_arrays(judge) | dict(filters))


def _arrays(judge: Path) -> dict[str, Any]:
    with np.load(judge, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def learned_filters(texts: Sequence[str], before: Learned | None = None) -> dict[str, NDArray[np.generic]]:
    """The arrays of a judge's file that say what its model learned: `filter`, `words` and `hashes`.

    What the model that training started from had learned `before` stays held.
    """
    if before is None:
        return {"filter": copy_filter(texts), "words": word_filter(texts), "hashes": np.array(HASHES)}
    runs, words = _runs(texts), _words(texts)
    return {
        "filter": _with(before.runs, runs, before.hashes),
        "words": _with(before.words, words, before.hashes) if len(before.words) else word_filter(texts, before.hashes),
        "hashes": np.array(before.hashes),
    }


def copy_filter(texts: Iterable[str]) -> Filter:
    """The bytes of the filter of the texts' runs of words, for `HASHES` hashes each."""
    return _filled(_runs(texts), HASHES)


def word_filter(texts: Iterable[str], hashes: int = HASHES) -> Filter:
    """The same of their words; empty where they have fewer than `LEAST_WORDS`."""
    words = _words(texts)
    return _filled(words, hashes) if len(words) >= LEAST_WORDS else np.zeros(0, dtype=np.uint8)


def _runs(texts: Iterable[str]) -> set[str]:
    return {run for text in texts for run in runs_of(text)}


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in words_of(text)}


def _filled(held: Collection[str], hashes: int) -> Filter:
    filled = np.zeros(max(1, len(held) * BITS_EACH // 8), dtype=np.uint8)
    _set(filled, held, hashes)
    return filled


def _with(held: Filter, more: Collection[str], hashes: int) -> Filter:
    """A copy that holds more, some times as long where it would be too full.

    Repeated, a filter holds the same: a place of the longer one lies, by the shorter one's length, where it lay before.
    """
    new = [each for each in more if not _holds(held, each, hashes)]
    times = min(math.ceil(len(new) * ADDED_BITS_EACH / (len(held) * 8)), MOST_BYTES // len(held))
    filled: Filter = np.tile(held, max(1, times))
    _set(filled, new, hashes)
    return filled


def _set(filled: Filter, held: Iterable[str], hashes: int) -> None:
    for each in held:
        for place in places_of(each, len(filled) * 8, hashes):
            filled[place >> 3] |= 1 << (place & 7)


def _holds(filled: Filter, text: str, hashes: int) -> bool:
    return all(filled[place >> 3] >> (place & 7) & 1 for place in places_of(text, len(filled) * 8, hashes))


def places_of(run: str, bits: int, hashes: int = HASHES) -> Iterator[int]:
    """The bits that stand for a run, or for a word."""
    data = run.encode("utf-8", "replace")
    first, step = zlib.crc32(data), zlib.adler32(data) | 1
    for number in range(hashes):
        yield (first + number * step) % bits
