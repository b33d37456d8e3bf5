"""Whether votes that no model was trained on speak for the change from an old model to a new one; reads no text.

What is compared is always the change of one text's log-likelihood, new minus old: a likelihood by itself prefers
short texts, and that bias is the same in both models. The figure is how much more the likelihood of preferred texts
grew than that of rejected ones (DPO's implicit reward margin). Pairs give a difference each; of single votes the mean
of good ones is held against that of bad ones among texts of one kind, and all parts are added up by what they weigh.

A person's votes are not independent of each other, so people are drawn, not votes. The interval is the studentized
one (bootstrap-t; Efron and Tibshirani 1993, section 12.5): with twenty people a plain percentile interval of such
sums shows a difference by chance about twice as often as it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.statistics import CONFIDENCE, RESAMPLES, Difference, Floats, least_differing, widened

LEAST_STUDENTIZED = 100  # resamples with a spread


@dataclass(frozen=True, slots=True)
class Pair:
    """A preferred and a rejected text of one person: what each scores, in the same unit."""

    person: str
    weight: float
    chosen: float
    rejected: float


@dataclass(frozen=True, slots=True)
class Vote:
    """A text that one person found good or not, and what it scores; compared among votes of the same `kind`."""

    person: str
    weight: float
    kind: str
    good: bool
    score: float


@dataclass(frozen=True, slots=True)
class _Part:
    """Sums a person, [2, people]: weighted scores and weights of what is preferred; the same of what is rejected.

    A pair is one unit, with its difference among the preferred and nothing among the rejected.
    """

    preferred: Floats
    rejected: Floats
    paired: bool

    def mean(self, counts: Floats) -> tuple[Floats, Floats, Floats]:
        """For each row of `counts` [draws, people]: the contrast, what it weighs, its influence a person."""
        good, good_weight = _ratio(self.preferred, counts)
        influence = _influence(self.preferred, good, good_weight)
        if self.paired:
            return good, good_weight / 2, influence  # a difference of two texts varies as two do
        bad, bad_weight = _ratio(self.rejected, counts)
        both = good_weight + bad_weight
        weight = np.divide(good_weight * bad_weight, both, out=np.zeros_like(both), where=both > 0)
        return good - bad, weight, influence - _influence(self.rejected, bad, bad_weight)


def preference_margin(
    pairs: Sequence[Pair], votes: Sequence[Vote], seed: int, confidence: float = CONFIDENCE
) -> Difference:
    """How much higher preferred texts score than rejected ones, with an interval over people. Raises `InputInvalid`."""
    people = _people(pairs, votes)
    parts = _parts(pairs, votes, people)
    if not parts:
        raise InputInvalid("There is no pair to compare, and no kind of text with both good and bad votes.")
    estimate, spread = (float(each[0]) for each in _contrast(parts, np.ones((1, len(people)))))
    if not spread > 0:  # nothing changed, or one person alone preferred or rejected
        return widened(Difference(estimate, estimate, estimate, shown=False))
    counts = np.random.default_rng(seed).multinomial(len(people), [1 / len(people)] * len(people), RESAMPLES)
    drawn, spreads = _contrast(parts, counts.astype(np.float64))
    known = np.isfinite(drawn) & np.isfinite(spreads) & (spreads > 0)
    if len(people) < least_differing(confidence) or known.sum() < LEAST_STUDENTIZED:
        return widened(Difference(estimate, estimate - spread, estimate + spread, shown=False))
    outside = (1 - confidence) / 2
    below, above = np.quantile((drawn[known] - estimate) / spreads[known], [outside, 1 - outside])
    # Where few people give most of the votes even this one is too sure; Student's with as many people as count is not.
    half = float(student.ppf(1 - outside, max(1.0, equal_people(pairs, votes) - 1))) * spread
    low, high = estimate - max(above * spread, half), estimate + max(-below * spread, half)
    return Difference(estimate, float(low), float(high), shown=not low <= 0 <= high)


def preferred_share(pairs: Sequence[Pair], votes: Sequence[Vote], seed: int, confidence: float = CONFIDENCE) -> Floats:
    """[share, low, high]: how often the preferred of two texts scores higher; equal scores count half.

    Single votes are compared each good one with each bad one of its kind, as the area under a ROC curve does.
    """
    value, drawn = _shares(pairs, votes, seed)
    return np.array([value, *_percentiles(drawn, confidence)])


def share_difference(
    old: tuple[Sequence[Pair], Sequence[Vote]],
    new: tuple[Sequence[Pair], Sequence[Vote]],
    seed: int,
    confidence: float = CONFIDENCE,
) -> Difference:
    """How much larger that share is with the scores of `new`; both hold the same pairs and votes in one order."""
    (before, before_drawn), (after, after_drawn) = (_shares(*each, seed) for each in (old, new))
    low, high = _percentiles(after_drawn - before_drawn, confidence)
    return Difference(after - before, low, high, shown=not low <= 0 <= high)


def equal_people(pairs: Sequence[Pair], votes: Sequence[Vote]) -> float:
    """As how many people who weigh the same these count (Kish's effective sample size)."""
    weights = dict.fromkeys(_people(pairs, votes), 0.0)
    for person, weight in _weights(pairs, votes):
        weights[person] += weight
    squares = sum(weight * weight for weight in weights.values())
    return sum(weights.values()) ** 2 / squares if squares else 0.0


def comparisons(pairs: Sequence[Pair], votes: Sequence[Vote]) -> int:
    """How many pairs of a preferred and a rejected text there are at least, each vote used once."""
    kinds = {vote.kind for vote in votes}
    goods = {kind: sum(vote.good for vote in votes if vote.kind == kind) for kind in kinds}
    alls = {kind: sum(1 for vote in votes if vote.kind == kind) for kind in kinds}
    return len(pairs) + sum(min(goods[kind], alls[kind] - goods[kind]) for kind in kinds)


def _people(pairs: Sequence[Pair], votes: Sequence[Vote]) -> dict[str, int]:
    names = dict.fromkeys(person for person, _ in _weights(pairs, votes))
    return {name: place for place, name in enumerate(names)}


def _weights(pairs: Sequence[Pair], votes: Sequence[Vote]) -> list[tuple[str, float]]:
    return [*((pair.person, pair.weight) for pair in pairs), *((vote.person, vote.weight) for vote in votes)]


def _parts(pairs: Sequence[Pair], votes: Sequence[Vote], people: dict[str, int]) -> list[_Part]:
    parts = []
    if pairs:
        differences = [(pair.person, pair.weight, pair.chosen - pair.rejected) for pair in pairs]
        parts.append(_Part(_sums(differences, people), np.zeros((2, len(people))), paired=True))
    for kind in sorted({vote.kind for vote in votes}):
        good, bad = (
            [(vote.person, vote.weight, vote.score) for vote in votes if vote.kind == kind and vote.good is wanted]
            for wanted in (True, False)
        )
        if good and bad:
            parts.append(_Part(_sums(good, people), _sums(bad, people), paired=False))
    return parts


def _sums(rows: Sequence[tuple[str, float, float]], people: dict[str, int]) -> Floats:
    sums = np.zeros((2, len(people)))
    for person, weight, score in rows:
        sums[:, people[person]] += weight * score, weight
    return sums


def _ratio(sums: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """The weighted mean of each draw, 0 where nothing was drawn, and its weight."""
    scores, weights = sums @ counts.T
    return np.divide(scores, weights, out=np.zeros_like(scores), where=weights > 0), weights


def _influence(sums: Floats, means: Floats, weights: Floats) -> Floats:
    """How far the mean would move without each person, [draws, people]; not a number where nothing would be left.

    Dividing by all of the weight instead would call a mean sure that one person nearly is.
    """
    residuals, left = sums[0] - means[:, None] * sums[1], weights[:, None] - sums[1]
    found: Floats = np.divide(residuals, left, out=np.full_like(residuals, np.nan), where=left > 1e-12)
    return np.where(sums[1] > 0, found, 0.0)


def _contrast(parts: Sequence[_Part], counts: Floats) -> tuple[Floats, Floats]:
    """For each draw the contrast of all parts, and its standard error by leaving out a person at a time."""
    found = [part.mean(counts) for part in parts]
    total = sum((weight for _, weight, _ in found), np.zeros(len(counts)))
    scale = np.divide(1, total, out=np.full_like(total, np.nan), where=total > 0)
    value = sum((mean * weight for mean, weight, _ in found), np.zeros(len(counts))) * scale
    weighed = (np.where(weight[:, None] > 0, weight[:, None] * part, 0.0) for _, weight, part in found)
    influence = sum(weighed, np.zeros(counts.shape)) * scale[:, None]
    people = counts.shape[1]
    return value, np.sqrt((counts * np.square(influence)).sum(axis=1) * (people - 1) / people)


def _shares(pairs: Sequence[Pair], votes: Sequence[Vote], seed: int) -> tuple[float, Floats]:
    """The share, and that of each draw of people."""
    people = _people(pairs, votes)
    tables = _tables(pairs, votes, people)
    counts = np.random.default_rng(seed).multinomial(len(people), [1 / len(people)] * len(people), RESAMPLES)
    every = np.vstack([np.ones(len(people)), counts])
    top, below = np.zeros(len(every)), np.zeros(len(every))
    for won, weight, precision in tables:
        both = [_quadratic(each, every) for each in (won, weight)]
        top += precision * np.divide(both[0], both[1], out=np.zeros(len(every)), where=both[1] > 0)
        below += precision * (both[1] > 0)
    share = np.divide(top, below, out=np.full(len(every), np.nan), where=below > 0)
    return float(share[0]), share[1:]


def _tables(pairs: Sequence[Pair], votes: Sequence[Vote], people: dict[str, int]) -> list[tuple[Floats, Floats, float]]:
    """For each part who beats whom: won and possible, [people, people], or [people] of pairs; and what it weighs."""
    tables = []
    if pairs:
        won = _sums([(pair.person, pair.weight, _wins(pair.chosen, pair.rejected)) for pair in pairs], people)
        tables.append((won[0], won[1], float(won[1].sum()) / 2))
    for kind in sorted({vote.kind for vote in votes}):
        good, bad = ([v for v in votes if v.kind == kind and v.good is wanted] for wanted in (True, False))
        if good and bad:
            won, possible = _duels(good, bad, people)
            sums = [sum(vote.weight for vote in each) for each in (good, bad)]
            tables.append((won, possible, sums[0] * sums[1] / sum(sums)))
    return tables


def _duels(good: Sequence[Vote], bad: Sequence[Vote], people: dict[str, int]) -> Floats:
    """[2, people, people]: the weight that the row's good votes win against the column's bad ones, and all of it."""
    (one, other), (rows, columns) = (
        [np.array([vote.score for vote in each]) for each in (good, bad)],
        [np.array([people[vote.person] for vote in each]) for each in (good, bad)],
    )
    weights = np.outer([vote.weight for vote in good], [vote.weight for vote in bad])
    tables = np.zeros((2, len(people), len(people)))
    np.add.at(tables[0], (rows[:, None], columns), weights * (np.sign(np.subtract.outer(one, other)) + 1) / 2)
    np.add.at(tables[1], (rows[:, None], columns), weights)
    return tables


def _quadratic(table: Floats, counts: Floats) -> Floats:
    if table.ndim == 1:
        return np.asarray(counts @ table)
    return np.asarray(((counts @ table) * counts).sum(axis=1))


def _wins(one: float, other: float) -> float:
    return 0.5 if one == other else float(one > other)


def _percentiles(drawn: Floats, confidence: float) -> tuple[float, float]:
    outside = (1 - confidence) / 2
    low, high = np.nanquantile(drawn, [outside, 1 - outside])
    return float(low), float(high)
