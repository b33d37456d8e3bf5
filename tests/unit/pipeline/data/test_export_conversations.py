"""Rows of an export that belong to one conversation."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.data.export_conversations import first_rows
from model_pipeline.data.items import Message

WINDOW = 10  # exchanges that an export repeats before a reply


def turns(*exchanges: str) -> list[Message]:
    return [turn for text in exchanges for turn in (Message("user", f"{text}?"), Message("assistant", f"{text}!"))]


def test_a_conversation_is_found_through_what_its_rows_repeat() -> None:
    rows = [turns("a"), turns("a", "b"), turns("x"), turns("b", "c"), turns("x", "y")]
    assert first_rows(["ada"] * 5, rows) == [0, 0, 2, 0, 2]


def test_people_who_say_the_same_are_not_put_together() -> None:
    assert first_rows(["ada", "bob"], [turns("hi"), turns("hi")]) == [0, 1]


def test_a_row_that_joins_two_conversations_makes_them_one() -> None:
    assert first_rows(["ada"] * 4, [turns("a"), turns("b"), turns("b", "a"), turns("c")]) == [0, 0, 0, 3]


def test_a_row_without_an_exchange_stands_alone() -> None:
    assert first_rows(["ada", "ada"], [[], turns("a")]) == [0, 1]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=25), min_size=1, max_size=5))
def test_no_conversation_is_ever_divided(conversations: list[list[int]]) -> None:
    rows, origins = [], []
    for number, said in enumerate(conversations):
        for end in range(1, len(said) + 1):
            rows.append(turns(*(str(text) for text in said[max(0, end - 1 - WINDOW) : end])))
            origins.append(number)
    found = first_rows(["ada"] * len(rows), rows)
    for number in set(origins):
        assert len({first for first, origin in zip(found, origins, strict=True) if origin == number}) == 1
    assert all(found[first] == first <= place for place, first in enumerate(found))
