"""Small datasets in the columns of the real ones, read back as the stage prepare reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_pipeline.data.forms import items_of
from model_pipeline.data.sources import read_source
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Form, Source
from model_pipeline.smoke.rows import write_rows
from model_pipeline.smoke.texts import quotes

COLUMNS = {
    Form.QUOTES: ["quote", "author", "tags"],
    Form.ALPACA: ["instruction", "input", "output", "text"],
    Form.SHAREGPT: ["conversations", "source", "score"],
    Form.MESSAGES: ["messages"],
}


def hub(form: Form) -> Source:
    return Source(form=form, hub="some/dataset", revision="abc", config="default", split="validation")


def rows(form: Form, folder: Path, seed: int = 0) -> list[dict[str, Any]]:
    return read_source(write_rows(hub(form), folder, seed))


@pytest.mark.parametrize("form", COLUMNS)
def test_rows_have_the_real_columns_and_all_can_be_used(tmp_path: Path, form: Form) -> None:
    found = rows(form, tmp_path)
    assert len(found) == (600 if form is Form.QUOTES else 400)
    assert {tuple(row) for row in found} == {tuple(COLUMNS[form])}
    items, dropped = items_of(found, form, "small")
    assert (len(items), dropped) == (len(found), [])


@pytest.mark.parametrize("form", COLUMNS)
def test_the_source_is_a_file_of_the_same_form_and_the_seed_decides_its_rows(tmp_path: Path, form: Form) -> None:
    source = write_rows(hub(form), tmp_path / "a", 0)
    assert (source.form, source.hub, source.split) == (form, "", "train")
    assert Path(source.path).is_absolute()
    assert Path(source.path).suffix == (".parquet" if form is Form.SHAREGPT else ".jsonl")
    again, other = (rows(form, tmp_path / name, seed) for name, seed in (("b", 0), ("c", 1)))
    assert read_source(source) == again
    assert again != other


def test_quotes_are_in_curly_marks_and_their_keyword_is_the_first_tag(tmp_path: Path) -> None:
    known = {(quote.keyword, quote.text) for quote in quotes()}
    found = rows(Form.QUOTES, tmp_path)
    assert all(row["quote"][0] + row["quote"][-1] == "“”" for row in found)
    assert {(row["tags"][0].replace("-", " "), row["quote"][1:-1]) for row in found} <= known
    assert {len(row["tags"]) for row in found} == {1, 2, 3, 4}


def test_alpacas_have_an_input_in_some_rows_and_their_text_holds_the_rest(tmp_path: Path) -> None:
    found = rows(Form.ALPACA, tmp_path)
    assert 100 < sum(bool(row["input"]) for row in found) < 300
    for row in found:
        assert row["text"].endswith(f"### Response:\n{row['output']}")
        assert ("### Input:" in row["text"]) == bool(row["input"])
        assert f"### Instruction:\n{row['instruction']}\n\n" in row["text"]


def test_sharegpt_speaks_of_human_and_gpt_and_sometimes_begins_with_a_system_turn(tmp_path: Path) -> None:
    found = rows(Form.SHAREGPT, tmp_path)
    assert {turn["from"] for row in found for turn in row["conversations"]} == {"human", "gpt", "system"}
    assert 10 < sum(row["conversations"][0]["from"] == "system" for row in found) < 100


def test_an_export_that_is_there_stays_and_one_that_is_not_becomes_messages(tmp_path: Path) -> None:
    there = Source(form=Form.EXPORT, path=str(tmp_path))
    assert write_rows(there, tmp_path / "rows", 0) is there
    gone = write_rows(Source(form=Form.EXPORT, path=str(tmp_path / "gone")), tmp_path / "rows", 0)
    assert (gone.form, len(read_source(gone))) == (Form.MESSAGES, 400)


@pytest.mark.parametrize("form", [Form.QUOTES, Form.SHAREGPT])
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, form: Form) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputInvalid, match=r"^The small dataset \S+ cannot be written: [\w ]+\.$"):
        write_rows(hub(form), tmp_path / "file" / "rows", 0)
