"""Puts a job's start and its end on record around what writes its reply, whatever the end is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any, TypeVar

from bot.chat.messages import JobState
from bot.chat.ports import JobLedger
from bot.chat.replies import Reply, ReplyEvent
from bot.chat.writing import Progress, Written
from bot.errors import QuotesmithError, WorkerCrashed

_T = TypeVar("_T")


class Recording:
    """The records of what is being answered."""

    def __init__(self, jobs: JobLedger) -> None:
        self._jobs = jobs
        self._parking = False
        self._parked: set[int] = set()
        self._given_up: set[int] = set()

    def park(self) -> None:
        """The bot is about to stop: a request that is cut off from now on stays unfinished, for the next start."""
        self._parking = True

    def parked(self, job_id: int) -> bool:
        """The next start goes on with it: its person is to be told nothing."""
        return job_id in self._parked

    def give_up(self, job_id: int) -> None:
        """Its person wants no reply any more: a request that is cut off from now on is over, also while the bot stops.

        To be called for one that is being answered.
        """
        self._given_up.add(job_id)

    async def around(
        self, job_id: int, write: Callable[[AsyncExitStack], AsyncGenerator[Progress, None]]
    ) -> AsyncGenerator[ReplyEvent, None]:
        """Pass the events on, and put the job's start and end on record, whatever the end is.

        The start is put there while the writing begins; nothing is passed on before.
        Whose text it is to be may be taken out of service between two attempts, so what writes holds it until then.
        """
        written: Written | None = None
        starting = asyncio.ensure_future(self._jobs.start(job_id))
        try:
            async with AsyncExitStack() as holds, aclosing(write(holds)) as events:
                async for event in events:
                    await asyncio.shield(starting)
                    if isinstance(event, Written):
                        written = event
                        break
                    yield event
            assert written is not None
        except BaseException as error:
            await _to_its_end(self._cut_off(job_id, starting, error))
            raise
        recording = asyncio.ensure_future(self._complete(job_id, written))
        try:
            await _to_its_end(recording)
        except asyncio.CancelledError:
            if recording.done() and recording.exception() is None:  # too late: whoever gives up is told what there is
                with suppress(GeneratorExit):
                    yield recording.result()
            raise
        finally:
            self._given_up.discard(job_id)
        yield recording.result()

    async def _cut_off(self, job_id: int, starting: asyncio.Future[None], error: BaseException) -> None:
        await asyncio.gather(starting, return_exceptions=True)  # a start behind it would take the end back
        cut_off = isinstance(error, asyncio.CancelledError | GeneratorExit | WorkerCrashed)
        given_up = job_id in self._given_up
        self._given_up.discard(job_id)
        if self._parking and cut_off and not given_up:
            self._parked.add(job_id)  # it is, also where that cannot be put on record
            await self._jobs.park(job_id)
        else:
            await self._jobs.end(job_id, *_verdict(error))

    async def _complete(self, job_id: int, written: Written) -> Reply:
        try:
            message_id = await self._jobs.complete(job_id, written.text, written.record, written.comparison)
        except QuotesmithError as error:
            await self._jobs.end(job_id, *_verdict(error))
            raise
        finished = written.record.finished
        return Reply(
            text=written.text,
            message_id=message_id,
            model=written.record.model_name,
            source=written.record.source,
            tokens=finished.completion_tokens,
            elapsed_ms=round(finished.elapsed_s * 1000),
            reason=finished.reason,
            shows_two=written.comparison is not None,
        )


def _verdict(error: BaseException) -> tuple[JobState, str]:
    """How a job ends over an error."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return JobState.CANCELLED, "given up by the person"
    return JobState.FAILED, f"{type(error).__name__}: {error}"


async def _to_its_end(write: Coroutine[Any, Any, _T] | asyncio.Future[_T]) -> _T:
    """Await a change of the records to its end: a person who gives up in the middle must not leave it half known."""
    task = asyncio.ensure_future(write)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
