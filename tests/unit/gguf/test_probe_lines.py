from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.probe_lines import DEFAULT_LINES, PROMPTS, read_probes

TEMPLATE = "Keyword: {keyword}\nQuote:"
TALK = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def written(folder: Path, *lines: str) -> Path:
    path = folder / "lines.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_quotes_become_lines_and_prompts_and_messages_conversations(tmp_path: Path) -> None:
    quote = {"keyword": "sea", "quote": "The sea is wide."}
    probes = read_probes(written(tmp_path, json.dumps(quote), json.dumps({"messages": TALK})), TEMPLATE)
    assert list(probes.lines) == ["The sea is wide."]
    assert list(probes.prompts) == ["Keyword: sea\nQuote:"]
    assert list(probes.conversations) == [TALK]


def test_the_projects_own_lines_are_enough_to_compare_on() -> None:
    probes = read_probes(DEFAULT_LINES, TEMPLATE)
    assert (len(probes.lines), len(probes.conversations), len(probes.prompts)) == (140, 60, PROMPTS)


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    row = json.dumps({"keyword": "any", "quote": text}, ensure_ascii="\ud800" <= max(text) <= "\udfff")
    path = tmp_path_factory.mktemp("lines") / "lines.jsonl"
    path.write_text(row + "\n", encoding="utf-8")
    assert list(read_probes(path, TEMPLATE).lines) == [text]


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "",
        "[]",
        "null",
        '{"keyword": "sea"}',
        '{"keyword": 5, "quote": "five"}',
        '{"keyword": "sea", "quote": " "}',
        '{"messages": []}',
        '{"messages": "hello"}',
        '{"messages": [{"role": "user"}]}',
        '{"messages": [["user", "hi"]]}',
    ],
)
def test_a_line_that_is_neither_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    path = written(tmp_path, json.dumps({"messages": TALK}), line, json.dumps({"messages": TALK}))
    with pytest.raises(InputInvalid) as caught:
        read_probes(path, TEMPLATE)
    assert str(caught.value) == f"Line 2 of {path} is neither a quote with its keyword nor a list of messages."


def test_lines_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="cannot be read: No such file"):
        read_probes(tmp_path / "none.jsonl", TEMPLATE)
    (tmp_path / "latin").write_bytes(b"\xff\xfe")
    with pytest.raises(InputInvalid, match="cannot be read: 'utf-8'"):
        read_probes(tmp_path / "latin", TEMPLATE)
