"""When threads are tried anew: with a clock of the test's own and an engine that counts trials."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import pytest

from bot.inference.batch_engine import Threads
from bot.inference.thread_tuner import (
    QUIET_S,
    RETUNE_EVERY_S,
    RETUNE_PAUSE_S,
    RETUNE_STEPS,
    SOON_QUIET_S,
    ThreadTuner,
)

FAST, SLOW = 0.01, 0.1  # seconds of a token; the trials found 100 a second, and 400 of 16 texts at once


class CountingEngine:
    def __init__(self) -> None:
        self.threads = Threads(1, 1, single_rate=100.0, batch_rate=400.0)
        self.trials = 0

    def thread_trials(self, counts: Sequence[int]) -> Generator[None, None, Threads]:
        for _ in counts:
            self.trials += 1
            yield
        self.threads = Threads(2, 2, single_rate=150.0, batch_rate=500.0)
        return self.threads


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def tuner(counts: Sequence[int] = (1, 2)) -> tuple[ThreadTuner, CountingEngine, Clock]:
    engine, clock = CountingEngine(), Clock()
    return ThreadTuner(engine, counts, clock), engine, clock


def steps(tuned: ThreadTuner, seconds: float, count: int = RETUNE_STEPS, texts: int = 1, prefilled: int = 0) -> None:
    for _ in range(count):
        tuned.step_took(texts, prefilled, seconds)


def try_to_the_end(tuned: ThreadTuner) -> None:
    """Let the trials that are under way choose."""
    while not tuned.between_steps(busy=False):
        assert tuned.trying


def test_steps_that_stay_slow_begin_trials_which_go_on_one_at_a_time() -> None:
    tuned, engine, clock = tuner()
    clock.now = RETUNE_PAUSE_S + 1
    steps(tuned, SLOW)
    assert tuned.trying and engine.trials == 0
    for expected, chosen in ((1, False), (2, False), (2, True)):
        assert tuned.between_steps(busy=True) is chosen
        assert engine.trials == expected
    assert not tuned.trying and engine.threads.single == 2


def test_a_slow_moment_is_no_reason() -> None:
    tuned, _, clock = tuner()
    clock.now = RETUNE_PAUSE_S + 1
    for _ in range(5):
        steps(tuned, SLOW, RETUNE_STEPS - 1)
        steps(tuned, FAST, 1)
    assert not tuned.trying


@pytest.mark.parametrize(
    ("texts", "seconds", "slow"),
    [(16, 0.11, True), (16, 0.09, False), (4, 0.11, True), (4, 0.09, False), (32, 0.11, False), (32, 0.21, True)],
)
def test_steps_of_many_texts_that_stay_slow_begin_trials_too(texts: int, seconds: float, slow: bool) -> None:
    tuned, _, clock = tuner()
    clock.now = RETUNE_PAUSE_S + 1
    steps(tuned, seconds, texts=texts)
    assert tuned.trying is slow


def test_prompts_tell_no_rate() -> None:
    tuned, _, clock = tuner()
    clock.now = RETUNE_PAUSE_S + 1
    steps(tuned, SLOW * 9, prefilled=64)
    steps(tuned, SLOW * 9, texts=0, prefilled=64)
    assert not tuned.trying


def test_trials_do_not_follow_each_other_closely() -> None:
    tuned, _, clock = tuner()
    steps(tuned, SLOW, RETUNE_STEPS * 3)
    assert not tuned.trying
    clock.now = RETUNE_PAUSE_S + 1
    steps(tuned, SLOW, 1)
    assert tuned.trying


def test_what_was_measured_at_the_start_is_measured_anew_in_the_first_quiet_moment() -> None:
    """The bot was starting beside those trials."""
    tuned, engine, clock = tuner()
    clock.now = 60.0
    tuned.between_steps(busy=True)
    clock.now += SOON_QUIET_S - 1
    tuned.between_steps(busy=False)
    assert not tuned.trying
    clock.now += 2
    tuned.between_steps(busy=False)
    assert tuned.trying
    try_to_the_end(tuned)
    assert engine.threads.batch_rate == 500.0


def test_what_was_measured_while_steps_were_slow_is_measured_anew_too() -> None:
    tuned, _, clock = tuner()
    clock.now = RETUNE_PAUSE_S + 1
    steps(tuned, SLOW)
    try_to_the_end(tuned)
    clock.now += RETUNE_PAUSE_S - 1  # what took the processor may still be there
    tuned.between_steps(busy=False)
    assert not tuned.trying
    clock.now += 2
    tuned.between_steps(busy=False)
    assert tuned.trying


def test_a_quiet_moment_is_used_now_and_then() -> None:
    tuned, _, clock = tuner()
    clock.now = SOON_QUIET_S + 1
    tuned.between_steps(busy=False)
    try_to_the_end(tuned)
    clock.now += RETUNE_EVERY_S - 1
    tuned.between_steps(busy=False)
    assert not tuned.trying
    clock.now += 2
    tuned.between_steps(busy=True)
    clock.now += QUIET_S - 1
    tuned.between_steps(busy=False)
    assert not tuned.trying
    clock.now += 2
    tuned.between_steps(busy=False)
    assert tuned.trying


def test_of_a_fixed_number_the_rates_are_measured_anew() -> None:
    tuned, engine, clock = tuner(counts=[2])
    clock.now = SOON_QUIET_S + 1
    tuned.between_steps(busy=False)
    try_to_the_end(tuned)
    assert engine.trials == 1 and engine.threads.batch_rate == 500.0
