"""Intervals and differences of figures that are yes or no for each row; knows no figure and no model.

A bootstrap of a model that always says yes has no spread at all. These intervals are Wilson's, for a share, and
Newcombe's (his method 10, from Wilson's), for the difference of paired shares: they stay honest there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.statistics import CONFIDENCE, Difference, Estimate, check_pairs, widened


def estimate_share(flags: Sequence[bool], confidence: float = CONFIDENCE) -> Estimate:
    """The share of rows that say yes, with Wilson's interval. Raises `InputInvalid`."""
    if not flags:
        raise InputInvalid("A share cannot be taken of no rows; it needs at least one.")
    count = sum(map(bool, flags))
    interval = binomtest(count, len(flags)).proportion_ci(confidence, method="wilson")
    return Estimate(count / len(flags), float(interval.low), float(interval.high), len(flags))


def paired_shares(before: Sequence[bool], after: Sequence[bool], confidence: float = CONFIDENCE) -> Difference:
    """How much larger the share of yes is afterwards, rows paired; shown only where McNemar's exact test agrees.

    Raises `InputInvalid`.
    """
    p_value = mcnemar(before, after)
    old, new = estimate_share(before, confidence), estimate_share(after, confidence)
    phi = _correlation(before, after)
    low = _half_width(new.value - new.low, old.high - old.value, phi)
    high = _half_width(new.high - new.value, old.value - old.low, phi)
    estimate = new.value - old.value
    found = Difference(estimate, estimate - low, estimate + high, not -high <= estimate <= low, p_value)
    return found if p_value < 1 - confidence else widened(found)


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> float:
    """The p-value of McNemar's exact test: do as many rows turn from no to yes as from yes to no?

    Raises `InputInvalid`.
    """
    check_pairs(before, after)
    gained = sum(1 for old, new in zip(before, after, strict=True) if new and not old)
    lost = sum(1 for old, new in zip(before, after, strict=True) if old and not new)
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def _correlation(before: Sequence[bool], after: Sequence[bool]) -> float:
    """Phi; 0 where one of them is always or never yes."""
    old, new = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    spread = float(old.std() * new.std())
    return float(((old - old.mean()) * (new - new.mean())).mean()) / spread if spread else 0.0


def _half_width(new: float, old: float, phi: float) -> float:
    return math.sqrt(max(0.0, new * new + old * old - 2 * phi * (new * old)))
