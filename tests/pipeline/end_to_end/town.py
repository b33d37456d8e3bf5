"""People on a Discord and a Telegram whom one real bot serves, and the commands that make sets of what they say."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bot.platforms.catalogue import Texts
from tests.e2e.platforms import discord_fixtures, telegram_fixtures
from tests.e2e.platforms.bot_process import BotProcess
from tests.servers.discord import Channel, DiscordServer, Json
from tests.servers.discord import Person as DiscordPerson
from tests.servers.patience import PATIENCE_S
from tests.servers.telegram import Chat, TelegramServer
from tests.servers.telegram import Person as TelegramPerson

GOOD, BAD = discord_fixtures.GOOD, discord_fixtures.BAD
BETTER = Texts("en")("button-better")
NO_LIMITS = {
    "QUOTESMITH_LIMITS__REQUESTS_PER_MINUTE": "0",
    "QUOTESMITH_LIMITS__CHAT_REQUESTS_PER_MINUTE": "0",
    "QUOTESMITH_INFERENCE__MAX_WAITING": "1000",
}


class Reader(Protocol):
    """Somebody on a platform who asks the bot, and says by buttons and signs what they think of its answers."""

    @property
    def user_id(self) -> str:
        """The id by which the platform knows them."""
        ...

    async def consent(self) -> None:
        """Say `/consent on`."""
        ...

    async def forget_me(self) -> str:
        """Say `/forget me`; returns what the bot answers."""
        ...

    async def quote(self, keyword: str) -> Json:
        """Ask for a quote: the message that it stands in."""
        ...

    async def chat(self, text: str) -> Json:
        """Say something where the platform lets it be learned from, and get the reply."""
        ...

    async def press(self, post: Json, label: str) -> None:
        """Press a button, and wait until the bot says that it has taken it."""
        ...

    def react(self, post: Json, sign: str) -> None:
        """Put a sign under a message; nobody answers to that."""
        ...

    def unreact(self, post: Json, sign: str) -> None:
        """Take the sign back."""
        ...

    async def say_it_better(self, post: Json, text: str) -> None:
        """Call an answer bad, and write what they would rather have read."""
        ...


@dataclass(frozen=True, slots=True)
class OnDiscord:
    """In a channel of a server, by commands: their options are what may be learned from there."""

    scene: discord_fixtures.Scene
    person: DiscordPerson
    channel: Channel

    @property
    def user_id(self) -> str:
        return self.person.id

    async def consent(self) -> None:
        answer = await self.scene.command(self.person, self.channel, "consent on")
        assert answer["content"].startswith("Noted: ")

    async def forget_me(self) -> str:
        return str((await self.scene.command(self.person, self.channel, "forget me"))["content"])

    async def quote(self, keyword: str) -> Json:
        return await self.scene.command(self.person, self.channel, "quote", keyword=keyword)

    async def chat(self, text: str) -> Json:
        return await self.scene.command(self.person, self.channel, "chat", text=text)

    async def press(self, post: Json, label: str) -> None:
        await self.scene.press(self.person, post, label)

    def react(self, post: Json, sign: str) -> None:
        self.scene.server.react(self.person, post, sign)

    def unreact(self, post: Json, sign: str) -> None:
        self.scene.server.unreact(self.person, post, sign)

    async def say_it_better(self, post: Json, text: str) -> None:
        why = await self.scene.press(self.person, post, BAD)
        pressed = self.scene.server.press(self.person, why, BETTER)
        await self.scene.server.until(lambda: pressed.modal)
        form = {Texts("en")("better-label"): text}
        thanks = await self.scene.answer(self.scene.server.submit(self.person, pressed, **form))
        assert thanks["content"] == Texts("en")("corrected")


@dataclass(frozen=True, slots=True)
class OnTelegram:
    """In their private chat, or in a group."""

    scene: telegram_fixtures.Scene
    person: TelegramPerson
    place: Chat

    @property
    def user_id(self) -> str:
        return str(self.person.id)

    async def consent(self) -> None:
        private = self.scene.server.private(self.person)
        assert (await self.scene.answer(self.person, private, "/consent on"))["text"].startswith("Noted: ")

    async def forget_me(self) -> str:
        return str((await self.scene.answer(self.person, self.place, "/forget me"))["text"])

    async def quote(self, keyword: str) -> Json:
        return await self.scene.answer(self.person, self.place, f"/quote {keyword}")

    async def chat(self, text: str) -> Json:
        return await self.scene.answer(self.person, self.place, text)

    async def press(self, post: Json, label: str) -> None:
        await self.scene.pressed(self.person, post, label)

    def react(self, post: Json, sign: str) -> None:
        self.scene.server.react(self.person, post, sign)

    def unreact(self, post: Json, sign: str) -> None:
        self.scene.server.react(self.person, post)  # one sign at a time is all that people without a subscription have

    async def say_it_better(self, post: Json, text: str) -> None:
        said = len(self.scene.finished(self.place))
        await self.press(post, BAD)
        question = (await self.scene.said(self.place, said + 1))[-1]
        await self.press(question, BETTER)
        request = (await self.scene.said(self.place, said + 2))[-1]
        thanks = await self.scene.answer(self.person, self.place, text, reply_to=request["message_id"])
        assert thanks["text"] == Texts("en")("corrected")


@dataclass(frozen=True, slots=True)
class Town:
    """Both platforms, and the bot between them."""

    discord: discord_fixtures.Scene
    telegram: telegram_fixtures.Scene
    bot: BotProcess
    environment: Mapping[str, str]

    def on_discord(self, channel: Channel | None = None) -> OnDiscord:
        """Somebody new, in a channel of their own or in that one."""
        return OnDiscord(self.discord, self.discord.person(), channel or self.discord.channel())

    def on_telegram(self, group: Chat | None = None) -> OnTelegram:
        """Somebody new, in their private chat or in that group."""
        person, private = self.telegram.somebody()
        return OnTelegram(self.telegram, person, group or private)

    async def voted(self, reader: Reader, times: int) -> None:
        """Wait until so many verdicts of a person are on record: the bot answers to no sign."""
        query = (
            "SELECT count(*) >= ? FROM feedback JOIN people ON people.id = person_id "
            "WHERE platform_user_id = ? AND source IN ('button', 'reaction')"
        )
        await self.telegram.becomes(lambda rows: rows == [(1,)], query, times, reader.user_id)

    async def settled(self) -> None:
        """Wait until both platforms have dealt with all that came before."""
        await self.discord.settled()
        await self.telegram.settled()

    async def quotesmith(self, *arguments: str) -> Any:
        """What a command of the operator prints as JSON, while the bot runs."""
        return json.loads(await self._run("bot", *arguments, "--json"))

    async def curate(self, export: str, out: str, *settings: str) -> Sets:
        """What `quotesmith-pipeline curate` makes of an export."""
        chosen = [word for setting in settings for word in ("--set", f"curate.{setting}")]
        await self._run("model_pipeline.cli", "curate", export, "--out", out, *chosen)
        return Sets(self.bot.folder / out)

    async def _run(self, module: str, *arguments: str) -> str:
        """Standard output of a command. The servers answer the bot meanwhile."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments),
            cwd=self.bot.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, complaints = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert process.returncode == 0, printed.decode() + complaints.decode()
        return printed.decode()


@dataclass(frozen=True, slots=True)
class Sets:
    """A curated folder, read."""

    folder: Path

    def lines(self, name: str) -> list[Json]:
        """Of all splits of a set."""
        return [
            line
            for split in ("train", "validation", "test")
            for line in json_lines(self.folder / name / f"{split}.jsonl")
        ]


def json_lines(path: Path) -> list[Json]:
    """The lines of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


@asynccontextmanager
async def opened(folder: Path, **settings: str) -> AsyncIterator[Town]:
    """A bot that is connected to both platforms, until the block ends."""
    async with DiscordServer() as discord, TelegramServer() as telegram:
        environment = discord_fixtures.settings_for(discord, folder, **NO_LIMITS, **settings)
        environment |= telegram_fixtures.settings_for(telegram, folder)
        guild = discord.guild("Club")
        async with BotProcess(folder, environment) as bot:
            await discord.connected()
            await bot.says(telegram_fixtures.CONNECTED)
            scenes = discord_fixtures.Scene(discord, bot, guild), telegram_fixtures.Scene(telegram, bot)
            yield Town(*scenes, bot, environment)
