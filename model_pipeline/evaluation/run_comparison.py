"""Shows two runs side by side, and a run beside the figures that somebody published for it; computes no figure anew.

The name of a published figure is one of ours: a figure of fine-tuning (`train_loss`), of the evaluation of the tuned
model (`rouge_l`) or of a named one (`base.rouge_l`), `latency.p50_ms`, or `STAGE.seconds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_pipeline.dotted_keys import by_dotted_keys
from model_pipeline.evaluation.answer_lines import read_answers
from model_pipeline.evaluation.answers import Answers, Asked
from model_pipeline.evaluation.comparison import Change, compare_answers
from model_pipeline.evaluation.figures import BY_NAME
from model_pipeline.evaluation.statistics import Estimate
from model_pipeline.evaluation.wording import estimate_text, number, summary, verdict
from model_pipeline.recipe import Recipe
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage

COMPARED = ("tuned", "quantized")
NOT_TRAINED, NOT_EVALUATED, NONE = "not trained", "not evaluated", "-"
TRAINING = {
    "train_loss": ("Training loss", "{:.4f}"),
    "best_validation_loss": ("Best validation loss", "{:.4f}"),
    "steps": ("Steps", "{:,}"),
    "tokens_per_second": ("Tokens per second", "{:,.1f}"),
    "peak_memory_bytes": ("Peak memory in bytes", "{:,}"),
    "trained_parameters": ("Trained parameters", "{:,}"),
    "total_parameters": ("Parameters in all", "{:,}"),
    "device": ("Device", "{}"),
    "precision": ("Precision", "{}"),
}


def compare_runs(left: Run, right: Run, report: Report) -> None:
    """Settings that differ, figures of training and evaluation, and tests where both answered the same rows.

    What a run has not been through reads "not trained" or "not evaluated". Raises `InputInvalid` for broken files.
    """
    names = _names(left, right)
    settings = differing_settings(left.recipe, right.recipe)
    report.table(["Setting", *names], settings) if settings else report.say("Both runs have the same settings.")
    report.table(["Training", *names], _training_rows(left, right))
    columns = [f"{name}, {model}" for model in COMPARED for name in names]
    report.table(["Evaluation", *columns], _evaluation_rows(left, right))
    _say_tests(left, right, names, report)
    for run in (left, right):
        if run.recipe.published:
            show_against_published(run, report)


def show_against_published(run: Run, report: Report) -> None:
    """Each published figure of the run's recipe beside ours."""
    if not run.recipe.published:
        report.say(f"The recipe {run.recipe.name} names no published figures.")
        return
    rows = []
    for figure in run.recipe.published:
        ours = our_figure(run, figure.name)
        shown = NONE if ours is None else f"{ours:,.6g}"
        rows.append([figure.name, f"{figure.value:,.6g}", shown, figure.note])
    report.table([f"{run.recipe.name}: figure", "published", "ours", "note"], rows)
    if run.recipe.smoke:
        report.say("Ours are those of a smoke run: they tell that every stage works, and nothing about the recipe.")


def our_figure(run: Run, name: str) -> float | None:
    """This run's figure of that name, as the module's docstring says; None where it was not measured."""
    first, _, rest = name.partition(".")
    if rest == "seconds" and first in tuple(Stage):
        return float(run.manifest(Stage(first))["seconds"]) if run.is_finished(Stage(first)) else None
    trained, evaluated = _figures(run, run.trained_last), _figures(run, Stage.EVALUATE)
    if first == "latency":
        found = (evaluated.get("latency") or {}).get(rest)
    else:
        model, figure = (first, rest) if rest else ("tuned", name)
        estimate = evaluated.get("models", {}).get(model, {}).get(figure)
        found = estimate["value"] if estimate else trained.get(name)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and found is not None else None


def differing_settings(left: Recipe, right: Recipe) -> list[list[str]]:
    """Key and both values of every setting that is not the same; what was published is no setting."""
    ignored = {"published", "about"}
    old, new = (by_dotted_keys(recipe.model_dump(mode="json", exclude=ignored)) for recipe in (left, right))
    keys = [key for key in [*old, *(key for key in new if key not in old)] if old.get(key) != new.get(key)]
    return [[key, _shown(old.get(key)), _shown(new.get(key))] for key in keys]


def same_rows(left: Sequence[Asked], right: Sequence[Asked]) -> list[int] | None:
    """For each row of `left` its place in `right`; None unless both hold exactly the same rows."""
    places = {row: place for place, row in enumerate(right)}
    if len(left) != len(right) or len(places) < len(right) or set(left) != set(places):
        return None
    return [places[row] for row in left]


def _say_tests(left: Run, right: Run, names: Sequence[str], report: Report) -> None:
    if not (left.is_finished(Stage.EVALUATE) and right.is_finished(Stage.EVALUATE)):
        report.say("Not both runs are evaluated, so no test.")
        return
    (asked, old), (other_asked, new) = (read_answers(run.of(Stage.EVALUATE) / "answers.jsonl") for run in (left, right))
    places = same_rows(asked, other_asked)
    if places is None:
        report.say("Both runs were evaluated, but on not the same rows, so no test.")
        return
    for model in COMPARED:
        pair = [
            replace(each, name=f"{name}, {model}")
            for name, models in zip(names, (old, [_ordered(each, places) for each in new]), strict=True)
            for each in models
            if each.name == model
        ]
        if len(pair) == len(names):
            change = compare_answers(asked, pair, (), left.recipe.evaluate.seed).changes[0]
            _say_change(change, report)


def _say_change(change: Change, report: Report) -> None:
    report.say(summary(change))
    for name in change.differences:
        report.say(f"  {verdict(name, change)}")


def _ordered(model: Answers, places: Sequence[int]) -> Answers:
    """The same answers in another order of rows."""
    measured = bool(model.negative_log_likelihoods)
    return Answers(
        model.name,
        tuple(model.answers[place] for place in places),
        tuple(model.negative_log_likelihoods[place] for place in places) if measured else (),
        tuple(model.reference_tokens[place] for place in places) if measured else (),
        tuple(model.reference_characters[place] for place in places) if measured else (),
    )


def _training_rows(left: Run, right: Run) -> list[list[str]]:
    found = [_figures(run, run.trained_last) for run in (left, right)]
    return [
        [title, *(_cell(figures, name, text) for figures in found)]
        for name, (title, text) in TRAINING.items()
        if any(figures.get(name) is not None for figures in found) or name == "train_loss"
    ]


def _cell(figures: Mapping[str, Any], name: str, text: str) -> str:
    if not figures:
        return NOT_TRAINED
    return text.format(figures[name]) if figures.get(name) is not None else NONE


def _evaluation_rows(left: Run, right: Run) -> list[list[str]]:
    found = [_figures(run, Stage.EVALUATE) for run in (left, right)]
    measured = {name for each in found for model in COMPARED for name in each.get("models", {}).get(model, {})}
    rows = [
        [BY_NAME[name].title, *(_estimate(each, model, name) for model in COMPARED for each in found)]
        for name in BY_NAME
        if name in measured
    ]
    if any(each.get("latency") for each in found):
        rows.append(["Latency, p50 in ms", *(_latency(each, model) for model in COMPARED for each in found)])
    return rows or [["Every figure", *(NOT_EVALUATED for _ in (left, right) for _ in COMPARED)]]


def _estimate(figures: Mapping[str, Any], model: str, name: str) -> str:
    if not figures:
        return NOT_EVALUATED
    estimate = figures.get("models", {}).get(model, {}).get(name)
    if not estimate:
        return NONE
    value, between = estimate_text(BY_NAME[name], Estimate(**estimate))
    return f"{value} ({between})"


def _latency(figures: Mapping[str, Any], model: str) -> str:
    latency = figures.get("latency")
    if not figures:
        return NOT_EVALUATED
    return number(latency["p50_ms"], 0) if latency and latency["name"] == model else NONE


def _figures(run: Run, stage: Stage) -> dict[str, Any]:
    return run.figures(stage) if run.is_finished(stage) else {}


def _names(left: Run, right: Run) -> tuple[str, str]:
    """The folders' names; their whole paths where the names are the same."""
    if left.folder.resolve().name != right.folder.resolve().name:
        return left.folder.resolve().name, right.folder.resolve().name
    return str(left.folder), str(right.folder)


def _shown(value: object) -> str:
    text = ", ".join(str(entry) for entry in value) if isinstance(value, list) else str(value)
    return NONE if value is None or not text else text
