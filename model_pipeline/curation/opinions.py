"""Gathers what people said of each reply, wherever the same reply was given, with its weight; judges no text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from model_pipeline.curation.settings import Curate
from model_pipeline.curation.verdicts import Verdict, decide
from model_pipeline.curation.weights import Word, weigh
from model_pipeline.curation.words import Correction, Export, Pair, Question, Reply
from model_pipeline.data.texts import digest

GOOD, BAD = "good", "bad"
COMPARISON, CORRECTION = "comparison", "correction"
_OF_BOTH = {"both": GOOD, "neither": BAD}


@dataclass(slots=True)
class Judged:
    """An answer to a question, with every word about it. Answers of the same words to the same question are one."""

    row: str
    side: str  # of a pair, left or right; else ""
    question: Question
    text: str
    model: str
    words: list[Word] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    repeated_in: list[str] = field(default_factory=list)  # later rows of the same
    verdict: Verdict | None = None


@dataclass(slots=True)
class Compared:
    """A pair with every choice between its sides."""

    pair: Pair
    words: list[Word]
    weights: list[float] = field(default_factory=list)
    verdict: Verdict | None = None


@dataclass(slots=True)
class Corrected:
    """A reply with what one person would rather have read."""

    reply: Reply
    correction: Correction
    word: Word
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Opinions:
    """Everything that people said, weighed and decided."""

    judged: dict[str, Judged]
    compared: list[Compared]
    corrected: list[Corrected]

    def on(self, question: Question, text: str) -> Verdict | None:
        """What people together say of an answer; None where they do not agree, or nobody said anything."""
        found = self.judged.get(about(question, text))
        return found.verdict if found else None


def gather(export: Export, settings: Curate) -> Opinions:
    """The opinions from the sources that count; all words are weighed together."""
    judged = _judged(export, settings.sources)
    compared = [found for one in export.pairs if (found := _compared(one, settings.sources)).words]
    corrected = list(_corrected(export.replies)) if CORRECTION in settings.sources else []
    words = [word for one in judged.values() for word in one.words]
    words += [word for pair in compared for word in pair.words] + [one.word for one in corrected]
    weights = iter(weigh(words, settings))
    for answer in judged.values():
        answer.weights = [next(weights) for _ in answer.words]
        answer.verdict = decide(answer.words, answer.weights, settings.margin)
    for pair in compared:
        pair.weights = [next(weights) for _ in pair.words]
        pair.verdict = decide(pair.words, pair.weights, settings.margin)
    for correction in corrected:
        correction.weight = next(weights)
    return Opinions(judged, compared, corrected)


def about(question: Question, text: str) -> str:
    """A name for an answer to a question, the same whatever case, spaces and punctuation of both."""
    return f"{asked(question)} {digest(text)}"


def asked(question: Question) -> str:
    """A name for a question: its kind, and everything that was said before the reply."""
    return f"{question.kind} {digest(chr(10).join(content for _, content in question.turns))}"


def _judged(export: Export, sources: Collection[str]) -> dict[str, Judged]:
    judged: dict[str, Judged] = {}

    def say(row: str, side: str, question: Question, text: str, model: str, said: Sequence[Word]) -> None:
        if said:
            one = judged.setdefault(said[0].about, Judged(row, side, question, text, model))
            one.words += said
            if one.row != row:
                one.repeated_in.append(row)

    for reply in export.replies:
        key = about(reply.question, reply.text)
        votes = [vote for vote in reply.votes if vote.source in sources]
        said = [Word(one.person, key, GOOD if one.value > 0 else BAD, one.source, one.at) for one in votes]
        say(reply.row, "", reply.question, reply.text, reply.model, said)
    for pair in export.pairs if COMPARISON in sources else ():
        for side, text, model in zip(("left", "right"), pair.texts, pair.models, strict=True):
            key = about(pair.question, text)
            said = [
                Word(one.person, key, _OF_BOTH[one.preferred], COMPARISON, one.at)
                for one in pair.preferences
                if one.preferred in _OF_BOTH
            ]
            say(pair.row, side, pair.question, text, model, said)
    return judged


def _compared(pair: Pair, sources: Collection[str]) -> Compared:
    """Who calls both good or both bad says so of each reply, and nothing of which is better."""
    said = pair.preferences if COMPARISON in sources else ()
    chosen = [one for one in said if one.preferred not in _OF_BOTH]
    return Compared(pair, [Word(one.person, pair.row, one.preferred, COMPARISON, one.at) for one in chosen])


def _corrected(replies: Sequence[Reply]) -> Iterator[Corrected]:
    for reply in replies:
        for one in reply.corrections:
            yield Corrected(reply, one, Word(one.person, reply.row, CORRECTION, CORRECTION, None))
