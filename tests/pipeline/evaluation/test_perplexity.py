from __future__ import annotations

import math

import numpy as np
import pytest

from model_pipeline.evaluation.answers import Answer, Answers
from model_pipeline.evaluation.perplexity import BitsPerCharacter, Perplexity, bits_per_character, perplexity


def model(nats: list[float], tokens: list[int], characters: list[int]) -> Answers:
    return Answers("m", (Answer("", True, 0),) * len(nats), tuple(nats), tuple(tokens), tuple(characters))


def test_perplexity_weighs_tokens_and_not_rows() -> None:
    found = perplexity(model([math.log(2) * 30, math.log(8) * 10], [30, 10], [100, 100]))
    assert found is not None
    assert found.estimate(seed=0).value == pytest.approx(2**1.5)


def test_bits_per_character_do_not_depend_on_the_tokenizer() -> None:
    coarse = bits_per_character(model([70.0, 140.0], [5, 9], [100, 200]))
    fine = bits_per_character(model([70.0, 140.0], [100, 200], [100, 200]))
    assert coarse is not None and fine is not None
    assert coarse.estimate(seed=0) == fine.estimate(seed=0)
    assert coarse.estimate(seed=0).value == pytest.approx(0.7 / math.log(2))


def test_what_was_not_measured_is_no_figure() -> None:
    nothing = Answers("m", (Answer("Hi.", True, 2),) * 2)
    assert perplexity(nothing) is None
    assert bits_per_character(nothing) is None


def test_perplexities_in_different_tokens_are_not_compared() -> None:
    assert Perplexity((1.0, 2.0), (3, 4)).change_to(Perplexity((1.0, 2.0), (3, 5)), seed=0) is None


def rows(random: np.random.Generator, count: int) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    tokens = random.integers(5, 60, count)
    before = tokens * random.lognormal(1, 0.3, count)
    after = before * random.uniform(0.7, 0.9, count)
    return tuple(tokens.tolist()), tuple(before.tolist()), tuple(after.tolist())


def test_a_better_model_has_a_ratio_below_one_and_the_way_back_is_its_inverse() -> None:
    tokens, before, after = rows(np.random.default_rng(0), 60)
    there = Perplexity(before, tokens).change_to(Perplexity(after, tokens), seed=0)
    back = Perplexity(after, tokens).change_to(Perplexity(before, tokens), seed=0)
    assert there is not None and back is not None
    expected = math.exp((sum(after) - sum(before)) / sum(tokens))
    assert there.estimate == pytest.approx(expected)
    assert there.low < there.estimate < there.high < 1 and there.shown
    assert (back.estimate, back.low, back.high) == pytest.approx(
        (1 / there.estimate, 1 / there.high, 1 / there.low), rel=0.02
    )


def test_equal_models_show_no_difference() -> None:
    tokens, before, _ = rows(np.random.default_rng(1), 40)
    change = Perplexity(before, tokens).change_to(Perplexity(before, tokens), seed=0)
    assert change is not None
    assert (change.estimate, change.low, change.high, change.shown) == (1, 1, 1, False)
    bits = BitsPerCharacter(before, tokens)
    assert not bits.change_to(bits, seed=0).shown


def test_95_of_100_intervals_hold_the_true_perplexity() -> None:
    random, held, trials = np.random.default_rng(2), 0, 120
    truth = math.exp(math.exp(1 + 0.3**2 / 2))
    for trial in range(trials):
        tokens, before, _ = rows(random, 50)
        found = Perplexity(before, tokens).estimate(seed=trial)
        held += found.low <= truth <= found.high
    assert 0.87 <= held / trials <= 0.99
