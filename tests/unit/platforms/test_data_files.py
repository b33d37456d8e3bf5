"""What is stored about a person is all in the files that they get, each of which is JSON and small enough."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.data_files import data_files

LIMIT = 500  # any single message fits: JSON takes up to six bytes for a character


def exported(messages: Sequence[str], votes: Sequence[int]) -> Mapping[str, object]:
    return {"user_id": "7", "messages": [{"text": text} for text in messages], "votes": list(votes)}


def test_what_is_small_enough_is_one_file_as_it_is() -> None:
    data = exported(["hello"], [1])
    [file] = data_files(data, LIMIT)
    assert (file.name, json.loads(file.content)) == ("quotesmith-data.json", data)


@given(st.lists(st.text(max_size=60)), st.lists(st.integers(0, 9)))
def test_what_is_too_large_is_several_files_that_hold_all_of_it_in_order(messages: list[str], votes: list[int]) -> None:
    files = data_files(exported(messages, votes), LIMIT)
    parts = [json.loads(file.content) for file in files]
    assert [said["text"] for part in parts for said in part["messages"]] == messages
    assert [vote for part in parts for vote in part["votes"]] == votes
    assert {part["user_id"] for part in parts} == {"7"} and len({file.name for file in files}) == len(files)
    assert all(len(file.content) <= LIMIT for file in files)


def test_a_single_thing_that_is_too_large_stays_whole() -> None:
    [file] = data_files(exported(["a" * LIMIT], [1]), LIMIT)
    assert json.loads(file.content)["messages"] == [{"text": "a" * LIMIT}]
