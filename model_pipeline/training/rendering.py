"""Rows as the texts that a model sees: what it is given, and what it must write; knows no weights."""

from __future__ import annotations

from typing import Any

from model_pipeline.data.rows import Row


def prompt_text(tokenizer: Any, row: Row) -> str:
    """What the model is given, control tokens included, without the token that begins every text."""
    if isinstance(row.prompt, str):
        return row.prompt
    return without_bos(tokenizer, rendered_prompt(tokenizer, row))


def reply_text(tokenizer: Any, row: Row) -> str:
    """What the model must write, with the marks that end a reply."""
    if isinstance(row.completion, str):
        return row.completion + (tokenizer.eos_token or "")
    assert not isinstance(row.prompt, str)
    whole = tokenizer.apply_chat_template([*row.prompt, *row.completion], tokenize=False)
    return str(whole.removeprefix(rendered_prompt(tokenizer, row)))


def reference(row: Row) -> str:
    """What the row's author wrote, without any marks."""
    return row.completion.strip() if isinstance(row.completion, str) else str(row.completion[-1]["content"]).strip()


def rendered_prompt(tokenizer: Any, row: Row) -> str:
    """The conversation in the chat template, up to where the reply begins."""
    return str(tokenizer.apply_chat_template(row.prompt, tokenize=False, add_generation_prompt=True))


def without_bos(tokenizer: Any, text: str) -> str:
    """Tokenizers that begin every text with a token would put a second one before a template that writes it."""
    bos = tokenizer.bos_token
    begins = bool(bos) and tokenizer("", add_special_tokens=True).input_ids[:1] == [tokenizer.bos_token_id]
    return text.removeprefix(bos) if begins else text
