"""What a figure comes to, and what all of them come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.evaluation.figures import Better, FigureText
from model_pipeline.evaluation.statistics import Difference
from model_pipeline.gating.verdicts import (
    Judged,
    Outcome,
    Verdict,
    at_most,
    decide,
    none_wrong,
    not_worse,
    reported,
    shown_better,
    too_few,
)

HIGH = FigureText("high", "High", "Higher is better.", Better.HIGHER, 2)
LOW = FigureText("low", "Low", "Lower is better.", Better.LOWER, 2)
RATIO = FigureText("ratio", "Ratio", "How many times.", Better.LOWER, 2, is_ratio=True)


def between(low: float, high: float) -> Difference:
    return Difference((low + high) / 2, low, high, shown=not low <= 0 <= high)


@pytest.mark.parametrize(
    ("text", "low", "high", "margin", "outcome"),
    [
        (HIGH, -0.04, 0.02, 0.05, Outcome.PASSED),
        (HIGH, -0.06, 0.08, 0.05, Outcome.FAILED),  # left open is not passed
        (HIGH, -0.30, -0.20, 0.05, Outcome.FAILED),
        (LOW, -0.30, 0.04, 0.05, Outcome.PASSED),
        (LOW, 0.01, 0.06, 0.05, Outcome.FAILED),
        (RATIO, 0.9, 1.4, 1.5, Outcome.PASSED),
        (RATIO, 1.2, 1.6, 1.5, Outcome.FAILED),
    ],
)
def test_the_whole_interval_lies_within_the_margin(
    text: FigureText, low: float, high: float, margin: float, outcome: Outcome
) -> None:
    assert not_worse(text, 100, 50, (1, 1), between(low, high), margin).outcome is outcome


def test_too_few_rows_neither_pass_nor_fail() -> None:
    judged = not_worse(HIGH, 49, 50, (1, 1), between(0.5, 0.6), 0.05)
    assert judged.outcome is Outcome.TOO_FEW
    assert judged.sentence == "High: it rests on 49 rows, and at least 50 are needed."


def test_better_is_shown_by_all_of_the_interval() -> None:
    assert shown_better(HIGH, 9, 0.3, between(0.1, 0.5), 0.0).outcome is Outcome.PASSED
    assert shown_better(HIGH, 9, 0.3, between(0.0, 0.5), 0.0).outcome is Outcome.FAILED
    assert shown_better(HIGH, 9, 0.3, between(0.1, 0.5), 0.2).outcome is Outcome.FAILED


GOOD = shown_better(HIGH, 9, 0.3, between(0.1, 0.5), 0.0)
BAD = none_wrong(LOW, 3, ["the file is another"])
FEW = too_few(LOW, 3, "there are 3 rows, and at least 50 are needed")
FINE = at_most(LOW, 1, (None, 1.0), 2.0)
OPEN = reported(LOW, 5, 1.0, 9.0, between(7, 9))


def test_a_promotion_needs_a_preference_and_nothing_against_it() -> None:
    assert decide([GOOD, FINE, OPEN]) == (Verdict.PROMOTE, [GOOD.sentence])
    assert decide([FINE, OPEN])[0] is Verdict.REFUSE
    assert decide([GOOD, BAD, FEW]) == (Verdict.REFUSE, [BAD.sentence])
    assert decide([GOOD, FEW]) == (Verdict.TOO_FEW, [FEW.sentence])
    assert decide([])[0] is Verdict.REFUSE


@given(st.lists(st.sampled_from([GOOD, BAD, FEW, FINE, OPEN])))
def test_nothing_outweighs_a_failure(figures: list[Judged]) -> None:
    verdict, reasons = decide(figures)
    assert (verdict is Verdict.PROMOTE) == (GOOD in figures and BAD not in figures and FEW not in figures)
    assert reasons


def test_what_is_wrong_is_named_and_not_without_end() -> None:
    sentence = none_wrong(LOW, 9, ["one", "two", "three", "four", "five"]).sentence
    assert sentence == "Low: 5 of 9 wrong: one; two; three, and 2 more."
