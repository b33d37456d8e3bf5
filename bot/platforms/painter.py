"""Shows how one answer comes about: typing, the place in line, the growing text; cosmetic, so it may fail or wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from bot.chat.generation import Queued, TextDelta
from bot.chat.replies import ReplyEvent, Retracted
from bot.errors import QuotesmithError
from bot.platforms.address import Address
from bot.platforms.lanes import Lanes
from bot.platforms.outlet import AddressOver, ChatCooldown, ChatGone, ChatUnreachable, Outlet, PostGone, stop_button
from bot.platforms.posts import Posts
from bot.platforms.replies import waiting_text
from bot.platforms.splitting import split

log = logging.getLogger(__name__)

GRACE_S = 0.8  # an answer that is there within this time needs no notice that one is coming
_TICK_S = 0.2
_LAST_EDIT_S = 3.0  # one that takes longer waits for a rate limit, and was not sent yet
_DRAFT_LIFE_S = 20.0  # Telegram shows a draft for 30 s


class Painter:
    """Keeps what a person sees up to date, until the block ends. `clock` gives seconds that never go back."""

    def __init__(
        self,
        outlet: Outlet,
        posts: Posts,
        lanes: Lanes,
        address: Address,
        job_id: int,
        clock: Callable[[], float],
        grace_s: float = GRACE_S,
    ) -> None:
        self._outlet = outlet
        self._posts = posts
        self._lanes = lanes
        self._address = address
        self._job_id = job_id
        self._clock = clock
        self._show_from = clock() + grace_s
        self._place: Queued | None = None
        self._text = ""
        self._painted: str | None = None
        self._painted_at = self._typed_at = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"painting the answer to job {self._job_id}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._over.set()
        # An edit under way is let through: cut off, it could still arrive after the final text, and replace it.
        _, late = await asyncio.wait([self._task], timeout=_LAST_EDIT_S)
        if late:
            self._task.cancel()
            await asyncio.wait([self._task])
        if not self._task.cancelled() and (failure := self._task.exception()) is not None:
            log.error("the progress of job %d could not be shown", self._job_id, exc_info=failure)

    def take(self, event: ReplyEvent) -> None:
        """What happened to the answer; it is shown at the next chance."""
        match event:
            case Queued():
                self._place = event
            case TextDelta():
                self._place, self._text = None, self._text + event.text
            case Retracted():
                self._text = ""

    async def _run(self) -> None:
        # A message of an earlier process is gone on with; while it cannot be looked for, none is made beside it.
        while not self._over.is_set() and not await self._tried(self._posts.load()):
            await self._pause()
        while not self._over.is_set():
            await self._look()
            await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_TICK_S):
                await self._over.wait()

    async def _look(self) -> None:
        """Show what has changed, if the chat takes it."""
        wanted, now = self._wanted(), self._clock()
        if wanted is None:
            await self._type(now)
            return
        drafts = self._drafts()
        aged = drafts and now - self._painted_at > _DRAFT_LIFE_S
        if (wanted == self._painted and not aged) or (now < self._show_from and not drafts):
            await self._type(now)
            return
        may_paint = self._lanes.may_paint(self._address.chat_id, self._spacing_s(drafts))
        if may_paint and await self._tried(self._show(wanted, drafts)):
            self._painted, self._painted_at = wanted, self._clock()

    def _spacing_s(self, drafts: bool) -> float:
        if drafts:
            return self._outlet.draft_s
        return self._outlet.private_edit_s if self._address.one_to_one else self._outlet.edit_s

    def _wanted(self) -> str | None:
        """What the person should see; None while there is nothing to say."""
        if self._text:
            parts = split(self._text, self._outlet.limit - 2)
            return parts[0] if len(parts) == 1 else f"{parts[0]} …"
        if self._place is not None:
            return waiting_text(self._place, self._address.texts)
        return "" if self._drafts() else None

    def _drafts(self) -> bool:
        """Who waits in line gets a message, for it can carry a button that stops the waiting; who reads needs none."""
        return not self._posts.begun and self._place is None and self._outlet.drafts(self._address)

    async def _show(self, text: str, draft: bool) -> None:
        if draft:
            await self._outlet.draft(self._address, self._job_id, text)
        else:
            await self._posts.put(0, text, stop_button(self._address.texts, self._job_id))

    async def _type(self, now: float) -> None:
        if self._painted is None and now - self._typed_at >= self._outlet.typing_s:
            self._typed_at = now
            await self._tried(self._outlet.typing(self._address))

    async def _tried(self, showing: Awaitable[None]) -> bool:
        try:
            await showing
        except ChatCooldown as error:
            self._lanes.close_for(self._address.chat_id, error.retry_s)
        except AddressOver:
            with suppress(QuotesmithError):
                await self._posts.move()
        except (ChatUnreachable, ChatGone, PostGone, QuotesmithError) as error:
            log.info("the progress of job %d was not shown: %s", self._job_id, error)
        else:
            return True
        return False
