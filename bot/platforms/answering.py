"""Answers accepted requests, many at a time, on one platform: from the model to the chat, over restarts too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

from bot.chat.messages import Platform
from bot.chat.ports import AcceptedJob, Outbox, PendingReply, Unfinished
from bot.chat.replies import Reply
from bot.chat.service import ChatService
from bot.errors import PlatformUnreachable, QuotesmithError, StorageError
from bot.platforms.address import Address
from bot.platforms.delivery import Delivery
from bot.platforms.first_use import FirstUse
from bot.platforms.lanes import Lanes
from bot.platforms.outlet import Button, Outlet, again_button
from bot.platforms.painter import Painter
from bot.platforms.posts import Posts
from bot.platforms.replies import STOPPED, user_text

log = logging.getLogger(__name__)


class Answering:
    """The answers under way on one platform. `clock` gives seconds that never go back.

    `first_use` is what new people are told with their first reply, None where there is nothing to tell.
    """

    def __init__(
        self,
        platform: Platform,
        service: ChatService,
        outlet: Outlet,
        outbox: Outbox,
        unfinished: Unfinished,
        clock: Callable[[], float],
        first_use: FirstUse | None = None,
    ) -> None:
        self._first_use = first_use
        self._platform = platform
        self._service = service
        self._outlet = outlet
        self._outbox = outbox
        self._unfinished = unfinished
        self._clock = clock
        self._lanes = Lanes(clock)
        self._jobs: dict[int, tuple[AcceptedJob, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._resumed = self._cut_off = False
        self.delivery = Delivery(outlet, outbox, self._lanes)

    # -- jobs -------------------------------------------------------------------------------------------------------

    def answer(self, job: AcceptedJob, address: Address) -> None:
        """Begin to answer."""
        task = self.spawn(self._answer(job, address), f"answering job {job.job_id}")
        self._jobs[job.job_id] = (job, task)
        task.add_done_callback(lambda _: self._jobs.pop(job.job_id, None))

    def asker(self, job_id: int) -> str | None:
        """The person whose request is under way; None when it is over."""
        found = self._jobs.get(job_id)
        return found[0].key.user_id if found else None

    def cancel(self, job_id: int) -> None:
        """Stop answering; the person is told so, or gets the reply if it is on record by then."""
        if found := self._jobs.pop(job_id, None):
            self._service.give_up(job_id)
            # Cut off before its first step, it could put no end on record, and the next start would answer it.
            asyncio.get_running_loop().call_soon(found[1].cancel)

    def of_person(self, user_id: str) -> Sequence[int]:
        """The jobs under way for a person."""
        return [job_id for job_id, (job, _) in self._jobs.items() if job.key.user_id == user_id]

    def in_chat(self, chat_id: str) -> int:
        """How many answers are under way in a chat."""
        return sum(job.key.chat_id == chat_id for job, _ in self._jobs.values())

    @property
    def busy(self) -> bool:
        """Something is under way."""
        return bool(self._tasks)

    async def resume(self) -> None:
        """Go on with what an earlier process left behind, once: replies to be shown, and requests to be answered.

        Raises PlatformUnreachable where it cannot be read, and goes on with it when called again.
        """
        if self._resumed:
            return
        try:
            pending = await self._outbox.pending([self._platform])
            left = await self._unfinished.unfinished([self._platform])
        except StorageError as error:
            name = self._platform.capitalize()
            raise PlatformUnreachable(
                f"{name}: what is left from before cannot be read, so it waits: {error}"
            ) from error
        self._resumed = True
        for reply in pending:
            if (address := _address_of(reply.job)) is not None:
                self.spawn(self._deliver(reply, address), f"delivering reply {reply.reply_id}")
        for job in left:
            if (address := _address_of(job)) is not None:
                self.answer(job, address)
        if pending or left:
            log.warning("%s: %d replies and %d requests go on from before", self._platform, len(pending), len(left))

    async def _deliver(self, reply: PendingReply, address: Address, posts: Posts | None = None) -> None:
        if self._first_use is None:
            await self.delivery.deliver(reply, address, posts)
            return
        key, reply_id = reply.job.key, reply.reply_id
        note = await self._first_use.beneath(key, reply_id, address)
        if await self.delivery.deliver(replace(reply, text=reply.text + note), address, posts):
            await self._first_use.after(key, reply_id, address, self.delivery.say)
        elif note:
            await self._first_use.not_shown(key, reply_id)

    async def _answer(self, job: AcceptedJob, address: Address) -> None:
        posts = Posts(self._outlet, self._outbox, job, address)
        try:
            reply = await self._written(job, posts, address)
        except asyncio.CancelledError:
            if not self._cut_off and not self._service.parked(job.job_id):
                ended = self._conclude(job, posts, address, address.texts(STOPPED))
                self.spawn(ended, f"telling of the end of job {job.job_id}")
            raise
        except QuotesmithError as error:
            if not self._service.parked(job.job_id):
                await self._conclude(job, posts, address, user_text(error, address.texts))
        except Exception:
            log.exception("job %d ended unexpectedly", job.job_id)
            await self._conclude(job, posts, address, address.texts("error-unexpected"))
        else:
            pending = PendingReply(job, reply.message_id, reply.text, 0, reply.shows_two)
            await self._deliver(pending, address, posts)

    async def _written(self, job: AcceptedJob, posts: Posts, address: Address) -> Reply:
        """Let the service write, and show how it grows; who stops it when the reply is on record gets that reply."""
        reply: Reply | None = None
        painter = Painter(self._outlet, posts, self._lanes, address, job.job_id, self._clock)
        try:
            async with painter, aclosing(self._service.answer(job)) as events:
                async for event in events:
                    painter.take(event)
                    if isinstance(event, Reply):
                        reply = event
                        self._jobs.pop(job.job_id, None)  # there is nothing left to cancel
        except asyncio.CancelledError:
            if reply is None or self._cut_off:
                raise
        assert reply is not None  # the service ends with a Reply or an error
        return reply

    async def _conclude(self, job: AcceptedJob, posts: Posts, address: Address, text: str) -> None:
        self._jobs.pop(job.job_id, None)  # there is nothing left to cancel
        buttons: list[Button] = again_button(address.texts, job.job_id)
        await self.delivery.conclude(job, posts, address, text, buttons)

    # -- all that runs ----------------------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Let something run beside everything else, until it ends or the bot stops."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def stop(self, within_s: float) -> None:
        """Let what is under way finish within that time, and park the rest for the next start."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    while self._tasks:  # who stops something meanwhile is told so by one more
                        await asyncio.wait(self._tasks)
        finally:
            self._cut_off = True
        left = list(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)


def _address_of(job: AcceptedJob) -> Address | None:
    """Where the answer goes; None where that cannot be read, which keeps this one back and no other."""
    if not job.address:
        return Address(job.key.chat_id, job.key.user_id)
    try:
        return Address.from_json(job.address)
    except (TypeError, ValueError) as error:  # another version wrote it, which may be the next to start
        log.error("job %d waits for a version that can read where its answer goes (%s)", job.job_id, error)
        return None
