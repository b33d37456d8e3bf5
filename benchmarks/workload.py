"""What the benchmarks ask for, and how they count what came back; runs no model."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from bot.chat.generation import GenerationRequest, Sampling
from bot.models.folder import FEW_SHOT_TEMPLATE

_WORDS = (
    "courage", "river", "lantern", "patience", "harbour", "winter", "kindness", "bread", "mountain", "silence",
    "garden", "thunder", "honesty", "bridge", "letter", "morning", "orchard", "wisdom", "candle", "journey",
    "feather", "sparrow", "autumn", "promise", "anchor", "meadow", "shelter", "copper", "violin",
)  # fmt: skip
# The prompt that the bot itself asks a model with that was never tuned for quotes: about sixty tokens, of which two
# requests share all but the keyword and what comes behind it.
PREAMBLE, AFTER_KEYWORD = FEW_SHOT_TEMPLATE.split("{keyword}")
SAMPLING = Sampling(temperature=0.8, top_k=40, top_p=0.95, min_p=0.05)


@dataclass(frozen=True, slots=True)
class Answered:
    """One request's way: seconds from its submission to its first token and to its last, and its tokens."""

    ttft_s: float
    latency_s: float
    tokens: int


def prompt_for(number: int) -> str:
    """The prompt of request `number`: a quote on two words."""
    first, second = random.Random(number).sample(_WORDS, 2)
    return f"{PREAMBLE}{first} and {second}{AFTER_KEYWORD}"


def request_for(number: int, user: int, tokens: int) -> GenerationRequest:
    """Request `number`, asked by `user`, for so many tokens unless the model ends earlier by itself."""
    return GenerationRequest(
        person=f"user {user}", prompt=prompt_for(number), max_tokens=tokens, sampling=SAMPLING, seed=number
    )


def summary(answers: Sequence[Answered], wall_s: float) -> dict[str, float]:
    """The figures that the benchmarks compare; percentiles are nearest ranks."""
    first = sorted(answer.ttft_s for answer in answers)
    whole = sorted(answer.latency_s for answer in answers)
    return {
        "tokens_per_s": round(sum(answer.tokens for answer in answers) / wall_s, 2),
        "ttft_p50_s": round(percentile(first, 50), 4),
        "latency_p50_s": round(percentile(whole, 50), 4),
        "latency_p95_s": round(percentile(whole, 95), 4),
        "tokens": sum(answer.tokens for answer in answers),
        "wall_s": round(wall_s, 2),
    }


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of values in ascending order."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]
