"""Writes a quote or a reply: the best of several where there is time for a choice, else one until it may be given.

Asks the model through its port; keeps no records and knows no conversation.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from bot.chat import prompts
from bot.chat.choice import ChoiceSize, unseen
from bot.chat.generation import Candidate, Finished, FinishReason, GenerationRequest, Queued, TextDelta
from bot.chat.messages import QuoteSource
from bot.chat.model import Model
from bot.chat.ports import Comparison, GenerationRecord
from bot.chat.replies import Retracted, Showing, completing
from bot.chat.served import Served
from bot.errors import DeadlineExceeded, GenerationError


@dataclass(frozen=True, slots=True)
class Written:
    """A text that may be given, and how it came about."""

    text: str
    record: GenerationRecord
    comparison: Comparison | None = None


Progress = Queued | TextDelta | Retracted | Written


@dataclass(frozen=True, slots=True)
class Wanted:
    """A quote or a reply: what is asked of the model, when its text may be given, and which of several is the best."""

    request: GenerationRequest
    seen: Sequence[str]  # what the person saw lately, which is not given again
    attempts: int
    visible: Callable[[str], str]
    usable: Callable[[str, FinishReason], str | None]
    best: Callable[[Sequence[Candidate]], Candidate]


class Writer:
    """Writes what is wanted, within `deadline_s` seconds for all attempts together."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s

    async def in_time(
        self, served: Served, wanted: Wanted, size: ChoiceSize, waited_s: float
    ) -> AsyncGenerator[Progress, None]:
        """The best of as many texts as are written in time; one alone, shown as it is written, of a slow model.

        `waited_s` is how long the person has waited already.
        """
        candidates, within_s = 1, size.seconds_left(waited_s)
        if wanted.request.seed is None:
            candidates = size.next(served.generator.candidates_within(within_s, size.usual_tokens))
        async with aclosing(self.best(served, wanted, candidates, size, within_s)) as events:
            async for event in events:
                if candidates == 1 and isinstance(event, Written) and event.record.attempts == 1:
                    finished = event.record.finished
                    size.took(1, [finished.elapsed_s], within_s, finished.completion_tokens)
                yield event

    async def best(
        self,
        served: Served,
        wanted: Wanted,
        candidates: int,
        size: ChoiceSize | None = None,
        within_s: float = math.inf,
    ) -> AsyncGenerator[Progress, None]:
        """The best of some texts, where there is one that the person did not see lately; else one after another.

        With `size` somebody waits for it, and half of the texts are enough from `within_s` on.
        """
        left_s = self._deadline_s  # for all attempts together: the person waits for all of them
        if candidates > 1:
            request = replace(wanted.request, likelihood=True)
            seconds = within_s if size is not None else None
            written = await served.generator.generate_candidates(request, candidates, seconds)
            if size is not None:
                tokens = sum(one.finished.completion_tokens for one in written) / len(written)
                size.took(candidates, [one.finished.elapsed_s for one in written], within_s, tokens)
            usable = [
                replace(candidate, text=text)
                for candidate in written
                if (text := wanted.usable(candidate.text, candidate.finished.reason)) is not None
            ]
            if fresh := unseen(usable, wanted.seen):
                chosen = wanted.best(fresh)
                yield TextDelta(chosen.text)
                yield Written(chosen.text, generated(served.model, wanted.request, 1, chosen.finished))
                return
            left_s -= max(one.finished.elapsed_s for one in written)
        async with aclosing(self._one_by_one(served, wanted, left_s)) as events:
            async for event in events:
                yield event

    async def _one_by_one(self, served: Served, wanted: Wanted, left_s: float) -> AsyncGenerator[Progress, None]:
        """Ask until a text is usable and no repetition; a repetition is given when nothing else comes in time."""
        repetition: Written | None = None
        for attempt in range(1, wanted.attempts + 1):
            if left_s <= 0:
                break
            showing, finished = Showing(wanted.seen, wanted.visible), None
            this_time = replace(prompts.next_attempt(wanted.request, attempt), deadline_s=left_s)
            async with aclosing(served.generator.generate(this_time)) as events:
                async for event in events:
                    match event:
                        case TextDelta():
                            if addition := showing.add(event.text):
                                yield TextDelta(addition)
                        case Queued():
                            yield event
                        case Finished():
                            finished = event
            if finished is None or finished.reason is FinishReason.CANCELLED:
                raise asyncio.CancelledError
            text = wanted.usable(showing.written, finished.reason)
            record = generated(served.model, this_time, attempt, finished)
            written = Written(text, record) if text is not None else None
            if written is not None and not showing.repeats(written.text):
                for correction in completing(showing.shown, written.text):
                    yield correction
                yield written
                return
            if showing.shown:
                yield Retracted()
            repetition = written or repetition
            left_s = 0.0 if finished.reason is FinishReason.DEADLINE else left_s - finished.elapsed_s
        if repetition is not None:
            yield TextDelta(repetition.text)
            yield repetition
        elif left_s <= 0:
            raise too_late(self._deadline_s)
        else:
            raise no_words()


def generated(model: Model, request: GenerationRequest, attempts: int, finished: Finished) -> GenerationRecord:
    """How a text came about that the model wrote, for the records."""
    return GenerationRecord(model.name, model.sha256, request.sampling, QuoteSource.GENERATED, attempts, finished)


def no_words() -> GenerationError:
    """What a person is told where nothing that the model wrote may be given."""
    return GenerationError("The model found no fitting words this time; try again or say it another way.", "no-words")


def too_late(deadline_s: float) -> DeadlineExceeded:
    """What a person is told where nothing that may be given was written in time."""
    return DeadlineExceeded(
        f"The reply was not ready within {deadline_s:g} seconds; try again.", "deadline", seconds=deadline_s
    )
