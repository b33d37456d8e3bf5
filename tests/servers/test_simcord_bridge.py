"""The bridge to simcord, proved by an unmodified discord.py client in a process of its own; it knows no Quotesmith."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import discord
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.servers.simcord_bridge import HOST, SimcordBridge

ROOT = Path(__file__).parents[2]

# -- the bot, which this module is when it runs by itself -------------------------------------------------------------


class Count(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=r"count:(?P<number>\d+)"):
    """A button that works after a restart: its number is in its custom_id."""

    def __init__(self, number: int) -> None:
        super().__init__(discord.ui.Button(label=f"Pressed {number}", custom_id=f"count:{number}"))
        self.number = number

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction,
        item: discord.ui.Item[discord.ui.View],
        match: re.Match[str],
    ) -> Self:
        return cls(int(match["number"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.edit_message(view=view_of(self.number + 1))


class Ask(discord.ui.Button[discord.ui.View]):
    """A button that shows a modal."""

    def __init__(self) -> None:
        super().__init__(label="Ask", custom_id="ask")

    async def callback(self, interaction: discord.Interaction) -> None:
        assert interaction.message is not None
        await interaction.response.send_modal(Question())
        # The library knows the modal only when the answer to its request is read: what is submitted before is dropped.
        await interaction.message.edit(content="asked")


class Question(discord.ui.Modal, title="A question"):
    """Asks one thing, and repeats the answer to who gave it."""

    answer: discord.ui.TextInput[Self] = discord.ui.TextInput(label="Answer", custom_id="answer")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"You said {self.answer.value}", ephemeral=True)


def view_of(number: int) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    view.add_item(Count(number))
    view.add_item(Ask())
    return view


class Bot(discord.Client):
    """Answers a mention and a direct message, has one slash command, and tells of the reactions to its messages."""

    def __init__(self) -> None:
        intents = discord.Intents.default()
        intents.members = True
        super().__init__(intents=intents)
        self.tree = app_commands.CommandTree(self)
        self.tree.command(name="quote", description="Say it later")(quote)

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Count)
        self.add_view(view_of(0))
        await self.tree.sync()

    async def on_message(self, message: discord.Message) -> None:
        assert self.user is not None
        if message.author != self.user and (message.guild is None or self.user in message.mentions):
            if "file" in message.content:
                await message.reply("here", file=discord.File(ROOT / "LICENSE", description="the licence"))
            else:
                await message.reply(f"{message.author.display_name}: {message.content}", view=view_of(0))

    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        await self.tell(payload, "+")

    async def on_raw_reaction_remove(self, payload: discord.RawReactionActionEvent) -> None:
        await self.tell(payload, "-")

    async def tell(self, payload: discord.RawReactionActionEvent, sign: str) -> None:
        assert self.user is not None
        if payload.user_id != self.user.id:
            message = self.get_partial_messageable(payload.channel_id).get_partial_message(payload.message_id)
            await message.edit(content=f"{sign}{payload.emoji.name}")


@app_commands.describe(text="What to say")
async def quote(interaction: discord.Interaction, text: str, quiet: bool = False) -> None:
    await interaction.response.defer(ephemeral=quiet, thinking=True)
    await interaction.edit_original_response(content="Wait")
    await interaction.edit_original_response(content=text, view=view_of(0))
    await interaction.followup.send("and more", ephemeral=quiet)


def main(api_base: str, gateway_url: str, token: str) -> None:
    Route.BASE = api_base
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)
    Bot().run(token)


# -- the tests --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def running_bot(bridge: SimcordBridge, token: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    """The bot in a process, connected and with its commands registered, until the end of the block."""
    command = ["-m", __name__, bridge.api_base, bridge.gateway_url, token or bridge.token]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await bridge.until(lambda: not bridge.connected)


@pytest.fixture
async def bridge() -> AsyncIterator[SimcordBridge]:
    async with SimcordBridge() as bridge:
        yield bridge


@pytest.fixture
async def bot(bridge: SimcordBridge) -> AsyncIterator[None]:
    async with running_bot(bridge):
        await bridge.until(lambda: bridge.connected and bridge.commands)
        yield


async def test_a_mention_in_a_guild_and_a_direct_message_are_answered(bridge: SimcordBridge, bot: None) -> None:
    guild = bridge.create_guild()
    channel = bridge.create_channel(guild)
    anna = bridge.create_member(guild, "anna")
    said = await bridge.say(anna, f"{bridge.mention} hello", channel)
    answer = await bridge.until(lambda: bridge.bot_messages(channel))
    assert answer[0].content == f"anna: {bridge.mention} hello"
    reference = answer[0].message.reference
    assert reference is not None and reference.message_id == said.id
    boris = bridge.create_user("boris")
    await bridge.say(boris, "only us")
    answer = await bridge.until(lambda: bridge.bot_messages(boris))
    assert answer[0].content == "boris: only us"


async def test_a_deferred_slash_command_is_edited_and_followed_up(bridge: SimcordBridge, bot: None) -> None:
    guild = bridge.create_guild()
    channel = bridge.create_channel(guild)
    anna = bridge.create_member(guild, "anna")
    result = await bridge.slash(anna, "quote", channel, text="stars", quiet=True)
    followups = await bridge.until(lambda: result.followups)
    assert result.ephemeral and result.response is not None
    assert (result.response.content, followups[0].content) == ("stars", "and more")
    assert bridge.bot_messages(channel) == []
    assert [seen.content for seen in bridge.bot_messages(channel, viewer=anna)] == ["stars", "and more"]


async def test_a_slash_command_in_direct_messages(bridge: SimcordBridge, bot: None) -> None:
    boris = bridge.create_user("boris")
    result = await bridge.slash(boris, "quote", text="moon")
    await bridge.until(lambda: result.followups)
    assert [seen.content for seen in bridge.bot_messages(boris)] == ["moon", "and more"]


async def test_a_persistent_button_works_after_a_restart(bridge: SimcordBridge) -> None:
    boris = bridge.create_user("boris")
    async with running_bot(bridge):
        await bridge.until(lambda: bridge.connected and bridge.commands)
        await bridge.say(boris, "hello")
        message = (await bridge.until(lambda: bridge.bot_messages(boris)))[0]
    async with running_bot(bridge):
        await bridge.until(lambda: bridge.connected)
        pressed = await bridge.press(boris, message, "Pressed 0")
        await bridge.until(lambda: pressed.acknowledged)
        await bridge.press(boris, message, custom_id="count:1")
        await bridge.until(lambda: "Pressed 2" in str(message.components))


async def test_a_modal_is_shown_and_submitted(bridge: SimcordBridge, bot: None) -> None:
    guild = bridge.create_guild()
    channel = bridge.create_channel(guild)
    anna = bridge.create_member(guild, "anna")
    await bridge.say(anna, bridge.mention, channel)
    message = (await bridge.until(lambda: bridge.bot_messages(channel)))[0]
    pressed = await bridge.press(anna, message, "Ask")
    await bridge.until(lambda: message.content == "asked")
    assert pressed.modal
    submitted = await bridge.submit_modal(anna, pressed, {"answer": "nothing"})
    response = await bridge.until(lambda: submitted.response)
    assert (response.content, response.ephemeral) == ("You said nothing", True)


async def test_raw_reactions_come_and_go(bridge: SimcordBridge, bot: None) -> None:
    guild = bridge.create_guild()
    channel = bridge.create_channel(guild)
    anna = bridge.create_member(guild, "anna")
    await bridge.say(anna, bridge.mention, channel)
    message = (await bridge.until(lambda: bridge.bot_messages(channel)))[0]
    await bridge.react(anna, message, "👍")
    await bridge.until(lambda: message.content == "+👍")
    await bridge.unreact(anna, message, "👍")
    await bridge.until(lambda: message.content == "-👍")


async def test_a_file_arrives_with_its_description(bridge: SimcordBridge, bot: None) -> None:
    boris = bridge.create_user("boris")
    await bridge.say(boris, "a file please")
    message = (await bridge.until(lambda: bridge.bot_messages(boris)))[0]
    [attachment] = message.attachments
    assert (attachment.filename, attachment.description) == ("LICENSE", "the licence")
    assert bridge.env.backend.cdn.get(attachment.url) == (ROOT / "LICENSE").read_bytes()


async def test_a_reply_to_the_bot_reaches_it_as_a_mention(bridge: SimcordBridge, bot: None) -> None:
    guild = bridge.create_guild()
    channel = bridge.create_channel(guild)
    anna = bridge.create_member(guild, "anna")
    await bridge.say(anna, bridge.mention, channel)
    message = (await bridge.until(lambda: bridge.bot_messages(channel)))[0]
    await bridge.say(anna, "and now?", channel, reply_to=message)
    await bridge.until(lambda: bridge.bot_messages(channel)[-1].content == "anna: and now?")
    boris = bridge.create_user("boris")
    said = await bridge.say(boris, "first")
    reply = await bridge.say(boris, "second", reply_to=said)
    assert reply.message.reference is not None and reply.message.reference.message_id == said.id


async def test_a_bot_whose_connection_was_lost_comes_back(bridge: SimcordBridge, bot: None) -> None:
    boris = bridge.create_user("boris")
    await bridge.drop_connection()
    await bridge.until(lambda: not bridge.connected)
    await bridge.until(lambda: bridge.connected)
    await bridge.say(boris, "back?")
    await bridge.until(lambda: bridge.bot_messages(boris))


async def test_a_wrong_token_is_refused(bridge: SimcordBridge) -> None:
    async with running_bot(bridge, "wrong") as process:
        assert await asyncio.wait_for(process.wait(), 30) != 0
    assert not bridge.connected


async def test_what_is_not_seen_is_told_with_the_transcript(bridge: SimcordBridge) -> None:
    await bridge.say(bridge.create_user("boris"), "is anybody there?")
    with pytest.raises(AssertionError, match=r"(?s)not seen within 0.01 s.*is anybody there"):
        await bridge.until(lambda: bridge.connected, timeout_s=0.01)


async def test_a_request_that_simcord_does_not_know_fails_the_waiting() -> None:
    with pytest.raises(AssertionError, match="'GET /nowhere'"):
        async with SimcordBridge() as bridge:
            reader, writer = await asyncio.open_connection(HOST, yarl.URL(bridge.api_base).port)
            request = f"GET /api/v10/nowhere HTTP/1.0\r\nAuthorization: Bot {bridge.token}\r\n\r\n"
            writer.write(request.encode())
            assert b" 501 " in await reader.readline()
            writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
