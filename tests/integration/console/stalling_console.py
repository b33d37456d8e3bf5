"""A terminal chat whose model stops in the middle: run by test_interrupting.py behind a pseudo-terminal."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bot.chat.generation import Queued, TextDelta
from bot.chat.service import ChatService, ChatStores
from bot.platforms.console import Console
from bot.settings import ChatSettings, ConsoleSettings, QuoteSettings
from tests.fakes import MODEL, FakeGenerator, FakeStore, Script, Stall, says

SCRIPTS: tuple[Script, ...] = (
    [Queued(3, 12.0), TextDelta("Once upon a time"), Stall()],
    says("It goes on."),
    says("It ", "goes on."),  # a repetition, which is written once more
    says("A second ", "answer."),
    [TextDelta("\x1b[31mRed "), Stall()],
)


async def main() -> int:
    store = FakeStore()
    service = ChatService(
        MODEL,
        FakeGenerator(*SCRIPTS),
        ChatStores(store, store, store, store),
        ChatSettings(),
        QuoteSettings(pool_depth=0),
        deadline_s=60.0,
    )
    console = Console(service, ConsoleSettings(history_file=Path("history")), banner="Ready.")
    code = await console.run()
    print("states:", ", ".join(store.states), "delivered:", len(store.delivered))
    return code


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
