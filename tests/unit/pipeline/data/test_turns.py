"""Turns of a conversation in both notations, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.data.items import Message
from model_pipeline.data.turns import Unusable, read_turns


def said(*roles: str) -> list[dict[str, str]]:
    return [{"role": role, "content": f"{role} {place}"} for place, role in enumerate(roles)]


def test_both_notations_mean_the_same() -> None:
    sharegpt = [
        {"from": "system", "value": "Be kind."},
        {"from": "human", "value": " hi "},
        {"from": "gpt", "value": "Hi"},
    ]
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "User", "content": "hi"},
        {"role": "assistant", "content": "Hi\n"},
    ]
    expected = (Message("system", "Be kind."), Message("user", "hi"), Message("assistant", "Hi"))
    assert read_turns(sharegpt) == read_turns(messages) == expected


def test_columns_that_stand_empty_do_not_count() -> None:
    turns = [
        {"role": None, "from": "human", "content": None, "value": "hi"},
        {"role": "assistant", "from": None, "content": "Hi", "value": None},
    ]
    assert [turn.role for turn in read_turns(turns)] == ["user", "assistant"]


def test_a_question_that_nobody_answers_is_left_out() -> None:
    assert [turn.role for turn in read_turns(said("user", "assistant", "user"))] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no list of turns"),
        ("hi", "no list of turns"),
        ([], "no reply"),
        (said("user"), "no reply"),
        (said("system", "user"), "no reply"),
        (said("assistant", "user", "assistant"), "turns in a broken order"),
        (said("user", "user", "assistant"), "turns in a broken order"),
        (said("user", "assistant", "assistant"), "turns in a broken order"),
        (said("user", "system", "assistant"), "turns in a broken order"),
        (said("system", "system", "user", "assistant"), "turns in a broken order"),
        (said("user", "tool", "assistant"), "a turn of another role"),
        ([{"role": "user", "content": " "}, *said("assistant")], "an empty turn"),
        ([{"role": "user", "content": ["hi"]}, *said("assistant")], "a turn without role and text"),
        ([{"role": "user"}, *said("assistant")], "a turn without role and text"),
        (["hi", "Hi"], "a turn without role and text"),
    ],
)
def test_what_teaches_nothing_is_refused_with_its_reason(content: Any, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        read_turns(content)
    assert caught.value.reason == reason


@settings(deadline=None)
@given(st.lists(st.sampled_from(["system", "user", "assistant"]), max_size=7))
def test_accepted_turns_always_alternate(roles: list[str]) -> None:
    try:
        turns = [turn.role for turn in read_turns(said(*roles))]
    except Unusable:
        return
    spoken = turns[1:] if turns[0] == "system" else turns
    assert spoken and spoken == ["user", "assistant"] * (len(spoken) // 2)
