"""What was computed is kept, whatever ended the process."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_pipeline.gating.kept_lines import KeptLines, key_of


@settings(max_examples=50, deadline=None)
@given(cut=st.integers(0, 400), text=st.text(max_size=30))
def test_a_file_that_was_cut_anywhere_loses_at_most_its_last_line(
    tmp_path_factory: pytest.TempPathFactory, cut: int, text: str
) -> None:
    path = tmp_path_factory.mktemp("kept") / "lines.jsonl"
    first = KeptLines(path)
    for number in range(5):
        first.add(str(number), [text, number])
    content = path.read_bytes()
    path.write_bytes(content[:cut])
    again = KeptLines(path)
    there = [number for number in range(5) if str(number) in again]
    assert there == list(range(len(there)))
    assert all(again[str(number)] == [text, number] for number in there)
    again.add("later", None)
    assert "later" in KeptLines(path) and len(path.read_bytes().splitlines()) == len(there) + 1


def test_keys_tell_apart_and_hide(tmp_path: Path) -> None:
    assert key_of("a", "b") != key_of("ab") != key_of("a")
    assert "secret" not in key_of("secret")
