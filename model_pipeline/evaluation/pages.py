"""Writes the report of a comparison into a folder: Markdown, HTML, CSV, JSON and plots; measures nothing itself."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.answers import Answers, Asked, Latency, check_fit
from model_pipeline.evaluation.comparison import Change, Comparison
from model_pipeline.evaluation.page_content import gather_content
from model_pipeline.evaluation.page_html import render_html
from model_pipeline.evaluation.page_markdown import render_markdown
from model_pipeline.evaluation.plots import draw_plots
from model_pipeline.evaluation.statistics import Difference

EXAMPLES = 8
CSV_COLUMNS = (
    "figure",
    "model",
    "value",
    "low",
    "high",
    "rows",
    "compared_with",
    "change",
    "change_low",
    "change_high",
    "shown",
    "p_value",
)


def write_pages(
    folder: Path,
    title: str,
    comparison: Comparison,
    asked: Sequence[Asked],
    models: Sequence[Answers],
    latency: Latency | None,
    notes: Sequence[str],
    examples: int = EXAMPLES,
) -> None:
    """Write report.md, report.html, eval_results.csv, results.json and plots/*.png into `folder`.

    `asked` and `models` are those that were compared. The same input gives the same files. Raises `InputInvalid`.
    """
    _check_compared(comparison, asked, models)
    try:
        (folder / "plots").mkdir(parents=True, exist_ok=True)
        plots = draw_plots(folder / "plots", comparison, asked, models)
        page = gather_content(title, comparison, asked, models, latency, notes, plots, examples)
        _write(folder / "report.md", render_markdown(page, folder))
        _write(folder / "report.html", render_html(page))
        _write_csv(folder / "eval_results.csv", comparison)
        measured = comparison.as_json() | {"latency": asdict(latency) if latency else None}
        content = {"title": title, "notes": list(notes), **measured}
        _write(folder / "results.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise InputInvalid(f"The report cannot be written to {folder}: {error.strerror or error}.") from error


def csv_rows(comparison: Comparison) -> Iterator[dict[str, object]]:
    """A row for each figure and model, with its change from the model before it where there is one."""
    changes = {change.after: change for change in comparison.changes}
    for model in comparison.models:
        for name, estimate in model.figures.items():
            row = {"figure": name, "model": model.name, **asdict(estimate)}
            change = changes.get(model.name)
            difference = change.differences.get(name) if change else None
            yield row | (_change_columns(change, difference) if change and difference else {})


def _change_columns(change: Change, difference: Difference) -> dict[str, object]:
    return {
        "compared_with": change.before,
        "change": difference.estimate,
        "change_low": difference.low,
        "change_high": difference.high,
        "shown": str(difference.shown).lower(),
        "p_value": difference.p_value,
    }


def _check_compared(comparison: Comparison, asked: Sequence[Asked], models: Sequence[Answers]) -> None:
    check_fit(asked, models)
    names, compared = [model.name for model in models], [model.name for model in comparison.models]
    if names != compared or len(asked) != comparison.rows:
        raise InputInvalid(
            f"The comparison is of {comparison.rows} rows and {compared}, not of {len(asked)} rows and {names}; "
            "give the rows and the models that were compared."
        )


def _write_csv(path: Path, comparison: Comparison) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, CSV_COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(csv_rows(comparison))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
