"""Counts tokens exactly as the trainer will, with the model's own tokenizer and chat template; changes no row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from model_pipeline.data.rows import Row
from model_pipeline.training.rendering import prompt_text, whole_text


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of a row's prompt, and of prompt and completion together with the mark that ends a reply."""

    prompt: list[int]
    whole: list[int]

    @property
    def reply_tokens(self) -> int:
        """How many tokens the reply has."""
        return len(self.whole) - len(self.prompt)

    @property
    def prompt_is_prefix(self) -> bool:
        """What the loss mask rests on: the reply begins where the prompt's tokens end."""
        return self.whole[: len(self.prompt)] == self.prompt


def encode(rows: Sequence[Row], tokenizer: Any) -> list[Encoded]:
    """The tokens of each row. Raises `InputInvalid` where the chat template refuses a conversation."""
    if not rows:
        return []
    texts = [prompt_text(tokenizer, row) for row in rows] + [whole_text(tokenizer, row) for row in rows]
    ids = tokenizer(texts, verbose=False)["input_ids"]
    return [Encoded(*pair) for pair in zip(ids[: len(rows)], ids[len(rows) :], strict=True)]


def takes_system(tokenizer: Any) -> bool:
    """Whether the chat template renders a system turn, rather than refuse it or leave it out."""
    turns = [{"role": "system", "content": "Instruction"}, {"role": "user", "content": "Hello"}]
    try:
        return "Instruction" in tokenizer.apply_chat_template(turns, tokenize=False)
    except (TemplateError, ValueError):
        return False
