"""The file with every answer of an evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.answer_lines import read_answers, write_answers
from model_pipeline.evaluation.answers import Answer, Answers, Asked

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(rows=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=2, max_size=6), measured=st.booleans())
def test_what_was_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], measured: bool
) -> None:
    path = tmp_path_factory.mktemp("answers") / "answers.jsonl"
    asked = [Asked(prompt, reference, "sea", "quote") for prompt, reference, _ in rows]
    counts = tuple(range(1, len(rows) + 1)) if measured else ()
    likelihoods = tuple(count * 1.25 for count in counts)
    answers = tuple(Answer(text, bool(place % 2), place) for place, (_, _, text) in enumerate(rows))
    models = [Answers(name, answers, likelihoods, counts, counts) for name in ("base", "tuned")]
    write_answers(path, asked, models)
    assert read_answers(path) == (asked, models)


@pytest.mark.parametrize("text", ["", '{"prompt": "x"}\n', '{"prompt": "", "reference": "", "keyword": "", "kind": 1}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(text)
    with pytest.raises(InputInvalid):
        read_answers(path)
