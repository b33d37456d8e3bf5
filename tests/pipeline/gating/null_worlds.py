"""People who vote on texts whose likelihood changed somehow: at random, or for what became likelier."""

from __future__ import annotations

import math

import numpy as np

from model_pipeline.gating.preference import Pair, Vote


def draw_world(
    random: np.random.Generator, people: int, *, taste: float = 0.0, votes: float = 6, pairs: float = 2
) -> tuple[list[Pair], list[Vote]]:
    """Some vote much and others little, some are kind and others not; changes of likelihood have long tails.

    With a `taste` of 0 nobody's vote has to do with the change; one of 1 is a slope of 1 in a logistic curve over
    changes of 0.03 nats a character.
    """
    found: tuple[list[Pair], list[Vote]] = [], []
    for number in range(people):
        person, kindness = f"person-{number}", random.beta(3, 2)
        for change in _changes(random, max(1, int(random.lognormal(math.log(votes), 0.8))) if votes else 0):
            good = _likes(random, math.log(kindness / (1 - kindness)) + taste * change / 0.03)
            found[1].append(Vote(person, float(random.choice([0.3, 1.0])), "quote", good, change))
        for _ in range(random.poisson(pairs * random.lognormal(0, 0.5))):
            one, other = _changes(random, 2)
            chosen = _likes(random, taste * (one - other) / 0.03)
            found[0].append(Pair(person, 1.0, *((one, other) if chosen else (other, one))))
    return found


def _changes(random: np.random.Generator, count: int) -> list[float]:
    return [float(value) for value in random.standard_t(3, count) * 0.03 - 0.02]


def _likes(random: np.random.Generator, odds: float) -> bool:
    return bool(random.random() < 1 / (1 + math.exp(-odds)))
