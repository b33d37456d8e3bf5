"""How surprised a model is by the reference replies, per token and per character; loads no model.

Tokens are not the same in every model, so perplexities are compared only where every reference has as many tokens in
both. Characters are the same everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from model_pipeline.evaluation.answers import Answers
from model_pipeline.evaluation.statistics import (
    Difference,
    Estimate,
    Floats,
    as_ratio,
    estimate_statistic,
    statistic_difference,
)


@dataclass(frozen=True, slots=True)
class Perplexity:
    """exp(nats per token), over all references together; its change is a ratio."""

    nats: tuple[float, ...]
    tokens: tuple[int, ...]

    def estimate(self, seed: int) -> Estimate:
        """The perplexity, with a bootstrap interval over rows."""
        found = estimate_statistic([self.nats, self.tokens], per_unit, seed)
        return replace(found, value=math.exp(found.value), low=math.exp(found.low), high=math.exp(found.high))

    def change_to(self, after: Perplexity, seed: int) -> Difference | None:
        """How many times this perplexity it is afterwards; None where the tokens are not the same."""
        if self.tokens != after.tokens:
            return None
        old, new = [self.nats, self.tokens], [after.nats, after.tokens]
        return as_ratio(statistic_difference(old, new, per_unit, seed))


@dataclass(frozen=True, slots=True)
class BitsPerCharacter:
    """Bits per character, over all references together."""

    bits: tuple[float, ...]
    characters: tuple[int, ...]

    def estimate(self, seed: int) -> Estimate:
        """The bits per character, with a bootstrap interval over rows."""
        return estimate_statistic([self.bits, self.characters], per_unit, seed)

    def change_to(self, after: BitsPerCharacter, seed: int) -> Difference:
        """How many more bits a character takes afterwards."""
        old, new = [self.bits, self.characters], [after.bits, after.characters]
        return statistic_difference(old, new, per_unit, seed)


def per_unit(amounts: Floats, units: Floats, axis: int = -1) -> Floats:
    """The statistic: all of the amounts divided by all of the units, so that a long row weighs more."""
    return np.asarray(amounts.sum(axis=axis) / units.sum(axis=axis))


def perplexity(model: Answers) -> Perplexity | None:
    """The perplexity of a model; None where likelihoods were not measured."""
    if not model.negative_log_likelihoods:
        return None
    return Perplexity(model.negative_log_likelihoods, model.reference_tokens)


def bits_per_character(model: Answers) -> BitsPerCharacter | None:
    """The bits per character of a model; None where likelihoods were not measured."""
    if not model.negative_log_likelihoods:
        return None
    bits = tuple(nats / math.log(2) for nats in model.negative_log_likelihoods)
    return BitsPerCharacter(bits, model.reference_characters)
