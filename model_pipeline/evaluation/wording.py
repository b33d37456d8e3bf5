"""Says figures and differences in words: numbers with the decimals they need, and one verdict a difference."""

from __future__ import annotations

from model_pipeline.evaluation.comparison import Change
from model_pipeline.evaluation.figures import BY_NAME, Better, FigureText
from model_pipeline.evaluation.statistics import Difference, Estimate

MOST_DECIMALS = 6
NO_DIFFERENCE = "no difference shown"


def number(value: float, decimals: int) -> str:
    """A number with that many decimals; never -0.00."""
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def estimate_text(figure: FigureText, estimate: Estimate) -> tuple[str, str]:
    """The value, and its interval: "0.41" and "0.30 to 0.52"."""
    low, high = number(estimate.low, figure.decimals), number(estimate.high, figure.decimals)
    return number(estimate.value, figure.decimals), f"{low} to {high}"


def verdict(name: str, change: Change) -> str:
    """One sentence: "Adherence: tuned is better by 0.41 (0.30 to 0.52)", or that no difference is shown."""
    figure, difference = BY_NAME[name], change.differences[name]
    if not difference.shown:
        low, high = number(difference.low, figure.decimals), number(difference.high, figure.decimals)
        times = " times" if figure.is_ratio else ""
        return f"{figure.title}: {NO_DIFFERENCE} ({low} to {high}{times})"
    judgement = f"{figure.title}: {change.after} is {judge(figure, difference)}"
    if figure.is_ratio:
        value, low, high = _distinguishable(figure, difference.estimate, difference.low, difference.high, none=1)
        return f"{judgement}, {value} times that of {change.before} ({low} to {high})"
    near, far = sorted((abs(difference.low), abs(difference.high)))
    value, low, high = _distinguishable(figure, abs(difference.estimate), near, far, none=0)
    return f"{judgement} by {value} ({low} to {high})"


def summary(change: Change) -> str:
    """One sentence that counts the verdicts of a change by what they say."""
    found = [judge(BY_NAME[name], difference) for name, difference in change.differences.items()]
    kinds = {
        "better": found.count("better"),
        "worse": found.count("worse"),
        "otherwise different": found.count("higher") + found.count("lower"),
        NO_DIFFERENCE: found.count(NO_DIFFERENCE),
    }
    counts = ", ".join(f"{kind} in {count}" for kind, count in kinds.items() if count)
    return f"{change.after} against {change.before}, {len(found)} figures: {counts}."


def judge(figure: FigureText, difference: Difference) -> str:
    """better, worse, higher or lower; or that no difference is shown."""
    if not difference.shown:
        return NO_DIFFERENCE
    higher = difference.estimate > (1 if figure.is_ratio else 0)
    if figure.better is Better.NEITHER:
        return "higher" if higher else "lower"
    return "better" if higher == (figure.better is Better.HIGHER) else "worse"


def _distinguishable(figure: FigureText, *values: float, none: float) -> tuple[str, ...]:
    """The values with so many decimals that none of them reads as the value of no difference."""
    for decimals in range(figure.decimals, MOST_DECIMALS + 1):
        texts = tuple(number(value, decimals) for value in values)
        if all(float(text) != none for text in texts):
            break
    return texts
