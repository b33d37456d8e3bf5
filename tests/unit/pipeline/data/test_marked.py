"""Marked quotes and replies as preferences: what each set holds, what is in one split, and wrong lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from model_pipeline.data.items import Message
from model_pipeline.data.marked import PAIRS_A_GOOD_TEXT, read_marked
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
    assert len(pairs) == len(set(pairs)) == 2 * PAIRS_A_GOOD_TEXT
    assert {one for one, _ in pairs} == good and {other for _, other in pairs} <= bad


def test_a_mended_quote_is_preferred_to_what_it_was_made_of(tmp_path: Path) -> None:
    path = written(tmp_path, marked(mends=[[3, 2]]))
    pairs = texts(path, "dpo")
    mend, made_of = "The sea is deep.", "The sea is a wide."
    assert (mend, made_of) in pairs and [pair for pair in pairs if pair[0] == mend] == [(mend, made_of)]
    assert {other for one, other in pairs if one == "The sea is wide."} <= {
        "The sea is a cup.",
        made_of,
        "The sea is the best.",
    }
    assert texts(path, "sft") == [("The sea is wide.",), (mend,)]


def test_a_mend_of_two_texts_is_preferred_to_both(tmp_path: Path) -> None:
    pairs = texts(written(tmp_path, marked(good=[3], mends=[[3, 2], [3, 0]])), "dpo")
    assert pairs == [("The sea is deep.", "The sea is a wide."), ("The sea is deep.", "The sea is a cup.")]


def test_what_a_judge_learns_from_is_the_models_own(tmp_path: Path) -> None:
    read = read_marked(written(tmp_path, marked(mends=[[3, 2]])))
    (found,) = read.lists("train") + read.lists("validation")
    assert (found.keyword, found.said) == ("sea", ())
    assert found.texts == ("The sea is a cup.", "The sea is wide.", "The sea is a wide.", "The sea is the best.")
    assert found.good == (False, True, False, False)


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
        ({"mends": [[3]]}, "mends is not a list of pairs of places"),
        ({"mends": [[3, 9]]}, "mends is not a list of pairs of places"),
        ({"mends": "3 of 2"}, "mends is not a list of pairs of places"),
        ({"mends": [[2, 0]]}, "the mend [2, 0] is not of a good text and one that is not"),
        ({"mends": [[3, 1]]}, "the mend [3, 1] is not of a good text and one that is not"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = written(tmp_path, marked(), marked(**changes))
    with pytest.raises(InputInvalid) as refused:
        read_marked(path)
    assert str(refused.value) == f"Line 2 of {path} marks no quotes: {reason}."


SAID = [{"role": "user", "content": "my bus is late"}]
ANSWERED = [*SAID, {"role": "assistant", "content": "Oh no!"}, {"role": "user", "content": "it came"}]
FITS, NOT, MEND = "Oh no, your bus!", "Bus is a big step!", "A bus can be late!"


def replies(**changes: Any) -> dict[str, Any]:
    return {"messages": SAID, "replies": [FITS, NOT, MEND], "good": [0, 2], "mends": [[2, 1]], **changes}


def test_replies_are_answers_to_what_was_said(tmp_path: Path) -> None:
    path = written(tmp_path, replies(messages=ANSWERED))
    (first, second) = [one for split in SPLITS for one in read_marked(path).opinions("sft", split)]
    assert (first.kind, first.keyword, first.replies) == ("chat", "", (FITS,))
    assert first.asked == tuple(Message(turn["role"], turn["content"]) for turn in ANSWERED)
    assert second.replies == (MEND,) and first.id != second.id
    assert texts(path, "dpo") == [(FITS, NOT), (MEND, NOT)]
    assert texts(written(tmp_path, replies(good=[], mends=[])), "dpo") == []


def test_what_a_judge_learns_of_replies_are_the_models_own(tmp_path: Path) -> None:
    read = read_marked(written(tmp_path, replies()))
    (found,) = read.lists("train") + read.lists("validation")
    assert (found.keyword, found.said) == ("", (Message("user", "my bus is late"),))
    assert (found.texts, found.good) == ((FITS, NOT), (True, False))


def test_a_conversation_that_goes_on_stays_in_its_split(tmp_path: Path) -> None:
    lines = [[replies(messages=[{"role": "user", "content": f"hi {n}"}, *ANSWERED[1:]]) for n in range(100)]]
    lines += [[replies(messages=[{"role": "user", "content": f"hi {n}"}]) for n in range(100)]]
    first, second = (read_marked(written(tmp_path, *part)) for part in lines)
    held_out = [{each.said[0] for each in read.lists("validation")} for read in (first, second)]
    assert held_out[0] == held_out[1] and 0 < len(held_out[0]) < 30


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"messages": []}, "messages is not a list of turns, each with a role and a content"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages is not a list of turns, each with a role"),
        (
            {"messages": [*SAID, *SAID]},
            "its turns are not of user and assistant by turns, with a user's first and last",
        ),
        ({"messages": ANSWERED[:2]}, "its turns are not of user and assistant by turns, with a user's first and last"),
        ({"keyword": "bus"}, "it has a keyword too; give quotes on a keyword or replies to messages"),
        ({"replies": ["Oh no!"]}, "replies is not a list of two texts or more"),
        ({"good": 0}, "good is not a list of places"),
        ({"good": [3]}, "3 is no place in a list of 3 replies, counted from 0"),
        ({"good": [True]}, "True is no place"),
        ({"mends": [[1, 0]]}, "the mend [1, 0] is not of a good text and one that is not"),
    ],
)
def test_a_line_that_marks_no_replies_is_named(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = written(tmp_path, replies(), replies(**changes))
    with pytest.raises(InputInvalid) as refused:
        read_marked(path)
    assert str(refused.value).startswith(f"Line 2 of {path} marks no replies: {reason}")
