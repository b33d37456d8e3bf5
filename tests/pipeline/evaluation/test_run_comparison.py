"""Two runs side by side, and a run beside what was published of it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from model_pipeline.evaluation.answer_lines import write_answers
from model_pipeline.evaluation.answers import Answers, Asked, Latency
from model_pipeline.evaluation.comparison import compare_answers
from model_pipeline.evaluation.run_comparison import compare_runs, our_figure, same_rows, show_against_published
from model_pipeline.evaluation.served_summary import summary_figures
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage, create_run
from tests.pipeline.evaluation.evaluated import TRAINING_TEXTS, asked_rows, base_model, tuned_model
from tests.pipeline.merged_run import recipe

LATENCY = Latency("quantized", 20, 231.0, 400.0, 42.0, "a processor")
PUBLISHED: list[dict[str, Any]] = [
    {"name": "train_loss", "value": 0.878, "note": "on a T4"},
    {"name": "rouge_l", "value": 0.1771},
    {"name": "base.rouge_l", "value": 0.1975},
    {"name": "latency.p50_ms", "value": 231},
    {"name": "fine-tune.seconds", "value": 1320},
    {"name": "coherence", "value": 3.7},
]


def told(work: Any, *runs: Run) -> str:
    out = io.StringIO()
    work(*runs, Report(Console(file=out, width=250)))
    return out.getvalue()


def new_run(folder: Path, **changes: Any) -> Run:
    return create_run(folder, recipe(**changes))


def trained(run: Run, **figures: Any) -> Run:
    run.begin(Stage.FINE_TUNE)
    run.finish(Stage.FINE_TUNE, datetime.now(UTC), {"train_loss": 0.9, "trained_parameters": 11_200_000, **figures})
    return run


def evaluated(run: Run, tuned: Answers, asked: list[Asked] | None = None) -> Run:
    asked = asked or asked_rows()
    models = [base_model(), replace(tuned, name="tuned"), replace(tuned, name="quantized")]
    write_answers(run.begin(Stage.EVALUATE) / "answers.jsonl", asked, models)
    comparison = compare_answers(asked, models, TRAINING_TEXTS, seed=0)
    run.finish(Stage.EVALUATE, datetime.now(UTC), summary_figures(comparison, LATENCY, []))
    return run


def turned(model: Answers) -> Answers:
    """The same answers to the same rows in the opposite order."""
    return Answers(
        model.name,
        model.answers[::-1],
        model.negative_log_likelihoods[::-1],
        model.reference_tokens[::-1],
        model.reference_characters[::-1],
    )


def test_runs_on_the_same_rows_are_tested_whatever_their_order(tmp_path: Path) -> None:
    left = evaluated(trained(new_run(tmp_path / "one")), base_model())
    right = evaluated(trained(new_run(tmp_path / "two")), turned(tuned_model()), asked_rows()[::-1])
    text = told(compare_runs, left, right)
    assert "Adherence: two, tuned is better by" in text and "Adherence: two, quantized is better by" in text
    same = evaluated(trained(new_run(tmp_path / "three")), turned(base_model()), asked_rows()[::-1])
    assert "Adherence: no difference shown" in told(compare_runs, left, same)


def test_runs_on_other_rows_are_shown_without_a_test(tmp_path: Path) -> None:
    left = evaluated(trained(new_run(tmp_path / "one")), base_model())
    others = [replace(row, prompt=f"{row.prompt}!") for row in asked_rows()]
    right = evaluated(trained(new_run(tmp_path / "two")), tuned_model(), others)
    text = told(compare_runs, left, right)
    assert "not the same rows, so no test" in text and "is better" not in text
    assert "Adherence" in text and "231" in text


def test_settings_that_differ_are_listed_and_no_others(tmp_path: Path) -> None:
    left = new_run(tmp_path / "one")
    right = new_run(tmp_path / "two", fine_tune={"method": "lora", "r": 16, "targets": ["q_proj", "[v_proj]"]})
    text = told(compare_runs, left, right)
    assert "fine_tune.r " in text and "q_proj, [v_proj]" in text
    assert "fine_tune.alpha" not in text and "same settings" not in text


def test_what_a_run_has_not_been_through_is_said(tmp_path: Path) -> None:
    text = told(compare_runs, trained(new_run(tmp_path / "one")), new_run(tmp_path / "two"))
    assert "Both runs have the same settings." in text
    assert "11,200,000" in text and "not trained" in text
    assert "not evaluated" in text and "Not both runs are evaluated, so no test." in text


def test_runs_in_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    runs = [evaluated(new_run(tmp_path / parent / "run"), tuned_model()) for parent in ("a", "b")]
    assert str(tmp_path / "b" / "run") in told(compare_runs, *runs)


@pytest.mark.parametrize("smoke", [False, True])
def test_published_figures_stand_beside_ours(tmp_path: Path, smoke: bool) -> None:
    run = evaluated(trained(new_run(tmp_path / "one", published=PUBLISHED, smoke=smoke)), tuned_model())
    text = told(show_against_published, run)
    assert "on a T4" in text and "0.878" in text and "0.9 " in text
    assert ("smoke run" in text) is smoke
    tuned = run.figures(Stage.EVALUATE)["models"]["tuned"]["rouge_l"]["value"]
    assert our_figure(run, "rouge_l") == tuned != our_figure(run, "base.rouge_l")
    assert our_figure(run, "latency.p50_ms") == 231.0
    assert our_figure(run, "fine-tune.seconds") == run.manifest(Stage.FINE_TUNE)["seconds"]
    assert our_figure(run, "coherence") is None
    assert "published" in told(compare_runs, run, new_run(tmp_path / "two"))


def test_published_figures_of_a_run_that_was_only_begun(tmp_path: Path) -> None:
    run = new_run(tmp_path / "one", published=PUBLISHED)
    assert [our_figure(run, figure["name"]) for figure in PUBLISHED] == [None] * len(PUBLISHED)
    assert "0.1771" in told(show_against_published, run)
    assert "names no published figures" in told(show_against_published, new_run(tmp_path / "two"))


def test_rows_are_the_same_only_if_each_is() -> None:
    rows = asked_rows()
    assert same_rows(rows, rows[::-1]) == list(range(len(rows)))[::-1]
    assert same_rows(rows, rows[1:]) is None
    assert same_rows(rows, [replace(rows[0], reference="another"), *rows[1:]]) is None
    assert same_rows([rows[0], rows[0]], [rows[0], rows[0]]) is None
