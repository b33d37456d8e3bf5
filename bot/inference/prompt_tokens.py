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


def prepare(request: GenerationRequest, tokenizer: Tokenizer, context_tokens: int) -> Prompt:
    """Tokens of the prompt; the reply gets what it asks for, but never more than half of the context by right."""
    wanted = min(request.max_tokens, context_tokens // 2)
    budget = context_tokens - wanted
    if request.prompt is not None:
        tokens, dropped = tokenizer.tokenize(request.prompt)[-budget:], 0
    else:
        trimmed = trim(request.turns, budget, lambda turns: len(tokenizer.render(turns)))
        tokens, dropped = tokenizer.render(trimmed.turns), trimmed.dropped
    return Prompt(tokens, min(request.max_tokens, context_tokens - len(tokens)), dropped)
