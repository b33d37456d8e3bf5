"""The files of prepared rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.data.prepared import read_rows, training_texts, write_rows
from model_pipeline.data.rows import Row
from model_pipeline.errors import InputInvalid

TEXTS = st.text('aé \n"\u2028😀', max_size=8)
TURNS = st.lists(st.fixed_dictionaries({"role": TEXTS, "content": TEXTS}), min_size=1, max_size=4)
BODIES = st.tuples(TEXTS, TEXTS) | st.tuples(TURNS, TURNS)
ROWS = st.builds(
    lambda body, group, keyword: Row(body[0], body[1], group, keyword, "quote"), BODIES, st.text(), st.text()
)


@settings(deadline=None)
@given(rows=st.lists(ROWS, max_size=4))
def test_rows_come_back_as_they_were(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rows") / "train.jsonl"
    write_rows(path, rows)
    assert read_rows(path) == rows


def test_the_file_has_the_fields_that_a_trainer_takes(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", [Row("p", " c", "g", "k", "quote", "source:1", 12)])
    assert json.loads((tmp_path / "train.jsonl").read_text()) == {
        "prompt": "p",
        "completion": " c",
        "group": "g",
        "keyword": "k",
        "kind": "quote",
        "origin": "source:1",
    }


def test_training_texts_are_the_replies() -> None:
    turns = [{"role": "user", "content": "hi"}]
    chat = Row(turns, [{"role": "assistant", "content": "Hi!"}], "g", "", "chat")
    assert training_texts([Row("p", " Be brave.", "g", "k", "quote"), chat]) == ["Be brave.", "Hi!"]


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": 1},
        {"completion": [{"role": "assistant", "content": "x"}]},
        {"prompt": []},
        {"prompt": [{"role": "user"}]},
    ],
)
def test_another_file_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    row = {"prompt": "p", "completion": "c", "group": "g", "keyword": "k", "kind": "quote", "origin": "s:1"}
    (tmp_path / "train.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps(row | changes)}\n")
    with pytest.raises(InputInvalid, match=r"Row 2 of .* is no prepared row"):
        read_rows(tmp_path / "train.jsonl")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match=r"train\.jsonl cannot be read: No such file"):
        read_rows(tmp_path / "train.jsonl")
