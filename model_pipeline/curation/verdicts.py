"""Decides what people together say of one reply, or of two; knows no text.

Where anybody has said something, only what was said counts: weak votes decide where nobody spoke. The value with the
greatest sum of weights wins by at least `margin` of all weights, or there is no verdict. A verdict weighs what the
heaviest winner's word weighs, times the share by which it won: agreement makes nothing heavier than one person's word,
and contradiction makes it lighter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from model_pipeline.curation.weights import Word

_EQUAL = 1e-9  # sums of weights that differ by rounding are a tie


@dataclass(frozen=True, slots=True)
class Verdict:
    """What won, the person who stands for it, its weight, the sources of the winners, and how many people won."""

    value: str
    person: str
    weight: float
    sources: tuple[str, ...]
    people: int


def decide(words: Sequence[Word], weights: Sequence[float], margin: float) -> Verdict | None:
    """The verdict of one word or more; None where people do not agree."""
    weighed = list(zip(words, weights, strict=True))
    counted = [pair for pair in weighed if not pair[0].weak] or weighed
    sums: dict[str, float] = defaultdict(float)
    for word, weight in counted:
        sums[word.value] += weight
    (won, value), *others = sorted(((total, value) for value, total in sums.items()), reverse=True)
    second, total = (others[0][0] if others else 0.0), sum(sums.values())
    if won - second <= _EQUAL or (won - second) / total < margin - _EQUAL:
        return None
    winners = [(word, weight) for word, weight in counted if word.value == value]
    leader, weight = min(winners, key=lambda pair: (-pair[1], pair[0].at or 0.0, pair[0].person))
    return Verdict(
        value=value,
        person=leader.person,
        weight=weight * min((won - second) / total, 1.0),  # rounding must not make it heavier
        sources=tuple(sorted({word.source for word, _ in winners})),
        people=len({word.person for word, _ in winners}),
    )
