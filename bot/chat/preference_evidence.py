"""Says whether people like one of two models better, at any time and as often as it is asked; pure.

Looking at a p-value after every vote finds a difference sooner or later where there is none. An e-process may be looked
at as often as one likes: where there is no difference, it reaches 1 / alpha with a probability of at most alpha, ever
(Ville's inequality). For votes the e-process is that of Turner, Ly and Grünwald, "Generic E-variables for exact
sequential k-sample tests that allow for optional stopping" (https://arxiv.org/abs/2106.02693): votes are taken in
blocks of one for the new model and a fixed number for the old one, in the order in which they came, and each block
multiplies the evidence by likelihood(block | two rates) / likelihood(block | their weighted mean). For comparisons side
by side it is the likelihood ratio against an even chance. Rates and odds are averaged over a grid, which stays valid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product

_RATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of good votes on the old model
_LOG_ODDS = (0.4, 0.8, 1.2, 1.8)  # how much better the new one may be
_CHANCES = (0.55, 0.6, 0.65, 0.7, 0.8, 0.9)  # of the better one in a comparison
ALPHA = 0.045  # below the 5% that are promised, for what the simulation cannot tell apart
DECIDES = 1 / ALPHA  # the evidence from which on it is decided


class Verdict(StrEnum):
    """What the votes show."""

    UNDECIDED = "undecided"
    BETTER = "better"
    WORSE = "worse"


class PreferenceTest:
    """The evidence of votes on two models and of comparisons between them, in the order in which they came.

    `old_for_each_new` is how many votes on the old model come for each on the new one. `alpha` bounds the probability
    that the new model is ever called better where it is not, and the same for worse. It holds where each vote says
    something of its own: of votes on one model by one person, only the first should be taken; comparisons may be many,
    since their order on the screen is drawn anew.
    """

    def __init__(self, old_for_each_new: int = 1, alpha: float = ALPHA) -> None:
        self._old_for_each_new, self._alpha = old_for_each_new, alpha
        self._better, self._worse = _Evidence(old_for_each_new, 1), _Evidence(old_for_each_new, -1)
        self._new: list[bool] = []
        self._old: list[bool] = []

    def vote(self, on_new: bool, good: bool) -> None:
        """Take a vote, on the new model or on the old one."""
        (self._new if on_new else self._old).append(good)
        while self._new and len(self._old) >= self._old_for_each_new:
            old, self._old = self._old[: self._old_for_each_new], self._old[self._old_for_each_new :]
            new = self._new.pop(0)
            self._better.take_block(new, old)
            self._worse.take_block(new, old)

    def compare(self, new_wins: bool) -> None:
        """Take a comparison in which one of the two was liked better."""
        self._better.take_comparison(new_wins)
        self._worse.take_comparison(new_wins)

    @property
    def verdict(self) -> Verdict:
        """What was shown so far; once it is decided, it is decided."""
        if self._worse.most >= 1 / self._alpha:  # harm first, should both ever be
            return Verdict.WORSE
        return Verdict.BETTER if self._better.most >= 1 / self._alpha else Verdict.UNDECIDED

    @property
    def evidence(self) -> tuple[float, float]:
        """How strong the evidence is now that the new model is better, and that it is worse; 1 is none."""
        return self._better.value, self._worse.value


@dataclass(slots=True)
class _Evidence:
    """An e-process against the hypothesis that the new model is not better (`sign` 1) or not worse (-1)."""

    old_for_each_new: int
    sign: int
    most: float = 1.0
    _by_alternative: dict[tuple[float, float], float] = field(default_factory=dict)
    _by_chance: dict[float, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for old, log_odds in product(_RATES, _LOG_ODDS):
            self._by_alternative[_shifted(old, self.sign * log_odds), old] = 0.0
        for chance in _CHANCES:
            self._by_chance[chance if self.sign > 0 else 1 - chance] = 0.0

    @property
    def value(self) -> float:
        """The two kinds of evidence are of different votes, so they multiply."""
        return math.exp(_log_mean(list(self._by_alternative.values())) + _log_mean(list(self._by_chance.values())))

    def take_block(self, new: bool, old: Sequence[bool]) -> None:
        size = self.old_for_each_new
        for (of_new, of_old), logarithm in self._by_alternative.items():
            mean = (of_new + size * of_old) / (1 + size)
            gain = _log(of_new, new) - _log(mean, new) + sum(_log(of_old, each) - _log(mean, each) for each in old)
            self._by_alternative[of_new, of_old] = logarithm + gain
        self.most = max(self.most, self.value)

    def take_comparison(self, new_wins: bool) -> None:
        for chance, logarithm in self._by_chance.items():
            self._by_chance[chance] = logarithm + _log(chance, new_wins) - math.log(0.5)
        self.most = max(self.most, self.value)


def _shifted(rate: float, log_odds: float) -> float:
    return 1 / (1 + math.exp(-(math.log(rate / (1 - rate)) + log_odds)))


def _log(rate: float, happened: bool) -> float:
    return math.log(rate if happened else 1 - rate)


def _log_mean(logarithms: Sequence[float]) -> float:
    top = max(logarithms)
    return top + math.log(sum(math.exp(each - top) for each in logarithms) / len(logarithms))
