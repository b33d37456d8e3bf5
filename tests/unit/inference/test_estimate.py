"""The estimate of the wait: it may be wrong, but never absurd."""

import math

from hypothesis import given
from hypothesis import strategies as st

from bot.inference.estimate import WaitEstimate

RATES = st.floats(0, 1e5)
COUNTS = st.integers(0, 10_000)
STEPS = st.lists(st.tuples(COUNTS, COUNTS, st.floats(0, 1e4, allow_subnormal=False), st.integers(0, 20)), max_size=20)
FINISHED = st.lists(st.tuples(COUNTS, COUNTS), max_size=20)


def observed(rate: float, steps: list[tuple[int, int, float, int]], finished: list[tuple[int, int]]) -> WaitEstimate:
    estimate = WaitEstimate(rate, slots=8)
    for decoded, prefilled, seconds, running in steps:
        estimate.step(decoded, prefilled, max(seconds, 1e-6), running)
    for prefilled, completion in finished:
        estimate.finished(prefilled, completion)
    return estimate


@given(RATES, STEPS, FINISHED, st.integers(1, 10_000), st.integers(1, 32_768))
def test_the_wait_is_finite_and_never_negative_and_grows_with_the_position(
    rate: float,
    steps: list[tuple[int, int, float, int]],
    finished: list[tuple[int, int]],
    position: int,
    max_tokens: int,
) -> None:
    estimate = observed(rate, steps, finished)
    wait = estimate.wait_s(position, max_tokens)
    assert math.isfinite(wait)
    assert 0 <= wait <= estimate.wait_s(position + 1, max_tokens)


@given(st.floats(1, 1e4), st.floats(1.01, 100))
def test_a_faster_worker_means_a_shorter_wait(rate: float, times: float) -> None:
    assert WaitEstimate(rate * times, 8).wait_s(3, 100) < WaitEstimate(rate, 8).wait_s(3, 100)


def test_it_learns_from_full_steps_only() -> None:
    estimate = WaitEstimate(50.0, slots=4)
    before = estimate.wait_s(2, 100)
    for _ in range(50):
        estimate.step(1, 0, 1.0, running=3)  # slow, but nobody had to wait
    assert estimate.wait_s(2, 100) == before
    for _ in range(50):
        estimate.step(5, 0, 1.0, running=4)
    assert estimate.wait_s(2, 100) > 5 * before


def test_it_learns_what_a_request_costs() -> None:
    estimate = WaitEstimate(10.0, slots=4)
    for _ in range(100):
        estimate.finished(prefilled=30, completion=40)
    assert math.isclose(estimate.wait_s(1, 1_000), (40 + 30 / 3) / 10)


def test_a_worker_that_stands_still_still_has_an_estimate() -> None:
    estimate = observed(0.0, [(0, 0, 1e4, 8)] * 20, [])
    assert math.isfinite(estimate.wait_s(64, 32_768))
