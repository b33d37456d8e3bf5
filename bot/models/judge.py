"""Reads the judge of a model folder and scores quotes and replies with it, in numpy.

The file is a `.npz` that the training pipeline writes; its arrays and what they are multiplied with are the contract,
and a test holds both sides to it. There are two kinds: one that learned to tell written quotes from the model's own, of
their words alone, and one that learned readers' marks of the model's quotes, and maybe of its replies, of what the
model itself knew of them.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.chat.generation import Candidate, Finished, FinishReason
from bot.chat.ports import Judge
from bot.errors import ModelInvalid
from bot.models.manifest import MAX_JUDGE_BYTES

OF_WORDS, OF_STATES = 1, 2  # the formats
MOST_PIECES = 64  # of a quote; what stands behind them is not looked at
RUN_WORDS = 8  # a shorter run says little about where it comes from
_PIECE = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_Array = NDArray[np.float32]


def load_judge(path: Path, state_size: int) -> Judge:
    """The judge in a file, of a model whose hidden states have that size.

    Raises ModelInvalid when it is missing, damaged, of another format or of another model.
    """
    try:
        if path.stat().st_size > MAX_JUDGE_BYTES:
            raise ModelInvalid(f"The judge {path} is larger than {MAX_JUDGE_BYTES:,} bytes.")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if (number := int(arrays["format"])) not in _KINDS:
            raise ModelInvalid(f"The judge {path} has the format {number}, and {OF_WORDS} and {OF_STATES} are read.")
        judge = _KINDS[number](arrays)
        state = (0.0,) * (judge.state_size or 0)
        ended = Finished(FinishReason.END, 1, 0, 1, 0.0, 0.0, 0.0, nats=1.0, drawn=1, state=state)
        judge.scores("try", [Candidate("One try of every layer.", ended)])
        judge.reply_scores([Candidate("One try of every layer.", ended)])
        judge.is_copy("One try of the filter.")
        judge.unknown_words("try", "One try of the vocabulary.")
    except OSError as error:
        raise ModelInvalid(f"The judge {path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, ArithmeticError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelInvalid(f"The judge {path} is damaged; copy or download it again.") from error
    if judge.state_size not in (None, state_size):
        raise ModelInvalid(
            f"The judge {path} reads {judge.state_size} numbers of each state, and its model has {state_size}: it was "
            "made for another one; copy or download both again."
        )
    return judge


class _Judge(Judge):
    """What both kinds have in common: the Bloom filters over what the model learned."""

    state_size: int | None = None  # how many numbers of a state it reads, if it reads any
    of_replies = False

    def __init__(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        self._filter = arrays["filter"].astype(np.uint8)
        self._vocabulary = arrays.get("words", np.zeros(0)).astype(np.uint8)  # empty, or none: nothing is unknown
        self._hashes = int(arrays["hashes"])

    def reply_scores(self, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See the port; nothing is said of replies."""
        return [0.0] * len(candidates)

    def is_copy(self, quote: str) -> bool:
        """See the port; wrong for about one quote in 500 of a file of today, as it holds hashes only."""
        words = _WORD.findall(quote.casefold())
        runs = [words[start : start + RUN_WORDS] for start in range(max(1, len(words) - RUN_WORDS + 1))]
        return any(self._holds(self._filter, " ".join(run)) for run in runs)

    def unknown_words(self, asked: str, text: str) -> int:
        """See the port; one unknown word in 2,000 is taken for a known one."""
        if not len(self._vocabulary):
            return 0
        said = _WORD.findall(asked.casefold())
        forms = tuple(word for word in said if len(word) > 3)  # "a" begins too many words
        words = {word for word in _WORD.findall(text.casefold()) if not word.startswith(forms) and not word.isdigit()}
        return sum(not self._knows(word) for word in words - set(said))

    def _knows(self, word: str) -> bool:
        owner = re.sub(r"['’]s$", "", word)
        return self._holds(self._vocabulary, word) or self._holds(self._vocabulary, owner)

    def _holds(self, held: NDArray[np.uint8], text: str) -> bool:
        data, bits = text.encode("utf-8", "replace"), len(held) * 8
        first, step = zlib.crc32(data), zlib.adler32(data) | 1
        places = [(first + number * step) % bits for number in range(self._hashes)]
        return all(held[place >> 3] >> (place & 7) & 1 for place in places)


class JudgeOfWords(_Judge):
    """Tells written quotes from the model's own, by their words.

    Pieces (words and marks, in lower case) are hashed into rows of `embedding` [buckets, d]; a place's input is its own
    row, the mean row of the keyword, and whether the piece is one of the keyword's. Two convolutions of width three
    with ReLU, the maximum and the mean over the places, and two dense layers give the log odds.
    """

    of_readers = False

    def __init__(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        super().__init__(arrays)
        self._embedding = arrays["embedding"].astype(np.float32) * np.float32(arrays["scale"])
        layers = ("first", "first_bias", "second", "second_bias", "dense", "dense_bias", "out", "out_bias")
        self._weights = {name: arrays[name].astype(np.float32) for name in layers}

    def scores(self, keyword: str, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See the port."""
        wanted = _buckets(_PIECE.findall(keyword.casefold()), len(self._embedding))
        return [self._score(wanted, candidate.text) for candidate in candidates]

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


class JudgeOfStates(_Judge):
    """Says whether a reader would post a quote, or find that a reply fits, by what the model itself knew of it.

    Its file has the arrays of a network for quotes, and may have those of another one for replies, behind `reply_`.
    """

    of_readers = True

    def __init__(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        super().__init__(arrays)
        self._quotes, self.of_replies = _NetworkOfStates(arrays, ""), f"{REPLY}mean" in arrays
        self._replies = _NetworkOfStates(arrays, REPLY) if self.of_replies else None
        self.state_size = self._quotes.state_size
        if self._replies and self._replies.state_size != self.state_size:
            raise ValueError("its networks read states of two models")

    def scores(self, keyword: str, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See the port."""
        return self._quotes.log_odds(candidates)

    def reply_scores(self, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See the port."""
        return self._replies.log_odds(candidates) if self._replies else super().reply_scores(candidates)


class _NetworkOfStates:
    """What readers would say of a text.

    Its input [state + 2] is the mean of the hidden states that the text's tokens (and its end) were drawn from, the
    nats of the whole text and the number of its tokens, each less its `mean` and divided by its `spread`. A dense
    layer with ReLU and another one give the log odds. What is not known of a text is taken for the mean.
    """

    def __init__(self, arrays: dict[str, NDArray[np.generic]], prefix: str) -> None:
        names = ("mean", "spread", "first", "first_bias", "out", "out_bias")
        own = {name: arrays[prefix + name].astype(np.float32) for name in names}
        self._mean, self._spread = own["mean"], own["spread"]
        self._first, self._first_bias, self._out, self._out_bias = (own[name] for name in names[2:])
        self.state_size = len(self._mean) - len(_MEASURES)

    def log_odds(self, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Of each text, that a reader would say yes to it."""
        rows = np.stack([self._input(candidate.finished) for candidate in candidates])
        hidden = np.maximum(_product((rows - self._mean) / self._spread, self._first) + self._first_bias, np.float32(0))
        return [float(value) for value in hidden @ self._out + self._out_bias]

    def _input(self, finished: Finished) -> _Array:
        row = self._mean.copy()
        if finished.state is not None:
            row[: -len(_MEASURES)] = finished.state
        if finished.nats is not None:
            row[-len(_MEASURES) :] = finished.nats, finished.drawn
        return row


REPLY = "reply_"  # before the names of the arrays that are about replies
_MEASURES = ("nats", "tokens")
_KINDS: dict[int, type[_Judge]] = {OF_WORDS: JudgeOfWords, OF_STATES: JudgeOfStates}


def _buckets(pieces: Sequence[str], buckets: int) -> NDArray[np.int64]:
    return np.array([zlib.crc32(piece.encode("utf-8", "replace")) % buckets for piece in pieces], dtype=np.int64)


def _convolve(places: _Array, weights: _Array, bias: _Array) -> _Array:
    """ReLU of a convolution of width three; [places, d] and weights [3 * d, h] give [places, h]."""
    padded = np.pad(places, ((1, 1), (0, 0)))
    windows = np.concatenate([padded[:-2], padded[1:-1], padded[2:]], axis=1)
    hidden: _Array = np.maximum(_product(windows, weights) + bias, np.float32(0))
    return hidden


def _product(rows: _Array, weights: _Array) -> _Array:
    """The product of two matrices, not by BLAS: its threads spin on after each, on the cores that the worker needs."""
    product: _Array = np.einsum("rs,sh->rh", rows, weights)
    return product
