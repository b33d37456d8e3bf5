from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model_pipeline.gguf.measured import Measured, kept

MEASURED = Measured(
    source_sha256="a" * 64,
    size_bytes=10,
    fallback_tensors=0,
    gates={"tokens": {"lines": 3}},
    perplexity=4.0,
    rows=2,
    prompt_tokens_per_second=100.5,
    generation_tokens_per_second=10.5,
    threads=1,
)


def never() -> Measured:
    raise AssertionError("it was measured again")


def test_what_was_measured_is_kept(tmp_path: Path) -> None:
    assert kept(tmp_path / "q.json", "a" * 64, lambda: MEASURED) == MEASURED
    assert kept(tmp_path / "q.json", "a" * 64, never) == MEASURED
    assert [path.name for path in tmp_path.iterdir()] == ["q.json"]


@pytest.mark.parametrize("content", ["", "[]", '{"source_sha256": "', '{"size_bytes": 1}'])
def test_a_damaged_file_is_written_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "q.json").write_text(content)
    assert kept(tmp_path / "q.json", "a" * 64, lambda: MEASURED) == MEASURED
    assert kept(tmp_path / "q.json", "a" * 64, never) == MEASURED


def test_figures_of_another_source_do_not_count(tmp_path: Path) -> None:
    kept(tmp_path / "q.json", "a" * 64, lambda: MEASURED)
    other = replace(MEASURED, source_sha256="b" * 64, size_bytes=11)
    assert kept(tmp_path / "q.json", "b" * 64, lambda: other) == other


def test_the_ratio_of_perplexities_needs_both() -> None:
    unknown = replace(MEASURED, perplexity=None)
    assert replace(MEASURED, perplexity=5.0).ratio_to(MEASURED) == 1.25
    assert MEASURED.ratio_to(unknown) is None
    assert unknown.ratio_to(MEASURED) is None
