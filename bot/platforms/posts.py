"""The messages of one answer: made once, remembered before anything else happens, then only changed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Sequence
from typing import Any

from bot.chat.ports import AcceptedJob, Outbox
from bot.platforms.address import Address
from bot.platforms.outlet import Button, Outlet, PostGone

_PLACEHOLDER = "…"
_NONCE_CHARS = 24  # Discord takes 25


class Posts:
    """What answers one job on its platform; part 0 is the first message. Raises what the outlet raises."""

    def __init__(self, outlet: Outlet, outbox: Outbox, job: AcceptedJob, address: Address) -> None:
        self._outlet = outlet
        self._outbox = outbox
        self._job = job
        self._address = address
        self._ids: list[str] = []
        self._lost: dict[int, str] = {}  # messages that somebody deleted: what takes their place repeats nothing

    async def load(self) -> None:
        """Find the messages that were made before, also by a process that is gone.

        What this one made it knows, even if the records were erased meanwhile because the person asked for that.
        """
        self._ids = list(await self._outbox.posts(self._job.job_id)) or self._ids

    @property
    def begun(self) -> bool:
        """There is a message already."""
        return bool(self._ids)

    async def move(self) -> None:
        """Go on at the address that lasts, with new messages."""
        self._address = self._outlet.lasting(self._address)
        await _to_its_end(self._outbox.moved(self._job.job_id, self._address.to_json()))
        self._ids = []

    async def put(self, part: int, text: str, buttons: Sequence[Button]) -> None:
        """Bring a part of the answer into its message; doing so again changes nothing.

        On a platform where a repeated create makes a second message, an empty one is made first: if its fate stays
        unknown, what stands there twice is no answer.
        """
        if await self._edited(part, text, buttons):
            return
        if self._outlet.creates_once(self._address):
            await _to_its_end(self._create(part, text, buttons))
            return
        await _to_its_end(self._create(part, _PLACEHOLDER, ()))
        await self._outlet.edit(self._address, self._ids[part], text, buttons)

    async def _edited(self, part: int, text: str, buttons: Sequence[Button]) -> bool:
        if part >= len(self._ids):
            return False
        try:
            await self._outlet.edit(self._address, self._ids[part], text, buttons)
        except PostGone:
            self._lost[part] = self._ids[part]
            return False
        return True

    async def _create(self, part: int, text: str, buttons: Sequence[Button]) -> None:
        identity = f"{self._job.job_id} {part} {self._lost.get(part, '')}"
        nonce = hashlib.sha256(identity.encode()).hexdigest()[:_NONCE_CHARS]
        post_id = await self._outlet.create(self._address, text, buttons, nonce)
        self._ids[part : part + 1] = [post_id]
        key = self._job.key
        await self._outbox.posted(self._job.job_id, part, key.platform, self._address.chat_id, post_id)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Whoever gives up must not leave a message behind that nobody remembers."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
