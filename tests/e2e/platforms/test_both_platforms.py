"""Discord and Telegram served by one process: side by side, under a flood, and when one of them is away."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.platforms.bot_process import BotProcess
from tests.e2e.platforms.naughty_strings import naughty_strings
from tests.servers.discord import DiscordServer
from tests.servers.telegram import Fault, TelegramServer

PATIENCE_S = 240.0
REFUSALS = (
    "The model found no fitting words",
    "You already wait",
    "This chat already waits",
    "The bot is busy",
    "That was more than",
    "This chat made",
)


@dataclass(slots=True)
class World:
    """Both platforms, and the bot between them."""

    discord: DiscordServer
    telegram: TelegramServer
    bot: BotProcess


@asynccontextmanager
async def world(folder: Path, environment: Mapping[str, str], **more: str) -> AsyncIterator[World]:
    async with DiscordServer() as discord, TelegramServer() as telegram:
        settings = {
            "DISCORD_TOKEN": discord.token,
            "TELEGRAM_TOKEN": telegram.token,
            "QUOTESMITH_DISCORD__API_BASE": discord.api_base,
            "QUOTESMITH_DISCORD__GATEWAY_URL": discord.gateway_url,
            "QUOTESMITH_TELEGRAM__BASE_URL": telegram.base_url,
        }
        async with BotProcess(folder, {**environment, **settings, **more}) as bot:
            yield World(discord, telegram, bot)


def finished(message: Mapping[str, Any]) -> bool:
    """The message carries the buttons of a finished reply."""
    shown = str(message.get("reply_markup") or message.get("components") or "")
    return "good:" in shown


def refused(message: Mapping[str, Any]) -> bool:
    return str(message.get("text") or message.get("content")).startswith(REFUSALS)


async def test_one_process_answers_on_both_and_mixes_nothing_up(tmp_path: Path, environment: dict[str, str]) -> None:
    async with world(tmp_path, environment) as w:
        await w.bot.says("Discord: connected")
        await w.bot.says("Telegram: connected")
        ada, bob = w.discord.person("ada"), w.telegram.person(7)
        lobby, private = w.discord.channel(w.discord.guild("Club"), "lobby"), w.telegram.private(bob)
        w.discord.say(ada, lobby, f"<@{w.discord.bot_id}> hello")
        w.telegram.say(bob, private, "hello")
        await w.discord.until(lambda: any(map(finished, w.discord.from_bot(lobby))))
        await w.telegram.until(lambda: any(map(finished, w.telegram.from_bot(private))))
        keys = w.bot.rows("select platform, chat_id, count(*) from conversations group by 1, 2")
        assert sorted(keys) == [("discord", lobby.id, 1), ("telegram", "7", 1)]


async def test_an_outage_of_one_platform_leaves_the_other_unaffected(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    async with world(tmp_path, environment) as w:
        await w.bot.says("Discord: connected")
        await w.bot.says("Telegram: connected")
        w.telegram.down()
        await w.bot.says("Telegram cannot be reached")
        ada, lobby = w.discord.person("ada"), w.discord.channel(w.discord.guild("Club"), "lobby")
        w.discord.say(ada, lobby, f"<@{w.discord.bot_id}> hello")
        await w.discord.until(lambda: any(map(finished, w.discord.from_bot(lobby))))
        w.telegram.up()
        await w.bot.says("Telegram: connected", times=2)
        bob = w.telegram.person(7)
        w.telegram.say(bob, w.telegram.private(bob), "hello")
        await w.telegram.until(lambda: any(map(finished, w.telegram.from_bot(w.telegram.private(bob)))))
        assert "Traceback" not in w.bot.output


async def test_a_wrong_token_of_one_platform_leaves_the_other_unaffected(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    async with world(tmp_path, environment, DISCORD_TOKEN="MTA.Gwrong." + "y" * 30) as w:
        await w.bot.says("Discord does not accept the token")
        await w.bot.says("Telegram: connected")
        bob = w.telegram.person(7)
        w.telegram.say(bob, w.telegram.private(bob), "/quote courage")
        await w.telegram.until(lambda: any(map(finished, w.telegram.from_bot(w.telegram.private(bob)))))
        assert "Gwrong" not in w.bot.output


async def test_a_flood_of_200_messages_from_20_people_gets_200_answers(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Each message is answered or refused, once, and nobody is forgotten."""
    async with world(tmp_path, environment, QUOTESMITH_CHAT__REPLY_MAX_TOKENS="24") as w:
        await w.bot.says("Discord: connected")
        await w.bot.says("Telegram: connected")
        lobby, group = w.discord.channel(w.discord.guild("Club"), "lobby"), w.telegram.group(-100, "Lobby")
        on_discord = [w.discord.person(f"person{number}") for number in range(10)]
        on_telegram = [w.telegram.person(100 + number, f"Person{number}") for number in range(10)]
        for number in range(10):
            for one, other in zip(on_discord, on_telegram, strict=True):
                w.discord.say(one, lobby, f"<@{w.discord.bot_id}> message {number}")
                w.telegram.say(other, group, f"@{w.telegram.username} message {number}")

        def ended(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [message for message in messages if finished(message) or refused(message)]

        await w.discord.until(lambda: len(ended(w.discord.from_bot(lobby))) >= 100, PATIENCE_S)
        await w.telegram.until(lambda: len(ended(w.telegram.from_bot(group))) >= 100, PATIENCE_S)
        on_record = dict(w.bot.rows("select state, count(*) from jobs group by state"))
        assert set(on_record) <= {"done", "failed"} and on_record["done"] > 50
        answered = Counter(str(m["message_reference"]["message_id"]) for m in ended(w.discord.from_bot(lobby)))
        replied = Counter(str(m["reply_to_message"]["message_id"]) for m in ended(w.telegram.from_bot(group)))
        assert len(answered) == len(replied) == 100 and set(answered.values()) == set(replied.values()) == {1}
        each = dict(
            w.bot.rows(
                "select person_id, count(*) from conversations c join jobs j on j.conversation_id=c.id group by 1"
            )
        )
        assert len(each) == 20 and min(each.values()) >= 1


async def test_500_naughty_strings_get_one_answer_each(tmp_path: Path, environment: dict[str, str]) -> None:
    unlimited = {
        "QUOTESMITH_LIMITS__REQUESTS_PER_MINUTE": "0",
        "QUOTESMITH_LIMITS__CHAT_REQUESTS_PER_MINUTE": "0",
        "QUOTESMITH_LIMITS__WAITING_PER_PERSON": "1000",
        "QUOTESMITH_LIMITS__WAITING_PER_CHAT": "1000",
        "QUOTESMITH_INFERENCE__MAX_WAITING": "1000",
        "QUOTESMITH_INFERENCE__MAX_WAITING_PER_PERSON": "1000",
        "QUOTESMITH_CHAT__REPLY_MAX_TOKENS": "8",
    }
    strings = naughty_strings()
    assert len(strings) == len(set(strings)) == 500
    async with world(tmp_path, environment, **unlimited) as w:
        await w.bot.says("Telegram: connected")
        people = [w.telegram.person(1_000 + number) for number in range(10)]
        for number, text in enumerate(strings):
            person = people[number % len(people)]
            chat = w.telegram.private(person)
            w.telegram.say(person, chat, text if number % 2 else f"/quote {text}", entities=[])

        def answered() -> int:
            every = [m for person in people for m in w.telegram.from_bot(w.telegram.private(person))]
            return sum(m["text"] != "…" and "stop:" not in str(m.get("reply_markup")) for m in every)

        await w.telegram.until(lambda: answered() >= 500, PATIENCE_S)
        assert answered() == 500
        assert "Traceback" not in w.bot.output and not re.search(r"\bERROR\b", w.bot.output)
        w.telegram.fail_next("getUpdates", Fault.status(502, "Bad Gateway"))
        w.telegram.say(people[0], w.telegram.private(people[0]), "/help")
        await w.telegram.until(lambda: answered() == 501)
