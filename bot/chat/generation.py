"""What is asked of a text generator and what it answers: plain data, no model and no process."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.chat.messages import Turn


class FinishReason(StrEnum):
    """Why a generation ended."""

    END = "end"  # the model closed its text, or the grammar was complete
    STOP = "stop"  # a stop string came
    LENGTH = "length"  # max_tokens or the context was used up
    CANCELLED = "cancelled"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn.

    temperature 0 is greedy. top_k 0, top_p 1, min_p 0 and repeat_penalty 1 are off.
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One text to be written.

    Exactly one of `turns` (rendered with the model's own chat template and trimmed from the oldest turn until the
    newest fits) and `prompt` (used as it is) is given. `conversation` names the cache that stays resident between
    the turns of one chat; `person` is whom the queue is fair to. `deadline_s` counts from submission.
    """

    person: str
    turns: tuple[Turn, ...] = ()
    prompt: str | None = None
    conversation: str | None = None
    max_tokens: int = 256
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None
    stop: tuple[str, ...] = ()
    grammar: str | None = None  # GBNF, root rule "root"
    likelihood: bool = False  # whether Finished is to say how likely the model found the text
    states: bool = False  # whether it is to tell the text's mean state too
    whole: bool = False  # whether nobody watches it being written: it is told at its end, and after a crash begun anew
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits: `position` 1 is the next one; `eta_s` is the estimate until its first token, if known."""

    position: int
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text: whole characters only, and never a part of a stop string."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a generation, with what it took.

    `prompt_tokens` is the whole prompt, `cached_tokens` the part of it that needed no decoding; times in seconds
    from submission; `resumed` counts the worker deaths that it survived.
    """

    reason: FinishReason
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    queued_s: float
    first_token_s: float | None
    elapsed_s: float
    dropped_turns: int = 0
    resumed: int = 0
    prompt_sha256: str = ""
    seed: int = 0
    nats: float | None = None  # how surprising the model found the text and its end, before temperature and cuts
    drawn: int = 0  # the tokens that these nats are of
    state: tuple[float, ...] | None = None  # the mean of the hidden states that these tokens were drawn from


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several texts that were written for the same request."""

    text: str
    finished: Finished


GenerationEvent = Queued | TextDelta | Finished
