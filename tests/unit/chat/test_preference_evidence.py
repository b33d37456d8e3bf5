"""The test that decides a canary: right on average, however often it is looked at."""

from __future__ import annotations

import itertools
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.preference_evidence import PreferenceTest, Verdict


def canary(new: float, old: float, votes: int, seed: int, old_for_each_new: int = 1) -> Verdict:
    """The verdict on models with these rates of good votes, looked at after every vote."""
    random, test = Random(seed), PreferenceTest(old_for_each_new)
    for _ in range(votes):
        on_new = random.random() < 1 / (1 + old_for_each_new)
        test.vote(on_new, random.random() < (new if on_new else old))
        if test.verdict is not Verdict.UNDECIDED:
            break
    return test.verdict


def test_nothing_is_decided_without_votes_on_both() -> None:
    test = PreferenceTest()
    for _ in range(100):
        test.vote(on_new=True, good=True)
    assert test.verdict is Verdict.UNDECIDED and test.evidence == (1.0, 1.0)


@pytest.mark.parametrize("old_for_each_new", [1, 4])
def test_a_clear_difference_is_found_in_either_direction(old_for_each_new: int) -> None:
    better = [canary(0.8, 0.4, 600, seed, old_for_each_new) for seed in range(20)]
    worse = [canary(0.4, 0.8, 600, seed, old_for_each_new) for seed in range(20)]
    assert set(better) == {Verdict.BETTER} and set(worse) == {Verdict.WORSE}


def test_equal_models_are_seldom_told_apart_though_it_is_looked_at_after_every_vote() -> None:
    found = [canary(0.6, 0.6, 300, seed) for seed in range(200)]
    assert found.count(Verdict.BETTER) <= 10 and found.count(Verdict.WORSE) <= 10  # at most 5% each, and fewer in fact


def test_comparisons_decide_as_votes_do_and_add_to_them() -> None:
    wins = PreferenceTest()
    for _ in range(12):
        wins.compare(new_wins=True)
    assert wins.verdict is Verdict.BETTER
    both = PreferenceTest()
    for _ in range(3):
        both.compare(new_wins=True)
    alone = both.evidence[0]
    both.vote(on_new=True, good=True)
    both.vote(on_new=False, good=False)
    assert both.evidence[0] > alone > 1


def test_what_is_decided_stays_decided() -> None:
    test = PreferenceTest()
    for _ in range(12):
        test.compare(new_wins=True)
    for _ in range(60):
        test.compare(new_wins=False)
    assert test.evidence[0] < 1
    assert test.verdict is Verdict.WORSE  # harm is shown too by now, and comes first


@given(rate=st.floats(0.01, 0.99), size=st.integers(1, 5))
def test_a_block_of_equal_models_brings_no_evidence_on_average(rate: float, size: int) -> None:
    """The property that the whole guarantee rests on: the expected factor of a block is at most 1 for any rate."""
    expected = [0.0, 0.0]
    for new, *old in itertools.product((True, False), repeat=1 + size):
        test = PreferenceTest(size)
        for good in old:
            test.vote(on_new=False, good=good)
        test.vote(on_new=True, good=new)
        likelihood = math.prod(rate if good else 1 - rate for good in (new, *old))
        expected = [sum_ + likelihood * found for sum_, found in zip(expected, test.evidence, strict=True)]
    assert max(expected) <= 1 + 1e-9
