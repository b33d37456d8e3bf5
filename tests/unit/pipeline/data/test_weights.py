"""How often rows are learned from: as the weights of their sources say."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from model_pipeline.data.rows import Row
from model_pipeline.data.weights import weighted
from model_pipeline.recipe import Data, Source

ROWS = [Row("p", f"{name} {number}", "g", "", "chat", f"{name}:{number}") for name in "ab" for number in range(400)]


def data(a: float, b: float) -> Data:
    return Data.model_validate(
        {"sources": [{"form": "quotes", "path": name, "weight": w} for name, w in zip("ab", (a, b), strict=True)]}
    )


@given(st.integers(0, 3), st.integers(1, 3))
def test_whole_weights_say_how_many_times_each_row_is_there(a: int, b: int) -> None:
    found = Counter(row.origin for row in weighted(ROWS, data(a, b)))
    assert found == Counter({row.origin: a if row.origin[0] == "a" else b for row in ROWS})


def test_of_a_fraction_so_many_rows_are_there_and_no_other_twice() -> None:
    found = weighted(ROWS, data(0.25, 1.5))
    counts = Counter(row.origin for row in found)
    few, more = ([count for origin, count in counts.items() if origin[0] == name] for name in "ab")
    assert set(few) == {1} and 60 < len(few) < 140
    assert set(more) == {1, 2} and len(more) == 400 and 500 < sum(more) < 700
    assert found == weighted(ROWS, data(0.25, 1.5))


def test_what_has_no_weight_is_learned_from_once() -> None:
    plain = Data(sources=(Source.model_validate({"form": "quotes", "path": "a"}),))
    assert weighted(ROWS[:400], plain) == ROWS[:400]


def test_a_source_with_two_weights_is_refused() -> None:
    twice = [
        {"form": "quotes", "hub": "some/quotes", "config": name, "weight": weight} for name, weight in ("a1", "b2")
    ]
    with pytest.raises(ValidationError, match="some/quotes with two weights"):
        Data.model_validate({"sources": twice})


def test_sources_of_which_none_has_a_weight_are_refused() -> None:
    with pytest.raises(ValidationError, match="one with a weight above 0"):
        data(0, 0)
