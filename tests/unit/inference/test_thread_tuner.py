"""When threads are tried anew: with a clock of the test's own and an engine that counts trials."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from bot.inference.batch_engine import Threads
from bot.inference.thread_tuner import QUIET_S, RETUNE_EVERY_S, RETUNE_PAUSE_S, RETUNE_STEPS, ThreadTuner

FAST, SLOW = 0.01, 0.1  # seconds of a token; the trials found 100 a second


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


def steps(tuned: ThreadTuner, seconds: float, count: int = RETUNE_STEPS) -> None:
    for _ in range(count):
        tuned.step_took(decoding=1, prefilled=0, seconds=seconds)


def test_steps_that_stay_slow_begin_trials_which_go_on_one_at_a_time() -> None:
    tuned, engine, clock = tuner()
    clock.now = RETUNE_PAUSE_S + 1
    steps(tuned, SLOW)
    assert tuned.trying and engine.trials == 0
    for expected in (1, 2, 2):
        tuned.between_steps(busy=True)
        assert engine.trials == expected
    assert not tuned.trying and engine.threads.single == 2


def test_a_slow_moment_is_no_reason() -> None:
    tuned, _, clock = tuner()
    clock.now = RETUNE_PAUSE_S + 1
    for _ in range(5):
        steps(tuned, SLOW, RETUNE_STEPS - 1)
        steps(tuned, FAST, 1)
    assert not tuned.trying


def test_only_single_tokens_tell_the_rate() -> None:
    tuned, _, clock = tuner()
    clock.now = RETUNE_PAUSE_S + 1
    for _ in range(RETUNE_STEPS * 2):
        tuned.step_took(decoding=8, prefilled=0, seconds=SLOW)
        tuned.step_took(decoding=1, prefilled=64, seconds=SLOW)
    assert not tuned.trying


def test_trials_do_not_follow_each_other_closely() -> None:
    tuned, _, clock = tuner()
    steps(tuned, SLOW, RETUNE_STEPS * 3)
    assert not tuned.trying
    clock.now = RETUNE_PAUSE_S + 1
    steps(tuned, SLOW, 1)
    assert tuned.trying


def test_a_quiet_moment_is_used_now_and_then() -> None:
    tuned, _, clock = tuner()
    clock.now = RETUNE_EVERY_S + 1
    tuned.between_steps(busy=True)
    assert not tuned.trying
    clock.now += QUIET_S - 1
    tuned.between_steps(busy=False)
    assert not tuned.trying
    clock.now += 2
    tuned.between_steps(busy=False)
    assert tuned.trying


def test_a_fixed_number_is_never_tried() -> None:
    tuned, engine, clock = tuner(counts=[2])
    clock.now = RETUNE_EVERY_S + QUIET_S + 1
    steps(tuned, SLOW)
    tuned.between_steps(busy=False)
    assert not tuned.trying and engine.trials == 0
