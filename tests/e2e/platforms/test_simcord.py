"""The bot on a second, independent Discord, which was not written with it in mind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from simcord import InteractionResult, ResponseMessage

from tests.e2e.platforms.bot_process import BotProcess
from tests.servers.simcord_bridge import SimcordBridge

VOTES = "SELECT source, value FROM feedback ORDER BY id"


@asynccontextmanager
async def served(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[tuple[SimcordBridge, BotProcess]]:
    async with SimcordBridge() as bridge:
        settings = {
            "DISCORD_TOKEN": bridge.token,
            "QUOTESMITH_DISCORD__API_BASE": bridge.api_base,
            "QUOTESMITH_DISCORD__GATEWAY_URL": bridge.gateway_url,
        }
        async with BotProcess(folder, {**environment, **settings}) as bot:
            await bridge.until(lambda: bridge.connected and bridge.commands)
            yield bridge, bot


def finished(message: ResponseMessage | None) -> bool:
    """The message carries the buttons of a finished reply."""
    return message is not None and "good:" in str(message.components)


def replies(messages: list[ResponseMessage]) -> list[ResponseMessage]:
    return [message for message in messages if finished(message)]


def _said(result: InteractionResult) -> str:
    shown = result.response
    return shown.content if shown is not None else ""


def answer(result: InteractionResult) -> ResponseMessage | None:
    return result.response


async def test_a_member_is_answered_everywhere_and_votes(tmp_path: Path, environment: dict[str, str]) -> None:
    async with served(tmp_path, environment) as (bridge, bot):
        guild = bridge.create_guild("Club")
        channel = bridge.create_channel(guild, "general")
        ada = bridge.create_member(guild, "ada")

        quote = await bridge.slash(ada, "quote", channel, keyword="courage")
        await bridge.until(lambda: finished(answer(quote)))
        await bridge.say(ada, f"{bridge.mention} good morning", channel)
        await bridge.until(lambda: len(replies(bridge.bot_messages(channel))) == 2)
        await bridge.say(ada, "good evening")
        await bridge.until(lambda: len(replies(bridge.bot_messages(ada))) == 1)

        shown = replies(bridge.bot_messages(channel))[0]
        bad = await bridge.press(ada, shown, "👎 bad")
        await bridge.until(lambda: answer(bad))
        question = answer(bad)
        assert question is not None
        form = await bridge.press(ada, question, "✏️ say it better")
        await bridge.until(lambda: form.modal)
        sent = await bridge.submit_modal(ada, form, {"text": "Courage is a small lamp."})
        await bridge.until(lambda: answer(sent))
        await bridge.react(ada, replies(bridge.bot_messages(channel))[1], "👍")
        await bot.stores(VOTES, [("button", -1), ("reaction", 1)])
        await bridge.unreact(ada, replies(bridge.bot_messages(channel))[1], "👍")
        await bot.stores(VOTES, [("button", -1), ("reaction", 1), ("reaction", 0)])
        assert len(bot.rows("SELECT 1 FROM corrections")) == 1
        assert await bot.stop() == 143


async def test_every_command_is_answered_for_its_person_alone(tmp_path: Path, environment: dict[str, str]) -> None:
    async with served(tmp_path, environment) as (bridge, _):
        guild = bridge.create_guild("Club")
        channel, ada = bridge.create_channel(guild, "general"), bridge.create_member(guild, "ada")
        for command in ("help", "privacy", "new", "consent on", "mydata show", "mydata export", "forget me", "stats"):
            result = await bridge.slash(ada, command, channel)
            await bridge.until(partial(_said, result))
            shown = answer(result)
            assert shown is not None and shown.ephemeral, command
        assert bridge.bot_messages(channel) == []


async def test_a_killed_bot_goes_on_and_its_old_buttons_work(tmp_path: Path, environment: dict[str, str]) -> None:
    async with served(tmp_path, environment) as (bridge, bot):
        guild = bridge.create_guild("Club")
        channel, ada = bridge.create_channel(guild, "general"), bridge.create_member(guild, "ada")
        await bridge.say(ada, f"{bridge.mention} good morning", channel)
        await bridge.until(lambda: len(replies(bridge.bot_messages(channel))) == 1)
        await bot.stores("SELECT state FROM deliveries", [("sent",)])  # simcord knows no nonce, which would do as well
        await bot.kill()
        await bridge.until(lambda: not bridge.connected)
        await bot.start()
        await bridge.until(lambda: bridge.connected)
        await bridge.press(ada, replies(bridge.bot_messages(channel))[0], "🔁 another")
        await bridge.until(lambda: len(replies(bridge.bot_messages(channel))) == 2)
        texts = [message.content for message in bridge.bot_messages(channel)]
        assert len(texts) == 2 and len(set(texts)) == 2
