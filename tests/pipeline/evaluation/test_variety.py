from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.evaluation.variety import Distinct, distinct
from model_pipeline.evaluation.words import grams, words


def measured(texts: list[str], length: int) -> Distinct:
    found = distinct(texts, length)
    assert found is not None
    return found


def test_distinct_counts_different_words_among_all_words() -> None:
    assert measured(["go on and on", "go now"], 1).share == 4 / 6
    assert measured(["go on and on", "go on"], 2).share == 3 / 4


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=8).map(" ".join), max_size=8), st.integers(1, 2))
def test_leaving_out_a_row_is_the_same_as_never_having_had_it(texts: list[str], length: int) -> None:
    found = distinct(texts, length)
    if found is None:
        assert sum(1 for text in texts if len(words(text)) >= length) < 2
        return
    for place, share in enumerate(found.without):
        left = [gram for other, text in enumerate(texts) if other != place for gram in grams(words(text), length)]
        assert share == pytest.approx(len(set(left)) / len(left))


def sampled(random: np.random.Generator, exponent: float) -> list[str]:
    weights = 1 / np.arange(1, 401) ** exponent
    return [" ".join(f"w{word}" for word in random.choice(400, 12, p=weights / weights.sum())) for _ in range(40)]


def test_95_of_100_intervals_hold_the_figure_of_many_such_samples() -> None:
    random = np.random.default_rng(1)
    found = [measured(sampled(random, 1.0), 1) for _ in range(150)]
    truth = np.mean([sample.share for sample in found])
    estimates = [sample.estimate(seed=0) for sample in found]
    assert 0.88 <= np.mean([estimate.low <= truth <= estimate.high for estimate in estimates]) <= 1.0


def test_a_model_with_fewer_different_words_is_shown_and_an_equal_one_is_not() -> None:
    random = np.random.default_rng(3)
    varied, plain = sampled(random, 0.6), sampled(random, 1.4)
    change = measured(varied, 1).change_to(measured(plain, 1), seed=0)
    assert change.shown and change.estimate < 0
    assert not measured(varied, 1).change_to(measured(list(varied), 1), seed=0).shown


def test_the_interval_of_a_share_stays_between_0_and_1() -> None:
    found = measured(["one two", "three", "four four four four"], 1).estimate(seed=0)
    assert 0 <= found.low <= found.value <= found.high <= 1
