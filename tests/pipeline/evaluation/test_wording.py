from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.evaluation.comparison import Change
from model_pipeline.evaluation.figures import BY_NAME
from model_pipeline.evaluation.statistics import Difference, Estimate
from model_pipeline.evaluation.wording import estimate_text, number, summary, verdict


def said(name: str, estimate: float, low: float, high: float, shown: bool = True) -> str:
    return verdict(name, Change("base", "tuned", {name: Difference(estimate, low, high, shown)}))


@pytest.mark.parametrize(
    ("name", "numbers", "sentence"),
    [
        ("adherence", (0.41, 0.3, 0.52), "Adherence: tuned is better by 0.41 (0.30 to 0.52)"),
        ("adherence", (-0.41, -0.52, -0.3), "Adherence: tuned is worse by 0.41 (0.30 to 0.52)"),
        ("bits_per_character", (-0.2, -0.3, -0.1), "Bits per character: tuned is better by 0.200 (0.100 to 0.300)"),
        ("words", (3, 2, 4), "Words in an answer: tuned is higher by 3.0 (2.0 to 4.0)"),
        ("verbatim", (0.1, 0.05, 0.2), "Copied answers: tuned is worse by 0.10 (0.05 to 0.20)"),
        ("perplexity", (0.5, 0.4, 0.6), "Perplexity: tuned is better, 0.50 times that of base (0.40 to 0.60)"),
        ("perplexity", (1.5, 1.2, 1.6), "Perplexity: tuned is worse, 1.50 times that of base (1.20 to 1.60)"),
    ],
)
def test_a_difference_that_is_shown_says_which_way(
    name: str, numbers: tuple[float, float, float], sentence: str
) -> None:
    assert said(name, *numbers) == sentence


def test_a_difference_that_is_not_shown_says_so_with_its_interval() -> None:
    assert said("adherence", 0.1, -0.02, 0.2, shown=False) == "Adherence: no difference shown (-0.02 to 0.20)"
    assert said("perplexity", 1.1, 0.9, 1.3, shown=False) == "Perplexity: no difference shown (0.90 to 1.30 times)"


def test_a_small_difference_never_reads_as_none() -> None:
    assert said("adherence", 0.006, 0.0004, 0.01) == "Adherence: tuned is better by 0.0060 (0.0004 to 0.0100)"
    expected = "Perplexity: tuned is better, 0.998 times that of base (0.996 to 0.999)"
    assert said("perplexity", 0.998, 0.996, 0.999) == expected


def test_a_summary_counts_what_the_verdicts_say() -> None:
    differences = {
        "adherence": Difference(0.4, 0.3, 0.5, True),
        "bleu": Difference(-0.1, -0.2, -0.05, True),
        "perplexity": Difference(0.5, 0.4, 0.6, True),
        "words": Difference(-3, -4, -2, True),
        "novelty": Difference(0, -0.1, 0.1, False),
    }
    expected = "better in 2, worse in 1, otherwise different in 1, no difference shown in 1."
    assert summary(Change("base", "tuned", differences)) == f"tuned against base, 5 figures: {expected}"


def test_a_figure_has_the_decimals_that_it_deserves() -> None:
    assert estimate_text(BY_NAME["words"], Estimate(12.34, 11.06, 13.9, 20)) == ("12.3", "11.1 to 13.9")


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_number_is_rounded_and_never_minus_zero(value: float, decimals: int) -> None:
    text = number(value, decimals)
    assert abs(float(text) - value) <= 0.5001 * 10**-decimals + 1e-9
    assert not (text.startswith("-") and float(text) == 0)
