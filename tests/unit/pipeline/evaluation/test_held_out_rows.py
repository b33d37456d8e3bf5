"""Which held-out rows are asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.data.rows import Row
from model_pipeline.evaluation.answers import Asked
from model_pipeline.evaluation.held_out_rows import asked_of, choose_rows


def rows(kinds: list[str]) -> list[Row]:
    return [Row(f"prompt {number}", " reply", str(number), "", kind) for number, kind in enumerate(kinds)]


@given(kinds=st.lists(st.sampled_from(["quote", "chat"]), max_size=40), count=st.integers(2, 30), seed=st.integers())
def test_rows_are_drawn_once_in_order_and_balanced_where_there_are_enough(
    kinds: list[str], count: int, seed: int
) -> None:
    given_rows = rows(kinds)
    chosen = choose_rows(given_rows, count, seed)
    places = [given_rows.index(row) for row in chosen]
    assert places == sorted(set(places))
    assert len(chosen) == min(count, len(kinds))
    quotes = sum(row.kind == "quote" for row in chosen)
    available = kinds.count("quote"), kinds.count("chat")
    if min(available) >= (count + 1) // 2:
        assert abs(quotes - (len(chosen) - quotes)) <= 1
    assert choose_rows(given_rows, count, seed) == chosen


def test_another_seed_draws_other_rows() -> None:
    many = rows(["quote"] * 100)
    assert choose_rows(many, 10, 0) != choose_rows(many, 10, 1)
    assert choose_rows(many, 10, 0) != many[:10]


def test_a_person_sees_the_last_turn_or_the_raw_prompt() -> None:
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello "}]
    chat = Row(turns, [{"role": "assistant", "content": " Hi!"}], "1", "", "chat")
    assert asked_of(chat) == Asked("Hello", "Hi!", "", "chat")
    quote = Row("Keyword: sea\nQuote:", " The sea keeps no diary.", "2", "sea", "quote")
    assert asked_of(quote) == Asked("Keyword: sea\nQuote:", "The sea keeps no diary.", "sea", "quote")
