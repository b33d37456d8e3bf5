"""One thing at a time for each person, in the order in which they did it; knows nothing of what it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """Whose turn it is, among what one person did; nobody waits for anybody else."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # gone once nobody waits for it

    @asynccontextmanager
    async def of(self, user_id: str) -> AsyncIterator[None]:
        """The person's turn, after all of theirs that was asked for before."""
        turn = self._turns.setdefault(user_id, asyncio.Lock())
        async with turn:
            yield
