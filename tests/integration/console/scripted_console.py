"""A terminal chat whose model follows a script: run by test_interactive.py behind a pseudo-terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.chat.generation import Queued, TextDelta
from bot.chat.service import ChatService, ChatStores
from bot.errors import WorkerCrashed
from bot.platforms.console import Console
from bot.settings import ChatSettings, ConsoleSettings, QuoteSettings
from tests.fakes import MODEL, FakeGenerator, FakeStore, Script, Stall, fixed_words, says

TOO_MANY_SENTENCES = "The sea is wide and it is deep. " * 6  # 192 columns: three rows on a terminal of 80
SCENARIOS: dict[str, Sequence[Script]] = {
    "stalls": (
        [Queued(3, 12.0), TextDelta("Once upon a time"), Stall()],
        says("It goes on."),
        says("It ", "goes on."),  # a repetition, which is written once more
        says("A second ", "answer."),
    ),
    "retracts": (says(TOO_MANY_SENTENCES), says("Calm water ", "still moves.")),
    "steers": ([TextDelta("\x1b[31mRed "), Stall()],),
    "fails": ([WorkerCrashed("The model stopped.")], says("Here I am again.")),
}


async def main(scenario: str) -> int:
    store = FakeStore()
    service = ChatService(
        MODEL,
        FakeGenerator(*SCENARIOS[scenario]),
        ChatStores(store, store, store, store),
        ChatSettings(),
        QuoteSettings(pool_depth=0),
        deadline_s=60.0,
        fixed_words=fixed_words,
    )
    console = Console(service, ConsoleSettings(history_file=Path("history")), banner="Ready.")
    code = await console.run()
    print("states:", ", ".join(store.states), "delivered:", len(store.delivered))
    return code


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
