"""Nobody asks more often than allowed, and nobody is kept waiting longer than a minute."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from bot.platforms.rates import WINDOW_S, Rate


def test_the_request_above_the_limit_waits_until_the_first_is_a_minute_old() -> None:
    rate = Rate(2)
    for at in (0.0, 10.0):
        assert rate.wait_s("ada", at) == 0.0
        rate.count("ada", at)
    assert rate.wait_s("ada", 20.0) == 40.0
    assert rate.wait_s("bob", 20.0) == 0.0
    assert rate.wait_s("ada", 60.0) == 0.0


def test_zero_is_no_limit() -> None:
    rate = Rate(0)
    for at in range(1_000):
        assert rate.wait_s("ada", float(at)) == 0.0
        rate.count("ada", float(at))


def test_without_a_limit_nobody_is_remembered() -> None:
    rate = Rate(0)
    for number in range(1_000):
        rate.wait_s(f"person {number}", 0.0)
        rate.count(f"person {number}", 0.0)
    assert not rate._asked


@example(1, [4.812763602140983, 0.0])  # rounding: 4.81... + 60 - 4.81... is more than 60
@given(st.integers(1, 5), st.lists(st.floats(0.0, 30.0), max_size=60))
def test_in_no_minute_there_are_more_than_allowed(per_minute: int, pauses: list[float]) -> None:
    rate, now, taken = Rate(per_minute), 0.0, list[float]()
    for pause in pauses:
        now += pause
        wait_s = rate.wait_s("ada", now)
        assert 0.0 <= wait_s <= WINDOW_S
        if wait_s == 0.0:
            rate.count("ada", now)
            taken.append(now)
        else:
            assert sum(now - at < WINDOW_S for at in taken) >= per_minute
    assert all(sum(other <= at and at - other < WINDOW_S for other in taken) <= per_minute for at in taken)


def test_a_request_that_came_to_nothing_does_not_count() -> None:
    rate = Rate(1)
    rate.count("ada", 0.0)
    rate.take_back("ada")
    rate.take_back("bob")
    assert rate.wait_s("ada", 1.0) == 0.0
