"""Says which sequence is trained on when: a pure function of seed and step; holds no tokens.

Corpora are drawn in exact proportion to weight times tokens, among those that have started, so that a sequence of
each is seen as often as its weight says, and every one of them once before any is seen again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_pipeline.errors import InputInvalid

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Stream:
    """How a corpus of so many tokens is drawn: how often, and from which share of training on."""

    tokens: int
    weight: float
    starts_at: float


class DrawOrder:
    """`total` sequences of `width` tokens, each a corpus and the place of its first token."""

    def __init__(self, streams: Sequence[Stream], total: int, width: int, seed: int) -> None:
        self._streams, self._width, self._seed = streams, width, seed
        self._corpora = _corpora(streams, total, seed)
        self._turns = np.empty(total, np.int64)  # how often the corpus was drawn before
        for corpus in range(len(streams)):
            drawn = self._corpora == corpus
            self._turns[drawn] = np.arange(np.count_nonzero(drawn))

    def draws(self, first: int, count: int) -> list[tuple[int, int]]:
        """Corpus and place of `count` sequences from the number `first`."""
        numbers = range(first, first + count)
        return [self._place(int(self._corpora[number]), int(self._turns[number])) for number in numbers]

    def counts(self) -> list[int]:
        """How many sequences are drawn from each corpus."""
        return [int(np.count_nonzero(self._corpora == corpus)) for corpus in range(len(self._streams))]

    def _place(self, corpus: int, turn: int) -> tuple[int, int]:
        tokens = self._streams[corpus].tokens
        sequences = max(1, tokens // self._width)
        epoch, place = divmod(turn, sequences)
        order, offset = _epoch(self._seed, corpus, epoch, sequences, self._width)
        return corpus, (offset + int(order[place]) * self._width) % tokens


def shares_at(progress: float, streams: Sequence[Stream]) -> Floats:
    """The share of each corpus in what is drawn at that share of training. Raises `InputInvalid` where none starts."""
    drawn = np.array([stream.tokens * stream.weight * (stream.starts_at <= progress) for stream in streams], float)
    if not drawn.sum():
        raise InputInvalid("No text is there for the beginning of training; one of pretrain.corpora needs starts_at 0.")
    return np.asarray(drawn / drawn.sum())


def _corpora(streams: Sequence[Stream], total: int, seed: int) -> NDArray[np.uint8]:
    """The corpus of every sequence: between two starts, each as often as its share says, shuffled."""
    random = np.random.default_rng(seed)
    bounds = [*sorted({0.0, *(stream.starts_at for stream in streams)}), 1.0]
    drawn = np.empty(total, np.uint8)
    for begin, end in pairwise(bounds):
        first, last = round(begin * total), round(end * total)
        ends = np.round(np.cumsum(shares_at(begin, streams)) * (last - first)).astype(int)
        drawn[first:last] = random.permutation(np.searchsorted(ends, np.arange(last - first), side="right"))
    return drawn


@lru_cache(maxsize=256)
def _epoch(seed: int, corpus: int, epoch: int, sequences: int, width: int) -> tuple[NDArray[np.int64], int]:
    """The order of a corpus's sequences, and where the first begins: no two epochs cut the text alike."""
    random = np.random.default_rng([seed, corpus, epoch])
    return random.permutation(sequences), int(random.integers(width))
