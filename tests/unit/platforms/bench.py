"""What tests of answers work at: the real service and the real answering between fakes at both ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bot.chat.service import ChatService
from bot.platforms.address import Address
from bot.platforms.answering import Answering
from tests.fakes import FakeStore
from tests.unit.platforms.fakes import ADDRESS, KEY, FakeOutbox, FakeOutlet


@dataclass(slots=True)
class Bench:
    """One chat, in which a person asks and answers arrive."""

    store: FakeStore
    outlet: FakeOutlet
    outbox: FakeOutbox
    service: ChatService
    answering: Answering

    async def ask(self, text: str = "hello", address: Address = ADDRESS) -> int:
        """The id of the job whose answer is under way."""
        job = await self.service.accept_chat(KEY, text)
        self.answering.answer(job, address)
        return job.job_id

    async def until_quiet(self) -> None:
        """Every answer has ended."""
        while self.answering.busy:
            await asyncio.sleep(0)
