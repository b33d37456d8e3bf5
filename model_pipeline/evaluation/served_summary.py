"""Says what an evaluation found, in short: for a manifest, a model's card and the terminal; measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from model_pipeline.evaluation.answers import Latency
from model_pipeline.evaluation.comparison import Change, Comparison
from model_pipeline.evaluation.figures import FIGURES
from model_pipeline.evaluation.page_markdown import escape
from model_pipeline.evaluation.wording import estimate_text, number, summary, verdict
from model_pipeline.report import Report


def summary_figures(comparison: Comparison, latency: Latency | None, notes: Sequence[str]) -> dict[str, Any]:
    """Plain data: for each model its figures with intervals, for each change its differences with verdicts."""
    return {
        "rows": comparison.rows,
        "quotes": comparison.quotes,
        "training_texts": comparison.training_texts,
        "confidence": comparison.confidence,
        "seed": comparison.seed,
        "models": {
            model.name: {name: asdict(estimate) for name, estimate in model.figures.items()}
            for model in comparison.models
        },
        "changes": [_change(change) for change in comparison.changes],
        "latency": asdict(latency) if latency else None,
        "notes": list(notes),
    }


def card_section(comparison: Comparison, latency: Latency | None, notes: Sequence[str]) -> str:
    """The text below the heading "Evaluation" of MODEL_CARD.md: all models side by side, and what differs."""
    about = (
        f"On {comparison.rows} held-out rows ({comparison.quotes} quotes, {comparison.rows - comparison.quotes} chat "
        f"replies), the same for every model; in brackets {comparison.confidence:.0%} intervals over the rows."
    )
    parts = [about, _table(comparison), *(_verdicts(change) for change in comparison.changes)]
    if latency:
        parts.append(_latency(latency))
    if notes:
        parts.append("\n".join(f"- {escape(note)}" for note in notes))
    return "\n\n".join(parts)


def show_summary(comparison: Comparison, latency: Latency | None, report: Report) -> None:
    """Every figure without its interval, and what the changes come to."""
    models, rows = comparison.models, []
    for figure in FIGURES:
        found = [model.figures.get(figure.name) for model in models]
        if any(found):
            rows.append([figure.title, *(number(one.value, figure.decimals) if one else "-" for one in found)])
    report.table(["", *(model.name for model in models)], rows)
    for change in comparison.changes:
        report.say(summary(change))
    if latency:
        p50, p95 = number(latency.p50_ms, 0), number(latency.p95_ms, 0)
        report.say(f"Latency through the bot: half of the replies within {p50} ms, 95% within {p95} ms.")


def _change(change: Change) -> dict[str, Any]:
    differences = {
        name: asdict(difference) | {"verdict": verdict(name, change)} for name, difference in change.differences.items()
    }
    return {"before": change.before, "after": change.after, "differences": differences}


def _table(comparison: Comparison) -> str:
    head = ["", *(escape(model.name) for model in comparison.models)]
    lines = [head, ["---"] * len(head)]
    for figure in FIGURES:
        found = [model.figures.get(figure.name) for model in comparison.models]
        if any(found):
            texts = [estimate_text(figure, estimate) if estimate else ("not measured", "") for estimate in found]
            lines.append([figure.title, *(f"{value} ({between})" if between else value for value, between in texts)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _verdicts(change: Change) -> str:
    listed = [f"- {escape(verdict(figure.name, change))}" for figure in FIGURES if figure.name in change.differences]
    return "\n".join([f"**{escape(summary(change))}**", "", *listed])


def _latency(latency: Latency) -> str:
    return (
        f"Latency of {escape(latency.name)} through the bot on {escape(latency.machine)}: half of "
        f"{latency.requests:,} replies within {number(latency.p50_ms, 0)} ms, 95% within "
        f"{number(latency.p95_ms, 0)} ms, {number(latency.tokens_per_second, 1)} tokens a second."
    )
