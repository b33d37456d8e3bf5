"""From a request to the tokens of its prompt, trimmed to the context; draws nothing and queues nothing."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.chat.conversation import trim
from bot.chat.generation import GenerationRequest
from bot.chat.messages import Turn
from bot.errors import ModelInvalid


class Tokenizer(Protocol):
    """The part of a model that prompts need."""

    def render(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of a conversation."""
        ...

    def tokenize(self, text: str) -> list[int]:
        """Token ids of plain text."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """The tokens to decode, and how many new ones fit behind them."""

    tokens: list[int]
    max_tokens: int
    dropped_turns: int

    @property
    def sha256(self) -> str:
        """The hash of the token ids, hex."""
        return hashlib.sha256(array("i", self.tokens).tobytes()).hexdigest()


def prepare(
    request: GenerationRequest, tokenizer: Tokenizer, context_tokens: int, keep_from: int | None = None
) -> Prompt:
    """Tokens of the prompt, beginning with the turn `keep_from` if that fits.

    The reply gets what it asks for, but no more than a quarter of the context at the prompt's expense. Raises
    ModelInvalid when the template alone fills the context.
    """
    budget = prompt_budget(request, context_tokens)
    if request.prompt is not None:
        tokens, start = tokenizer.tokenize(request.prompt)[-budget:], 0
    else:
        trimmed = trim(request.turns, budget, lambda turns: len(tokenizer.render(turns)), keep_from)
        tokens, start = tokenizer.render(trimmed.turns), trimmed.dropped
    room = context_tokens - len(tokens)
    if room < 1:
        raise ModelInvalid(f"The model's context of {context_tokens} tokens leaves no room for a reply.")
    return Prompt(tokens, min(request.max_tokens, room), start)


def prompt_budget(request: GenerationRequest, context_tokens: int) -> int:
    """The tokens that a prompt may have."""
    return context_tokens - min(request.max_tokens, context_tokens // 4)
