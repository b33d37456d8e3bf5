"""The Discord on loopback against the real client library; it knows nothing of the bot."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands

from tests.servers.discord import EPHEMERAL, LOADING, Channel, DiscordServer, Fault, Interaction, Person


class Rename(discord.ui.Modal, title="Rename"):
    """A modal with a text in a label."""

    name: discord.ui.Label[Rename] = discord.ui.Label(text="New name", component=discord.ui.TextInput(max_length=20))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        assert isinstance(self.name.component, discord.ui.TextInput)
        await interaction.response.send_message(f"renamed to {self.name.component.value}")


class Buttons(discord.ui.View):
    """One button for every kind of answer."""

    @discord.ui.button(label="Update", custom_id="update")
    async def update(self, interaction: discord.Interaction, button: discord.ui.Button[Buttons]) -> None:
        await interaction.response.edit_message(content="updated", view=None)

    @discord.ui.button(label="Quiet", custom_id="quiet")
    async def quiet(self, interaction: discord.Interaction, button: discord.ui.Button[Buttons]) -> None:
        await interaction.response.defer()
        await interaction.followup.send("after the quiet", ephemeral=True)

    @discord.ui.button(label="Think", custom_id="think")
    async def think(self, interaction: discord.Interaction, button: discord.ui.Button[Buttons]) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        await interaction.edit_original_response(content="thought")

    @discord.ui.button(label="Rename", custom_id="rename")
    async def rename(self, interaction: discord.Interaction[Bot], button: discord.ui.Button[Buttons]) -> None:
        await interaction.response.send_modal(Rename())
        # The library knows the modal only when the answer to its request is read: what is submitted before is dropped.
        interaction.client.note("asked", interaction)


class Bot(discord.Client):
    """A bot that uses what the server has, and keeps what it saw."""

    def __init__(self, intents: discord.Intents | None = None, **options: Any) -> None:
        super().__init__(intents=intents or discord.Intents.default(), **options)
        self.tree = app_commands.CommandTree(self)
        self.seen: list[tuple[str, Any]] = []
        self._news = asyncio.Event()
        _add_commands(self.tree)

    def note(self, kind: str, what: Any) -> None:
        """Keep what was seen."""
        self.seen.append((kind, what))
        self._news.set()

    async def saw(self, kind: str, count: int = 1) -> list[Any]:
        """Wait until so many events of a kind were seen, and return them."""
        async with asyncio.timeout(10):
            while len(found := [what for each, what in self.seen if each == kind]) < count:
                self._news.clear()
                await self._news.wait()
        return found

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Without the five seconds before a second IDENTIFY."""

    async def on_message(self, message: discord.Message) -> None:
        self.note("message", message)
        if self.user in message.mentions:
            await message.reply(f"echo {message.content} {message.created_at:%Y}")

    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        self.note("reaction", payload)

    async def on_error(self, event: str, *arguments: Any, **options: Any) -> None:
        logging.exception("in %s", event)
        self.note("error", event)


def _add_commands(tree: app_commands.CommandTree[Bot]) -> None:
    group = app_commands.Group(name="mydata", description="Your data")

    @group.command(description="Show it")
    async def show(interaction: discord.Interaction, times: app_commands.Range[int, 1, 3], who: discord.User) -> None:
        await interaction.response.send_message(f"{who.display_name} " * times, ephemeral=True)

    @tree.command(description="Think first")
    async def think(interaction: discord.Interaction, secret: bool = False) -> None:
        await interaction.response.defer(ephemeral=secret)
        await interaction.followup.send("the first")
        await interaction.followup.send("the second")

    @tree.command(description="Say a word")
    async def word(interaction: discord.Interaction, text: str) -> None:
        answered = await interaction.response.send_message(text, view=Buttons())
        assert answered.message_id

    @word.autocomplete("text")
    async def words(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=current * 2, value=current * 3)]

    @tree.command(description="A file")
    async def attach(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("see", file=discord.File(io.BytesIO(b"content"), "note.txt"))

    @tree.context_menu(name="Quote this")
    async def quote(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"> {message.content}")

    tree.add_command(group)


@dataclass(slots=True)
class Scene:
    """A server with a person in a channel, and a bot that is connected to it."""

    server: DiscordServer
    person: Person
    channel: Channel
    bot: Bot
    running: asyncio.Task[None]

    async def answered(self, interaction: Interaction) -> dict[str, Any]:
        await self.server.until(lambda: interaction.acknowledged, 10)
        shown = self.server.shown(interaction)
        assert shown
        return shown

    def place(self, channel: Channel) -> discord.TextChannel:
        found = self.bot.get_channel(int(channel.id))
        assert isinstance(found, discord.TextChannel)
        return found

    @property
    def errors(self) -> list[Any]:
        return [each for each in self.bot.seen if each[0] == "error"]


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        monkeypatch.setattr(discord.http.Route, "BASE", server.api_base)
        monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
        yield server


@pytest.fixture
async def scene(server: DiscordServer) -> AsyncIterator[Scene]:
    channel = server.channel(server.guild("Guild"), "general")
    bot = Bot(guild_ready_timeout=0.1)
    running = asyncio.create_task(bot.start(server.token))
    try:
        await server.connected(10)
        await asyncio.wait_for(bot.wait_until_ready(), 10)
        yield Scene(server, server.person("Ada"), channel, bot, running)
    finally:
        await bot.close()
        await asyncio.wait([running], timeout=10)


async def test_a_mention_is_answered_and_other_talk_is_hidden(scene: Scene) -> None:
    server, bot_mention = scene.server, f"<@{scene.server.bot_id}>"
    server.say(scene.person, scene.channel, "not for the bot")
    asked = server.say(scene.person, scene.channel, f"hello {bot_mention}", attachments=[("a.txt", b"text")])
    [reply] = await server.until(lambda: server.from_bot(scene.channel), 10)
    year = datetime.now(UTC).year
    assert reply["content"] == f"echo hello {bot_mention} {year}"
    assert reply["message_reference"]["message_id"] == asked["id"]
    assert {user["id"] for user in reply["mentions"]} == {scene.person.id, server.bot_id}
    hidden, meant, _ = await scene.bot.saw("message", 3)
    assert hidden.content == "" and hidden.author.display_name == "Ada"
    assert await meant.attachments[0].read() == b"text"


async def test_a_reply_mentions_and_a_direct_message_is_whole(scene: Scene) -> None:
    server = scene.server
    first = await scene.place(scene.channel).send("first")
    [sent] = server.from_bot(scene.channel)
    assert sent["id"] == str(first.id)
    server.say(scene.person, scene.channel, "and you?", reply_to=sent)
    await server.until(lambda: len(server.from_bot(scene.channel)) == 2, 10)
    server.say(scene.person, server.dm(scene.person), "in private")
    assert (await scene.bot.saw("message", 4))[-1].content == "in private"


async def test_subcommands_take_typed_options(scene: Scene) -> None:
    interaction = scene.server.command(scene.person, scene.channel, "mydata show", times=2, who=scene.person)
    shown = await scene.answered(interaction)
    assert shown["content"] == "Ada Ada" and interaction.ephemeral
    assert scene.server.ephemeral(scene.person) == [shown]
    assert scene.server.messages(scene.channel) == []
    with pytest.raises(AssertionError, match="a client refuses 4"):
        scene.server.command(scene.person, scene.channel, "mydata show", times=4, who=scene.person)


@pytest.mark.parametrize("secret", [False, True])
async def test_the_first_follow_up_fills_a_deferred_answer(scene: Scene, secret: bool) -> None:
    interaction = scene.server.command(scene.person, scene.channel, "think", secret=secret)
    await scene.server.until(lambda: interaction.followups, 10)
    shown = scene.server.shown(interaction)
    assert shown and shown["content"] == "the first" and shown["flags"] == (EPHEMERAL if secret else 0)
    assert not shown["flags"] & LOADING and shown["edited_timestamp"] is None
    assert [message["content"] for message in interaction.followups] == ["the second"]


async def test_commands_work_in_threads_and_direct_channels(scene: Scene) -> None:
    server = scene.server
    for place in (server.thread(scene.channel, "a thread"), server.dm(scene.person)):
        interaction = server.command(scene.person, place, "word", text="here")
        assert (await scene.answered(interaction))["content"] == "here"
        assert [message["content"] for message in server.from_bot(place)] == ["here"]


async def test_autocomplete_gives_choices(scene: Scene) -> None:
    interaction = scene.server.autocomplete(scene.person, scene.channel, "word", "text", "ab")
    assert await scene.server.until(lambda: interaction.choices, 10) == [{"name": "abab", "value": "ababab"}]


async def test_a_menu_reads_a_message_that_is_hidden_otherwise(scene: Scene) -> None:
    said = scene.server.say(scene.person, scene.channel, "worth a quote")
    interaction = scene.server.menu(scene.person, scene.channel, "Quote this", said)
    assert (await scene.answered(interaction))["content"] == "> worth a quote"


async def test_files_are_kept(scene: Scene) -> None:
    shown = await scene.answered(scene.server.command(scene.person, scene.channel, "attach"))
    [attachment] = shown["attachments"]
    assert attachment["filename"] == "note.txt" and scene.server.files[attachment["id"]] == b"content"


async def test_buttons_and_modals(scene: Scene) -> None:
    server = scene.server
    message = await scene.answered(server.command(scene.person, scene.channel, "word", text="buttons"))
    opened = server.press(scene.person, message, "Rename")
    await scene.bot.saw("asked")
    assert opened.modal
    named = await scene.answered(server.submit(scene.person, opened, **{"New name": "Bea"}))
    assert named["content"] == "renamed to Bea"
    thinking = server.press(scene.person, message, "think")
    await server.until(lambda: [m["content"] for m in server.ephemeral(scene.person)] == ["thought"], 10)
    assert thinking.ephemeral
    quiet = server.press(scene.person, message, "quiet")
    await server.until(lambda: quiet.followups, 10)
    assert quiet.followups[0]["flags"] & EPHEMERAL
    updated = await scene.answered(server.press(scene.person, message, "Update"))
    assert updated["id"] == message["id"] and updated["content"] == "updated" and updated["components"] == []
    with pytest.raises(AssertionError, match="no 'Update' to press"):
        server.press(scene.person, message, "Update")


async def test_reactions_come_with_the_author_of_the_message(scene: Scene) -> None:
    said = scene.server.say(scene.person, scene.channel, "react")
    scene.server.react(scene.person, said, "👍")
    [payload] = await scene.bot.saw("reaction")
    assert str(payload.emoji) == "👍" and payload.message_author_id == int(scene.person.id)
    scene.server.unreact(scene.person, said, "👍")
    assert scene.server.messages(scene.channel)[0]["reactions"] == []
    await scene.place(scene.channel).get_partial_message(int(said["id"])).add_reaction("🎉")
    assert scene.server.messages(scene.channel)[0]["reactions"][0]["me"]


async def test_history_is_paged_as_the_real_one(scene: Scene) -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    for minute in range(250):
        at = start + timedelta(minutes=minute)
        scene.server.say(scene.person, scene.channel, f"{minute}", at=at, deliver=False)
    place = scene.place(scene.channel)
    newest = [message async for message in place.history(limit=150)]
    assert [message.created_at for message in newest] == [start + timedelta(minutes=249 - n) for n in range(150)]
    after = [message async for message in place.history(limit=None, after=start + timedelta(minutes=99.5))]
    assert len(after) == 150 and after[0].created_at == start + timedelta(minutes=100)
    around = [message async for message in place.history(limit=11, around=start + timedelta(minutes=50))]
    assert len(around) == 11


async def test_what_discord_refuses(scene: Scene) -> None:
    place, server = scene.place(scene.channel), scene.server
    for content, code in (("x" * 2001, 50035), (" ", 50006)):
        with pytest.raises(discord.HTTPException) as caught:
            await place.send(content)
        assert caught.value.code == code
    with pytest.raises(discord.HTTPException) as large:
        await place.send(file=discord.File(io.BytesIO(bytes(11 * 1024 * 1024)), "large"))
    assert large.value.status == 413
    with pytest.raises(discord.NotFound) as unknown:
        await place.fetch_message(1)
    assert unknown.value.code == 10008
    said = server.say(scene.person, scene.channel, "gone soon")
    server.delete(said)
    with pytest.raises(discord.HTTPException, match="Unknown message"):
        await place.send(
            "too late", reference=discord.MessageReference(message_id=int(said["id"]), channel_id=place.id)
        )
    server.refuse_direct(scene.person)
    with pytest.raises(discord.Forbidden) as refused:
        await (await scene.bot.fetch_user(int(scene.person.id))).send("hello")
    assert refused.value.code == 50007
    server.forbid(scene.channel, sending_only=True)
    with pytest.raises(discord.Forbidden, match="50013"):
        await place.send("hello")
    server.forbid(scene.channel)
    with pytest.raises(discord.Forbidden) as forbidden:
        await place.send("hello")
    assert forbidden.value.code == 50001


async def test_a_nonce_makes_no_second_message(scene: Scene) -> None:
    place = scene.place(scene.channel)
    scene.server.fail_next("POST", f"/channels/{place.id}/messages", Fault.cut_after())
    with pytest.raises(aiohttp.ClientError):
        await place.send("once", nonce="n1")
    again = await place.send("once", nonce="n1")
    assert [message["id"] for message in scene.server.from_bot(scene.channel)] == [str(again.id)]
    assert [call.status for call in scene.server.calls[-2:]] == [0, 200]


async def test_typing_editing_and_deleting(scene: Scene) -> None:
    place = scene.place(scene.channel)
    async with place.typing():
        message = await place.send("before", allowed_mentions=discord.AllowedMentions.none())
    await message.edit(content=f"after {scene.person.mention}", allowed_mentions=discord.AllowedMentions.none())
    assert scene.server.typing == [scene.channel.id]
    [edited] = scene.server.from_bot(scene.channel)
    assert edited["content"].startswith("after") and edited["mentions"] == [] and edited["edited_timestamp"]
    await message.delete()
    assert scene.server.from_bot(scene.channel) == []


async def test_limits_and_server_errors_are_waited_out(scene: Scene) -> None:
    place, server = scene.place(scene.channel), scene.server
    path = f"/channels/{place.id}/messages"
    server.fail_next("POST", path, Fault.rate_limit(0.05), Fault.rate_limit(0.05, is_global=True))
    await place.send("third time")
    assert [call.status for call in server.calls[-3:]] == [429, 429, 200]
    server.limit_channel(scene.channel, 2, 0.4)
    began = time.monotonic()
    for number in range(5):
        await place.send(f"limited {number}")
    assert time.monotonic() - began > 0.7
    server.fail_next("POST", path, Fault.status(403, {"message": "Missing Access", "code": 50001}))
    with pytest.raises(discord.Forbidden):
        await place.send("no")


async def test_interactions_that_are_too_late(scene: Scene) -> None:
    server = scene.server
    interaction = server.command(scene.person, scene.channel, "word", text="late")
    shown = await scene.answered(interaction)
    webhook = f"{server.api_base}/webhooks/{server.application_id}/{interaction.token}"
    callback = f"{server.api_base}/interactions/{interaction.id}/{interaction.token}/callback"
    async with aiohttp.ClientSession() as client:
        assert (await client.get(f"{webhook}/messages/{shown['id']}")).status == 200
        twice = await client.post(callback, json={"type": 5})
        assert (twice.status, (await twice.json())["code"]) == (400, 40060)
        server.expire(interaction)
        expired = await client.patch(f"{webhook}/messages/@original", json={"content": "x"})
        assert (expired.status, (await expired.json())["code"]) == (404, 10015)
        server.acknowledge_within_s = -1
        late = server.command(scene.person, scene.channel, "word", text="later")
        await server.until(lambda: server.calls[-1].path.endswith(f"{late.token}/callback"), 10)
        await server.until(lambda: server.calls[-1].status, 10)
        assert server.calls[-1].status == 404 and not late.acknowledged


@pytest.mark.parametrize("how", ["drop", "close", "reconnect_op", "resumable"])
async def test_a_session_is_resumed_with_what_was_missed(scene: Scene, how: str) -> None:
    server = scene.server
    if how == "resumable":
        server.invalidate(True)
    else:
        getattr(server, how)()
    assert not server.gateway.ready
    server.say(scene.person, scene.channel, f"missed <@{server.bot_id}>")
    await server.until(lambda: server.from_bot(scene.channel), 10)
    assert (len(server.gateway.identifies), len(server.gateway.resumes)) == (1, 1)


async def test_a_new_session_has_lost_what_was_missed(scene: Scene) -> None:
    server = scene.server
    server.invalidate(False)
    server.say(scene.person, scene.channel, f"lost <@{server.bot_id}>")
    await server.connected(10)
    assert (len(server.gateway.identifies), len(server.gateway.resumes)) == (2, 0)
    server.say(scene.person, scene.channel, f"heard <@{server.bot_id}>")
    [reply] = await server.until(lambda: server.from_bot(scene.channel), 10)
    assert "heard" in reply["content"]
    server.repeat_last_event()
    await server.until(lambda: len(server.from_bot(scene.channel)) == 2, 10)


async def test_an_outage_on_the_same_port(scene: Scene) -> None:
    server = scene.server
    await server.down()
    with pytest.raises(aiohttp.ClientError):
        await scene.place(scene.channel).send("nobody there")
    server.say(scene.person, scene.channel, f"during <@{server.bot_id}>")
    await server.up()
    await server.until(lambda: server.from_bot(scene.channel), 30)
    assert server.gateway.heartbeats >= 2


async def test_heartbeats_without_an_answer_break_the_connection(server: DiscordServer) -> None:
    server.gateway.heartbeat_interval_ms = 50
    async with Bot(guild_ready_timeout=0.1, heartbeat_timeout=0.8) as bot:
        running = asyncio.create_task(bot.start(server.token))
        await server.until(lambda: server.gateway.heartbeats > 5, 10)
        assert server.gateway.resumes == []
        server.stop_acking()
        await server.until(lambda: server.gateway.resumes, 10)
        await bot.close()
        await running


async def test_the_bot_sees_its_hidden_answers_as_if_they_were_direct(scene: Scene) -> None:
    scene.server.command(scene.person, scene.channel, "mydata show", times=1, who=scene.person)
    [message] = await scene.bot.saw("message")
    assert message.guild is None and message.author == scene.bot.user and message.flags.ephemeral


async def test_a_revoked_token_ends_the_bot(scene: Scene) -> None:
    scene.server.revoke()
    with pytest.raises(discord.ConnectionClosed) as closed:
        await asyncio.wait_for(scene.running, 10)
    assert closed.value.code == 4004
    async with Bot() as bot:
        with pytest.raises(discord.LoginFailure):
            await bot.login(scene.server.token)


async def test_intents_that_are_not_granted_end_the_bot(server: DiscordServer) -> None:
    async with Bot(discord.Intents.all()) as bot:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await bot.start(server.token)


async def test_a_malformed_event_ends_the_client(scene: Scene) -> None:
    scene.server.send_raw(json.dumps({"op": 0, "s": 9, "t": "MESSAGE_CREATE", "d": {"id": "1"}}))
    with pytest.raises(KeyError):
        await asyncio.wait_for(scene.running, 10)


async def test_registered_commands_are_listed_and_keep_their_ids(scene: Scene) -> None:
    before = {command["name"]: command["id"] for command in scene.server.commands}
    assert set(before) == {"mydata", "think", "word", "attach", "Quote this"}
    await scene.bot.tree.sync()
    assert {command["name"]: command["id"] for command in scene.server.commands} == before
    assert {command.name for command in await scene.bot.tree.fetch_commands()} == set(before)


async def test_what_the_bot_makes_itself(scene: Scene) -> None:
    place = scene.place(scene.channel)
    thread = await (await place.send("start")).create_thread(name="from a message")
    await thread.send("inside")
    assert not scene.errors
    assert [call.path for call in scene.server.calls if call.status == 404] == []


async def test_waiting_in_vain_tells_the_state(scene: Scene) -> None:
    scene.server.say(scene.person, scene.channel, "in the report")
    with pytest.raises(AssertionError, match="<Ada> 'in the report'"):
        await scene.server.until(lambda: False, 0.01)
