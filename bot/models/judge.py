"""Reads the judge of a model folder and scores quotes with it: a small convolution over words, in numpy.

The file is a `.npz` that the training pipeline writes; its arrays and what they are multiplied with are the contract,
and a test holds both sides to it.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.chat.ports import Judge
from bot.errors import ModelInvalid
from bot.models.manifest import MAX_JUDGE_BYTES

FORMAT = 1
MOST_PIECES = 64  # of a quote; what stands behind them is not looked at
RUN_WORDS = 8  # a shorter run says little about where it comes from
_PIECE = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_Array = NDArray[np.float32]


class LearnedJudge(Judge):
    """The port `Judge` over a file.

    Pieces (words and marks, in lower case) are hashed into rows of `embedding` [buckets, d]; a place's input is its own
    row, the mean row of the keyword, and whether the piece is one of the keyword's. Two convolutions of width three
    with ReLU, the maximum and the mean over the places, and two dense layers give the log odds.
    """

    def __init__(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        self._embedding = arrays["embedding"].astype(np.float32) * np.float32(arrays["scale"])
        layers = ("first", "first_bias", "second", "second_bias", "dense", "dense_bias", "out", "out_bias")
        self._weights = {name: arrays[name].astype(np.float32) for name in layers}
        self._filter = arrays["filter"].astype(np.uint8)
        self._hashes = int(arrays["hashes"])

    @classmethod
    def load(cls, path: Path) -> LearnedJudge:
        """The judge in a file. Raises ModelInvalid when it is missing, damaged or of another format."""
        try:
            if path.stat().st_size > MAX_JUDGE_BYTES:
                raise ModelInvalid(f"The judge {path} is larger than {MAX_JUDGE_BYTES:,} bytes.")
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            if int(arrays["format"]) != FORMAT:
                raise ModelInvalid(f"The judge {path} has the format {int(arrays['format'])}, and {FORMAT} is read.")
            judge = cls(arrays)
            judge.scores("try", ["One try of every layer."])
        except OSError as error:
            raise ModelInvalid(f"The judge {path} cannot be read: {error.strerror or error}.") from error
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ModelInvalid(f"The judge {path} is damaged; copy or download it again.") from error
        return judge

    def scores(self, keyword: str, quotes: Sequence[str]) -> Sequence[float]:
        """See the port."""
        wanted = _buckets(_PIECE.findall(keyword.casefold()), len(self._embedding))
        return [self._score(wanted, quote) for quote in quotes]

    def is_copy(self, quote: str) -> bool:
        """See the port; wrong for about one quote in a hundred, as the file holds hashes only."""
        words = _WORD.findall(quote.casefold())
        runs = [words[start : start + RUN_WORDS] for start in range(max(1, len(words) - RUN_WORDS + 1))]
        return any(self._holds(" ".join(run)) for run in runs)

    def _score(self, wanted: NDArray[np.int64], quote: str) -> float:
        own = _buckets(_PIECE.findall(quote.casefold())[:MOST_PIECES], len(self._embedding))
        if not len(own):
            return -10.0
        weights = self._weights
        about = self._embedding[wanted].mean(axis=0) if len(wanted) else np.zeros(self._embedding.shape[1], np.float32)
        named = np.isin(own, wanted).astype(np.float32)[:, None]
        places = np.concatenate([self._embedding[own], np.tile(about, (len(own), 1)), named], axis=1)
        hidden = _convolve(
            _convolve(places, weights["first"], weights["first_bias"]), weights["second"], weights["second_bias"]
        )
        pooled = np.concatenate([hidden.max(axis=0), hidden.mean(axis=0)])
        dense = np.maximum(pooled @ weights["dense"] + weights["dense_bias"], 0)
        return float(dense @ weights["out"] + weights["out_bias"])

    def _holds(self, run: str) -> bool:
        data, bits = run.encode("utf-8", "replace"), len(self._filter) * 8
        first, step = zlib.crc32(data), zlib.adler32(data) | 1
        places = [(first + number * step) % bits for number in range(self._hashes)]
        return all(self._filter[place >> 3] >> (place & 7) & 1 for place in places)


def _buckets(pieces: Sequence[str], buckets: int) -> NDArray[np.int64]:
    return np.array([zlib.crc32(piece.encode("utf-8", "replace")) % buckets for piece in pieces], dtype=np.int64)


def _convolve(places: _Array, weights: _Array, bias: _Array) -> _Array:
    """ReLU of a convolution of width three; [places, d] and weights [3 * d, h] give [places, h]."""
    padded = np.pad(places, ((1, 1), (0, 0)))
    windows = np.concatenate([padded[:-2], padded[1:-1], padded[2:]], axis=1)
    hidden: _Array = np.maximum(windows @ weights + bias, np.float32(0))
    return hidden
