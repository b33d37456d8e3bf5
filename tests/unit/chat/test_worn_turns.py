"""What counts as a worn turn of phrase: pairs of words of the last quotes, whoever they were for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.worn_turns import WornTurns

QUOTES = st.lists(st.text("ab ,.'", max_size=12), max_size=12)


def after(most: int, quotes: Sequence[str]) -> WornTurns:
    turns = WornTurns(most)
    for quote in quotes:
        turns.add(quote)
    return turns


def test_nothing_is_worn_before_a_quote_was_given() -> None:
    assert after(3, []).worn("sea", "The cake was gone.") == 0


def test_each_quote_wears_its_turns_a_little_more() -> None:
    found = [after(9, ["The cake was gone."] * times).worn("tea", "The tea was gone.") for times in range(4)]
    assert found == sorted(set(found))


@pytest.mark.parametrize("quote", ["CAKE, was gone!", "My cake was gone", "the cake was"])
def test_case_and_marks_do_not_hide_a_turn(quote: str) -> None:
    assert after(3, ["The cake was gone."]).worn("sea", quote) > 0


def test_a_turn_with_a_word_of_the_keyword_is_never_worn() -> None:
    turns = after(3, ["A good book waits."])
    assert turns.worn("good book", "A good book!") == 0
    assert turns.worn("sea", "A good book!") > 0


def test_a_pair_that_a_quote_says_twice_counts_once() -> None:
    assert after(3, ["so so so so"]).worn("sea", "so so") == after(3, ["so so"]).worn("sea", "so so")


@given(QUOTES, st.integers(1, 5), st.text("ab ,.'", max_size=12))
def test_only_the_last_quotes_count(quotes: list[str], most: int, quote: str) -> None:
    assert after(most, quotes).worn("", quote) == after(99, quotes[-most:]).worn("", quote)
