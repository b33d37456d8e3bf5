"""Bad days on Discord: whatever breaks, everybody gets exactly one complete reply, and the operator a clear line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.platforms.catalogue import Texts
from tests.e2e.platforms.bot_process import BotProcess, worker_slowed, worker_stopped
from tests.e2e.platforms.discord_fixtures import (
    AGAIN,
    BAD,
    BUTTONS,
    CANCEL,
    GOOD,
    Scene,
    buttons,
    is_answer,
    served,
    settings_for,
    tracebacks,
)
from tests.servers.discord import LOADING, Channel, DiscordServer, Fault, Interaction, Json, Person

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAID = Texts("en")
AGAIN_LATER = "Trying again in"
STATES = "SELECT state, COUNT(*) FROM jobs GROUP BY state"
HTML = "<html><body>Bad Gateway</body></html>"
BROKEN = [Fault.cut_before(), Fault.cut_after(), Fault.status(503), Fault.status(502, HTML)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with DiscordServer() as server, served(server, tmp_path_factory.mktemp("trouble")) as scene:
        yield scene


@asynccontextmanager
async def own(folder: Path, **settings: str) -> AsyncIterator[Scene]:
    """A bot for one test alone."""
    async with DiscordServer() as server, served(server, folder, **settings) as scene:
        yield scene


def named(fault: Fault) -> str:
    return f"{fault.kind}{fault.code or ''}"


def one_complete(messages: Sequence[Json]) -> bool:
    """One message, and it is a whole reply."""
    return len(messages) == 1 and bool(messages[0]["content"]) and is_answer(messages[0])


async def answered_once(scene: Scene, *channels: Channel) -> None:
    """In each channel, where one thing was asked, one complete reply stands at the end and nothing else."""
    await scene.server.until(lambda: all(any(map(complete, scene.server.from_bot(each))) for each in channels))
    await scene.settled()
    for channel in channels:
        shown = scene.server.from_bot(channel)
        assert one_complete(shown), [(each["content"], buttons(each)) for each in shown]


def complete(message: Json) -> bool:
    return is_answer(message)


# -- what comes twice -------------------------------------------------------------------------------------------------


async def test_a_message_that_comes_twice_is_answered_once(scene: Scene) -> None:
    ada, channel = scene.person(), scene.channel()
    scene.server.say(ada, channel, f"{scene.me} hello")
    scene.server.repeat_last_event()
    await answered_once(scene, channel)
    scene.server.say(ada, scene.server.dm(ada), "/help")
    scene.server.repeat_last_event()
    await scene.said(scene.server.dm(ada))
    await scene.settled()
    assert [each["content"] for each in scene.server.from_bot(scene.server.dm(ada))] == [SAID("help").strip()]


async def test_a_message_that_comes_again_after_its_answer_is_not_answered_again(scene: Scene) -> None:
    ada, channel = scene.person(), scene.channel()
    await scene.mention(ada, channel, "hello")
    scene.server.repeat_last_event()
    await answered_once(scene, channel)


async def test_a_command_that_comes_twice_is_carried_out_once(scene: Scene) -> None:
    ada, channel = scene.person(), scene.channel()
    scene.server.command(ada, channel, "quote", keyword="echo")
    scene.server.repeat_last_event()
    await answered_once(scene, channel)
    agreed = scene.server.command(ada, channel, "consent on")
    scene.server.repeat_last_event()
    await scene.answer(agreed)
    await scene.settled()
    consents = "SELECT granted FROM consents JOIN people ON people.id = person_id WHERE platform_user_id = ?"
    assert scene.bot.rows(consents, ada.id) == [(1,)]
    assert [each["content"][:6] for each in told_alone(scene, ada)] == ["Noted:"]


async def test_a_button_that_comes_twice_is_pressed_once(scene: Scene) -> None:
    ada, channel = scene.person(), scene.channel()
    shown = await scene.command(ada, channel, "quote", keyword="echo")
    pressed = scene.server.press(ada, shown, GOOD)
    scene.server.repeat_last_event()
    assert (await scene.answer(pressed))["content"] == SAID("voted-up")
    await scene.settled()
    assert scene.votes(ada) == [(1, "button", None)]
    scene.server.press(ada, shown, AGAIN)
    scene.server.repeat_last_event()
    await scene.said(channel, 2)
    await scene.settled()
    assert len(scene.server.from_bot(channel)) == 2


async def test_better_words_that_come_twice_are_kept_once(scene: Scene) -> None:
    ada, channel = scene.person(), scene.channel()
    shown = await scene.command(ada, channel, "chat", text="hello")
    pressed = scene.server.press(ada, await scene.press(ada, shown, BAD), SAID("button-better"))
    await scene.server.until(lambda: pressed.modal)
    sent = scene.server.submit(ada, pressed, text="Good day to you.")
    scene.server.repeat_last_event()
    await scene.answer(sent)
    await scene.settled()
    corrections = "SELECT text FROM corrections JOIN people ON people.id = person_id WHERE platform_user_id = ?"
    assert scene.bot.rows(corrections, ada.id) == [("Good day to you.",)]


# -- the gateway ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["drop", "close", "reconnect_op", "invalidate"])
async def test_what_is_said_during_a_short_outage_is_answered_once(scene: Scene, how: str) -> None:
    server, channel = scene.server, scene.channel()
    resumes, identifies = len(server.gateway.resumes), len(server.gateway.identifies)
    if how == "invalidate":
        server.invalidate(resumable=True)
    else:
        getattr(server, how)()
    assert not server.gateway.ready
    server.say(scene.person(), channel, f"{scene.me} are you there?")
    await answered_once(scene, channel)
    assert (len(server.gateway.resumes), len(server.gateway.identifies)) == (resumes + 1, identifies)


async def test_what_a_new_session_has_lost_is_found_and_answered_once(scene: Scene) -> None:
    ada, channel, stranger = scene.person(), scene.channel(), scene.person()
    direct = scene.server.dm(ada)
    first = await scene.mention(ada, channel, "hello")
    scene.server.say(ada, direct, "hello")
    await scene.said(direct)
    scene.server.invalidate(resumable=False)
    scene.server.say(ada, direct, "lost in private")
    by_mention = scene.server.say(stranger, channel, f"{scene.me} lost")
    by_reply = scene.server.say(ada, channel, "lost too", reply_to=first)
    scene.server.say(ada, channel, "not for the bot")
    for asked in (by_mention, by_reply):
        assert complete(await scene.reply(channel, asked))
    assert len(await scene.said(direct, 2)) == 2
    await scene.settled()
    assert len(scene.server.from_bot(channel)) == 3 and len(scene.server.from_bot(direct)) == 2


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"op": 0, "s": 9_999, "t": "MESSAGE_CREATE", "d": {"id": "1"}}),
        json.dumps({"op": 0, "s": 9_999, "t": "INTERACTION_CREATE", "d": {"id": "x", "type": 2}}),
        "{not json",
        "[]",
    ],
    ids=["lacks something", "no number", "no JSON", "no object"],
)
async def test_a_malformed_event_costs_nobody_an_answer(tmp_path: Path, text: str) -> None:
    async with own(tmp_path) as scene:
        ada, channel = scene.person(), scene.channel()
        await scene.mention(ada, channel, "before")
        scene.server.send_raw(text)
        asked = scene.server.say(ada, channel, f"{scene.me} after")
        assert complete(await scene.reply(channel, asked))
        await scene.settled()
        assert len(scene.server.from_bot(channel)) == 2
        assert tracebacks(scene.bot) == []


async def test_a_gateway_that_refuses_the_first_connection_is_tried_again(tmp_path: Path) -> None:
    async with DiscordServer() as server:
        closed = socket.socket()  # who connects to it is refused until somebody listens
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        channel = server.channel(server.guild("Club"), "general")
        settings = settings_for(server, tmp_path, QUOTESMITH_DISCORD__GATEWAY_URL=f"ws://127.0.0.1:{port}/gateway")
        async with BotProcess(tmp_path, settings) as bot:
            await bot.says(AGAIN_LATER)
            async with passing_on(closed, server):
                await server.connected()
                server.say(server.person("Ada"), channel, f"<@{server.bot_id}> hello")
                await server.until(lambda: one_complete(server.from_bot(channel)))
            assert tracebacks(bot) == [] and server.token not in bot.output


@asynccontextmanager
async def passing_on(listening: socket.socket, server: DiscordServer) -> AsyncIterator[None]:
    """Whoever connects to that socket is connected to the server."""

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", int(server.origin.rpartition(":")[2]))
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer), return_exceptions=True)

    async with await asyncio.start_server(connected, sock=listening):
        yield


# -- starts and stops -------------------------------------------------------------------------------------------------


async def test_without_a_network_the_bot_tries_until_there_is_one(tmp_path: Path) -> None:
    async with DiscordServer() as server:
        channel = server.channel(server.guild("Club"), "general")
        await server.down()
        async with BotProcess(tmp_path, settings_for(server, tmp_path)) as bot:
            await bot.says(AGAIN_LATER)
            await server.up()
            await server.connected()
            server.say(server.person("Ada"), channel, f"<@{server.bot_id}> hello")
            await server.until(lambda: one_complete(server.from_bot(channel)))
            assert tracebacks(bot) == [] and server.token not in bot.output


async def test_an_outage_of_everything_is_survived(tmp_path: Path) -> None:
    async with own(tmp_path) as scene:
        ada, channel = scene.person(), scene.channel()
        await scene.mention(ada, channel, "before")
        with worker_stopped(scene.bot):
            during = scene.server.say(ada, channel, f"{scene.me} during")
            await scene.becomes(lambda: len(scene.asked(ada)) == 2)
            await scene.server.down()
        await scene.becomes(lambda: scene.bot.rows(STATES) == [("done", 2)])
        await scene.server.up()
        assert complete(await scene.reply(channel, during))
        await scene.server.connected()
        after = scene.server.say(ada, channel, f"{scene.me} after")
        assert complete(await scene.reply(channel, after))
        await scene.settled()
        assert len(scene.server.from_bot(channel)) == 3 and tracebacks(scene.bot) == []


@pytest.mark.parametrize("level", ["warning", "debug"])
async def test_a_wrong_token_ends_the_bot_with_a_clear_line(tmp_path: Path, level: str) -> None:
    async with DiscordServer() as server:
        wrong = "MTA.Gwrong." + "y" * 30
        settings = settings_for(server, tmp_path, DISCORD_TOKEN=wrong, QUOTESMITH_LOGGING__LEVEL=level)
        async with BotProcess(tmp_path, settings) as bot:
            assert await bot.ended() == 1
        assert sum("Discord does not accept the token" in line for line in bot.lines) == 1
        assert wrong not in bot.output
        if level == "warning":
            assert tracebacks(bot) == []


async def test_a_token_that_is_revoked_ends_the_bot_with_a_clear_line(tmp_path: Path) -> None:
    async with own(tmp_path) as scene:
        await scene.mention(scene.person(), scene.channel(), "hello")
        scene.server.revoke()
        assert await scene.bot.ended() == 1
        assert sum("Discord no longer accepts the token" in line for line in scene.bot.lines) == 1
        assert tracebacks(scene.bot) == [] and scene.server.token not in scene.bot.output


async def test_the_token_is_never_logged(tmp_path: Path) -> None:
    async with own(tmp_path, QUOTESMITH_LOGGING__LEVEL="debug") as scene:
        ada, channel = scene.person(), scene.channel()
        scene.server.fail_next("POST", f"/channels/{channel.id}/messages", Fault.cut_after(), Fault.status(502, HTML))
        await scene.mention(ada, channel, "hello")
        await scene.command(ada, channel, "quote", keyword="secrets")
        scene.server.drop()
        await scene.mention(ada, channel, "hello again")
        scene.server.send_raw("{not json")
        asked = scene.server.say(ada, channel, f"{scene.me} and again")
        await scene.reply(channel, asked)
        await scene.bot.stop()
        assert len(scene.bot.lines) > 50 and scene.server.token not in scene.bot.output


async def test_a_stopped_bot_goes_on_where_it_was_and_answers_once(tmp_path: Path) -> None:
    async with own(tmp_path, QUOTESMITH_PLATFORMS__STOP_WITHIN_S="0") as scene:
        with worker_stopped(scene.bot):
            asking = scene.crowd(6)
            asked = scene.server.command(scene.person(), scene.channel(), "quote", keyword="patience")
            await scene.server.until(lambda: asked.acknowledged)
            await scene.becomes(lambda: scene.bot.rows(STATES) == [("running", 7)])
            assert await scene.bot.stop() == 143
        assert scene.bot.rows(STATES) == [("accepted", 7)]
        await scene.restarted()
        await answered_once(scene, *(channel for _, channel in asking), asked.channel)
        assert tracebacks(scene.bot) == []


async def test_a_stopping_bot_finishes_what_is_under_way(tmp_path: Path) -> None:
    async with own(tmp_path, QUOTESMITH_PLATFORMS__STOP_WITHIN_S="30") as scene:
        asking = scene.crowd(6)
        await scene.becomes(lambda: sum(count for _, count in scene.bot.rows(STATES)) == 6)
        assert await scene.bot.stop() == 143
        assert scene.bot.rows(STATES) == [("done", 6)]
        for _, channel in asking:
            assert one_complete(scene.server.from_bot(channel))


# -- the bot is killed ------------------------------------------------------------------------------------------------


def begun(message: Json) -> bool:
    """Part of a text is seen, and not the whole."""
    return buttons(message) == [CANCEL] and "in line" not in message["content"]


async def test_a_bot_that_is_killed_in_the_middle_of_replies_completes_each_in_its_message(tmp_path: Path) -> None:
    async with own(tmp_path) as scene:
        channels = [channel for _, channel in scene.crowd()]
        async with worker_slowed(scene.bot, pause_s=0.1):
            await scene.server.until(lambda: any(begun(m) for at in channels for m in scene.server.from_bot(at)))
            await scene.bot.kill()
        seen = {channel.id: scene.server.from_bot(channel) for channel in channels}
        assert any(begun(message) for shown in seen.values() for message in shown)
        await scene.restarted()
        await answered_once(scene, *channels)
        for channel in channels:
            [now] = scene.server.from_bot(channel)
            assert [now["id"]] == [before["id"] for before in seen[channel.id]] or not seen[channel.id]


@pytest.mark.parametrize("private", [False, True])
async def test_a_bot_that_is_killed_in_the_middle_of_commands_completes_each_in_its_answer(
    tmp_path: Path, private: bool
) -> None:
    async with own(tmp_path) as scene:
        scene.crowd(20)
        asked = [
            scene.server.command(
                scene.person(), scene.channel(), "chat", text="tell me of the sea " * 90, private=private
            )
            for _ in range(10)
        ]
        async with worker_slowed(scene.bot, pause_s=0.1):
            await scene.server.until(lambda: any(each.original and begun(each.original) for each in asked))
            await scene.bot.kill()
        seen = [scene.server.shown(each) for each in asked]
        await scene.restarted()
        await scene.server.until(lambda: all(whole(scene, each) for each in asked))
        await scene.settled()
        for interaction, before in zip(asked, seen, strict=True):
            assert one_complete(found(scene, interaction))
            # One that the bot had not acknowledged when it was killed can no longer be answered in its place.
            assert before is None or whole(scene, interaction)["id"] == before["id"]
            if private:
                assert not scene.server.from_bot(interaction.channel)  # nobody else ever sees it


def found(scene: Scene, interaction: Interaction) -> list[Json]:
    """What the person finds of the bot: in the channel, there for them alone, and in private."""
    person, channel = interaction.person, interaction.channel
    direct = scene.server.from_bot(scene.server.dm(person)) if channel.guild else []
    return scene.server.from_bot(channel) + told_alone(scene, person) + direct


def told_alone(scene: Scene, person: Person) -> list[Json]:
    """What that person alone sees of the bot, but for the note that everybody gets once."""
    return [each for each in scene.server.ephemeral(person) if not each["content"].startswith("Just this once:")]


def whole(scene: Scene, interaction: Interaction) -> Json:
    """The complete answer to a command, wherever it is."""
    return next(filter(complete, found(scene, interaction)), {})


async def test_a_reply_whose_arrival_the_killed_bot_never_heard_of_is_not_sent_twice(tmp_path: Path) -> None:
    async with own(tmp_path) as scene:
        channel = scene.channel()
        scene.server.fail_next("POST", f"/channels/{channel.id}/messages", Fault.slow(600))
        scene.server.say(scene.person(), channel, f"{scene.me} hello")
        await scene.server.until(lambda: scene.server.from_bot(channel))
        await scene.bot.kill()
        await scene.restarted()
        await answered_once(scene, channel)


async def test_a_bot_that_is_killed_again_and_again_answers_once(tmp_path: Path) -> None:
    async with own(tmp_path) as scene:
        channels = [channel for _, channel in scene.crowd(12)]
        await scene.becomes(lambda: sum(count for _, count in scene.bot.rows(STATES)) == 12)

        def complete_now() -> int:
            return sum(any(map(complete, scene.server.from_bot(channel))) for channel in channels)

        async def gets_on(goal: int) -> None:
            await scene.server.until(lambda: complete_now() >= goal)

        for _ in range(3):
            goal = min(complete_now() + 1, len(channels))
            await scene.bot.kill()
            await scene.bot.start()
            await gets_on(goal)
        await scene.bot.kill()
        await scene.restarted()
        await answered_once(scene, *channels)


# -- what was said while the bot was away -----------------------------------------------------------------------------


async def test_what_was_said_while_the_bot_was_away_is_answered_once(tmp_path: Path) -> None:
    async with own(tmp_path) as scene:
        server = scene.server
        ada, channel, unknown = scene.person(), scene.channel(), scene.channel()
        direct, thread = server.dm(ada), server.thread(channel, "aside")
        first = await scene.mention(ada, channel, "hello")
        await scene.mention(ada, thread, "hello")
        server.say(ada, direct, "hello")
        await scene.said(direct)
        assert await scene.bot.stop() == 143
        long_ago = datetime.now(UTC) - timedelta(minutes=61)
        server.say(ada, channel, f"{scene.me} too old", at=long_ago, deliver=False)
        server.say(ada, direct, "too old as well", at=long_ago, deliver=False)
        server.say(scene.person(), unknown, f"{scene.me} where nobody talked before", deliver=False)
        server.say(ada, channel, "not for the bot", deliver=False)
        missed = [
            (channel, server.say(ada, channel, f"{scene.me} missed", deliver=False)),
            (channel, server.say(scene.person(), channel, "missed, too", reply_to=first, deliver=False)),
            (thread, server.say(scene.person(), thread, f"{scene.me} missed aside", deliver=False)),
        ]
        server.say(ada, direct, "missed in private", deliver=False)
        server.say(ada, direct, "/help", deliver=False)
        await scene.restarted()
        for place, asked in missed:
            assert complete(await scene.reply(place, asked))
        replies = await scene.said(direct, 3)
        assert sorted(buttons(each) for each in replies) == [[], BUTTONS, BUTTONS]
        await scene.settled()
        await scene.bot.kill()
        await scene.restarted()
        await scene.settled()
        counts = [len(server.from_bot(place)) for place in (channel, thread, direct, unknown)]
        assert counts == [3, 2, 3, 0]


async def test_what_was_missed_in_a_busy_channel_is_answered_in_its_order(tmp_path: Path) -> None:
    async with own(tmp_path) as scene:
        server, ada, bea, channel = scene.server, scene.person(), scene.person(), scene.channel()
        await scene.mention(ada, channel, "hello")
        assert await scene.bot.stop() == 143
        now = datetime.now(UTC)

        def said_before(person: Person, text: str, minutes: float) -> Json:
            return server.say(person, channel, text, at=now - timedelta(minutes=minutes), deliver=False)

        for number in range(250):
            said_before(bea, "not for the bot", 50 - number / 6)
        first = said_before(ada, f"{scene.me} at the beginning", 55)
        second = said_before(ada, f"{scene.me} among all the talk", 30)
        last = server.say(ada, channel, f"{scene.me} a moment ago", deliver=False)
        await scene.restarted()
        for asked in (last, second, first):
            assert complete(await scene.reply(channel, asked))
        texts = [text for _, text, _ in scene.asked(ada)]
        assert texts == ["hello", "at the beginning", "among all the talk", "a moment ago"]


async def test_where_more_was_said_than_is_looked_through_the_newest_is_answered(tmp_path: Path) -> None:
    async with own(tmp_path) as scene:
        server, ada, channel = scene.server, scene.person(), scene.channel()
        await scene.mention(ada, channel, "hello")
        assert await scene.bot.stop() == 143
        now = datetime.now(UTC)
        server.say(ada, channel, f"{scene.me} long ago", at=now - timedelta(minutes=50), deliver=False)
        talk = server.say(ada, channel, "not for the bot", at=now - timedelta(minutes=40), deliver=False)
        channel.messages[-1:-1] = [{**talk, "id": str(int(talk["id"]) + number)} for number in range(1, 10_001)]
        channel.messages.sort(key=lambda each: int(each["id"]))
        server.say(ada, channel, f"{scene.me} a moment ago", deliver=False)
        await scene.restarted()
        await scene.bot.says("looked for in its newest 10000 messages")
        await scene.becomes(lambda: len(scene.asked(ada)) > 1)
        await scene.settled()
        assert [text for _, text, _ in scene.asked(ada)] == ["hello", "a moment ago"]


async def test_a_connection_that_breaks_while_the_bot_looks_for_what_it_missed_costs_nobody_an_answer(
    tmp_path: Path,
) -> None:
    async with own(tmp_path) as scene:
        server, known = scene.server, [(scene.person(), scene.channel()) for _ in range(3)]
        for person, channel in known:
            await scene.mention(person, channel, "hello")
        assert await scene.bot.stop() == 143
        for person, channel in known:
            server.say(person, channel, f"{scene.me} missed", deliver=False)
        before = len(server.calls)
        server.fail_next("GET", "/channels/.*/messages$", Fault.slow(60))
        await scene.bot.start()
        await scene.becomes(lambda: any(call.path.endswith("/messages") for call in server.calls[before:]))
        server.send_raw("[]")
        for _, channel in known:
            assert all(map(complete, await scene.said(channel, 2)))
        await scene.settled()
        assert [len(server.from_bot(channel)) for _, channel in known] == [2, 2, 2]
        assert tracebacks(scene.bot) == []


async def test_nothing_missed_is_answered_where_the_operator_does_not_want_it(tmp_path: Path) -> None:
    async with own(tmp_path, QUOTESMITH_PLATFORMS__CATCH_UP_MINUTES="0") as scene:
        ada, channel = scene.person(), scene.channel()
        await scene.mention(ada, channel, "hello")
        await scene.bot.stop()
        missed = scene.server.say(ada, channel, f"{scene.me} missed", deliver=False)
        await scene.restarted()
        await scene.mention(ada, channel, "hello again")
        await scene.settled()
        assert scene.answers_to(channel, missed) == []


# -- interactions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [10015, 50027])
async def test_an_answer_that_comes_too_late_for_its_command_is_said_in_the_channel(scene: Scene, code: int) -> None:
    ada, channel = scene.person(), scene.channel()
    with worker_stopped(scene.bot):
        asked = scene.server.command(ada, channel, "chat", text="hello")
        await scene.server.until(lambda: asked.acknowledged)
        scene.server.expire(asked, code=code)
    await scene.server.until(lambda: whole(scene, asked))
    await scene.settled()
    [late] = [each for each in scene.server.from_bot(channel) if not each["flags"] & LOADING]
    assert complete(late) and late["content"].startswith(f"{ada.mention} ")
    assert [user["id"] for user in late["mentions"]] == [ada.id]


async def test_a_private_answer_that_comes_too_late_for_its_command_is_said_in_private(scene: Scene) -> None:
    ada, channel = scene.person(), scene.channel()
    with worker_stopped(scene.bot):
        asked = scene.server.command(ada, channel, "chat", text="hello", private=True)
        await scene.server.until(lambda: asked.acknowledged)
        scene.server.expire(asked)
    await answered_once(scene, scene.server.dm(ada))
    assert scene.server.messages(channel) == []


async def test_a_command_whose_time_runs_out_meanwhile_is_answered_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene.server, "interaction_lifetime_s", 1.0)
    ada, channel = scene.person(), scene.channel()
    with worker_stopped(scene.bot):
        asked = scene.server.command(ada, channel, "quote", keyword="slowness")
        await scene.server.until(lambda: asked.acknowledged)
        await scene.becomes(lambda: time.monotonic() > asked.ends)
    await scene.server.until(lambda: whole(scene, asked))
    monkeypatch.undo()
    await scene.settled()
    assert [complete(each) for each in scene.server.from_bot(channel) if not each["flags"] & LOADING] == [True]


async def test_a_command_whose_time_ran_out_while_the_bot_was_away_is_answered_once(tmp_path: Path) -> None:
    async with own(tmp_path) as scene:
        ada, channel = scene.person(), scene.channel()
        with worker_stopped(scene.bot):
            asked = scene.server.command(ada, channel, "chat", text="hello")
            await scene.server.until(lambda: asked.acknowledged)
            os.killpg(scene.bot.pid, signal.SIGKILL)
        assert await scene.bot.ended() == -signal.SIGKILL
        scene.server.expire(asked)
        await scene.restarted()
        await scene.server.until(lambda: whole(scene, asked))
        await scene.settled()
        [late] = [each for each in scene.server.from_bot(channel) if not each["flags"] & LOADING]
        assert complete(late) and late["content"].startswith(f"{ada.mention} ")


@pytest.mark.parametrize("private", [False, True])
async def test_a_command_that_was_not_acknowledged_in_time_is_answered_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    monkeypatch.setattr(scene.server, "acknowledge_within_s", -1.0)
    ada, channel = scene.person(), scene.channel()
    asked = scene.server.command(ada, channel, "quote", keyword="haste", private=private)
    await scene.server.until(lambda: whole(scene, asked))
    assert not asked.acknowledged
    monkeypatch.undo()
    await answered_once(scene, scene.server.dm(ada) if private else channel)
    if private:
        assert scene.server.messages(channel) == []
    else:
        [shown] = scene.server.from_bot(channel)
        assert shown["content"].startswith(f"{ada.mention} ")


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("fault", [Fault.slow(1.5), *BROKEN], ids=named)
async def test_a_command_whose_acknowledgement_goes_wrong_is_answered_once(
    scene: Scene, fault: Fault, private: bool
) -> None:
    ada, channel = scene.person(), scene.channel()
    asked = scene.server.command(ada, channel, "quote", keyword="trouble", private=private)
    scene.server.fail_next("POST", f"/interactions/{asked.id}/", fault)
    await scene.server.until(lambda: whole(scene, asked))
    await scene.settled()
    assert one_complete(found(scene, asked)) and not (private and scene.server.messages(channel))


async def test_a_notice_in_the_channel_is_finished_after_a_restart(tmp_path: Path) -> None:
    async with own(tmp_path, QUOTESMITH_INFERENCE__SLOTS="1") as scene:
        ada, channel = scene.person(), scene.channel()
        scene.server.acknowledge_within_s = -1.0
        scene.crowd()
        scene.server.command(ada, channel, "chat", text="and me?")
        await scene.server.until(lambda: scene.server.from_bot(channel))
        await scene.bot.kill()
        scene.server.acknowledge_within_s = 3.0
        await scene.restarted()
        await answered_once(scene, channel)


class SlowClock(DiscordServer):
    """A Discord whose clock is half a minute behind the bot's."""

    def snowflake(self, at: datetime | None = None) -> str:
        return super().snowflake(at or datetime.now(UTC) - timedelta(seconds=30))


async def test_a_clock_that_is_ahead_makes_no_second_message(tmp_path: Path) -> None:
    settings = {"QUOTESMITH_INFERENCE__SLOTS": "1"}
    async with SlowClock() as server, served(server, tmp_path, **settings) as scene:
        ada, channel = scene.person(), scene.channel()
        server.acknowledge_within_s = -1.0
        scene.crowd()
        asked = server.command(ada, channel, "chat", text="and me?")
        await server.until(lambda: whole(scene, asked))
        server.acknowledge_within_s = 3.0
        await answered_once(scene, channel)


@pytest.mark.parametrize(
    "fault", [*BROKEN, Fault.rate_limit(0.3), Fault.status(429, HTML, {"Retry-After": "1"})], ids=named
)
async def test_the_answer_to_a_command_survives_errors(scene: Scene, fault: Fault) -> None:
    ada, channel = scene.person(), scene.channel()
    asked = scene.server.command(ada, channel, "quote", keyword="trouble")
    scene.server.fail_next("PATCH", f"/webhooks/.*{asked.token}", fault)
    await answered_once(scene, channel)


async def test_an_unheard_acknowledgement_and_an_unheard_answer_make_one_complete_reply(scene: Scene) -> None:
    ada, channel = scene.person(), scene.channel()
    asked = scene.server.command(ada, channel, "quote", keyword="trouble")
    scene.server.fail_next("POST", f"/interactions/{asked.id}/", Fault.cut_after())
    scene.server.fail_next("POST", f"/webhooks/.*{asked.token}", Fault.cut_after())
    await scene.server.until(lambda: whole(scene, asked))
    await scene.settled()
    assert sum(map(complete, scene.server.from_bot(channel))) == 1


# -- requests that fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    [
        [Fault.rate_limit(0.3)],
        [Fault.rate_limit(0.3, is_global=True)],
        [Fault.status(429, HTML, {"Retry-After": "1"})],
        [Fault.status(429, HTML)],
        [Fault.cut_before()],
        [Fault.cut_after()],
        [Fault.cut_after(), Fault.cut_before(), Fault.cut_after()],
        [Fault.status(500), Fault.status(502, HTML)],
        [Fault.status(503), Fault.status(503, HTML)],
        [Fault.status(401)],
    ],
    ids=lambda faults: "-".join(map(named, faults)),
)
async def test_a_reply_that_goes_wrong_arrives_once_all_the_same(scene: Scene, faults: list[Fault]) -> None:
    ada, channel = scene.person(), scene.channel()
    direct = scene.server.dm(ada)
    for place in (channel, direct):
        scene.server.fail_next("POST", f"/channels/{place.id}/messages", *faults)
        scene.server.say(ada, place, f"{scene.me} hello")
    await answered_once(scene, channel, direct)


async def test_a_crowded_channel_gets_every_reply_and_delays_no_other(scene: Scene) -> None:
    crowded, other = scene.channel(), scene.channel()
    scene.server.limit_channel(crowded, 2, 2.0)
    asked = [scene.server.say(scene.person(), crowded, f"{scene.me} hello {number}") for number in range(10)]
    assert complete(await scene.mention(scene.person(), other, "and here?"))
    assert sum(map(complete, scene.server.from_bot(crowded))) < 10
    for each in asked:
        assert complete(await scene.reply(crowded, each))
    await scene.settled()
    assert all(len(scene.answers_to(crowded, each)) == 1 for each in asked)


async def test_a_limit_of_the_whole_bot_costs_nobody_a_reply(scene: Scene) -> None:
    channels = [scene.channel() for _ in range(4)]
    scene.server.fail_next("POST", "/channels/.*/messages", *[Fault.rate_limit(0.5, is_global=True)] * 2)
    for channel in channels:
        scene.server.say(scene.person(), channel, f"{scene.me} hello")
    await answered_once(scene, *channels)


async def test_a_deleted_question_is_answered_all_the_same(scene: Scene) -> None:
    channel = scene.channel()
    with worker_stopped(scene.bot):
        asked = scene.server.say(scene.person(), channel, f"{scene.me} hello")
        await scene.server.until(lambda: channel.id in scene.server.typing)
        scene.server.delete(asked)
    await answered_once(scene, channel)


@pytest.mark.parametrize("private", [False, True])
async def test_an_awaited_answer_that_is_deleted_or_dismissed_comes_anew(scene: Scene, private: bool) -> None:
    ada, channel = scene.person(), scene.channel()
    with worker_stopped(scene.bot):
        asked = scene.server.command(ada, channel, "chat", text="hello", private=private)
        awaited = await scene.server.until(lambda: asked.original or {})
        scene.server.dismiss(awaited)
    await scene.server.until(lambda: whole(scene, asked))
    await scene.settled()
    assert one_complete(found(scene, asked)) and not (private and scene.server.messages(channel))


async def test_a_deleted_notice_gives_way_to_a_reply(tmp_path: Path) -> None:
    async with own(tmp_path, QUOTESMITH_INFERENCE__SLOTS="1") as scene:
        asking = scene.crowd()
        channel = asking[-1][1]
        [notice] = await scene.server.until(lambda: scene.server.from_bot(channel))
        with worker_stopped(scene.bot):
            scene.server.delete(notice)
        await answered_once(scene, channel)


@pytest.mark.parametrize("sending_only", [False, True])
async def test_a_reply_in_a_forbidden_channel_is_given_up_and_others_are_not(scene: Scene, sending_only: bool) -> None:
    ada, closed, other = scene.person(), scene.channel(), scene.channel()
    with worker_stopped(scene.bot):
        scene.server.say(ada, closed, f"{scene.me} hello")
        await scene.becomes(lambda: len(scene.asked(ada)) == 1)
        scene.server.forbid(closed, sending_only=sending_only)
    given_up = (
        "SELECT state FROM deliveries JOIN messages ON messages.id = message_id "
        "JOIN conversations ON conversations.id = conversation_id WHERE chat_id = ?"
    )
    await scene.becomes(lambda: scene.bot.rows(given_up, closed.id) == [("failed",)])
    assert complete(await scene.mention(ada, other, "and here?"))
    assert scene.server.from_bot(closed) == []
    scene.server.allow(closed)
    assert complete(await scene.mention(ada, closed, "hello again"))
    assert len(scene.server.from_bot(closed)) == 1


async def test_who_takes_no_direct_messages_costs_nobody_else_an_answer(scene: Scene) -> None:
    ada, bea, channel = scene.person(), scene.person(), scene.channel()
    scene.server.refuse_direct(ada)
    with worker_stopped(scene.bot):
        asked = scene.server.command(ada, channel, "chat", text="hello", private=True)
        await scene.server.until(lambda: asked.acknowledged)
        scene.server.expire(asked)
    assert complete(await scene.mention(bea, channel, "hello"))
    await scene.settled()
    assert len(scene.server.from_bot(channel)) == 1


# -- the model's worker -----------------------------------------------------------------------------------------------


async def test_a_worker_that_is_killed_in_the_middle_of_replies_costs_nobody_one(tmp_path: Path) -> None:
    async with own(tmp_path) as scene:
        channels = [channel for _, channel in scene.crowd()]
        async with worker_slowed(scene.bot, pause_s=0.1):
            await scene.server.until(lambda: any(begun(m) for at in channels for m in scene.server.from_bot(at)))
            [worker] = scene.bot.workers()
            os.kill(worker, signal.SIGKILL)
        await answered_once(scene, *channels)
        assert scene.bot.rows(STATES) == [("done", 30)]
        assert "the model worker ended" in scene.bot.output and tracebacks(scene.bot) == []
