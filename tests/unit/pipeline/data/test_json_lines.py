"""JSONL files, whole and broken."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.data.json_lines import read_json_lines, write_json_lines
from model_pipeline.errors import InputInvalid

TEXTS = st.text('aé😀\ud83d"\\\n\r\t\x00\x85\u2028\ufeff', max_size=6)  # half a character and line separators too


@settings(deadline=None)
@given(rows=st.lists(st.dictionaries(TEXTS, TEXTS, max_size=3), max_size=4))
def test_what_is_written_is_read(rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("lines") / "rows.jsonl"
    write_json_lines(path, rows)
    assert read_json_lines(path) == rows


def test_empty_lines_and_a_byte_order_mark_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\n\n  \n{"a": 2}')
    assert read_json_lines(path) == [{"a": 1}, {"a": 2}]


def test_a_date_becomes_text(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "rows.jsonl", [{"when": date(2026, 1, 2)}])
    assert read_json_lines(tmp_path / "rows.jsonl") == [{"when": "2026-01-02"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1}\n{"a": \n', "Line 2 of"),
        (b'{"a": 1}\n\n[1]\n', "Line 3 of"),
        (b'{"a": 1}\n"\xff"\n', "not UTF-8"),
        (b"[" * 100_000, "Line 1 of"),
    ],
)
def test_a_broken_line_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputInvalid, match=said) as caught:
        read_json_lines(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="cannot be read"):
        read_json_lines(tmp_path)
