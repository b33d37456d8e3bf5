"""Export folders that are whole, and those that are not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.curation.export_folder import read_export
from model_pipeline.errors import InputInvalid

AT = "2030-01-01T00:00:00+00:00"
VOTE = {"person": "ada", "value": 1, "source": "button", "complaint": "", "at": AT}
ROW = {
    "id": 17,
    "kind": "chat",
    "messages": [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "tea?"},
        {"role": "assistant", "content": "Yes \ud83d please."},
    ],
    "model": "starter",
    "written_at": AT,
    "person": "ada",
    "votes": [VOTE],
    "corrections": [{"person": "bob", "text": "Gladly."}],
}
PAIR = {
    "id": 4,
    "kind": "quote",
    "asked": "tea",
    "left": {"text": "Tea waits.", "model": "old"},
    "right": {"text": "Tea sings.", "model": "new"},
    "preferences": [{"person": "ada", "preferred": "left", "at": AT}],
    "written_at": AT,
    "person": "ada",
}


def export(folder: Path, rows: list[Any], pairs: list[Any], **facts: Any) -> Path:
    folder.mkdir(exist_ok=True)
    files = {}
    for name, lines in (("rows.jsonl", rows), ("pairs.jsonl", pairs)):
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        (folder / name).write_bytes(content)
        files[name] = hashlib.sha256(content).hexdigest()
    manifest = {"format": 2, "export": "e1", "refused": {"why": 3}, "files": files} | facts
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_whole_export_is_read(tmp_path: Path) -> None:
    found = read_export(export(tmp_path, [ROW], [PAIR]))
    (reply,), (pair,) = found.replies, found.pairs
    assert (found.name, found.refused) == ("e1", {"why": 3})
    assert (reply.row, reply.text, len(reply.question.turns)) == ("rows/17", "Yes \ufffd please.", 3)
    assert [(vote.person, vote.value) for vote in reply.votes] == [("ada", 1)]
    assert (reply.corrections[0].text, reply.question.keyword) == ("Gladly.", "")
    assert (pair.row, pair.models, pair.question.keyword) == ("pairs/4", ("old", "new"), "tea")
    assert pair.preferences[0].preferred == "left"


def test_of_a_quote_only_its_keyword_was_asked(tmp_path: Path) -> None:
    (reply,) = read_export(export(tmp_path, [ROW | {"kind": "quote"}], [])).replies
    assert (reply.question.turns, reply.question.keyword) == ((("user", "tea?"),), "tea?")


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "poem"},
        {"messages": []},
        {"messages": ROW["messages"][:1]},  # type: ignore[index]
        {"votes": [VOTE | {"value": 0}]},
        {"votes": [VOTE | {"at": "yesterday"}]},
        {"votes": [VOTE | {"person": ""}]},
        {"votes": None},
        {"corrections": [{"person": "bob"}]},
        {"id": None},
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(InputInvalid, match=r"Line 2 of .*rows.jsonl is no line of an export"):
        read_export(export(tmp_path, [ROW, ROW | changed], []))


def test_a_broken_pair_is_named(tmp_path: Path) -> None:
    broken = PAIR | {"preferences": [{"person": "ada", "preferred": "up", "at": AT}]}
    with pytest.raises(InputInvalid, match=r"Line 1 of .*pairs.jsonl"):
        read_export(export(tmp_path, [], [broken]))


def test_an_export_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = export(tmp_path, [ROW], [PAIR])
    (folder / "rows.jsonl").write_text(json.dumps(ROW | {"person": "eve"}) + "\n")
    with pytest.raises(InputInvalid, match="it was changed"):
        read_export(folder)


@pytest.mark.parametrize(("facts", "said"), [({"format": 1}, "of format 1"), ({"export": ""}, "of format 2")])
def test_another_format_is_refused(tmp_path: Path, facts: dict[str, Any], said: str) -> None:
    with pytest.raises(InputInvalid, match=said):
        read_export(export(tmp_path, [], [], **facts))


def test_a_folder_without_a_manifest_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="is no export"):
        read_export(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ROW, *VOTE]), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(ROW)), json_values))
def test_whatever_stands_in_a_line_it_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, changed: dict[str, Any]
) -> None:
    folder = export(tmp_path_factory.mktemp("export"), [ROW | changed], [])
    try:
        assert len(read_export(folder).replies) == 1
    except InputInvalid as error:
        assert "Line 1" in str(error)
