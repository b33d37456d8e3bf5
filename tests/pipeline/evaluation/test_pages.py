from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.answers import Latency
from model_pipeline.evaluation.figures import FIGURES
from model_pipeline.evaluation.pages import write_pages
from tests.pipeline.evaluation.evaluated import asked_rows, base_model, compared, three_models, tuned_model

LATENCY = Latency("quantized", 20, 231.2, 402.9, 58.1, "4 cores")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "evaluate"
    write_pages(path, "Quotes, tuned", compared(), asked_rows(), three_models(), LATENCY, ["A small test."])
    return path


def test_all_the_files_are_there(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "report.md",
        "report.html",
        "eval_results.csv",
        "results.json",
        "plots",
    }
    assert len(list((folder / "plots").glob("*.png"))) == len(FIGURES) + 1


def test_the_table_has_a_row_for_each_figure_and_model(folder: Path) -> None:
    with (folder / "eval_results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(FIGURES)
    found = {(row["figure"], row["model"]): row for row in rows}
    first, tuned = found["adherence", "base"], found["adherence", "tuned"]
    assert (first["value"], first["compared_with"], first["shown"]) == ("0.0", "", "")
    assert float(first["low"]) == 0 < float(first["high"]) < 0.2
    assert (tuned["value"], tuned["compared_with"], tuned["change"], tuned["shown"]) == ("1.0", "base", "1.0", "true")
    assert float(tuned["p_value"]) < 1e-5
    assert found["bleu", "quantized"]["shown"] == "false"


def test_the_results_can_be_read_by_a_program(folder: Path) -> None:
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert (content["title"], content["notes"], content["rows"]) == ("Quotes, tuned", ["A small test."], 20)
    assert content["latency"]["p50_ms"] == 231.2
    assert content["models"][1]["figures"]["adherence"]["value"] == 1


def test_the_pages_hold_title_notes_verdicts_and_every_picture(folder: Path) -> None:
    page, markdown = ((folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    for text in ("Quotes, tuned", "A small test.", "tuned is better by 1.00", "no difference shown", "231 ms"):
        assert text in page and text in markdown
    assert page.count("data:image/png;base64,") == len(FIGURES) + 1
    for picture in (folder / "plots").glob("*.png"):
        assert f"(plots/{picture.name})" in markdown


def test_writing_again_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    write_pages(tmp_path, "Quotes, tuned", compared(), asked_rows(), three_models(), LATENCY, ["A small test."])
    for path in folder.rglob("*.*"):
        assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes(), path.name


def test_a_comparison_of_other_models_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="give the rows and the models that were compared"):
        write_pages(tmp_path / "out", "T", compared(), asked_rows(), [base_model(), tuned_model()], None, [])
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(InputInvalid, match="cannot be written"):
        write_pages(tmp_path / "file", "T", compared(), asked_rows(), three_models(), None, [])
