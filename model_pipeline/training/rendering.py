"""Rows as the texts that a model sees: what it is given, and what it must write; knows no weights.

All texts come without the token that begins every text: the tokenizer puts it there, once, as llama.cpp does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from model_pipeline.data.rows import Row
from model_pipeline.errors import InputInvalid


def prompt_text(tokenizer: Any, row: Row) -> str:
    """What the model is given, control tokens included. Raises `InputInvalid` where the template refuses it."""
    if isinstance(row.prompt, str):
        return row.prompt
    return _without_bos(tokenizer, _render(tokenizer, row.prompt, open_reply=True))


def whole_text(tokenizer: Any, row: Row) -> str:
    """Prompt and reply, up to the token that ends the reply; templates write a line break behind that.

    Raises `InputInvalid` where the template refuses it.
    """
    end = tokenizer.eos_token or ""
    if isinstance(row.prompt, str):
        return f"{row.prompt}{row.completion}{end}"
    assert not isinstance(row.completion, str)  # a row's prompt and completion are of one type
    text = _without_bos(tokenizer, _render(tokenizer, [*row.prompt, *row.completion], open_reply=False))
    kept, ended, behind = text.rpartition(end) if end else (text, "", "")
    return kept + ended if ended and not behind.strip() else text


def reply_text(tokenizer: Any, row: Row) -> str:
    """What the model must write, with the token that ends it. Raises `InputInvalid` where the template refuses it."""
    return whole_text(tokenizer, row).removeprefix(prompt_text(tokenizer, row))


def _render(tokenizer: Any, turns: Sequence[Mapping[str, str]], *, open_reply: bool) -> str:
    try:
        return str(tokenizer.apply_chat_template(list(turns), tokenize=False, add_generation_prompt=open_reply))
    except (TemplateError, ValueError) as error:
        raise InputInvalid(f"The chat template of the base model refuses a conversation: {error}.") from error


def _without_bos(tokenizer: Any, text: str) -> str:
    """Without what a template writes at the beginning, where the tokenizer would write it too."""
    bos = tokenizer.bos_token
    begins = bool(bos) and tokenizer("", add_special_tokens=True).input_ids[:1] == [tokenizer.bos_token_id]
    return text.removeprefix(bos) if begins else text
