"""The real bot on a Telegram on loopback, its people and chats, and a worker that is held up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.e2e.platforms.bot_process import PATIENCE_S, BotProcess
from tests.servers.telegram import Chat, Json, Person, TelegramServer

GOOD, BAD, AGAIN, CANCEL = "👍 good", "👎 bad", "🔁 another", "✖ cancel"
KEEP, SHARE, COMPARE = "⭐", "↗", "⚖"
PLACEHOLDER = "…"
CONNECTED = "Telegram: connected as @quotesmith_bot."
_NUMBERS = count(1)
_LOOK_AGAIN_S = 0.02


def settings_for(server: TelegramServer, folder: Path, **settings: str) -> dict[str, str]:
    """The environment of a bot of that Telegram, with nothing of the developer's own; its folder is made ready.

    `limits__waiting_per_person="2"` is a setting, `TELEGRAM_TOKEN=...` a variable.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV", "PYTHONPATH") if name in os.environ}
    (folder / "config.toml").write_text("")
    own = {
        "HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "QUOTESMITH_INFERENCE__THREADS": "1",
        "QUOTESMITH_CHAT__CANDIDATES": "1",  # one reply, which grows in its message as a larger model's does
        "TELEGRAM_TOKEN": server.token,
        "QUOTESMITH_TELEGRAM__BASE_URL": server.base_url,
    }
    given = {name if name.isupper() else f"QUOTESMITH_{name.upper()}": value for name, value in settings.items()}
    return kept | own | given


def labels(message: Json) -> list[str]:
    """The labels of the buttons under a message."""
    return [button["text"] for button in _buttons(message)]


def is_finished(message: Json) -> bool:
    """Nothing more is to come: it is no placeholder, and there is nothing to cancel."""
    held = any(button["callback_data"].startswith("stop:") for button in _buttons(message))
    return not held and message.get("text") != PLACEHOLDER


def words(message: Json) -> str:
    """The model's words in a message, without what new people are told beneath them."""
    return str(message["text"]).partition("\n\nℹ️ ")[0]


def is_reply(message: Json) -> bool:
    """The model's words, complete."""
    return is_finished(message) and any(button["callback_data"].startswith("good:") for button in _buttons(message))


def _buttons(message: Json) -> list[Json]:
    return [button for row in message.get("reply_markup", {}).get("inline_keyboard", []) for button in row]


@dataclass(frozen=True, slots=True)
class Scene:
    """A Telegram and the bot on it; every person and every group that it makes is new."""

    server: TelegramServer
    bot: BotProcess

    def somebody(self, language: str = "en") -> tuple[Person, Chat]:
        """A person and their private chat."""
        number = next(_NUMBERS)
        person = self.server.person(10_000 + number, f"Ada {number}", language)
        return person, self.server.private(person)

    def group(self, *, forum: bool = False, admin: bool = False) -> Chat:
        """A supergroup with the bot in it."""
        number = next(_NUMBERS)
        return self.server.group(-(10**12) - number, f"Readers {number}", forum, admin=admin)

    # What is to be seen

    def finished(self, chat: Chat) -> list[Json]:
        """What the bot has said in a chat to the end."""
        return [message for message in self.server.from_bot(chat) if is_finished(message)]

    def replies(self, chat: Chat) -> list[Json]:
        """The model's complete replies in a chat."""
        return [message for message in self.server.from_bot(chat) if is_reply(message)]

    async def until(self, wanted: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        """Wait for something to be seen; where it never is, say what the bot's operator read meanwhile."""
        try:
            await self.server.until(wanted, patience_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.bot.output}") from None

    async def said(self, chat: Chat, number: int = 1) -> list[Json]:
        """What the bot has said in a chat, once so many of its messages are finished."""
        await self.until(lambda: len(self.finished(chat)) >= number)
        return self.finished(chat)

    async def answer(self, person: Person, chat: Chat, text: str, **where: Any) -> Json:
        """Say something and wait for the next finished message of the bot in that chat."""
        before = len(self.finished(chat))
        self.server.say(person, chat, text, **where)
        return (await self.said(chat, before + 1))[-1]

    async def notice(self, query: str) -> str:
        """What a press made the bot say to its person."""
        await self.until(lambda: query in self.server.callback_answers)
        return str(self.server.callback_answers[query].get("text", ""))

    async def pressed(self, person: Person, message: Json, label: str) -> str:
        """Press a button; returns what the bot says to the person."""
        return await self.notice(self.server.press(person, message, label))

    async def settled(self) -> None:
        """Wait until all is dealt with that came before: a later question is answered, and nothing is under way."""
        await self.until(lambda: not self.server.pending_updates)
        under_way = "SELECT id FROM jobs WHERE state IN ('accepted', 'running')"
        on_its_way = "SELECT id FROM deliveries WHERE state = 'pending'"
        await self.becomes(lambda rows: not rows, f"{under_way} UNION ALL {on_its_way}")
        await self.answer(*self.somebody(), "/cancel")

    # What is on record

    async def becomes(self, wanted: Callable[[list[Any]], bool], query: str, *values: object) -> list[Any]:
        """Wait until the database holds such rows, and return them."""
        rows: list[Any] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not wanted(rows := self.bot.rows(query, *values)):
                    await asyncio.sleep(_LOOK_AGAIN_S)  # a database tells nobody that it has changed
        except TimeoutError:
            raise AssertionError(f"{query} gave {rows}\n{self.server.state()}\n{self.bot.output}") from None
        return rows

    def jobs(self, chat: Chat) -> list[Any]:
        """Kind, state and reason of what was asked in a chat, oldest first."""
        query = "SELECT kind, state, reason FROM jobs JOIN conversations c ON c.id = conversation_id WHERE chat_id = ?"
        return self.bot.rows(f"{query} ORDER BY jobs.id", str(chat.id))

    def stored_replies(self, chat: Chat) -> list[str]:
        """The model's words as they are kept, oldest first."""
        query = "SELECT text FROM messages m JOIN conversations c ON c.id = conversation_id WHERE chat_id = ?"
        return [text for (text,) in self.bot.rows(f"{query} AND role = 'assistant' ORDER BY m.id", str(chat.id))]

    def asked(self, person: Person) -> list[Any]:
        """What is kept of what a person said: kind, text and whether it may be trained on."""
        query = (
            "SELECT kind, text, train_eligible FROM messages m JOIN conversations c ON c.id = conversation_id "
            "JOIN people p ON p.id = person_id WHERE platform_user_id = ? AND role = 'user' ORDER BY m.id"
        )
        return self.bot.rows(query, str(person.id))

    def conversations(self, person: Person) -> list[Any]:
        """Chat, thread and the words of each conversation of a person, in order."""
        query = (
            "SELECT chat_id, thread_id, (SELECT group_concat(text, '|') FROM messages WHERE conversation_id = c.id "
            "AND role = 'user') FROM conversations c JOIN people p ON p.id = person_id WHERE platform_user_id = ? "
            "ORDER BY c.id"
        )
        return self.bot.rows(query, str(person.id))

    VOTES = (
        "SELECT value, source, complaint FROM feedback JOIN people p ON p.id = person_id "
        "WHERE platform_user_id = ? ORDER BY feedback.id"
    )

    def votes(self, person: Person) -> list[Any]:
        """Value, source and complaint of each vote of a person, oldest first."""
        return self.bot.rows(self.VOTES, str(person.id))

    async def votes_become(self, person: Person, *wanted: tuple[int, str, str | None]) -> None:
        """Wait until those are the person's votes."""
        await self.becomes(lambda rows: rows == list(wanted), self.VOTES, str(person.id))


@asynccontextmanager
async def served(server: TelegramServer, folder: Path, **settings: str) -> AsyncIterator[Scene]:
    """A bot that is connected to that Telegram, until the block ends."""
    async with BotProcess(folder, settings_for(server, folder, **settings)) as bot:
        await bot.says(CONNECTED)
        await server.until(lambda: server.called("getUpdates"), PATIENCE_S)
        yield Scene(server, bot)


@asynccontextmanager
async def scene(folder: Path, **settings: str) -> AsyncIterator[Scene]:
    """A Telegram of its own, and a bot on it."""
    async with TelegramServer() as server, served(server, folder, **settings) as opened:
        yield opened
