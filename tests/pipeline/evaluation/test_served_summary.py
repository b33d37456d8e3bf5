"""What a manifest and a card say of an evaluation."""

from __future__ import annotations

import io
import json

from rich.console import Console

from model_pipeline.evaluation.answers import Latency
from model_pipeline.evaluation.served_summary import card_section, show_summary, summary_figures
from model_pipeline.report import Report
from tests.pipeline.evaluation.evaluated import compared

LATENCY = Latency("quantized", 20, 1234.4, 2345.6, 7.25, "a | processor")


def test_figures_stand_by_model_and_name_with_their_verdicts() -> None:
    figures = json.loads(json.dumps(summary_figures(compared(), LATENCY, ["a note"]), allow_nan=False))
    tuned = figures["models"]["tuned"]["adherence"]
    assert tuned["low"] <= tuned["value"] <= tuned["high"]
    first, second = figures["changes"]
    assert (first["before"], first["after"], second["after"]) == ("base", "tuned", "quantized")
    assert first["differences"]["adherence"]["verdict"].startswith("Adherence: tuned is better by")
    assert "no difference shown" in second["differences"]["perplexity"]["verdict"]
    assert figures["latency"]["p95_ms"] == 2345.6 and figures["notes"] == ["a note"]


def test_the_card_shows_all_models_side_by_side() -> None:
    section = card_section(compared(), LATENCY, ["<b>a note</b>"])
    row = next(line for line in section.splitlines() if line.startswith("| Adherence |"))
    assert row.count(" to ") == 3
    assert "- Perplexity: no difference shown" in section
    assert "half of 20 replies within 1234 ms, 95% within 2346 ms, 7.2 tokens a second" in section
    assert "<b>" not in section and "\n## " not in section
    assert "Latency" not in card_section(compared(), None, [])


def test_the_terminal_shows_every_figure() -> None:
    told = io.StringIO()
    show_summary(compared(), LATENCY, Report(Console(file=told, width=200)))
    assert "Bits per character" in told.getvalue() and "half of the replies within 1234 ms" in told.getvalue()
