"""What one person did is dealt with in that order, whatever breaks off; others go on meanwhile."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress

from bot.platforms.turns import Turns


async def test_each_person_waits_for_what_they_did_before_and_for_nobody_else() -> None:
    turns, dealt_with = Turns(), list[str]()
    let_through = asyncio.Event()

    async def deal_with(user_id: str, what: str, until: asyncio.Event | None = None) -> None:
        async with turns.of(user_id):
            if until is not None:
                await until.wait()
            dealt_with.append(what)

    first = asyncio.create_task(deal_with("ada", "first", let_through))
    second, third = (asyncio.create_task(deal_with("ada", what)) for what in ("second", "third"))
    await asyncio.create_task(deal_with("bob", "of another"))
    assert dealt_with == ["of another"]
    second.cancel()
    let_through.set()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(first, second)
    await third
    assert dealt_with == ["of another", "first", "third"]


async def test_nobody_is_remembered_who_waits_for_nothing() -> None:
    turns = Turns()
    for number in range(100):
        async with turns.of(f"person {number}"):
            pass
    gc.collect()
    assert not turns._turns
