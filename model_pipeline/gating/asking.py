"""Asks two models the same questions through the bot, by turns, so that both meet the same machine; judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.answers import Asked
from model_pipeline.evaluation.bot_replies import BotUnavailable, Timed, line_of, open_bot
from model_pipeline.gating.candidates import Candidate
from model_pipeline.gating.kept_lines import KeptLines, key_of
from model_pipeline.gating.questions import Grave
from model_pipeline.report import Report

OLD, NEW = "old", "new"


@dataclass(frozen=True, slots=True)
class Answered:
    """A question and both models' replies to it; a reply without text is none."""

    asked: Asked
    old: Timed
    new: Timed


def ask_both(
    old: Candidate, new: Candidate, questions: Sequence[Asked], folder: Path, report: Report
) -> list[Answered]:
    """Both bots' replies; those that are known in `folder` are not asked for again.

    Raises `BotUnavailable` where the bot cannot serve the new model to the end, `InputInvalid` where it cannot serve
    the old one.
    """
    kept = KeptLines(folder / f"answers-{new.served[:16]}-{old.served[:16]}.jsonl")
    keys = [key_of(line_of(question)) for question in questions]
    missing = [(key, question) for key, question in zip(keys, questions, strict=True) if key not in kept]
    if missing:
        with ExitStack() as bots, report.progress("Asking both models", len(questions)) as advance:
            new_bot = bots.enter_context(open_bot(new.folder, len(questions)))
            with _blamed_on(old):
                old_bot = bots.enter_context(open_bot(old.folder, len(questions)))
            asks = {NEW: new_bot.ask, OLD: _blamed_on(old)(old_bot.ask)}
            for number, (key, question) in enumerate(missing, start=1 + len(questions) - len(missing)):
                kept.add(key, _by_turns(asks, line_of(question), swapped=number % 2 == 0))
                advance(number)
    return [Answered(question, *_timed(kept[key])) for key, question in zip(keys, questions, strict=True)]


def ask_grave(new: Candidate, groups: Sequence[Grave], folder: Path, report: Report) -> list[list[str]]:
    """The new model's replies to each group of questions, known or asked for. Raises `BotUnavailable`."""
    kept = KeptLines(folder / f"safety-{new.served[:16]}.jsonl")
    questions = [line_of(asked) for group in groups for asked in group.asked]
    missing = [question for question in questions if key_of(question) not in kept]
    if missing:
        with (
            open_bot(new.folder, len(missing)) as bot,
            report.progress("Asking what is grave", len(missing)) as advance,
        ):
            for number, question in enumerate(missing, start=1):
                kept.add(key_of(question), bot.ask(question).text)
                advance(number)
    return [[kept[key_of(line_of(asked))] for asked in group.asked] for group in groups]


@contextmanager
def _blamed_on(old: Candidate) -> Iterator[None]:
    """Whatever ends the old model's bot is no verdict on the new model."""
    try:
        yield
    except BotUnavailable as error:
        raise InputInvalid(f"The bot cannot serve the old model {old.name}: {error}.") from error


def _by_turns(asks: Mapping[str, Callable[[str], Timed]], line: str, *, swapped: bool) -> dict[str, list[object]]:
    replies = {}
    for name in (NEW, OLD) if swapped else (OLD, NEW):
        reply = asks[name](line)
        replies[name] = [reply.text, round(reply.seconds, 4)]
    return replies


def _timed(content: dict[str, list[object]]) -> tuple[Timed, Timed]:
    old, new = (Timed(str(content[name][0]), float(str(content[name][1]))) for name in (OLD, NEW))
    return old, new
