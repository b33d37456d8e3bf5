"""Plain data of an evaluation: what was asked, what each model answered and how fast; knows no figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model_pipeline.errors import InputInvalid

QUOTE = "quote"
CHAT = "chat"
LEAST_ROWS = 2  # one row has no spread
MOST_NATS = 500  # a token; beyond it a perplexity is no number of 64 bits


@dataclass(frozen=True, slots=True)
class Asked:
    """A held-out row: the prompt as shown to a person, its reference reply, and what kind it is.

    `kind` is "quote" or "chat"; `keyword` is what a quote is about, or "".
    """

    prompt: str
    reference: str
    keyword: str
    kind: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote for one row: `closed` if it ended the answer itself, and its length in its own tokens."""

    text: str
    closed: bool
    tokens: int


@dataclass(frozen=True, slots=True)
class Answers:
    """One model's answers, row for row, and what it makes of the references.

    `negative_log_likelihoods` are nats summed over the tokens of each reference reply; `reference_tokens` and
    `reference_characters` count that reply in the model's tokens and in characters. All three are empty where
    likelihoods were not measured.
    """

    name: str
    answers: tuple[Answer, ...]
    negative_log_likelihoods: tuple[float, ...] = ()
    reference_tokens: tuple[int, ...] = ()
    reference_characters: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Latency:
    """How fast one model answered, measured on one machine: milliseconds for an answer, tokens for a second."""

    name: str
    requests: int
    p50_ms: float
    p95_ms: float
    tokens_per_second: float
    machine: str


def check_fit(asked: Sequence[Asked], models: Sequence[Answers]) -> None:
    """Raise `InputInvalid` unless every model answered every row, and there is something to compare."""
    if len(asked) < LEAST_ROWS:
        raise InputInvalid(f"There are {len(asked)} held-out rows; an evaluation needs at least {LEAST_ROWS}.")
    for number, row in enumerate(asked, start=1):
        if row.kind not in (QUOTE, CHAT):
            raise InputInvalid(f"Held-out row {number} is of the kind {row.kind!r}; it must be {QUOTE} or {CHAT}.")
    names = [model.name for model in models]
    if not names or len(set(names)) < len(names):
        raise InputInvalid(f"The models to compare are {names}; give at least one, each with a name of its own.")
    for model in models:
        _check_model(model, len(asked))


def _check_model(model: Answers, rows: int) -> None:
    if len(model.answers) != rows:
        raise InputInvalid(f"{model.name} has {len(model.answers)} answers to {rows} rows; each row needs one.")
    sums, tokens, characters = model.negative_log_likelihoods, model.reference_tokens, model.reference_characters
    if {len(sums), len(tokens), len(characters)} not in ({0}, {rows}):
        raise InputInvalid(f"{model.name} needs a likelihood, a token and a character count for all {rows} rows.")
    if not all(math.isfinite(value) and value >= 0 for value in sums):
        raise InputInvalid(f"{model.name} has a negative log-likelihood that is no finite number from 0 up.")
    if any(count < 1 for count in (*tokens, *characters)):
        raise InputInvalid(f"{model.name} has a reference without tokens or characters; each needs at least one.")
    if any(value > MOST_NATS * count for value, count in zip(sums, tokens, strict=True)):
        raise InputInvalid(
            f"{model.name} has a negative log-likelihood above {MOST_NATS} nats a token; that is no figure."
        )
