"""What is learned from a file of marked quotes, and which lines are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_pipeline.data.marked import Marked, read_marked
from model_pipeline.errors import InputInvalid

LINE = {"keyword": "sea", "quotes": ["Sea is sea.", "The sea waits.", "A sea of.", "A sea of stars."], "best": 1}
MENDED = LINE | {"good": [1, 3], "worst": 0, "mends": [[3, 2]]}


def read(tmp_path: Path, *lines: dict[str, Any]) -> Marked:
    path = tmp_path / "marks.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_marked(path)


def taught(marked: Marked, name: str) -> set[tuple[str, ...]]:
    return {opinion.replies for split in ("train", "validation") for opinion in marked.opinions(name, split)}


def test_a_mended_quote_is_preferred_to_what_it_was_made_of(tmp_path: Path) -> None:
    marked = read(tmp_path, MENDED)
    assert ("A sea of stars.", "A sea of.") in taught(marked, "dpo")
    assert ("A sea of stars.", "Sea is sea.") not in taught(marked, "dpo")
    assert {("The sea waits.", "A sea of."), ("The sea waits.", "Sea is sea.")} <= taught(marked, "dpo")
    assert taught(marked, "sft") == {("The sea waits.",), ("A sea of stars.",)}


def test_what_a_judge_learns_from_is_the_models_own(tmp_path: Path) -> None:
    marked = read(tmp_path, MENDED)
    (found,) = marked.lists("train") + marked.lists("validation")
    assert (found.keyword, found.said) == ("sea", ())
    assert found.texts == ("Sea is sea.", "The sea waits.", "A sea of.") and found.good == (False, True, False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mends": [[3]]}, "mends is not a list of pairs of places"),
        ({"mends": [[3, 9]]}, "mends is not a list of pairs of places"),
        ({"mends": "3 of 2"}, "mends is not a list of pairs of places"),
        ({"mends": [[2, 0]]}, r"the mend \[2, 0\] is not of a good text and one that is not"),
        ({"mends": [[3, 1]]}, r"the mend \[3, 1\] is not of a good text and one that is not"),
        ({"worst": 1}, "best and worst are the same quote"),
        ({"good": [4]}, "4 is no place in a list of 4 quotes, counted from 0"),
    ],
)
def test_a_line_that_marks_nothing_is_named(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputInvalid, match=rf"Line 2 of .*marks\.jsonl marks no quotes: {reason}\."):
        read(tmp_path, MENDED, MENDED | changes)
