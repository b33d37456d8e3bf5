"""What a person sees of a streamed answer at the moment when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from bot.chat.generation import TextDelta
from bot.platforms import painter as painter_module
from bot.platforms.address import Address
from bot.platforms.lanes import Lanes
from bot.platforms.outlet import Button
from bot.platforms.painter import Painter
from bot.platforms.posts import Posts
from tests.unit.platforms.fakes import ADDRESS, Clock, FakeOutbox, FakeOutlet, job_of


@dataclass(slots=True)
class SlowOutlet(FakeOutlet):
    """A platform that has taken an edit, and shows it only when `release` is set: the library cannot call it back."""

    under_way: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    arriving: set[asyncio.Task[None]] = field(default_factory=set)

    async def edit(self, address: Address, post_id: str, text: str, buttons: Sequence[Button]) -> None:
        if text == "The whole answer.":
            await FakeOutlet.edit(self, address, post_id, text, buttons)
            return
        arrival = asyncio.ensure_future(self._arrive(address, post_id, text, buttons))
        self.arriving.add(arrival)
        self.under_way.set()
        await asyncio.shield(arrival)

    async def _arrive(self, address: Address, post_id: str, text: str, buttons: Sequence[Button]) -> None:
        await self.release.wait()
        await FakeOutlet.edit(self, address, post_id, text, buttons)


async def test_an_edit_under_way_when_the_answer_ends_does_not_replace_the_final_text() -> None:
    outlet, clock = SlowOutlet(), Clock()
    posts = Posts(outlet, FakeOutbox(), job_of(), ADDRESS)
    async with Painter(outlet, posts, Lanes(clock), ADDRESS, 1, clock, grace_s=0) as painter:
        painter.take(TextDelta("The whole"))
        await outlet.under_way.wait()
        asyncio.get_running_loop().call_later(0.1, outlet.release.set)  # later than a final text that did not wait
    await posts.put(0, "The whole answer.", [])
    await asyncio.gather(*outlet.arriving)
    assert outlet.texts() == ["The whole answer."]
    assert outlet.seen[-2:] == ["The whole", "The whole answer."]


async def test_an_edit_that_waits_for_ever_does_not_keep_the_answer_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painter_module, "_LAST_EDIT_S", 0.01)
    outlet, clock = SlowOutlet(), Clock()
    posts = Posts(outlet, FakeOutbox(), job_of(), ADDRESS)
    async with asyncio.timeout(30):
        async with Painter(outlet, posts, Lanes(clock), ADDRESS, 1, clock, grace_s=0) as painter:
            painter.take(TextDelta("The whole"))
            await outlet.under_way.wait()
        await posts.put(0, "The whole answer.", [])
    assert outlet.texts() == ["The whole answer."]
    outlet.release.set()
    await asyncio.gather(*outlet.arriving)
