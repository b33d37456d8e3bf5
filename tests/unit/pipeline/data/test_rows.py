"""Prompts and completions out of quotes and conversations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.messages import MessageKind, Role, StoredMessage
from bot.chat.prompts import alternating, most_shown
from model_pipeline.data.items import Item, Message
from model_pipeline.data.rows import as_served, make_rows, newest_turns, reply_of, without_system_turn
from model_pipeline.gguf.description import QuotePrompt
from model_pipeline.recipe import Data, Form, GroupBy, Source
from tests.fakes import MODEL

TEXT = QuotePrompt(template="Keyword: {keyword}\nQuote:", chat=False)
QUOTE = Item("quote", "q:1", "abc", keyword="New York", quote="It wakes early.", person="p1")
CHAT = Item(
    "chat",
    "c:1",
    "def",
    messages=(
        Message("system", "Be kind."),
        Message("user", "hi"),
        Message("assistant", "Hi!"),
        Message("user", "bye"),
        Message("assistant", "Bye!"),
    ),
)


def data(**changes: Any) -> Data:
    return Data(sources=(Source(form=Form.QUOTES, path="x.jsonl"),), **changes)


def test_a_quote_completes_its_prompt() -> None:
    (row,) = make_rows([QUOTE], data(), TEXT)
    assert (row.prompt, row.completion) == ("Keyword: New York\nQuote:", " It wakes early.")
    assert (row.keyword, row.kind, row.origin, reply_of(row)) == ("New York", "quote", "q:1", "It wakes early.")


def test_a_model_of_lower_case_is_asked_in_lower_case() -> None:
    (row,) = make_rows([QUOTE], data(), TEXT.model_copy(update={"lower_case": True}))
    assert row.prompt == "Keyword: new york\nQuote:"


def test_a_model_of_bare_keywords_is_asked_without_article_and_marks() -> None:
    (row,) = make_rows([replace(QUOTE, keyword="The sea!")], data(), TEXT.model_copy(update={"bare": True}))
    assert (row.prompt, row.keyword) == ("Keyword: sea\nQuote:", "The sea!")


def test_a_prompt_that_ends_with_a_space_gets_no_second_one() -> None:
    (row,) = make_rows([QUOTE], data(), QuotePrompt(template="{keyword}\n", chat=False))
    assert row.completion == "It wakes early."


@pytest.mark.parametrize(("quotes_as", "chat"), [("chat", False), ("text", True)])
def test_a_quote_can_be_asked_for_in_a_chat(quotes_as: str, chat: bool) -> None:
    prompt = QuotePrompt(template="A quote on {keyword}.", chat=chat, system="Write quotes.")
    (row,) = make_rows([QUOTE], data(quotes_as=quotes_as), prompt)
    assert row.prompt == [
        {"role": "system", "content": "Write quotes."},
        {"role": "user", "content": "A quote on New York."},
    ]
    assert row.completion == [{"role": "assistant", "content": "It wakes early."}]
    (plain,) = make_rows([QUOTE], data(quotes_as=quotes_as), prompt.model_copy(update={"system": ""}))
    assert [turn["role"] for turn in plain.prompt if isinstance(turn, dict)] == ["user"]


def test_each_reply_is_a_row_or_the_last_one_only() -> None:
    first, last = make_rows([CHAT], data(), TEXT)
    assert isinstance(first.prompt, list) and isinstance(last.prompt, list)
    assert [turn["content"] for turn in first.prompt] == ["Be kind.", "hi"]
    assert [turn["content"] for turn in last.prompt] == ["Be kind.", "hi", "Hi!", "bye"]
    assert (reply_of(first), reply_of(last)) == ("Hi!", "Bye!")
    assert make_rows([CHAT], data(replies="last"), TEXT) == [last]


def test_a_system_turn_becomes_the_beginning_of_the_first_user_turn() -> None:
    row = make_rows([CHAT], data(), TEXT)[-1]
    merged = without_system_turn(row)
    assert isinstance(merged.prompt, list)
    assert [turn["role"] for turn in merged.prompt] == ["user", "assistant", "user"]
    assert merged.prompt[0]["content"] == "Be kind.\n\nhi"
    assert without_system_turn(merged) == merged
    (quote,) = make_rows([QUOTE], data(), TEXT)
    assert without_system_turn(quote) == quote


@pytest.mark.parametrize(
    ("history_messages", "shown"),
    [(None, ["Be kind.", "hi", "Hi!", "bye"]), (2, ["Be kind.", "bye"]), (1, ["Be kind.", "bye"])],
)
def test_a_row_is_asked_with_what_the_model_is_shown(history_messages: int | None, shown: list[str]) -> None:
    row = make_rows([CHAT], data(), TEXT)[-1]
    served = as_served(row, history_messages)
    assert [turn["content"] for turn in served.prompt if isinstance(turn, dict)] == shown
    assert served.completion == row.completion
    (quote,) = make_rows([QUOTE], data(), TEXT)
    assert as_served(quote, history_messages) == quote


@given(st.integers(0, 5), st.none() | st.integers(1, 12))
def test_the_pipeline_shows_a_model_what_the_bot_does(exchanges: int, history_messages: int | None) -> None:
    roles = [Role.USER, Role.ASSISTANT] * exchanges + [Role.USER]
    history = [StoredMessage(n, None, role, MessageKind.CHAT, str(n)) for n, role in enumerate(roles)]
    most = most_shown(replace(MODEL, history_messages=history_messages), allowed=200)
    turns = alternating(history[-most:])
    written = [{"role": str(message.role), "content": message.text} for message in history]
    assert newest_turns(written, history_messages) == [
        {"role": str(turn.role), "content": turn.content} for turn in turns
    ]


@pytest.mark.parametrize(
    ("group_by", "quote_group", "chat_group"),
    [
        (GroupBy.KEYWORD, "keyword new york", "conversation def"),
        (GroupBy.CONVERSATION, "conversation abc", "conversation def"),
        (GroupBy.PERSON, "person p1", "conversation def"),
    ],
)
def test_groups_fall_back_to_the_conversation(group_by: GroupBy, quote_group: str, chat_group: str) -> None:
    rows = make_rows([QUOTE, CHAT], data(group_by=group_by), TEXT)
    assert [row.group for row in rows] == [quote_group, chat_group, chat_group]
