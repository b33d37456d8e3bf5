from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.statistics import (
    Difference,
    as_ratio,
    estimate_statistic,
    jackknife_difference,
    jackknife_estimate,
    least_differing,
    mean,
    paired_difference,
    statistic_difference,
    widened,
)

PAIRS = st.lists(st.tuples(st.floats(-100, 100, width=16), st.floats(-100, 100, width=16)), min_size=2, max_size=30)


@settings(max_examples=25, deadline=None)
@given(PAIRS, st.integers(0, 3))
def test_turning_before_and_after_round_turns_the_difference_round(pairs: list[tuple[float, float]], seed: int) -> None:
    before, after = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    there, back = paired_difference(before, after, seed), paired_difference(after, before, seed)
    assert there.shown == back.shown
    near = pytest.approx((-back.estimate, -back.high, -back.low), abs=1e-6)
    assert (there.estimate, there.low, there.high) == near


@settings(max_examples=25, deadline=None)
@given(PAIRS)
def test_the_estimate_lies_in_its_interval_and_shown_means_that_it_does_not_hold_zero(
    pairs: list[tuple[float, float]],
) -> None:
    found = paired_difference([pair[0] for pair in pairs], [pair[1] for pair in pairs], seed=1)
    assert found.low <= found.estimate <= found.high
    assert found.shown == (found.low > 0 or found.high < 0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.integers(0, 9))
def test_equal_inputs_never_show_a_difference(values: list[float], seed: int) -> None:
    assert paired_difference(values, values, seed) == Difference(0, 0, 0, shown=False)
    assert not statistic_difference([values], [values], mean, seed).shown


def test_the_same_difference_in_every_row_is_shown_with_no_width() -> None:
    assert paired_difference([1.0] * 10, [1.5] * 10, seed=0) == Difference(0.5, 0.5, 0.5, shown=True)


def test_a_few_rows_never_show_a_difference_however_large() -> None:
    found = paired_difference([0.0] * 5, [10.0] * 5, seed=0)
    assert (found.low, found.high, found.shown) == (0, 10, False)
    assert paired_difference([0.0] * 6, [10.0] * 6, seed=0).shown
    assert not paired_difference([0.0] * 50, [10.0] * 5 + [0.0] * 45, seed=0).shown


def test_a_stricter_confidence_needs_more_rows() -> None:
    assert (least_differing(0.95), least_differing(0.99), least_differing(0.5)) == (6, 8, 2)


def test_the_same_seed_gives_the_same_interval() -> None:
    before, after = np.random.default_rng(3).normal(0, 1, (2, 30))
    assert paired_difference(before, after, seed=5) == paired_difference(before, after, seed=5)
    assert paired_difference(before, after, seed=5) != paired_difference(before, after, seed=6)


@pytest.mark.parametrize("skewed", [False, True])
def test_95_of_100_intervals_hold_the_true_difference(skewed: bool) -> None:
    random, held, trials = np.random.default_rng(7), 0, 150
    for trial in range(trials):
        before = random.normal(0, 1, 40)
        noise = random.gamma(4, 0.25, 40) - 1 if skewed else random.normal(0, 0.5, 40)
        found = paired_difference(before, before + 0.3 + noise, seed=trial)
        held += found.low <= 0.3 <= found.high
    assert 0.88 <= held / trials <= 0.99


def test_a_true_difference_is_mostly_found_and_none_is_rarely_found() -> None:
    random = np.random.default_rng(11)
    found = dict.fromkeys((0.0, 0.5), 0)
    for trial in range(100):
        before, noise = random.normal(0, 1, 60), random.normal(0, 1, 60)
        for shift in found:
            found[shift] += paired_difference(before, before + shift + noise, seed=trial).shown
    assert found[0.5] > 90
    assert found[0.0] < 12


def test_pairing_shows_what_the_spread_between_rows_hides() -> None:
    random = np.random.default_rng(2)
    before = random.normal(0, 100, 50)
    after = before + 1 + random.normal(0, 0.5, 50)
    assert paired_difference(before, after, seed=0).shown
    assert not paired_difference(before, random.permutation(after), seed=0).shown


def test_an_estimate_of_equal_rows_has_no_width() -> None:
    found = estimate_statistic([[2.0, 2.0, 2.0]], mean, seed=0)
    assert (found.value, found.low, found.high, found.rows) == (2, 2, 2, 3)


def test_the_jackknife_of_a_mean_is_the_usual_interval_of_a_mean() -> None:
    values = np.random.default_rng(4).normal(5, 2, 80)
    without = (values.sum() - values) / 79
    found = jackknife_estimate(float(values.mean()), without.tolist())
    half = 1.959964 * values.std(ddof=1) / math.sqrt(80)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))


def test_the_jackknife_of_equal_figures_shows_no_difference() -> None:
    figure = (0.5, [0.49, 0.5, 0.51] * 5)
    assert jackknife_difference(figure, figure) == Difference(0, 0, 0, shown=False)


def test_a_ratio_keeps_what_its_logarithm_shows() -> None:
    found = as_ratio(Difference(0.0, math.log(0.5), math.log(2), shown=False))
    assert (found.estimate, found.low, found.high) == pytest.approx((1, 0.5, 2))
    assert not found.shown


def test_widening_never_moves_the_far_end() -> None:
    assert widened(Difference(-2, -3, -1, shown=True)) == Difference(-2, -3, 0, shown=False)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([1.0, 2.0], [1.0], "cannot be paired"),
        ([1.0], [2.0], "at least two"),
        ([], [], "at least two"),
        ([1.0, math.nan], [1.0, 2.0], "finite"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(before: list[float], after: list[float], said: str) -> None:
    with pytest.raises(InputInvalid, match=said):
        paired_difference(before, after, seed=0)


def test_an_impossible_confidence_is_refused() -> None:
    with pytest.raises(InputInvalid, match="between 0 and 1"):
        paired_difference([1.0, 2.0], [2.0, 2.0], seed=0, confidence=95)
