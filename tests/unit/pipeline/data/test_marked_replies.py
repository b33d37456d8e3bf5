"""What a judge learns from a file of marked replies, and which lines are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_pipeline.data.items import Message
from model_pipeline.data.marked_replies import MarkedReplies, read_marked_replies
from model_pipeline.errors import InputInvalid

SAID = [{"role": "user", "content": "my bus is late"}]
LINE = {"messages": SAID, "replies": ["Oh no, your bus!", "Bus is a big step!"], "good": [0]}


def read(tmp_path: Path, *lines: dict[str, Any]) -> list[MarkedReplies]:
    path = tmp_path / "marks.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_marked_replies(path)


def test_each_reply_is_a_conversation_with_its_mark(tmp_path: Path) -> None:
    (marked,) = read(tmp_path, LINE)
    said = Message("user", "my bus is late")
    assert marked.conversations == [
        (said, Message("assistant", "Oh no, your bus!")),
        (said, Message("assistant", "Bus is a big step!")),
    ]
    assert marked.good == (True, False)


def test_a_conversation_that_goes_on_stays_in_its_split(tmp_path: Path) -> None:
    longer = [*SAID, {"role": "assistant", "content": "Oh no!"}, {"role": "user", "content": "it came"}]
    first, second = read(tmp_path, LINE, LINE | {"messages": longer})
    assert first.split == second.split


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"messages": []}, "messages is not a list of turns, each with a role and a content"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages is not a list of turns"),
        ({"messages": [*SAID, *SAID]}, "its turns are not of user and assistant by turns"),
        ({"messages": [*SAID, {"role": "assistant", "content": "Oh."}]}, "with a user's first and last"),
        ({"replies": ["Oh no!"]}, "replies is not a list of two texts or more"),
        ({"good": 0}, "good is not a list of places"),
        ({"good": [2]}, "2 is no place in a list of 2 replies, counted from 0"),
        ({"good": [True]}, "True is no place"),
        ({"good": [None]}, "None is no place"),
    ],
)
def test_a_line_that_marks_nothing_is_named(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputInvalid, match=f"^Line 2 of .* marks no replies: .*{reason}"):
        read(tmp_path, LINE, LINE | changes)
