"""What quotes of the bot are worth that were asked for by keyword alone: form, keyword, copies, variety."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model_pipeline.evaluation.answers import QUOTE, Answer
from model_pipeline.evaluation.form import why_not
from model_pipeline.evaluation.overlap import keyword_in
from model_pipeline.evaluation.page_markdown import escape
from model_pipeline.evaluation.variety import distinct
from model_pipeline.evaluation.words import Gram, grams, words
from model_pipeline.judging.learned_filters import Learned

RUN_WORDS = 8


@dataclass(frozen=True, slots=True)
class ServedQuote:
    """What the bot gave for a keyword; no text where it gave none."""

    keyword: str
    known: bool  # quotes on this keyword were trained on
    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class QuoteSheet:
    """The figures; shares are 0 to 1, and None where there was nothing to count."""

    unseen_keywords: int
    adherence: float  # of one quote for each unseen keyword: given, and in the form of a quote
    names_unseen_keyword: float
    names_known_keyword: float | None
    quotes: int  # all that were asked for
    verbatim: float  # stand in the training texts word for word
    shares_run: float  # share a run of eight words with a training text
    distinct_2: float | None
    distinct_2_of_written: float | None  # the same for as many written quotes
    p50_ms: float
    p95_ms: float


def quote_sheet(
    asked: Sequence[ServedQuote], training: Sequence[str], written: Sequence[str], before: Learned | None = None
) -> QuoteSheet:
    """The figures of quotes that the bot gave; `training` are all texts trained on, `written` quotes of people.

    What the model had learned `before` counts for copies as those texts do. The first quote for each unseen keyword
    counts for adherence and for naming it.
    """
    given = [one for one in asked if one.text]
    first = list({one.keyword: one for one in reversed(asked) if not one.known}.values())
    known = [one for one in given if one.known]
    whole = {tuple(words(text)) for text in training}
    wanted = {run for one in given for run in grams(words(one.text), RUN_WORDS)}
    shared = {run for text in training for run in grams(words(text), RUN_WORDS) if run in wanted}
    waits = sorted(one.seconds * 1000 for one in given)
    return QuoteSheet(
        unseen_keywords=len(first),
        adherence=_share(_adheres(one) for one in first) or 0.0,
        names_unseen_keyword=_share(keyword_in(one.text, one.keyword) for one in first) or 0.0,
        names_known_keyword=_share(keyword_in(one.text, one.keyword) for one in known),
        quotes=len(asked),
        verbatim=_share(_stands(one.text, whole, before) for one in given) or 0.0,
        shares_run=_share(_shares(one.text, shared, before) for one in given) or 0.0,
        distinct_2=_distinct_2([one.text for one in given]),
        distinct_2_of_written=_distinct_2(written[: len(given)]),
        p50_ms=waits[len(waits) // 2] if waits else 0.0,
        p95_ms=waits[int(len(waits) * 0.95)] if waits else 0.0,
    )


def sheet_rows(sheet: QuoteSheet) -> list[tuple[str, str]]:
    """The figures as a person reads them."""
    rows = [
        (f"Given, closed and in form, of {sheet.unseen_keywords} unseen keywords", f"{sheet.adherence:.1%}"),
        ("Names the keyword, unseen keywords", f"{sheet.names_unseen_keyword:.1%}"),
    ]
    if sheet.names_known_keyword is not None:
        rows.append(("Names the keyword, known keywords", f"{sheet.names_known_keyword:.1%}"))
    rows += [
        (f"Of {sheet.quotes:,} quotes, in the training texts word for word", f"{sheet.verbatim:.1%}"),
        (f"Of {sheet.quotes:,} quotes, with a run of {RUN_WORDS} words of them", f"{sheet.shares_run:.1%}"),
    ]
    if sheet.distinct_2 is not None and sheet.distinct_2_of_written is not None:
        both = f"{sheet.distinct_2:.3f} and {sheet.distinct_2_of_written:.3f}"
        rows.append(("Distinct-2, and that of as many written quotes", both))
    return [*rows, ("Wait for a quote, half and 95% within", f"{sheet.p50_ms:.0f} ms and {sheet.p95_ms:.0f} ms")]


def sheet_section(sheet: QuoteSheet) -> str:
    """The same for a model's card."""
    lines = ["| Quotes asked of the bot, with its choice |  |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {escape(name)} | {value} |" for name, value in sheet_rows(sheet))])


def sheet_figures(sheet: QuoteSheet) -> dict[str, Any]:
    """The same as plain data."""
    return asdict(sheet)


def _adheres(one: ServedQuote) -> bool:
    return bool(one.text) and why_not(Answer(one.text, closed=True, tokens=0), QUOTE) is None


def _stands(text: str, whole: set[Gram], before: Learned | None) -> bool:
    return tuple(words(text)) in whole or (before is not None and before.has_all_of(text))


def _shares(text: str, shared: set[Gram], before: Learned | None) -> bool:
    runs = grams(words(text), RUN_WORDS)
    return any(run in shared for run in runs) or (before is not None and bool(runs) and before.has_run_of(text))


def _distinct_2(texts: Sequence[str]) -> float | None:
    found = distinct(texts, 2)
    return found.share if found else None


def _share(found: Any) -> float | None:
    counted = list(found)
    return sum(counted) / len(counted) if counted else None
