"""Marked quotes as preferences: what each set holds of them, that a keyword is in one split, and wrong lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from model_pipeline.data.marked import PAIRS_A_GOOD_QUOTE, read_marked
from model_pipeline.errors import InputInvalid

SPLITS = ("train", "validation", "test")


def marked(keyword: str = "sea", good: Sequence[int] = (1, 3), **changes: Any) -> dict[str, Any]:
    quotes = [f"The {keyword} is {what}." for what in ("a cup", "wide", "a wide", "deep", "the best")]
    return {"keyword": keyword, "quotes": quotes, "good": good, "best": 1, "worst": 0, **changes}


def written(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "marks.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def texts(path: Path, name: str) -> list[tuple[str, ...]]:
    return [one.replies for split in SPLITS for one in read_marked(path).opinions(name, split)]


def test_good_quotes_are_imitated_and_all_are_voted_on(tmp_path: Path) -> None:
    path = written(tmp_path, marked())
    assert texts(path, "sft") == [("The sea is wide.",), ("The sea is deep.",)]
    votes = {one.replies[0]: one.liked for split in SPLITS for one in read_marked(path).opinions("kto", split)}
    assert votes == {quote: place in (1, 3) for place, quote in enumerate(marked()["quotes"])}


def test_each_good_quote_is_preferred_to_bad_ones(tmp_path: Path) -> None:
    pairs = texts(written(tmp_path, marked()), "dpo")
    good, bad = (
        {"The sea is wide.", "The sea is deep."},
        {"The sea is a cup.", "The sea is a wide.", "The sea is the best."},
    )
    assert len(pairs) == len(set(pairs)) == 2 * PAIRS_A_GOOD_QUOTE
    assert {one for one, _ in pairs} == good and {other for _, other in pairs} <= bad


def test_where_none_is_good_the_best_is_preferred_to_the_worst(tmp_path: Path) -> None:
    path = written(tmp_path, marked(good=(), best=2, worst=4))
    assert texts(path, "dpo") == [("The sea is a wide.", "The sea is the best.")]
    assert texts(path, "sft") == []


def test_where_all_are_good_none_is_preferred(tmp_path: Path) -> None:
    assert texts(written(tmp_path, marked(good=(0, 1, 2, 3, 4))), "dpo") == []


def test_a_keyword_is_in_one_split_and_most_are_for_training(tmp_path: Path) -> None:
    read = read_marked(written(tmp_path, *(marked(f"word {number}") for number in range(300))))
    found = {split: {one.keyword for one in read.opinions("kto", split)} for split in SPLITS}
    assert found["train"].isdisjoint(found["validation"]) and len(found["train"] | found["validation"]) == 300
    assert 5 < len(found["validation"]) < 40 and not found["test"]
    assert found["validation"] == {one.keyword for one in read.opinions("dpo", "validation")}


def test_marks_are_a_source_of_their_own(tmp_path: Path) -> None:
    read = read_marked(written(tmp_path, marked()))
    assert read.opinions("kto", "train", ["mark"]) == read.opinions("kto", "train") != []
    assert read.opinions("kto", "train", ["button"]) == [] and not read.export


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"keyword": " "}, "it has no keyword"),
        ({"quotes": ["One."]}, "quotes is not a list of two texts or more"),
        ({"quotes": ["One.", ""]}, "quotes is not a list of two texts or more"),
        ({"good": 1}, "good is not a list of places"),
        ({"good": [5]}, "5 is no place in a list of 5 quotes, counted from 0"),
        ({"good": [True]}, "True is no place in a list of 5 quotes, counted from 0"),
        ({"best": None}, "None is no place in a list of 5 quotes, counted from 0"),
        ({"best": 0}, "best and worst are the same quote"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = written(tmp_path, marked(), marked(**changes))
    with pytest.raises(InputInvalid) as refused:
        read_marked(path)
    assert str(refused.value) == f"Line 2 of {path} marks no quotes: {reason}."
