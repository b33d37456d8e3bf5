"""Keeps the platforms served, each by itself: begins again after a failure, more slowly each time; stops in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from bot.chat.messages import Platform
from bot.errors import PlatformRefused, PlatformUnreachable
from bot.platforms.front_desk import FrontDesk

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
_SETTLED_S = 60.0  # a connection that held for so long ended for a new reason


class PlatformClient(Protocol):
    """One platform's connection."""

    platform: Platform

    async def run(self, connected: Callable[[], None]) -> None:
        """Serve until cancelled. Raises PlatformRefused and PlatformUnreachable."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class Backoff:
    """How long to wait before the next attempt. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float], first_pause_s: float = FIRST_PAUSE_S) -> None:
        self._clock = clock
        self._first_pause_s = self._pause_s = first_pause_s
        self._connected_at: float | None = None

    def connected(self) -> None:
        """The attempt was a success."""
        self._connected_at = self._clock()

    def next_pause_s(self) -> float:
        """Seconds to wait now: twice as long after each failure, from the start again after a while without."""
        if self._connected_at is not None and self._clock() - self._connected_at >= _SETTLED_S:
            self._pause_s = self._first_pause_s
        self._connected_at = None
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s


async def serve(
    clients: Sequence[PlatformClient],
    report: Callable[[str], None],
    clock: Callable[[], float],
    first_pause_s: float = FIRST_PAUSE_S,
) -> None:
    """Serve all platforms until cancelled, or until none is left: a refused one stays out, the others go on."""
    tasks = [
        asyncio.create_task(_keep(client, report, Backoff(clock, first_pause_s)), name=str(client.platform))
        for client in clients
    ]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def stop(desks: Sequence[FrontDesk], within_s: float) -> None:
    """Finish or park what is under way on all platforms, within that time."""
    await asyncio.gather(*(desk.stop(within_s) for desk in desks))


async def _keep(client: PlatformClient, report: Callable[[str], None], backoff: Backoff) -> None:
    last_said = ""
    while True:
        try:
            await client.run(backoff.connected)
            reason = f"{client.platform.capitalize()} ended the connection."
        except PlatformRefused as error:
            report(str(error))
            return
        except PlatformUnreachable as error:
            reason = str(error)
        except Exception as error:  # an event that the library cannot read ends its connection
            log.debug("serving %s failed", client.platform, exc_info=True)
            kind = type(error).__name__
            reason = f"{client.platform.capitalize()} sent something that was not understood ({kind})."
        pause_s = backoff.next_pause_s()
        if reason != last_said or pause_s <= FIRST_PAUSE_S:  # the same line every minute tells nobody anything
            report(f"{reason} Trying again in {pause_s:g} s.")
            last_said = reason
        await asyncio.sleep(pause_s)
