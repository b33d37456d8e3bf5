"""One lane for each chat: replies pass through it in order, and progress gives way to them; knows no platform."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Lane:
    closed_until: float = 0.0
    painted_at: float = float("-inf")
    replies: int = 0  # waiting or on their way
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Lanes:
    """What each chat can take now. A chat that is told to slow down delays no other.

    `clock` gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}

    def close_for(self, chat_id: str, seconds: float) -> None:
        """The platform takes nothing for this chat for that long."""
        lane = self._lane(chat_id)
        lane.closed_until = max(lane.closed_until, self._clock() + seconds)

    def closed_s(self, chat_id: str) -> float:
        """Seconds until the chat takes something again."""
        return max(0.0, self._lane(chat_id).closed_until - self._clock())

    def may_paint(self, chat_id: str, spacing_s: float) -> bool:
        """Whether progress may be shown there now; if so, the next chance comes after the spacing."""
        lane, now = self._lane(chat_id), self._clock()
        if lane.replies or now < lane.closed_until or now - lane.painted_at < spacing_s:
            return False
        lane.painted_at = now
        return True

    @asynccontextmanager
    async def reply(self, chat_id: str) -> AsyncIterator[None]:
        """The turn of a reply in its chat, once the chat takes something."""
        lane = self._lane(chat_id)
        lane.replies += 1
        try:
            async with lane.turn:
                await asyncio.sleep(self.closed_s(chat_id))
                yield
        finally:
            lane.replies -= 1
            self._drop_if_idle(chat_id)

    def _lane(self, chat_id: str) -> _Lane:
        return self._lanes.setdefault(chat_id, _Lane())

    def _drop_if_idle(self, chat_id: str) -> None:
        """A bot meets many chats in its life; a lane that says nothing is not kept."""
        lane = self._lanes[chat_id]
        if len(self._lanes) > 1_000 and not lane.replies and lane.closed_until <= self._clock():
            del self._lanes[chat_id]
