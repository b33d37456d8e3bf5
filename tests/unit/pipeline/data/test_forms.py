"""Rows of every form, and why some are left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.data.forms import check_columns, items_of
from model_pipeline.data.items import Item
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Form

EXCHANGE = [{"role": "user", "content": "courage"}, {"role": "assistant", "content": "“Courage is a habit.”"}]
FIELDS, ROLES = ["role", "content", "from", "value"], ["system", "user", "assistant", "human", "gpt"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab \n“”,-\ud83d", max_size=8) | st.sampled_from(ROLES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)
COLUMNS = ["quote", "keyword", "tags", "instruction", "input", "output", "conversations", "messages", "id", "kind"]


def only_item(form: Form, row: dict[str, Any]) -> Item:
    items, dropped = items_of([row], form, "rows.jsonl")
    assert not dropped
    return items[0]


def reason(form: Form, row: dict[str, Any]) -> str:
    items, dropped = items_of([row], form, "rows.jsonl")
    assert not items
    return dropped[0].reason


def votes(*values: int, source: str = "button") -> list[dict[str, Any]]:
    return [{"person": f"v{n}", "value": value, "source": source} for n, value in enumerate(values)]


def exported(**changes: Any) -> dict[str, Any]:
    row = {"id": 7, "kind": "chat", "person": "p1", "messages": EXCHANGE, "votes": []}
    return row | changes


def test_a_quote_loses_its_marks_and_its_author() -> None:
    item = only_item(Form.QUOTES, {"quote": "“Be\n brave.”", "author": "Somebody", "tags": ["be-brave", "life"]})
    assert (item.kind, item.keyword, item.quote) == ("quote", "be brave", "Be brave.")
    assert "Somebody" not in repr(item)


def test_a_keyword_comes_before_tags() -> None:
    row = {"quote": "Be brave.", "keyword": " New  York ", "tags": ["other"]}
    assert only_item(Form.QUOTES, row).keyword == "New York"
    assert only_item(Form.QUOTES, row | {"keyword": ""}).keyword == "other"


def test_an_input_stands_under_its_instruction() -> None:
    item = only_item(Form.ALPACA, {"instruction": "Add.", "input": "1 and 2", "output": "3"})
    assert [message.content for message in item.messages] == ["Add.\n\n1 and 2", "3"]
    assert only_item(Form.ALPACA, {"instruction": "Say hi.", "output": "Hi"}).messages[0].content == "Say hi."


def test_an_exported_quote_is_a_quote_on_what_was_asked() -> None:
    item = only_item(Form.EXPORT, exported(kind="quote"))
    assert (item.kind, item.keyword, item.quote, item.person) == ("quote", "courage", "Courage is a habit.", "p1")


def test_exported_rows_of_one_conversation_are_known_as_such_and_teach_one_reply_each() -> None:
    more = [*EXCHANGE, {"role": "user", "content": "more"}, {"role": "assistant", "content": "More."}]
    rows = [exported(), exported(id=9, messages=more), exported(id=10, person="p2")]
    items, _ = items_of(rows, Form.EXPORT, "export")
    assert [item.conversation for item in items] == ["7", "7", "10"]
    assert all(item.last_reply_only for item in items)


@pytest.mark.parametrize(
    ("form", "row", "said"),
    [
        (Form.QUOTES, {"quote": "“”", "keyword": "a"}, "no quote"),
        (Form.QUOTES, {"quote": None, "keyword": "a"}, "no quote"),
        (Form.QUOTES, {"quote": "Be.", "tags": []}, "no keyword"),
        (Form.QUOTES, {"quote": "Be.", "tags": None}, "no keyword"),
        (Form.QUOTES, {"quote": "Be.", "keyword": "\ud83d"}, "half of a character"),
        (Form.ALPACA, {"instruction": " ", "output": "3"}, "no instruction"),
        (Form.ALPACA, {"instruction": "Add.", "output": None}, "no output"),
        (Form.SHAREGPT, {"conversations": [{"from": "gpt", "value": "Hi"}]}, "turns in a broken order"),
        (Form.MESSAGES, {"messages": None}, "no list of turns"),
        (Form.EXPORT, exported(votes=votes(-1)), "voted down"),
        (Form.EXPORT, exported(kind="song"), "neither a quote nor a chat"),
        (Form.EXPORT, exported(messages=[]), "no reply"),
    ],
)
def test_a_row_that_teaches_nothing_is_dropped_with_its_reason(form: Form, row: dict[str, Any], said: str) -> None:
    assert reason(form, row) == said


def test_what_people_did_with_a_reply_does_not_outvote_what_they_said() -> None:
    given = votes(1) + votes(-1, -1, source="retry")
    assert only_item(Form.EXPORT, exported(votes=given)).person == "p1"


def test_votes_for_it_keep_a_reply_that_others_voted_down() -> None:
    assert only_item(Form.EXPORT, exported(votes=votes(1, 1, -1, -1))).person == "p1"


def test_the_same_conversation_has_the_same_name_in_every_form() -> None:
    sharegpt = {"conversations": [{"from": "human", "value": "Say hi."}, {"from": "gpt", "value": "Hi"}]}
    alpaca = {"instruction": "say HI", "output": "hi!"}
    assert only_item(Form.SHAREGPT, sharegpt).conversation == only_item(Form.ALPACA, alpaca).conversation


@settings(deadline=None)
@given(form=st.sampled_from(Form), rows=st.lists(st.dictionaries(st.sampled_from(COLUMNS), ANYTHING), max_size=4))
def test_every_row_is_an_item_or_dropped_with_a_reason(form: Form, rows: list[dict[str, Any]]) -> None:
    items, dropped = items_of(rows, form, "x")
    origins = [item.origin for item in items] + [row.origin for row in dropped]
    assert sorted(origins) == sorted(f"x:{number}" for number in range(1, len(rows) + 1))
    assert all(row.reason for row in dropped)
    for item in items:
        assert item.conversation and (item.quote and item.keyword if item.kind == "quote" else item.messages)


@pytest.mark.parametrize(
    ("form", "columns", "said"),
    [
        (Form.QUOTES, ["quote", "author"], "no column keyword or tags: it has quote, author"),
        (Form.QUOTES, ["text"], "no column quote"),
        (Form.ALPACA, ["instruction", "input"], "no column output"),
        (Form.SHAREGPT, ["messages"], "no column conversations"),
        (Form.EXPORT, ["messages", "id", "kind"], "no column person"),
        (Form.MESSAGES, [], "it has none"),
    ],
)
def test_a_missing_column_is_named_with_those_that_are_there(form: Form, columns: list[str], said: str) -> None:
    with pytest.raises(InputInvalid, match=said) as caught:
        check_columns([dict.fromkeys(columns, "x")], form, "rows.jsonl")
    assert str(caught.value).startswith("rows.jsonl") and f"the form {form} needs" in str(caught.value)


def test_a_column_may_be_missing_in_some_rows() -> None:
    check_columns([{"quote": "Be."}, {"quote": "Be.", "tags": ["be"]}], Form.QUOTES, "rows.jsonl")
