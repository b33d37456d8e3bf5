"""Bits a character of quotes on held-out keywords, set by set and model by model."""

from __future__ import annotations

import math

import pytest

from model_pipeline.data.rows import Row
from model_pipeline.evaluation.held_out_bits import held_out_bits


def quote(text: str, origin: str) -> Row:
    return Row("Keyword: rain\nQuote:", f" {text}", "keyword rain", "rain", "quote", origin)


ROWS = [
    quote("Rain is wet.", "plain.jsonl:1"),
    quote("Long rain waters the deepest roots of all.", "rich.jsonl:1"),
    quote("It rains.", "plain.jsonl:2"),
    quote("Rain remembers every roof it ever sang upon.", "rich.jsonl:7"),
    quote("Alone.", "single.jsonl:1"),
]
CHARACTERS = [len(str(row.completion).strip()) for row in ROWS]


def test_each_set_has_the_bits_of_its_own_quotes_and_models_are_side_by_side() -> None:
    ln2 = math.log(2)
    one_bit, half_a_bit = ([share * count * ln2 for count in CHARACTERS] for share in (1.0, 0.5))
    found = held_out_bits(ROWS, {"tuned": half_a_bit, "base": one_bit}, seed=0)
    assert found.quotes == {"plain.jsonl": 2, "rich.jsonl": 2}  # a single quote has no spread
    assert found.head == ("Bits a character", "plain.jsonl, 2 quotes", "rich.jsonl, 2 quotes")
    assert found.rows == [("tuned", "0.500", "0.500"), ("base", "1.000", "1.000")]
    assert "| base | 1.000 (1.000 to 1.000) | 1.000 (1.000 to 1.000) |" in found.section()


def test_a_long_quote_weighs_more_and_the_interval_shows_the_spread() -> None:
    nats = [math.log(2) * bits for bits in (12.0, 0.0, 0.0, 0.0, 0.0)]
    plain = held_out_bits(ROWS, {"tuned": nats}, seed=0).models["tuned"]["plain.jsonl"]
    assert plain.value == pytest.approx(12 / (CHARACTERS[0] + CHARACTERS[2]))
    assert plain.low < plain.value < plain.high
