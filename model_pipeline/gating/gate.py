"""Runs the gate from top to bottom: files, sizes, likelihoods, replies, costs, safety; then the verdict and its pages.

What failed for certain ends it early: no file that is not what it claims to be is loaded, and nobody waits minutes to
hear that there were too few votes. gate.json is written last, and its presence means that the gate was finished.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.bot_replies import BotUnavailable
from model_pipeline.evaluation.figures import Better, FigureText
from model_pipeline.gating.asking import ask_both, ask_grave
from model_pipeline.gating.candidates import Candidate, read_candidate
from model_pipeline.gating.costs import latency_figures, memory_figures
from model_pipeline.gating.curated import CuratedVotes, read_curated_votes
from model_pipeline.gating.integrity import integrity
from model_pipeline.gating.likelihoods import (
    forgetting_figure,
    preference_figures,
    sizes,
    voted_texts,
    written_texts,
)
from model_pipeline.gating.page import SHORT_HEAD, TOLD, short_rows, write_gate_pages
from model_pipeline.gating.questions import chat_questions, grave_questions, quote_questions
from model_pipeline.gating.reading import read_texts
from model_pipeline.gating.served import safety_figure, served_figures
from model_pipeline.gating.settings import Gate
from model_pipeline.gating.verdicts import Judged, Outcome, Verdict, decide, none_wrong
from model_pipeline.locking import only_process_in
from model_pipeline.report import Report
from model_pipeline.runs import versions

RESULT_FILE = "gate.json"
FORMAT = 1
SERVED = FigureText("served", "Served by the bot", "The bot can serve the new model.", Better.LOWER, 0)


@dataclass(frozen=True, slots=True)
class Compared:
    """What is gated, against what, on which votes, by which rules."""

    new: Candidate
    old: Candidate
    curated: CuratedVotes
    settings: Gate


def run_gate(new: Path, old: Path, data: Path, out: Path, settings: Gate, report: Report) -> Verdict:
    """Compare two model folders or runs, and write gate.json and the report into `out`. Raises `InputInvalid`."""
    compared = Compared(
        read_candidate(new), read_candidate(old), read_curated_votes(data, validation=settings.validation), settings
    )
    with only_process_in(out):
        (out / RESULT_FILE).unlink(missing_ok=True)
        figures = list(_figures(compared, out, report))
        verdict, reasons = decide(figures)
        _write(out, compared, verdict, reasons, figures)
    report.table(SHORT_HEAD, short_rows(figures))
    for reason in reasons:
        report.say(reason)
    report.say(f"{TOLD[verdict]}: {compared.new.name} against {compared.old.name}. {out / 'report.html'}")
    return verdict


def _figures(compared: Compared, out: Path, report: Report) -> Iterator[Judged]:
    """Everything that is measured, until something is certain."""
    files = integrity(compared.old, compared.new, compared.curated)
    yield from files
    if any(each.outcome is Outcome.FAILED for each in files):
        return
    if few := sizes(compared.curated, compared.settings):
        yield few
        return
    yield from _read(compared, out, report)
    try:
        yield from _asked(compared, out, report)
    except BotUnavailable as error:
        yield none_wrong(SERVED, 1, [f"the bot cannot serve {compared.new.name}: {error}"])


def _read(compared: Compared, out: Path, report: Report) -> Iterator[Judged]:
    """Preference and forgetting, by likelihoods; memory, by the headers."""
    old, new, settings = compared.old, compared.new, compared.settings
    voted, written = voted_texts(compared.curated), written_texts(settings)
    before, after = (
        read_texts(model, [*voted, *written], model.context_within(settings.context_tokens), out, report)
        for model in (old, new)
    )
    known, found = (dict(zip([*voted, *written], each.nats, strict=True)) for each in (before, after))
    yield from preference_figures(compared.curated, known, found, settings)
    yield forgetting_figure([known[text] for text in written], [found[text] for text in written], written, settings)
    yield from memory_figures((old, before), (new, after), settings)


def _asked(compared: Compared, out: Path, report: Report) -> Iterator[Judged]:
    """What both models reply through the bot, and how long that takes. Raises `BotUnavailable`."""
    old, new, settings = compared.old, compared.new, compared.settings
    groups = grave_questions()
    yield safety_figure(groups, ask_grave(new, groups, out, report))
    questions = [*quote_questions(compared.curated, settings), *chat_questions(compared.curated, settings)]
    answered = ask_both(old, new, questions, out, report)
    yield from served_figures(answered, compared.curated.learned, settings)
    yield from latency_figures(answered, settings)


def _write(out: Path, compared: Compared, verdict: Verdict, reasons: Sequence[str], figures: Sequence[Judged]) -> None:
    new, old, settings = compared.new, compared.old, compared.settings
    title = f"Gate: {new.name} against {old.name}"
    votes, pairs = len(compared.curated.votes), len(compared.curated.pairs)
    people = len({line.person for line in compared.curated.held_out})
    about = (
        f"{votes:,} held-out votes and {pairs:,} held-out pairs of {people:,} people, from {compared.curated.export}. "
        f"New: {new.sha256[:12]}, old: {old.sha256[:12]}."
    )
    try:
        write_gate_pages(out, title, about, verdict, reasons, figures, settings.confidence)
        partial = out / f".{RESULT_FILE}.partial"
        content = _result(compared, verdict, reasons, figures)
        partial.write_text(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(out / RESULT_FILE)
    except OSError as error:
        raise InputInvalid(f"The report cannot be written to {out}: {error.strerror or error}.") from error


def _result(compared: Compared, verdict: Verdict, reasons: Sequence[str], figures: Sequence[Judged]) -> dict[str, Any]:
    curated = compared.curated
    return {
        "format": FORMAT,
        "verdict": verdict,
        "reasons": list(reasons),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "new": _model(compared.new),
        "old": _model(compared.old),
        "data": {
            "export": curated.export,
            "export_sha256": curated.export_sha256,
            "votes": len(curated.votes),
            "pairs": len(curated.pairs),
            "people": len({line.person for line in curated.held_out}),
        },
        "figures": {each.text.name: _figure(each) for each in figures},
        "settings": compared.settings.model_dump(mode="json"),
        "packages": versions(),
    }


def _model(candidate: Candidate) -> dict[str, str]:
    return {"name": candidate.name, "sha256": candidate.sha256}


def _figure(judged: Judged) -> dict[str, Any]:
    difference = judged.difference
    return {
        "title": judged.text.title,
        "outcome": judged.outcome,
        "sentence": judged.sentence,
        "old": judged.old,
        "new": judged.new,
        "difference": difference.estimate if difference else None,
        "interval": [difference.low, difference.high] if difference else None,
        "p_value": difference.p_value if difference else None,
        "margin": judged.margin,
        "n": judged.n,
        "decides": judged.decides,
    }
