"""Counts tokens exactly as the trainer will, with the model's own tokenizer and chat template; changes no row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from model_pipeline.data.rows import Row, Turns
from model_pipeline.errors import InputInvalid


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
    texts = [place for place, row in enumerate(rows) if isinstance(row.prompt, str)]
    chats = [place for place, row in enumerate(rows) if not isinstance(row.prompt, str)]
    encoded = dict(zip(texts, _encode_texts([rows[place] for place in texts], tokenizer), strict=True))
    encoded |= zip(chats, _encode_chats([rows[place] for place in chats], tokenizer), strict=True)
    return [encoded[place] for place in range(len(rows))]


def takes_system(tokenizer: Any) -> bool:
    """Whether the chat template renders a system turn, rather than refuse it or leave it out."""
    turns = [{"role": "system", "content": "Instruction"}, {"role": "user", "content": "Hello"}]
    try:
        return "Instruction" in tokenizer.apply_chat_template(turns, tokenize=False)
    except (TemplateError, ValueError):
        return False


def render(turns: Turns, tokenizer: Any, *, open_reply: bool) -> str:
    """The text of a conversation, with `open_reply` up to where the assistant's reply begins.

    Raises `InputInvalid` where the template refuses it.
    """
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=open_reply))
    except (TemplateError, ValueError) as error:
        raise InputInvalid(f"The chat template of the base model refuses a conversation: {error}.") from error


def _encode_texts(rows: Sequence[Row], tokenizer: Any) -> list[Encoded]:
    prompts = [str(row.prompt) for row in rows]
    wholes = [f"{row.prompt}{_ended(str(row.completion), tokenizer.eos_token or '')}" for row in rows]
    return _encode(prompts, wholes, tokenizer, special=True)


def _encode_chats(rows: Sequence[Row], tokenizer: Any) -> list[Encoded]:
    prompts = [render(_listed(row.prompt), tokenizer, open_reply=True) for row in rows]
    wholes = [render([*_listed(row.prompt), *_listed(row.completion)], tokenizer, open_reply=False) for row in rows]
    return _encode(prompts, wholes, tokenizer, special=False)  # a template writes its own special tokens


def _encode(prompts: list[str], wholes: list[str], tokenizer: Any, *, special: bool) -> list[Encoded]:
    if not prompts:
        return []
    ids = tokenizer([*prompts, *wholes], add_special_tokens=special, verbose=False)["input_ids"]
    return [Encoded(*pair) for pair in zip(ids[: len(prompts)], ids[len(prompts) :], strict=True)]


def _ended(completion: str, end: str) -> str:
    return completion if completion.endswith(end) else completion + end


def _listed(turns: str | Turns) -> Turns:
    assert not isinstance(turns, str)  # a row's prompt and completion are of one type
    return turns
