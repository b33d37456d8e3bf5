"""A terminal chat whose model follows a script: run by test_interactive.py behind a pseudo-terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from bot.chat.generation import Queued, TextDelta
from bot.chat.messages import Platform
from bot.chat.ports import NewTerms
from bot.chat.service import ChatService, ChatStores
from bot.cli import session
from bot.errors import WorkerCrashed
from bot.platforms.console import Console
from bot.platforms.first_use import FirstUse
from bot.platforms.rights import PrivacyFacts, Rights
from bot.settings import ChatSettings, ConsoleSettings, QuoteSettings
from tests.fakes import MODEL, FakeGenerator, FakePeople, FakeStore, Script, Stall, fixed_words, says

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
    "tells": (says("It goes on."), says("A second answer.")),
    "fails": ([WorkerCrashed("The model stopped.")], says("Here I am again.")),
}


def terminal_rights(people: FakePeople) -> tuple[Rights, FirstUse]:
    """What the terminal chat needs to serve a person's rights."""
    facts = PrivacyFacts(encrypted=False, discord_permission="")
    return Rights(Platform.CONSOLE, people, facts), FirstUse(Platform.CONSOLE, people, facts, small_print=str)


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
    people = FakePeople(new_terms=NewTerms(changed=False, consents=False) if scenario == "tells" else None)
    console = Console(service, ConsoleSettings(history_file=Path("history")), *terminal_rights(people), banner="Ready.")
    try:
        return await console.run()
    finally:
        print("states:", ", ".join(store.states), "delivered:", len(store.delivered))


if __name__ == "__main__":
    try:
        sys.exit(session.run(main(sys.argv[1])))
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
