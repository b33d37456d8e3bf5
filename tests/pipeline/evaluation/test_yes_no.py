from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.yes_no import estimate_share, mcnemar, paired_shares

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(PAIRS)
def test_turning_before_and_after_round_turns_the_difference_round(pairs: list[tuple[bool, bool]]) -> None:
    before, after = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    there, back = paired_shares(before, after), paired_shares(after, before)
    assert there.shown == back.shown
    assert there.p_value == back.p_value
    assert (there.estimate, there.low, there.high) == pytest.approx((-back.estimate, -back.high, -back.low))


@given(PAIRS)
def test_what_is_shown_does_not_hold_zero_and_mcnemar_agrees(pairs: list[tuple[bool, bool]]) -> None:
    found = paired_shares([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    assert found.low <= found.estimate <= found.high
    assert found.low >= -1 - 1e-9 and found.high <= 1 + 1e-9
    assert found.shown == (found.low > 0 or found.high < 0)
    assert found.p_value is not None
    if found.shown:
        assert found.p_value < 0.05


@given(st.lists(st.booleans(), min_size=1))
def test_equal_answers_never_show_a_difference(flags: list[bool]) -> None:
    found = paired_shares(flags, flags)
    assert (found.estimate, found.shown, found.p_value) == (0, False, 1)


def test_a_model_that_always_does_what_the_other_never_does_has_an_honest_interval() -> None:
    found = paired_shares([False] * 200, [True] * 200)
    assert (found.estimate, found.high, found.shown) == (1, 1, True)
    assert 0.95 < found.low < 0.99


def test_five_rows_are_too_few_to_show_anything_and_six_are_enough() -> None:
    assert paired_shares([False] * 5, [True] * 5).low == 0
    assert not paired_shares([False] * 5, [True] * 5).shown
    assert paired_shares([False] * 6, [True] * 6).shown


def test_mcnemar_counts_only_the_rows_that_turn() -> None:
    before = [False] * 8 + [True] * 1 + [True] * 50
    after = [True] * 8 + [False] * 1 + [True] * 50
    assert mcnemar(before, after) == pytest.approx(2 * binom.cdf(1, 9, 0.5))


def test_a_share_has_wilsons_interval() -> None:
    found = estimate_share([True] * 8 + [False] * 2)
    assert (found.value, found.rows) == (0.8, 10)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert estimate_share([True] * 100).low == pytest.approx(0.963, abs=1e-3)


def test_95_of_100_intervals_hold_the_true_difference() -> None:
    random, held, trials, rows = np.random.default_rng(5), 0, 400, 80
    for _ in range(trials):
        before = random.random(rows) < 0.3
        after = np.where(before, random.random(rows) < 0.9, random.random(rows) < 0.5)
        found = paired_shares(before.tolist(), after.tolist())
        held += found.low <= 0.3 * 0.9 + 0.7 * 0.5 - 0.3 <= found.high
    assert 0.92 <= held / trials <= 0.99


def test_rows_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(InputInvalid, match="cannot be paired"):
        paired_shares([True, False], [True])
    with pytest.raises(InputInvalid, match="no rows"):
        paired_shares([], [])
