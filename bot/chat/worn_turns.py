"""Which turns of phrase the bot's last quotes wore out, whoever they were for; in memory, and knows no store."""

from __future__ import annotations

import math
from collections import Counter, deque
from itertools import pairwise

from bot.chat.quotes import words_of

Pair = tuple[str, str]


class WornTurns:
    """Pairs of neighbouring words in the last `most` quotes that were given.

    A small model has favourites ("… was gone before the guests came"): each is a good quote, and the tenth is none. A
    person's own last quotes say little of that, for a server reads everybody's.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._quotes: deque[frozenset[Pair]] = deque()
        self._given: Counter[Pair] = Counter()

    def add(self, quote: str) -> None:
        """Note a quote that was given; the oldest beyond `most` is forgotten."""
        pairs = _pairs(quote)
        self._quotes.append(pairs)
        self._given.update(pairs)
        if len(self._quotes) > self._most:
            for pair in self._quotes.popleft():
                self._given[pair] -= 1
                if not self._given[pair]:
                    del self._given[pair]

    def worn(self, keyword: str, quote: str) -> float:
        """How worn the quote's turns are: the logs of one more than how often each pair was given, summed.

        Pairs with a word of the keyword do not count: who asks for it wants to read it.
        """
        wanted = set(words_of(keyword))
        return sum(math.log1p(self._given[pair]) for pair in _pairs(quote) if wanted.isdisjoint(pair))


def _pairs(quote: str) -> frozenset[Pair]:
    return frozenset(pairwise(words_of(quote)))
