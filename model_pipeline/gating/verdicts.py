"""What a figure of the gate comes to, and what all of them come to; measures nothing and shows nothing.

A figure with a margin passes only where its whole interval lies within the margin: what the data leave open is not
taken for granted. Only one figure can speak for the new model, the preference; every other one can only refuse it, so
that the risk of a promotion by chance is that of one test, however many figures there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from model_pipeline.evaluation.figures import Better, FigureText
from model_pipeline.evaluation.statistics import Difference
from model_pipeline.evaluation.wording import number

SHOWN_WRONG = 3  # of a list, in a sentence


class Outcome(StrEnum):
    """Of one figure."""

    PASSED = "passed"
    FAILED = "failed"
    TOO_FEW = "too few"
    REPORTED = "reported"  # nothing was asked of it


class Verdict(StrEnum):
    """Of the whole gate."""

    PROMOTE = "promote"
    REFUSE = "refuse"
    TOO_FEW = "too few"


@dataclass(frozen=True, slots=True)
class Judged:
    """A figure of both models, what was asked of it, and whether it holds, as one sentence.

    `margin` is what the difference was held against (of limits: what the new value was); `decides` marks the figure
    that must be better. Values are None where there is no such number.
    """

    text: FigureText
    outcome: Outcome
    sentence: str
    n: int
    old: float | None = None
    new: float | None = None
    difference: Difference | None = None
    margin: float | None = None
    decides: bool = False


def reported(text: FigureText, n: int, old: float | None, new: float, difference: Difference | None) -> Judged:
    """A figure of which nothing is asked."""
    if difference is None:
        return Judged(text, Outcome.REPORTED, f"{text.title}: {number(new, text.decimals)}.", n, old, new)
    sentence = f"{text.title}: {_change(text, difference)}; nothing is asked of it."
    return Judged(text, Outcome.REPORTED, sentence, n, old, new, difference)


def too_few(text: FigureText, n: int, sentence: str, decides: bool = False) -> Judged:
    """A figure that is not measured on so few."""
    return Judged(text, Outcome.TOO_FEW, f"{text.title}: {sentence}.", n, decides=decides)


def not_worse(
    text: FigureText, n: int, least: int, values: tuple[float, float], difference: Difference, margin: float
) -> Judged:
    """The new model is worse by no more than `margin` (of a ratio: is at most so many times the old one).

    `values` are those of the old and the new model. Fewer than `least` rows settle nothing.
    """
    if n < least:
        return too_few(text, n, f"it rests on {n} rows, and at least {least} are needed")
    worst = -difference.low if text.better is Better.HIGHER else difference.high
    passed = worst <= margin
    allowed = f"{'at most' if text.is_ratio else 'no worse than by'} {number(margin, text.decimals)}"
    shown = f"within the margin ({allowed})" if passed else f"not shown to be within the margin ({allowed})"
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    sentence = f"{text.title}: {_change(text, difference)}, {shown}."
    return Judged(text, outcome, sentence, n, *values, difference, margin)


def shown_better(text: FigureText, n: int, value: float, difference: Difference, margin: float) -> Judged:
    """The new model is better, and the interval shows it: all of it lies above `margin`."""
    passed = difference.shown and difference.low > margin
    shown = "shown to be better" if passed else "not shown to be better"
    above = f" by more than {number(margin, text.decimals)}" if margin else ""
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    sentence = f"{text.title}: {_change(text, difference)}, {shown}{above}."
    return Judged(text, outcome, sentence, n, 0.0, value, difference, margin, decides=True)


def at_most(text: FigureText, n: int, values: tuple[float | None, float], limit: float) -> Judged:
    """A limit that the new model keeps, whatever the old one does."""
    passed = values[1] <= limit
    new, most = number(values[1], text.decimals), number(limit, text.decimals)
    sentence = f"{text.title}: {new}, {'within' if passed else 'above'} the limit of {most}."
    return Judged(text, Outcome.PASSED if passed else Outcome.FAILED, sentence, n, *values, margin=limit)


def none_wrong(text: FigureText, n: int, wrong: Sequence[str]) -> Judged:
    """Each of `n` checks holds; `wrong` names those that do not."""
    if not wrong:
        right = f"all {n} are right" if n > 1 else "as it must be"
        return Judged(text, Outcome.PASSED, f"{text.title}: {right}.", n, new=0.0, margin=0.0)
    more = f", and {len(wrong) - SHOWN_WRONG} more" if len(wrong) > SHOWN_WRONG else ""
    sentence = f"{text.title}: {len(wrong)} of {n} wrong: {'; '.join(wrong[:SHOWN_WRONG])}{more}."
    return Judged(text, Outcome.FAILED, sentence, n, new=float(len(wrong)), margin=0.0)


def decide(figures: Sequence[Judged]) -> tuple[Verdict, list[str]]:
    """The verdict and its reasons: what failed, else what rests on too few, else what speaks for the new model."""
    by_outcome = {outcome: [each for each in figures if each.outcome is outcome] for outcome in Outcome}
    for outcome, verdict in ((Outcome.FAILED, Verdict.REFUSE), (Outcome.TOO_FEW, Verdict.TOO_FEW)):
        if found := by_outcome[outcome]:
            return verdict, [each.sentence for each in found]
    if deciding := [each for each in by_outcome[Outcome.PASSED] if each.decides]:
        return Verdict.PROMOTE, [each.sentence for each in deciding]
    return Verdict.REFUSE, ["Nothing that was measured shows the new model to be better."]


def _change(text: FigureText, difference: Difference) -> str:
    """ "-0.01 (-0.04 to 0.02)", with "times" for a ratio, and with McNemar's p where there is one."""
    value, low, high = (number(each, text.decimals) for each in (difference.estimate, difference.low, difference.high))
    tested = "" if difference.p_value is None else f"; McNemar's p {difference.p_value:.2g}"
    return f"{value}{' times' if text.is_ratio else ''} ({low} to {high}{tested})"
