"""A Bloom filter over the training texts' runs of words: tells most copies, in a few hundred kilobytes.

B. H. Bloom, Space/Time Trade-offs in Hash Coding with Allowable Errors (1970), with the double hashing of A. Kirsch
and M. Mitzenmacher, Less Hashing, Same Performance (2006).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from model_pipeline.judging.pieces import runs_of

BITS_A_RUN = 8  # 2% of other runs are taken for one of them
HASHES = 5  # the best number for so many bits


def copy_filter(texts: Iterable[str]) -> NDArray[np.uint8]:
    """The filter's bytes, for `HASHES` hashes a run."""
    runs = {run for text in texts for run in runs_of(text)}
    filled = np.zeros(max(1, len(runs) * BITS_A_RUN // 8), dtype=np.uint8)
    for run in runs:
        for place in places_of(run, len(filled) * 8):
            filled[place >> 3] |= 1 << (place & 7)
    return filled


def places_of(run: str, bits: int) -> Iterator[int]:
    """The bits that stand for a run."""
    data = run.encode("utf-8", "replace")
    first, step = zlib.crc32(data), zlib.adler32(data) | 1
    for number in range(HASHES):
        yield (first + number * step) % bits
