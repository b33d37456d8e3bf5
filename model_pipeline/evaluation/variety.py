"""How varied the words of all of a model's answers are; knows no reference and no training text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from model_pipeline.evaluation.statistics import Difference, Estimate, jackknife_difference, jackknife_estimate
from model_pipeline.evaluation.words import Gram, grams, words


@dataclass(frozen=True, slots=True)
class Distinct:
    """Distinct-n: how many different word n-grams there are in all answers together, divided by all their n-grams.

    Rows drawn again would repeat n-grams and always lower the figure, so its intervals leave out a row at a time.
    """

    share: float
    without: tuple[float, ...]  # the share when a row is left out, for each row

    def estimate(self, seed: int) -> Estimate:
        """The share, with a jackknife interval; `seed` has no part in it."""
        found = jackknife_estimate(self.share, self.without)
        return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))

    def change_to(self, after: Distinct, seed: int) -> Difference:
        """How much higher the share is afterwards, rows paired; `seed` has no part in it."""
        return jackknife_difference((self.share, self.without), (after.share, after.without))


def distinct(texts: Sequence[str], length: int) -> Distinct | None:
    """Distinct-n of a model's answers; None where fewer than two of them have that many words."""
    rows = [Counter(grams(words(text), length)) for text in texts]
    if sum(1 for row in rows if row) < 2:
        return None
    total: Counter[Gram] = Counter()
    for row in rows:
        total.update(row)
    lost = np.array([sum(1 for gram, count in row.items() if total[gram] == count) for row in rows])
    without = (len(total) - lost) / (total.total() - np.array([row.total() for row in rows]))
    return Distinct(len(total) / total.total(), tuple(without.tolist()))
