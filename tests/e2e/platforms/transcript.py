"""Prints what people and the operator see on Discord and Telegram: the real bot, on both platforms on loopback.

.venv/bin/python -m tests.e2e.platforms.transcript
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.e2e.platforms.bot_process import BotProcess
from tests.servers.discord import Channel, DiscordServer, Person
from tests.servers.telegram import Chat, TelegramServer

WIDTH = 96


async def main() -> None:
    """Let a few people talk to the bot, and print it."""
    with tempfile.TemporaryDirectory() as folder:
        async with DiscordServer() as discord, TelegramServer() as telegram:
            (Path(folder) / "config.toml").write_text("")
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": folder,
                "DISCORD_TOKEN": discord.token,
                "TELEGRAM_TOKEN": telegram.token,
                "QUOTESMITH_DISCORD__API_BASE": discord.api_base,
                "QUOTESMITH_DISCORD__GATEWAY_URL": discord.gateway_url,
                "QUOTESMITH_TELEGRAM__BASE_URL": telegram.base_url,
            }
            async with BotProcess(Path(folder), environment) as bot:
                await bot.says("Discord: connected")
                await bot.says("Telegram: connected")
                on_discord = await talk_on_discord(discord)
                on_telegram = await talk_on_telegram(telegram)
                await bot.stop()
            show("Discord, #general", on_discord)
            show("Telegram, in private", on_telegram)
            show("The operator's terminal", bot.lines)


async def talk_on_discord(server: DiscordServer) -> list[str]:
    """A quote, a vote with its reason, and a mention."""
    ada = server.person("Ada")
    channel = server.channel(server.guild("Club"), "general")
    lines = ["Ada uses /quote keyword:courage"]
    asked = server.command(ada, channel, "quote", keyword="courage")
    await server.until(lambda: finished(server.shown(asked)))
    quote = server.shown(asked) or {}
    lines += said(quote, "content")
    lines.append("Ada presses 👎 bad")
    pressed = server.press(ada, quote, "👎 bad")
    await server.until(lambda: server.shown(pressed))
    lines += said(server.shown(pressed) or {}, "content", "(only Ada sees this) ")
    return lines + await mention(server, ada, channel)


async def mention(server: DiscordServer, ada: Person, channel: Channel) -> list[str]:
    """A conversation in the channel."""
    server.say(ada, channel, f"<@{server.bot_id}> Good morning! How are you?")
    await server.until(lambda: finished(server.from_bot(channel)[-1]) and len(server.from_bot(channel)) == 2)
    return ["Ada: @Quotesmith Good morning! How are you?", *said(server.from_bot(channel)[-1], "content")]


async def talk_on_telegram(server: TelegramServer) -> list[str]:
    """Commands and a chat."""
    bob = server.person(7, "Bob")
    chat = server.private(bob)
    lines: list[str] = []
    for text in ("/quote courage", "What should I cook today?", "/consent on", "/mydata show"):
        lines += [f"Bob: {text}", *await exchange(server, bob, chat, text)]
    return lines


async def exchange(server: TelegramServer, bob: Any, chat: Chat, text: str) -> list[str]:
    """Say something in private, and wait for what comes back."""
    before = len(server.from_bot(chat))
    server.say(bob, chat, text)

    def answered() -> bool:
        new = server.from_bot(chat)[before:]
        return bool(new) and new[-1]["text"] != "…" and "stop:" not in str(new[-1])

    await server.until(answered)
    return said(server.from_bot(chat)[-1], "text")


def finished(message: Mapping[str, Any] | None) -> bool:
    """The message carries the buttons of a finished reply."""
    return message is not None and "good:" in str(message)


def said(message: Mapping[str, Any], text: str, before: str = "") -> list[str]:
    """The message and the buttons under it."""
    rows = message.get("components") or message.get("reply_markup", {}).get("inline_keyboard") or []
    buttons = [button for row in rows for button in (row["components"] if isinstance(row, dict) else row)]
    labels = "  ".join(f"[ {button.get('label') or button.get('text')} ]" for button in buttons)
    return [f"Quotesmith: {before}{message[text]}", *([f"            {labels}"] if labels else [])]


def show(title: str, lines: Iterable[str]) -> None:
    """Print a part of the transcript."""
    print(f"--- {title} {'-' * (WIDTH - len(title) - 5)}")
    print("\n".join(lines))


if __name__ == "__main__":
    asyncio.run(main())
