"""Intervals for figures and for paired differences, by drawing rows again; knows no figure and no model.

The same rows are answered by every model, so a difference is always taken row by row. A difference is "shown" where
its interval does not hold the value of no difference. With fewer than six rows that differ no test of signs could
reject at 95%, whatever the rows say, so the interval is then widened until it holds that value.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import DegenerateDataWarning, bootstrap

from model_pipeline.errors import InputInvalid

CONFIDENCE = 0.95
RESAMPLES = 4999
BATCH = 250  # resamples at a time, which bounds the memory

Floats = NDArray[np.float64]
Columns = Sequence[Sequence[float] | Floats]  # each of them one number a row
Statistic = Callable[..., Floats]  # of columns, along `axis`


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure of one model over `rows` rows, and its confidence interval."""

    value: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How much larger a figure is afterwards (of a ratio: how many times), and its confidence interval.

    `shown`: the interval does not hold the value of no difference, 0 (of a ratio: 1). `p_value` is McNemar's, of
    yes/no figures.
    """

    estimate: float
    low: float
    high: float
    shown: bool
    p_value: float | None = None


def mean(values: Floats, axis: int = -1) -> Floats:
    """The statistic of figures that are averages over rows."""
    return np.asarray(np.mean(values, axis=axis))


def paired_difference(
    before: Sequence[float] | Floats, after: Sequence[float] | Floats, seed: int, confidence: float = CONFIDENCE
) -> Difference:
    """The mean of after - before, row by row, by a paired bootstrap. Raises `InputInvalid`."""
    check_pairs(before, after)
    (old,), (new,) = _arrays([before]), _arrays([after])
    low, high = _interval([new - old], mean, seed, confidence)
    return _judged(float(mean(new - old)), low, high, int(np.count_nonzero(new != old)), confidence)


def estimate_statistic(columns: Columns, statistic: Statistic, seed: int, confidence: float = CONFIDENCE) -> Estimate:
    """A statistic of rows with its bootstrap interval. Raises `InputInvalid`."""
    data = _arrays(columns)
    low, high = _interval(data, statistic, seed, confidence)
    return Estimate(float(statistic(*data, axis=-1)), low, high, len(data[0]))


def statistic_difference(
    before: Columns, after: Columns, statistic: Statistic, seed: int, confidence: float = CONFIDENCE
) -> Difference:
    """A statistic afterwards minus the same before, by a bootstrap that draws the rows of both together.

    `before` and `after` hold as many columns as the statistic takes. Raises `InputInvalid`.
    """
    old, new = _arrays(before), _arrays(after)
    data, count = old + new, len(old)

    def difference(*columns: Floats, axis: int = -1) -> Floats:
        return statistic(*columns[count:], axis=axis) - statistic(*columns[:count], axis=axis)

    differing = np.any([left != right for left, right in zip(old, new, strict=True)], axis=0)
    low, high = _interval(data, difference, seed, confidence) if differing.any() else (0.0, 0.0)
    return _judged(float(difference(*data)), low, high, int(differing.sum()), confidence)


def jackknife_estimate(value: float, without: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """A figure with the interval that its values `without` each of the rows give."""
    half = _jackknife_half_width(np.asarray(without), confidence)
    return Estimate(value, value - half, value + half, len(without))


def jackknife_difference(
    before: tuple[float, Sequence[float]], after: tuple[float, Sequence[float]], confidence: float = CONFIDENCE
) -> Difference:
    """The difference of two figures, each given with its values without each of the rows. Raises `InputInvalid`."""
    check_pairs(before[1], after[1])
    changes = np.asarray(after[1]) - np.asarray(before[1])
    estimate, half = after[0] - before[0], _jackknife_half_width(changes, confidence)
    return _judged(estimate, estimate - half, estimate + half, int(np.count_nonzero(changes)), confidence)


def least_differing(confidence: float) -> int:
    """The fewest rows that differ with which a two-sided test of signs can reject at all: six at 0.95."""
    return math.ceil(1 - math.log2(1 - confidence))


def widened(difference: Difference, none: float = 0.0) -> Difference:
    """The same estimate with an interval that holds `none`, the value of no difference."""
    return replace(difference, low=min(difference.low, none), high=max(difference.high, none), shown=False)


def as_ratio(difference: Difference) -> Difference:
    """The ratio whose logarithm is that difference."""
    found = replace(difference, estimate=math.exp(difference.estimate))
    return replace(found, low=math.exp(difference.low), high=math.exp(difference.high))


def check_pairs(before: Sequence[object] | Floats, after: Sequence[object] | Floats) -> None:
    """Raise `InputInvalid` unless both have the same number of rows."""
    if len(before) != len(after):
        raise InputInvalid(f"{len(before)} rows cannot be paired with {len(after)}; both need the same rows.")


def _judged(estimate: float, low: float, high: float, differing: int, confidence: float) -> Difference:
    found = Difference(estimate, low, high, shown=not low <= 0 <= high)
    return found if differing >= least_differing(confidence) else widened(found)


def _arrays(columns: Columns) -> list[Floats]:
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    if len(arrays[0]) < 2:
        raise InputInvalid(f"An interval cannot be drawn from {len(arrays[0])} rows; it needs at least two.")
    if not all(np.isfinite(array).all() for array in arrays):
        raise InputInvalid(
            "An interval cannot be drawn from infinite or missing numbers; every row needs a finite one."
        )
    return arrays


def _interval(data: list[Floats], statistic: Statistic, seed: int, confidence: float) -> tuple[float, float]:
    """BCa, or percentiles where the bootstrap has no spread to correct."""
    if not 0 < confidence < 1:
        raise InputInvalid(f"A confidence of {confidence} is not possible; it lies between 0 and 1.")
    value = float(statistic(*data, axis=-1))
    if all((array == array[0]).all() for array in data):
        return value, value
    drawn = _bootstrap(data, statistic, confidence, n_resamples=RESAMPLES, rng=np.random.default_rng(seed))
    if not np.isfinite(drawn.confidence_interval).all():
        drawn = _bootstrap(data, statistic, confidence, n_resamples=0, bootstrap_result=drawn, method="percentile")
    low, high = drawn.confidence_interval
    return min(float(low), value), max(float(high), value)


def _bootstrap(data: list[Floats], statistic: Statistic, confidence: float, **settings: Any) -> Any:
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        return bootstrap(
            data, statistic, paired=True, vectorized=True, batch=BATCH, confidence_level=confidence, **settings
        )


def _jackknife_half_width(without: Floats, confidence: float) -> float:
    rows = len(without)
    spread = (rows - 1) / rows * float(np.square(without - without.mean()).sum())
    return float(ndtri((1 + confidence) / 2)) * math.sqrt(spread)
