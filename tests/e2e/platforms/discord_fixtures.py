"""The real bot on a Discord on loopback, and what the tests of both files look for there."""

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
from tests.servers.discord import LOADING, Channel, DiscordServer, Guild, Interaction, Json, Person

NUMBERS = count(1)
GOOD, BAD, AGAIN, CANCEL = "👍 good", "👎 bad", "🔁 another", "✖ cancel"
KEEP, SHARE, COMPARE = "⭐", "↗", "⚖"
BUTTONS = [GOOD, BAD, AGAIN]
QUOTE_BUTTONS = [*BUTTONS, KEEP, SHARE, COMPARE]


def settings_for(server: DiscordServer, folder: Path, **settings: str) -> dict[str, str]:
    """The environment of a bot of that Discord, with nothing of the developer's own; its folder is made ready."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV", "PYTHONPATH") if name in os.environ}
    (folder / "config.toml").write_text("")
    return {
        **kept,
        "HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "QUOTESMITH_INFERENCE__THREADS": "1",
        "QUOTESMITH_CHAT__CANDIDATES": "1",  # one reply, which grows in its message as a larger model's does
        "DISCORD_TOKEN": server.token,
        "QUOTESMITH_DISCORD__API_BASE": server.api_base,
        "QUOTESMITH_DISCORD__GATEWAY_URL": server.gateway_url,
        **settings,
    }


def ids(*named: Person | Channel | Guild) -> str:
    """A list of ids, as the settings take it."""
    return "[" + ", ".join(f'"{one.id}"' for one in named) + "]"


def buttons(message: Json) -> list[str]:
    """The labels of the buttons under a message."""
    return [button["label"] for row in message["components"] for button in row["components"]]


def is_answer(message: Json) -> bool:
    """It has the buttons of a finished reply, or those of a quote."""
    return buttons(message) in (BUTTONS, QUOTE_BUTTONS)


def is_finished(message: Json) -> bool:
    """Nothing more is to come: it is no longer awaited, and there is nothing to cancel."""
    pressable = [button["custom_id"] for row in message["components"] for button in row["components"]]
    return not message["flags"] & LOADING and not any(each.startswith("stop:") for each in pressable)


def tracebacks(bot: BotProcess) -> list[str]:
    """The lines of the bot that only its developer understands, with what they are about at their ends."""
    return [f"{line[:120]} ... {line[-160:]}" for line in bot.lines if "Traceback" in line]


@dataclass(frozen=True, slots=True)
class Scene:
    """A Discord, the bot in it and a server of people."""

    server: DiscordServer
    bot: BotProcess
    guild: Guild

    @property
    def me(self) -> str:
        """How people mention the bot."""
        return f"<@{self.server.bot_id}>"

    def person(self, locale: str = "en-US") -> Person:
        """Somebody who was never here before."""
        return self.server.person(f"Ada {next(NUMBERS)}", locale=locale)

    def channel(self) -> Channel:
        """A channel in which nobody has said anything."""
        return self.server.channel(self.guild, f"general-{next(NUMBERS)}")

    def answers_to(self, channel: Channel, asked: Json) -> list[Json]:
        """The bot's messages that point at a person's message."""
        return [
            each
            for each in self.server.from_bot(channel)
            if (each.get("message_reference") or {}).get("message_id") == asked["id"]
        ]

    async def reply(self, channel: Channel, asked: Json) -> Json:
        """The finished reply to a mention."""
        return (await self.server.until(lambda: [*filter(is_finished, self.answers_to(channel, asked))]))[0]

    async def mention(self, person: Person, channel: Channel, text: str) -> Json:
        """Say something to the bot, and get its finished reply."""
        return await self.reply(channel, self.server.say(person, channel, f"{self.me} {text}"))

    async def said(self, channel: Channel, number: int = 1) -> list[Json]:
        """What the bot has said in a channel, once so many messages of it are finished."""

        def finished() -> list[Json]:
            found = self.server.from_bot(channel)
            return found if len(found) >= number and all(map(is_finished, found)) else []

        return await self.server.until(finished)

    async def answer(self, interaction: Interaction) -> Json:
        """The finished answer to a command or a button."""

        def finished() -> Json:
            shown = self.server.shown(interaction)
            return shown if shown and is_finished(shown) else {}

        return await self.server.until(finished)

    async def becomes(self, true: Callable[[], bool]) -> None:
        """Wait for what shows in the database alone, where nobody is told of a change."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not true():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{self.server.describe()}\n{self.bot.output}") from None

    async def command(self, person: Person, channel: Channel, name: str, /, **options: object) -> Json:
        """Use a command, and get the finished answer."""
        return await self.answer(self.server.command(person, channel, name, **options))

    async def suggested(self, person: Person, channel: Channel, name: str, option: str, typed: str) -> list[str]:
        """What is suggested while a person types into an option."""
        interaction = self.server.autocomplete(person, channel, name, option, typed)
        await self.server.until(lambda: interaction.choices is not None)
        return [choice["value"] for choice in interaction.choices or []]

    async def use_model(self, person: Person, channel: Channel, name: str) -> Json:
        """Use `/model use`, and get the finished answer."""
        return await self.command(person, channel, "model use", name=name)

    async def press(self, person: Person, message: Json, label: str) -> Json:
        """Press a button, and get the finished answer."""
        return await self.answer(self.server.press(person, message, label))

    def crowd(self, number: int = 30) -> list[tuple[Person, Channel]]:
        """So many people who all ask at once, each in a channel of their own, and at length: a line forms."""
        asking = [(self.person(), self.channel()) for _ in range(number)]
        for person, channel in asking:
            self.server.say(person, channel, f"{self.me} {'tell me a very long story about the sea ' * 45}")
        return asking

    async def restarted(self) -> None:
        """Start the bot again, with the same database, and wait until Discord is ready for it."""
        connected = "Discord: connected as"
        times = sum(connected in line for line in self.bot.lines)
        await self.bot.start()
        await self.bot.says(connected, times=times + 1)

    async def settled(self) -> None:
        """Wait until all is dealt with that came before: a later question is answered, and nothing is under way."""
        bystander = self.person()
        await self.server.connected()  # what was missed is answered without a gateway; a command is lost without one
        await self.answer(self.server.command(bystander, self.server.dm(bystander), "help"))
        under_way = "SELECT id FROM jobs WHERE state IN ('accepted', 'running')"
        on_its_way = "SELECT id FROM deliveries WHERE state = 'pending'"
        await self.becomes(lambda: not self.bot.rows(f"{under_way} UNION ALL {on_its_way}"))

    def votes(self, person: Person) -> list[Any]:
        """The person's votes in order: value, source and complaint."""
        query = (
            "SELECT value, source, complaint FROM feedback JOIN people ON people.id = person_id "
            "WHERE platform_user_id = ? ORDER BY feedback.id"
        )
        return self.bot.rows(query, person.id)

    def asked(self, person: Person) -> list[Any]:
        """What is stored of what a person said: kind, text and whether it may be trained on."""
        query = (
            "SELECT kind, text, train_eligible FROM messages JOIN conversations ON conversations.id = conversation_id "
            "JOIN people ON people.id = person_id WHERE platform_user_id = ? AND role = 'user' ORDER BY messages.id"
        )
        return self.bot.rows(query, person.id)


@asynccontextmanager
async def served(server: DiscordServer, folder: Path, **settings: str) -> AsyncIterator[Scene]:
    """A bot that is connected to that Discord, until the block ends."""
    guild = server.guild("Club")
    async with BotProcess(folder, settings_for(server, folder, **settings)) as bot:
        await server.connected()
        yield Scene(server, bot, guild)
