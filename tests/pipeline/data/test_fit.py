"""Rows within a number of tokens, whatever was said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.data.fit import estimate_rows, fit_rows
from model_pipeline.data.rows import Row, Turns, without_system_turn
from model_pipeline.data.tokens import encode
from tests.pipeline.data.small_tokenizer import NO_SYSTEM, THINKS_BEFORE_IT_REPLIES, ZEPHYR, make_tokenizer

TEXT = st.text("ab é\n", min_size=1, max_size=40)


@pytest.fixture(scope="module")
def zephyr(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_tokenizer(tmp_path_factory.mktemp("zephyr"), ZEPHYR)


@pytest.fixture(scope="module")
def no_system(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_tokenizer(tmp_path_factory.mktemp("no-system"), NO_SYSTEM)


def chat(*contents: str, system: str = "") -> Row:
    """A row whose last content is the reply."""
    roles = ("user", "assistant")
    turns = [{"role": roles[place % 2], "content": content} for place, content in enumerate(contents)]
    first = [{"role": "system", "content": system}] if system else []
    return Row([*first, *turns[:-1]], turns[-1:], "g", "", "chat", "c:1")


def turns_of(row: Row) -> Turns:
    assert not isinstance(row.prompt, str)
    return row.prompt


@st.composite
def chats(draw: st.DrawFn) -> Row:
    exchanges = draw(st.integers(1, 6))
    return chat(*draw(st.lists(TEXT, min_size=2 * exchanges, max_size=2 * exchanges)), system=draw(st.just("") | TEXT))


@settings(deadline=None)
@given(rows=st.lists(chats(), max_size=5), max_tokens=st.integers(16, 160))
def test_what_is_kept_fits_and_ends_as_it_ended(rows: list[Row], max_tokens: int, zephyr: Any, no_system: Any) -> None:
    for tokenizer in (zephyr, no_system):
        fitted = fit_rows(rows, tokenizer, max_tokens)
        assert len(fitted.rows) + len(fitted.dropped) == len(rows)
        written = fitted.rows if tokenizer is zephyr else [without_system_turn(row) for row in fitted.rows]
        too_long = 0
        for row, encoded in zip(fitted.rows, encode(written, tokenizer), strict=True):
            assert row.tokens == len(encoded.whole) and encoded.prompt_is_prefix
            if row.tokens > max_tokens:
                too_long += 1
                assert 2 * (max_tokens - len(encoded.prompt)) >= encoded.reply_tokens
                assert sum(turn["role"] == "user" for turn in turns_of(row)) == 1  # nothing more could go
            whole = [original for original in rows if original.completion == row.completion]
            assert any(_is_end_of(turns_of(row), turns_of(original)) for original in whole)
        assert fitted.truncated == too_long
        assert all(row.reason == "longer than max_tokens" for row in fitted.dropped)


def _is_end_of(turns: Turns, original: Turns) -> bool:
    system, spoken = [turn for turn in turns if turn["role"] == "system"], [t for t in turns if t["role"] != "system"]
    return (
        system == [t for t in original if t["role"] == "system"] and original[len(original) - len(spoken) :] == spoken
    )


def test_no_more_turns_go_than_must(zephyr: Any) -> None:
    row = chat("one", "1", "two", "2", "three", "3", "four", "4", system="Be kind.")
    lengths = [
        encode([chat(*said, system="Be kind.")], zephyr)[0].whole
        for said in (("four", "4"), ("three", "3", "four", "4"))
    ]
    fitted = fit_rows([row], zephyr, len(lengths[1]))
    assert [turn["content"] for turn in turns_of(fitted.rows[0])] == ["Be kind.", "three", "3", "four"]
    assert (fitted.shortened, fitted.truncated) == (1, 0)
    fitted = fit_rows([row], zephyr, len(lengths[1]) - 1)
    assert [turn["content"] for turn in turns_of(fitted.rows[0])] == ["Be kind.", "four"]


def test_a_reply_that_fits_by_half_is_kept_and_counted(zephyr: Any) -> None:
    row = Row("Keyword: tea\nQuote:", " " + "abcdefgh " * 10, "g", "tea", "quote", "q:1")
    (encoded,) = encode([row], zephyr)
    half = len(encoded.prompt) + -(-encoded.reply_tokens // 2)
    kept = fit_rows([row], zephyr, half)
    assert (len(kept.rows), kept.truncated, kept.shortened) == (1, 1, 0)
    assert (kept.rows[0].prompt, kept.rows[0].completion) == (row.prompt, row.completion)
    gone = fit_rows([row], zephyr, half - 1)
    assert not gone.rows and gone.dropped[0].origin == "q:1"
    assert gone.dropped[0].detail == f"{len(encoded.whole)} tokens"


def test_a_prompt_that_merges_into_its_reply_is_dropped(tmp_path_factory: pytest.TempPathFactory) -> None:
    tokenizer = make_tokenizer(tmp_path_factory.mktemp("thinks"), THINKS_BEFORE_IT_REPLIES)
    fitted = fit_rows([chat("hello", "how are you?")], tokenizer, 500)
    assert [row.reason for row in fitted.dropped] == ["the prompt's tokens are no beginning of the whole's"]


def test_many_rows_keep_their_order(zephyr: Any) -> None:
    rows = [Row(f"{number}:", " x", "g", "", "quote", f"q:{number}") for number in range(2100)]
    assert [row.origin for row in fit_rows(rows, zephyr, 100).rows] == [row.origin for row in rows]


def test_without_a_tokenizer_characters_are_counted_and_nothing_is_cut() -> None:
    rows = [Row("a" * 5000, "b" * 3, "g", "", "quote"), chat("hello", "hi", system="Be.")]
    fitted = estimate_rows(rows)
    assert [row.tokens for row in fitted.rows] == [1251, 3]
    assert [row.prompt for row in fitted.rows] == [row.prompt for row in rows]
    assert (fitted.shortened, fitted.truncated, fitted.dropped) == (0, 0, [])
