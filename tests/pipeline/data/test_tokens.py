"""Tokens as the trainer counts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_pipeline.data.rows import Row
from model_pipeline.data.tokens import encode, takes_system
from model_pipeline.errors import InputInvalid
from tests.pipeline.data.small_tokenizer import (
    LLAMA3,
    NO_SYSTEM,
    PLAIN,
    SILENT_ABOUT_SYSTEM,
    THINKS_BEFORE_IT_REPLIES,
    ZEPHYR,
    make_tokenizer,
)

HI, REPLY = [{"role": "user", "content": "hello"}], [{"role": "assistant", "content": "how are you?"}]
SYSTEM = [{"role": "system", "content": "Be kind."}]
QUOTE = Row("Keyword: tea\nQuote:", " Tea waits.", "g", "tea", "quote")
CHAT = Row(HI, REPLY, "g", "", "chat")


@pytest.mark.parametrize("template", [PLAIN, ZEPHYR, LLAMA3])
def test_rows_are_encoded_as_the_model_is_asked(template: str, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path, template)
    quote, chat, again = encode([QUOTE, CHAT, QUOTE], tokenizer)
    assert again == quote
    assert tokenizer.decode(quote.prompt) == "<s>Keyword: tea\nQuote:"
    assert tokenizer.decode(quote.whole) == "<s>Keyword: tea\nQuote: Tea waits.</s>"
    rendered = tokenizer.apply_chat_template(HI, tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(chat.prompt) == f"<s>{rendered.removeprefix('<s>')}"  # once, whoever writes it
    assert quote.prompt_is_prefix and chat.prompt_is_prefix
    assert [tokenizer.decode(each.whole[-each.reply_tokens :]).strip() for each in (quote, chat)] == [
        "Tea waits.</s>",
        "how are you?</s>",
    ]


def test_a_template_that_opens_the_reply_otherwise_is_found_out(tmp_path: Path) -> None:
    (encoded,) = encode([CHAT], make_tokenizer(tmp_path, THINKS_BEFORE_IT_REPLIES))
    assert not encoded.prompt_is_prefix


@pytest.mark.parametrize(
    ("template", "takes"),
    [(PLAIN, True), (ZEPHYR, True), (LLAMA3, True), (NO_SYSTEM, False), (SILENT_ABOUT_SYSTEM, False)],
)
def test_whether_a_template_takes_a_system_turn(template: str, takes: bool, tmp_path: Path) -> None:
    assert takes_system(make_tokenizer(tmp_path, template)) is takes


def test_a_template_that_refuses_a_row_is_told_in_a_sentence(tmp_path: Path) -> None:
    row = Row(SYSTEM + HI, REPLY, "g", "", "chat")
    with pytest.raises(InputInvalid, match="refuses a conversation: no system turns"):
        encode([row], make_tokenizer(tmp_path, NO_SYSTEM))
