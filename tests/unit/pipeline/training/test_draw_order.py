"""Which sequence is trained on when: weights, starts, and nothing but seed and number."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.errors import InputInvalid
from model_pipeline.training.draw_order import DrawOrder, Stream, shares_at

WIDTH = 10
BOOKS, ARCHAIC, ROWS = Stream(1000, 1.0, 0.0), Stream(1000, 0.5, 0.0), Stream(300, 5.0, 0.6)


def corpora(order: DrawOrder, first: int, count: int) -> Counter[int]:
    return Counter(corpus for corpus, _ in order.draws(first, count))


def test_a_weight_multiplies_how_often_a_text_is_drawn() -> None:
    drawn = corpora(DrawOrder([BOOKS, ARCHAIC], 900, WIDTH, seed=1), 0, 900)
    assert drawn == {0: 600, 1: 300}


def test_nothing_is_drawn_before_it_starts_and_then_as_its_weight_says() -> None:
    order = DrawOrder([BOOKS, ARCHAIC, ROWS], 1000, WIDTH, seed=1)
    assert corpora(order, 0, 600)[2] == 0
    late = corpora(order, 600, 400)
    assert late[2] == 200  # 300 x 5 of 1000 + 500 + 1500
    assert order.counts() == [corpora(order, 0, 1000)[corpus] for corpus in range(3)]


def test_every_sequence_comes_once_before_any_comes_again() -> None:
    places = [place for _, place in DrawOrder([Stream(1000, 1.0, 0.0)], 200, WIDTH, seed=3).draws(0, 200)]
    for epoch in (places[:100], places[100:]):
        assert len(set(epoch)) == 100
        assert len({place % WIDTH for place in epoch}) == 1
    assert places[:100] != sorted(places[:100])


@given(
    st.lists(st.builds(Stream, st.integers(1, 5000), st.floats(0.1, 20), st.floats(0, 0.99)), min_size=1, max_size=5),
    st.integers(1, 300),
    st.integers(0, 9),
    st.data(),
)
def test_an_order_depends_on_seed_and_number_alone(
    streams: list[Stream], total: int, seed: int, data: st.DataObject
) -> None:
    streams = [Stream(500, 1.0, 0.0), *streams]
    whole = DrawOrder(streams, total, WIDTH, seed).draws(0, total)
    first = data.draw(st.integers(0, total - 1))
    assert DrawOrder(streams, total, WIDTH, seed).draws(first, total - first) == whole[first:]
    assert all(0 <= place < streams[corpus].tokens for corpus, place in whole)
    assert all(streams[corpus].starts_at * total <= number + 1 for number, (corpus, _) in enumerate(whole))


def test_another_seed_is_another_order() -> None:
    one, other = (DrawOrder([BOOKS, ARCHAIC], 100, WIDTH, seed).draws(0, 100) for seed in (1, 2))
    assert one != other


def test_a_beginning_without_any_text_is_refused() -> None:
    with pytest.raises(InputInvalid, match=r"needs starts_at 0\.$"):
        DrawOrder([ROWS], 100, WIDTH, seed=0)


def test_shares_at_the_end_count_what_started_late() -> None:
    assert shares_at(1.0, [BOOKS, ROWS]).tolist() == [0.4, 0.6]
    assert shares_at(0.1, [BOOKS, ROWS]).tolist() == [1.0, 0.0]
