"""Progress gives way to replies, and a chat that must slow down delays no other."""

from __future__ import annotations

import asyncio

from bot.platforms.lanes import Lanes
from tests.unit.platforms.fakes import Clock


def test_progress_is_shown_no_more_often_than_allowed() -> None:
    clock = Clock()
    lanes = Lanes(clock)
    assert lanes.may_paint("lobby", 3.0) and not lanes.may_paint("lobby", 3.0)
    clock.now += 3.0
    assert lanes.may_paint("lobby", 3.0)


def test_a_closed_chat_delays_no_other() -> None:
    clock = Clock()
    lanes = Lanes(clock)
    lanes.close_for("lobby", 10.0)
    assert not lanes.may_paint("lobby", 0.0) and lanes.may_paint("den", 0.0)
    assert (lanes.closed_s("lobby"), lanes.closed_s("den")) == (10.0, 0.0)
    clock.now += 10.0
    assert lanes.may_paint("lobby", 0.0)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    lanes = Lanes(Clock())
    lanes.close_for("lobby", 10.0)
    lanes.close_for("lobby", 1.0)
    assert lanes.closed_s("lobby") == 10.0


async def test_progress_waits_while_a_reply_is_on_its_way() -> None:
    lanes = Lanes(Clock())
    async with lanes.reply("lobby"):
        assert not lanes.may_paint("lobby", 0.0) and lanes.may_paint("den", 0.0)
    assert lanes.may_paint("lobby", 0.0)


async def test_replies_in_one_chat_come_in_order() -> None:
    lanes, order = Lanes(Clock()), list[str]()

    async def reply(name: str) -> None:
        async with lanes.reply("lobby"):
            await asyncio.sleep(0)
            order.append(name)

    await asyncio.gather(*(reply(name) for name in ("first", "second", "third")))
    assert order == ["first", "second", "third"]


async def test_lanes_of_chats_that_are_over_are_not_kept() -> None:
    lanes = Lanes(Clock())
    for number in range(1_500):
        async with lanes.reply(str(number)):
            pass
    assert len(lanes._lanes) <= 1_001
