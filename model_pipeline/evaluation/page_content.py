"""Gathers what a report says, as plain text and in its order; knows neither Markdown nor HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from model_pipeline.evaluation.answers import CHAT, QUOTE, Answer, Answers, Asked, Latency
from model_pipeline.evaluation.comparison import Change, Comparison
from model_pipeline.evaluation.figures import FIGURES
from model_pipeline.evaluation.form import why_not
from model_pipeline.evaluation.plots import Plot
from model_pipeline.evaluation.wording import estimate_text, judge, number, summary, verdict

LONGEST_TEXT = 1500  # characters of a prompt or an answer that are shown
NOT_MEASURED = ("not measured", "")

_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sentence on one difference, and its kind: better, worse, higher, lower or no difference shown."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ChangeText:
    """What one change comes to, and each of its verdicts."""

    summary: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A figure's title and meaning, and a value and an interval for each model."""

    title: str
    meaning: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ExampleAnswer:
    """What one model answered, and how its form was judged."""

    name: str
    text: str
    judgement: str


@dataclass(frozen=True, slots=True)
class Example:
    """A row with every model's answer to it."""

    prompt: str
    reference: str
    answers: tuple[ExampleAnswer, ...]


@dataclass(frozen=True, slots=True)
class PageContent:
    """Everything on the page, from top to bottom; nothing in it is escaped."""

    title: str
    about: str
    notes: tuple[str, ...]
    models: tuple[str, ...]
    changes: tuple[ChangeText, ...]
    figures: tuple[FigureRow, ...]
    reasons: tuple[tuple[str, tuple[int, ...]], ...]
    latency: tuple[tuple[str, str], ...]
    examples: tuple[Example, ...]
    plots: tuple[Plot, ...]
    reading: tuple[str, ...]


def gather_content(
    title: str,
    comparison: Comparison,
    asked: Sequence[Asked],
    models: Sequence[Answers],
    latency: Latency | None,
    notes: Sequence[str],
    plots: Sequence[Plot],
    examples: int,
) -> PageContent:
    """What a report says about a comparison of these answers."""
    return PageContent(
        title=showable(title),
        about=_about(comparison),
        notes=tuple(showable(note) for note in notes),
        models=tuple(showable(model.name) for model in comparison.models),
        changes=tuple(_change(change) for change in comparison.changes),
        figures=_figure_rows(comparison),
        reasons=_reasons(comparison),
        latency=_latency_rows(latency) if latency else (),
        examples=tuple(_example(place, asked, models) for place in choose_examples(asked, examples)),
        plots=tuple(plots),
        reading=_reading(comparison),
    )


def choose_examples(asked: Sequence[Asked], count: int) -> list[int]:
    """The places of the first rows, half of them quotes where there are enough of both kinds; never picked by hand."""
    quotes = [place for place, row in enumerate(asked) if row.kind == QUOTE]
    chats = [place for place, row in enumerate(asked) if row.kind == CHAT]
    of_chats = min(len(chats), max(count // 2, count - len(quotes)))
    return quotes[: count - of_chats] + chats[:of_chats]


def showable(text: str) -> str:
    """The text without what no page can show, and cut where it is very long."""
    clean = _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))
    return clean if len(clean) <= LONGEST_TEXT else f"{clean[:LONGEST_TEXT]} … ({len(clean):,} characters in all)"


def _about(comparison: Comparison) -> str:
    quotes, chats = comparison.quotes, comparison.rows - comparison.quotes
    kinds = ", ".join(f"{kind}: {count}" for kind, count in (("quotes", quotes), ("chat replies", chats)) if count)
    training = f"; {comparison.training_texts:,} training texts" if comparison.training_texts else ""
    names = ", ".join(showable(model.name) for model in comparison.models)
    return f"Held-out rows: {comparison.rows} ({kinds}), the same for {names}{training}."


def _change(change: Change) -> ChangeText:
    figures = [figure for figure in FIGURES if figure.name in change.differences]
    verdicts = [
        Verdict(judge(figure, change.differences[figure.name]), f"{showable(verdict(figure.name, change))}.")
        for figure in figures
    ]
    return ChangeText(showable(summary(change)), tuple(verdicts))


def _figure_rows(comparison: Comparison) -> tuple[FigureRow, ...]:
    rows = []
    for figure in FIGURES:
        found = [model.figures.get(figure.name) for model in comparison.models]
        if any(found):
            cells = tuple(estimate_text(figure, estimate) if estimate else NOT_MEASURED for estimate in found)
            rows.append(FigureRow(figure.title, figure.meaning, cells))
    return tuple(rows)


def _reasons(comparison: Comparison) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Each reason with a count for each model, the most frequent reason first."""
    names = {reason for model in comparison.models for reason in model.reasons}
    counts = {name: tuple(model.reasons.get(name, 0) for model in comparison.models) for name in names}
    return tuple(sorted(counts.items(), key=lambda item: (-sum(item[1]), item[0])))


def _latency_rows(latency: Latency) -> tuple[tuple[str, str], ...]:
    return (
        ("Model", showable(latency.name)),
        ("Requests", f"{latency.requests:,}"),
        ("Half of the answers took at most", f"{number(latency.p50_ms, 0)} ms"),
        ("95% of the answers took at most", f"{number(latency.p95_ms, 0)} ms"),
        ("Tokens per second", number(latency.tokens_per_second, 1)),
        ("Machine", showable(latency.machine)),
    )


def _example(place: int, asked: Sequence[Asked], models: Sequence[Answers]) -> Example:
    row = asked[place]
    answers = tuple(_example_answer(model.name, model.answers[place], row.kind) for model in models)
    return Example(showable(row.prompt), showable(row.reference), answers)


def _example_answer(name: str, answer: Answer, kind: str) -> ExampleAnswer:
    reason = why_not(answer, kind)
    return ExampleAnswer(showable(name), showable(answer.text), str(reason) if reason else "adheres")


def _reading(comparison: Comparison) -> tuple[str, ...]:
    percent = f"{comparison.confidence:.0%}"
    verdicts = sum(len(change.differences) for change in comparison.changes)
    chance = f"Of {verdicts} verdicts about {max(1, round(verdicts * (1 - comparison.confidence)))} would be shown"
    return (
        f"Behind every figure stands its {percent} interval: what other rows of the same kind could have given.",
        "A difference is taken row by row, for all models answered the same rows; where its interval holds no "
        'difference at all, it reads "no difference shown", which does not say that the models are equal.',
        *([f"{chance} by chance alone, even between equal models."] if verdicts else []),
        "The intervals are about rows: answers that are drawn with another seed differ as well, which is not in them.",
        f"Everything was drawn with the seed {comparison.seed}; the same answers give the same report.",
    )
