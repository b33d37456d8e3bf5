"""The updates that the bot is told, from what happens until it confirms them."""

from __future__ import annotations

import asyncio
import time
from copy import deepcopy
from dataclasses import dataclass, field

from tests.servers.telegram.protocol import ONLY_ON_REQUEST, Json
from tests.servers.telegram.refusals import Refusal


@dataclass(slots=True)
class Changes:
    """Wakes whoever waits for something to happen at the server."""

    _next: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self) -> None:
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self, deadline: float) -> bool:
        """Wait for the next change; False once the deadline has passed."""
        coming = self._next
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await coming.wait()
        except TimeoutError:
            return False
        return True


@dataclass(slots=True)
class Pending:
    """An update that waits for its confirmation; one `forced` is handed out once whatever is confirmed."""

    update: Json
    forced: bool

    @property
    def id(self) -> int:
        return int(self.update["update_id"])


@dataclass(slots=True)
class UpdateQueue:
    """The updates until a getUpdates with a larger offset confirms them."""

    changes: Changes
    pending: list[Pending] = field(default_factory=list)
    last: Json | None = None
    allowed: frozenset[str] | None = None  # None is Telegram's default
    next_id: int = 700_000_001
    polls: int = 0
    ended_by: Refusal | None = None  # what the polls that had to end are answered

    def add(self, kind: str, content: Json) -> None:
        """Queue an update unless it is of a kind that the bot does not ask for."""
        asked_for = kind in self.allowed if self.allowed else kind not in ONLY_ON_REQUEST
        if asked_for:
            self.put({kind: deepcopy(content)})

    def put(self, update: Json, same_id: int | None = None) -> int:
        """Queue an update under the next identifier, or again under one that was there before."""
        identifier = self.next_id if same_id is None else same_id
        self.next_id = max(self.next_id, identifier + 1)
        self.last = {**update, "update_id": identifier}
        self.pending.append(Pending(self.last, forced=same_id is not None))
        self.pending.sort(key=lambda waiting: waiting.id)
        self.changes.note()
        return identifier

    async def poll(self, offset: int, limit: int, timeout_s: float) -> list[Json]:
        """Answer getUpdates: at once where updates wait, else after the next one or the time-out."""
        reason = "terminated by other getUpdates request; make sure that only one bot instance is running"
        self.end_polls(Refusal(409, f"Conflict: {reason}"))
        mine, deadline = self.polls, time.monotonic() + timeout_s
        self._confirm(offset)
        while not self.pending and await self.changes.wait(deadline):
            if self.polls != mine and self.ended_by is not None:
                raise self.ended_by
        handed_out = self.pending[:limit]
        for waiting in handed_out:
            waiting.forced = False
        return [waiting.update for waiting in handed_out]

    def end_polls(self, answer: Refusal) -> None:
        """Make a getUpdates that still waits answer so."""
        self.polls += 1
        self.ended_by = answer
        self.changes.note()

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            del self.pending[:offset]
        else:
            self.pending = [waiting for waiting in self.pending if waiting.forced or waiting.id >= offset]
