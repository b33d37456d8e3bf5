"""Each platform is kept served by itself: what is refused stays out, what is away is tried again, more slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot.chat.messages import Platform
from bot.errors import PlatformRefused, PlatformUnreachable
from bot.platforms.serving import LONGEST_PAUSE_S, Backoff, serve
from tests.unit.platforms.fakes import Clock


class Scripted:
    """A platform that ends each of its runs as the test says, and then holds."""

    def __init__(self, platform: Platform, *ends: Exception) -> None:
        self.platform = platform
        self._ends = list(ends)
        self.holding = asyncio.Event()

    async def run(self, connected: Callable[[], None]) -> None:
        if self._ends:
            raise self._ends.pop(0)
        connected()
        self.holding.set()
        await asyncio.Event().wait()

    async def close(self) -> None:
        return None


def test_pauses_grow_to_a_minute_and_begin_anew_after_a_good_while() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    pauses = [backoff.next_pause_s() for _ in range(8)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    backoff.connected()
    assert backoff.next_pause_s() == LONGEST_PAUSE_S  # it held for no time at all
    backoff.connected()
    clock.now += 61.0
    assert backoff.next_pause_s() == 1.0


async def test_a_refused_platform_ends_alone() -> None:
    lines: list[str] = []
    refused = Scripted(Platform.DISCORD, PlatformRefused("Discord does not accept the token."))
    holding = Scripted(Platform.TELEGRAM)
    task = asyncio.create_task(serve([refused, holding], lines.append, Clock()))
    await holding.holding.wait()
    await asyncio.sleep(0)
    assert lines == ["Discord does not accept the token."] and not task.done()
    task.cancel()
    await asyncio.wait([task])


async def test_when_all_are_refused_serving_ends() -> None:
    lines: list[str] = []
    await serve([Scripted(Platform.DISCORD, PlatformRefused("No."))], lines.append, Clock())
    assert lines == ["No."]


async def test_an_outage_and_a_defect_are_both_survived() -> None:
    lines: list[str] = []
    ends = (PlatformUnreachable("Telegram cannot be reached."), ZeroDivisionError("oops"))
    flaky = Scripted(Platform.TELEGRAM, *ends)
    task = asyncio.create_task(serve([flaky], lines.append, Clock(), first_pause_s=0.0))
    await asyncio.wait_for(flaky.holding.wait(), 10)
    task.cancel()
    await asyncio.wait([task])
    assert lines == [
        "Telegram cannot be reached. Trying again in 0 s.",
        "Telegram sent something that was not understood (ZeroDivisionError). Trying again in 0 s.",
    ]
