"""The bot on Telegram when something goes wrong: what people see in the end, and what its operator reads."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from tests.e2e.platforms.bot_process import BotProcess, worker_slowed, worker_stopped
from tests.e2e.platforms.telegram_fixtures import (
    AGAIN,
    BAD,
    CANCEL,
    CONNECTED,
    GOOD,
    PLACEHOLDER,
    Scene,
    is_reply,
    labels,
    scene,
    served,
    settings_for,
    words,
)
from tests.servers.telegram import Chat, Fault, Json, TelegramServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ME = "@quotesmith_bot"
UNREACHABLE = "Telegram cannot be reached"
BAD_GATEWAY = Fault.status(502, "Bad Gateway")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """A bot that goes through all the trouble that it survives."""
    async with scene(tmp_path_factory.mktemp("town"), limits__requests_per_minute="0") as opened:
        yield opened
        assert "Traceback" not in opened.bot.output and opened.server.token not in opened.bot.output


@pytest_asyncio.fixture(loop_scope="module")
async def own(tmp_path: Path) -> AsyncIterator[Scene]:
    """A bot that is killed or stopped; it writes one text at a time."""
    settings = {"inference__slots": "1", "platforms__stop_within_s": "0.5", "quote__pool_depth": "0"}
    async with scene(tmp_path, **settings) as opened:
        yield opened
        assert "Traceback" not in opened.bot.output and opened.server.token not in opened.bot.output


def drafts(scene: Scene, chat: Chat) -> list[str]:
    """The growing texts that a person has seen in their private chat."""
    texts = [call.parameters["text"] for call in scene.server.drafts if call.parameters["chat_id"] == chat.id]
    return [text for text in texts if text]


async def the_reply(scene: Scene, chat: Chat, *leftovers: str) -> Json:
    """The only complete reply in a chat, once nothing more can come; beside it only what may be left over."""
    await scene.until(lambda: scene.replies(chat))
    await scene.settled()
    [reply] = scene.replies(chat)
    others = [message["text"] for message in scene.server.from_bot(chat) if message != reply]
    assert set(others) <= set(leftovers), scene.server.state()
    assert [words(reply)] == scene.stored_replies(chat)
    return reply


async def restart(scene: Scene) -> None:
    """Start the bot again."""
    connected, polls = scene.bot.lines.count(CONNECTED), len(scene.server.called("getUpdates"))
    await scene.bot.start()
    await scene.bot.says(CONNECTED, times=connected + 1)
    await scene.until(lambda: len(scene.server.called("getUpdates")) > polls)


async def test_an_operator_whose_account_is_gone_keeps_nobody_from_being_answered(tmp_path: Path) -> None:
    async with TelegramServer() as server:
        server.private(server.person(501, "Olga")).closed = "Forbidden: user is deactivated"
        server.private(server.person(502, "Otto"))
        async with served(server, tmp_path, telegram__operators='["501", "502"]') as here:
            ada, chat = here.somebody()
            assert (await here.answer(ada, chat, "/help"))["text"].startswith("What I do:")
            assert [scope for scope, _ in server.commands if scope != "default"] == ["chat:502"]


# The same update twice


async def test_an_update_that_comes_twice_is_answered_once(town: Scene) -> None:
    ada, chat = town.somebody()
    for number, text in enumerate(("hello", "/quote courage", "/help", "/nonsense", "/mydata export"), 1):
        await town.answer(ada, chat, text)
        town.server.repeat_last_update()
        await town.settled()
        assert len(town.server.from_bot(chat)) == number


async def test_a_press_that_comes_twice_counts_once(town: Scene) -> None:
    ada, chat = town.somebody()
    reply = await town.answer(ada, chat, "hello")
    await town.pressed(ada, reply, GOOD)
    town.server.repeat_last_update()
    await town.settled()
    assert town.votes(ada) == [(1, "button", None)]
    await town.pressed(ada, reply, AGAIN)
    await town.said(chat, 2)
    town.server.repeat_last_update()
    await town.settled()
    assert len(town.server.from_bot(chat)) == 2 and len(town.jobs(chat)) == 2


async def test_a_reaction_that_comes_twice_does_not_undo_what_its_person_did_since(town: Scene) -> None:
    ada, chat = town.somebody()
    reply = await town.answer(ada, chat, "hello")
    town.server.react(ada, reply, "👍")
    [reaction] = town.server.pending_updates
    await town.votes_become(ada, (1, "reaction", None))
    await town.pressed(ada, reply, BAD)
    town.server.push(reaction, same_id=reaction["update_id"])
    await town.settled()
    assert town.votes(ada) == [(1, "reaction", None), (-1, "button", None)]


async def test_an_update_that_comes_again_after_a_restart_is_answered_once(own: Scene) -> None:
    ada, chat = own.somebody()
    await own.answer(ada, chat, "hello")
    await own.bot.kill()
    own.server.repeat_last_update()
    await restart(own)
    await the_reply(own, chat)


async def test_what_was_answered_but_not_confirmed_to_telegram_is_answered_once(own: Scene) -> None:
    (ada, chat), group = own.somebody(), own.group()
    own.server.fail_next("getUpdates", BAD_GATEWAY, BAD_GATEWAY)
    own.server.say(ada, chat, "hello")
    own.server.say(ada, group, f"{ME} hello")
    delivered = "SELECT state FROM deliveries"
    await own.becomes(lambda rows: rows == [("sent",)] * 2, delivered)
    await own.bot.says(UNREACHABLE)
    assert len(own.server.pending_updates) == 2
    await own.bot.kill()
    await restart(own)
    for place in (chat, group):
        await the_reply(own, place)


async def test_what_is_said_after_a_long_message_is_not_lost_with_its_repetition(own: Scene) -> None:
    ada, chat = own.somebody()
    own.server.say(ada, chat, "The tide came in. " * 222)
    await own.becomes(lambda rows: rows == [("sent",)], "SELECT state FROM deliveries")
    await own.bot.kill()
    own.server.repeat_last_update()  # as if it had not been confirmed
    own.server.say(ada, chat, "And then?")
    await restart(own)
    await own.settled()
    assert [text for _, text, _ in own.asked(ada)] == [("The tide came in. " * 222).strip(), "And then?"]
    assert len(own.replies(chat)) == 2


# The bot is killed or stopped


async def test_a_bot_killed_while_a_private_reply_grows_answers_exactly_once(own: Scene) -> None:
    ada, chat = own.somebody()
    async with worker_slowed(own.bot, pause_s=0.4):
        own.server.say(ada, chat, "tell me of the sea")
        await own.until(lambda: drafts(own, chat))
        assert own.finished(chat) == []
        await own.bot.kill()
    await restart(own)
    await the_reply(own, chat)


async def test_a_bot_killed_while_a_group_reply_grows_finishes_it_in_the_same_message(own: Scene) -> None:
    (ada, _), group = own.somebody(), own.group()
    async with worker_slowed(own.bot, pause_s=0.4):
        own.server.say(ada, group, f"{ME} tell me of the sea")
        await own.until(lambda: any(labels(each) == [CANCEL] for each in own.server.from_bot(group)))
        [growing] = own.server.from_bot(group)
        query = "SELECT platform_message_id FROM posts WHERE chat_id = ?"
        await own.becomes(lambda rows: rows == [(str(growing["message_id"]),)], query, str(group.id))
        await own.bot.kill()
    await restart(own)
    assert (await the_reply(own, group))["message_id"] == growing["message_id"]


async def test_a_bot_killed_before_it_began_to_answer_answers_exactly_once(own: Scene) -> None:
    (ada, chat), group = own.somebody(), own.group()
    with worker_stopped(own.bot):
        own.server.say(ada, chat, "hello")
        own.server.say(ada, group, "/quote courage")
        await own.becomes(lambda rows: len(rows) == 2, "SELECT id FROM jobs")
        await own.bot.kill()
    await restart(own)
    for place in (chat, group):
        await the_reply(own, place)


async def test_a_bot_killed_before_it_knew_that_its_reply_arrived_shows_it_once(own: Scene) -> None:
    ada, chat = own.somebody()
    own.server.fail_next("editMessageText", Fault.cut_after())
    own.server.say(ada, chat, "hello")
    await own.bot.says("is tried again in 1 s")
    await own.bot.kill()
    await restart(own)
    await the_reply(own, chat)


async def test_a_bot_killed_before_it_knew_that_its_placeholder_arrived_shows_one_reply(own: Scene) -> None:
    ada, chat = own.somebody()
    own.server.fail_next("sendMessage", Fault.cut_after())
    own.server.say(ada, chat, "hello")
    await own.bot.says("is tried again in 1 s")
    await own.bot.kill()
    await restart(own)
    await the_reply(own, chat, PLACEHOLDER)


async def test_a_stopped_bot_goes_on_with_what_waited_before_anything_newer(own: Scene) -> None:
    people, (eve, later) = [own.somebody() for _ in range(3)], own.somebody()
    with worker_stopped(own.bot):
        for number, (person, chat) in enumerate(people):
            own.server.say(person, chat, f"question {number}")
        await own.becomes(lambda rows: len(rows) == 3, "SELECT id FROM jobs WHERE state = 'running'")
        assert await own.bot.stop() == 143
    assert own.bot.rows("SELECT DISTINCT state FROM jobs") == [("accepted",)]
    own.server.say(eve, later, "something newer")
    await restart(own)
    for _, chat in [*people, (eve, later)]:
        await the_reply(own, chat)
    answered = "SELECT q.text FROM messages r JOIN messages q ON q.id = r.parent_id ORDER BY r.id"
    assert own.bot.rows(answered)[-1] == ("something newer",)


async def test_a_bot_stopped_while_a_group_reply_grows_finishes_it_in_the_same_message(own: Scene) -> None:
    (ada, _), group = own.somebody(), own.group()
    async with worker_slowed(own.bot, pause_s=0.6):
        own.server.say(ada, group, f"{ME} tell me of the sea")
        await own.until(lambda: own.server.from_bot(group))
        [growing] = own.server.from_bot(group)
        assert await own.bot.stop() == 143
    await restart(own)
    assert (await the_reply(own, group))["message_id"] == growing["message_id"]


async def test_a_stopping_bot_finishes_what_is_nearly_done(tmp_path: Path) -> None:
    async with scene(tmp_path, platforms__stop_within_s="60") as quick:
        ada, chat = quick.somebody()
        async with worker_slowed(quick.bot, pause_s=0.2):
            quick.server.say(ada, chat, "hello")
            await quick.until(lambda: drafts(quick, chat))
            os.kill(quick.bot.pid, signal.SIGTERM)
        assert await quick.bot.ended() == 143
        [reply] = quick.server.from_bot(chat)
        assert is_reply(reply) and quick.bot.rows("SELECT state FROM deliveries") == [("sent",)]


async def test_what_is_said_while_the_bot_is_down_is_answered_once_at_its_next_start(own: Scene) -> None:
    (ada, chat), group = own.somebody(), own.group()
    assert await own.bot.stop() == 143
    own.server.say(ada, chat, "are you there?")
    own.server.say(ada, group, "/quote courage")
    await restart(own)
    for place in (chat, group):
        await the_reply(own, place)


async def test_what_was_asked_inline_before_the_bot_was_killed_is_let_go(own: Scene) -> None:
    ada, _ = own.somebody()
    with worker_stopped(own.bot):
        own.server.inline(ada, "courage")
        await own.becomes(lambda rows: len(rows) == 1, "SELECT id FROM jobs WHERE state = 'running'")
        await own.bot.kill()
    await restart(own)
    await own.becomes(lambda rows: rows == [("failed",)], "SELECT state FROM deliveries")
    assert "could not be shown" not in own.bot.output


async def test_a_command_after_a_long_message_is_carried_out_after_it(own: Scene) -> None:
    ada, chat = own.somebody()
    assert await own.bot.stop() == 143
    own.server.say(ada, chat, "The tide came in. " * 222)
    own.server.say(ada, chat, "/forget me")
    await restart(own)
    await own.until(lambda: any(each["text"].startswith("Erased: ") for each in own.finished(chat)))
    await own.settled()
    assert {text for _, text, _ in own.asked(ada)} == {""}


async def test_a_mention_after_a_long_message_to_others_is_answered(own: Scene) -> None:
    (ada, _), group = own.somebody(), own.group(admin=True)
    assert await own.bot.stop() == 143
    own.server.say(ada, group, "The tide came in. " * 222)
    asked = own.server.say(ada, group, f"{ME} hello")
    await restart(own)
    assert (await the_reply(own, group))["reply_to_message"]["message_id"] == asked["message_id"]
    assert own.asked(ada) == [("chat", "hello", 0)]


# The worker is killed


async def test_a_worker_killed_while_a_reply_grows_costs_nobody_their_reply(own: Scene) -> None:
    (ada, chat), group = own.somebody(), own.group()
    async with worker_slowed(own.bot, pause_s=0.4):
        own.server.say(ada, chat, "tell me of the sea")
        own.server.say(ada, group, f"{ME} hello")
        await own.until(lambda: drafts(own, chat))
        seen = drafts(own, chat)[-1]
        assert own.replies(chat) == []
        for worker in own.bot.workers():
            os.kill(worker, signal.SIGKILL)
        await own.bot.says("the model worker ended")
    assert (await the_reply(own, chat))["text"].startswith(seen)
    await the_reply(own, group)


# Requests that go wrong


@pytest.mark.parametrize("in_group", [False, True])
@pytest.mark.parametrize("method", ["sendMessage", "editMessageText"])
@pytest.mark.parametrize("fault", [Fault.cut_before(), Fault.cut_after(), BAD_GATEWAY], ids=["before", "after", "502"])
async def test_a_request_that_is_lost_leaves_one_complete_reply(
    town: Scene, fault: Fault, method: str, in_group: bool
) -> None:
    (ada, chat), group = town.somebody(), town.group()
    place = group if in_group else chat
    town.server.fail_next(method, fault)
    asked = town.server.say(ada, place, f"{ME} hello" if in_group else "hello")
    reply = await the_reply(
        town, place, *([PLACEHOLDER] if (method, fault.kind) == ("sendMessage", "cut_after") else [])
    )
    assert not in_group or reply["reply_to_message"]["message_id"] == asked["message_id"]


async def test_a_growing_group_reply_whose_first_message_is_lost_stands_there_once(town: Scene) -> None:
    (ada, _), group = town.somebody(), town.group()
    town.server.fail_next("sendMessage", Fault.cut_after())
    async with worker_slowed(town.bot, pause_s=0.5):
        town.server.say(ada, group, f"{ME} tell me of the sea")
        await town.until(lambda: len(town.server.from_bot(group)) >= 2)
    await the_reply(town, group, PLACEHOLDER)


async def test_a_growing_group_reply_survives_lost_edits_in_the_same_message(town: Scene) -> None:
    (ada, _), group = town.somebody(), town.group()
    async with worker_slowed(town.bot, pause_s=0.5):
        town.server.say(ada, group, f"{ME} tell me of the sea")
        await town.until(lambda: town.server.from_bot(group))
        [growing] = town.server.from_bot(group)
        town.server.fail_next("editMessageText", Fault.cut_before(), Fault.cut_after())
    assert (await the_reply(town, group))["message_id"] == growing["message_id"]


async def test_a_row_of_bad_gateways_delays_and_loses_nothing(town: Scene) -> None:
    ada, chat = town.somebody()
    town.server.fail_next("sendMessage", BAD_GATEWAY)
    town.server.fail_next("sendChatAction", BAD_GATEWAY)
    town.server.fail_next("sendMessageDraft", BAD_GATEWAY)
    town.server.fail_next("getUpdates", BAD_GATEWAY)
    town.server.say(ada, chat, "hello")
    await the_reply(town, chat)


async def test_a_chat_that_is_limited_delays_no_other(town: Scene) -> None:
    (ada, chat), (bob, other), group = town.somebody(), town.somebody(), town.group()
    town.server.limit_chat(group, 0, 1)
    asked = town.server.say(ada, group, f"{ME} hello")
    await town.until(lambda: any(call.status == 429 for call in town.server.called("sendMessage")))
    for person, place in ((ada, chat), (bob, other)):
        assert is_reply(await town.answer(person, place, "hello"))
    assert town.server.from_bot(group) == []
    group.limit = None
    assert (await the_reply(town, group))["reply_to_message"]["message_id"] == asked["message_id"]


async def test_in_a_limited_group_of_ten_everybody_gets_their_reply_once(town: Scene) -> None:
    people, group = [town.somebody()[0] for _ in range(10)], town.group()
    town.server.limit_chat(group, 6, 1)
    asked = [town.server.say(person, group, f"{ME} hello")["message_id"] for person in people]
    await town.until(lambda: len(town.replies(group)) == 10)
    await town.settled()
    assert any(call.status == 429 for call in town.server.calls if call.parameters.get("chat_id") == group.id)
    answered = [message["reply_to_message"]["message_id"] for message in town.server.from_bot(group)]
    assert sorted(answered) == asked and all(map(is_reply, town.server.from_bot(group)))
    assert sorted(words(each) for each in town.replies(group)) == sorted(town.stored_replies(group))


async def test_who_blocks_the_bot_meanwhile_costs_only_their_own_reply(town: Scene) -> None:
    (ada, chat), (bob, other) = town.somebody(), town.somebody()
    async with worker_slowed(town.bot, pause_s=0.2):
        town.server.say(ada, chat, "tell me of the sea")
        town.server.say(bob, other, "hello")
        await town.until(lambda: drafts(town, chat))
        town.server.block(ada)
    await the_reply(town, other)
    assert town.server.from_bot(chat) == []
    given_up = (
        "SELECT state, reason FROM deliveries JOIN messages m ON m.id = message_id "
        "JOIN conversations c ON c.id = m.conversation_id WHERE chat_id = ?"
    )
    [(state, reason)] = town.bot.rows(given_up, str(chat.id))
    assert state == "failed" and "blocked by the user" in reason
    town.server.unblock(ada)
    assert is_reply(await town.answer(ada, chat, "back again"))
    await town.settled()
    assert len(town.server.from_bot(chat)) == 1


async def test_a_group_that_throws_the_bot_out_costs_only_its_own_reply(town: Scene) -> None:
    (ada, chat), group = town.somebody(), town.group()
    async with worker_slowed(town.bot, pause_s=0.2):
        town.server.say(ada, group, f"{ME} tell me of the sea")
        await town.until(lambda: town.jobs(group))
        town.server.remove_bot(group)
    assert is_reply(await town.answer(ada, chat, "hello"))
    await town.settled()
    assert town.replies(group) == []


async def test_a_group_that_becomes_a_supergroup_gets_its_reply_there(town: Scene) -> None:
    (ada, _), group = town.somebody(), town.server.group(-7_001, "Readers")
    async with worker_slowed(town.bot, pause_s=0.4):
        town.server.say(ada, group, f"{ME} tell me of the sea")
        await town.until(lambda: town.server.from_bot(group))
        upgraded = town.server.upgrade(group)
    await town.until(lambda: town.replies(upgraded))
    await town.settled()
    [reply] = town.server.from_bot(upgraded)
    assert [words(reply)] == town.stored_replies(group) and town.replies(group) == []


async def test_a_deleted_message_that_grew_leads_to_one_reply_in_a_new_one(town: Scene) -> None:
    (ada, _), group = town.somebody(), town.group()
    async with worker_slowed(town.bot, pause_s=0.4):
        asked = town.server.say(ada, group, f"{ME} tell me of the sea")
        await town.until(lambda: town.server.from_bot(group))
        [growing] = town.server.from_bot(group)
        town.server.delete(growing)
    reply = await the_reply(town, group)
    assert reply["message_id"] != growing["message_id"]
    assert reply["reply_to_message"]["message_id"] == asked["message_id"]


async def test_a_deleted_placeholder_leads_to_one_reply(town: Scene) -> None:
    ada, chat = town.somebody()
    town.server.fail_next("editMessageText", BAD_GATEWAY)
    town.server.say(ada, chat, "hello")
    await town.until(lambda: town.server.called("editMessageText")[-1:] and town.server.from_bot(chat))
    [placeholder] = town.server.from_bot(chat)
    assert placeholder["text"] == PLACEHOLDER
    town.server.delete(placeholder)
    assert (await the_reply(town, chat))["message_id"] != placeholder["message_id"]


async def test_a_deleted_place_in_line_leads_to_one_reply(own: Scene) -> None:
    (ada, chat), (bob, other) = own.somebody(), own.somebody()
    async with worker_slowed(own.bot, pause_s=0.4):
        own.server.say(ada, chat, "tell me of the sea")
        own.server.say(bob, other, "hello")
        await own.until(lambda: any(each["text"].startswith("next in line") for each in own.server.from_bot(other)))
        [place] = own.server.from_bot(other)
        own.server.delete(place)
    assert (await the_reply(own, other))["message_id"] != place["message_id"]
    await the_reply(own, chat)


async def test_a_question_that_was_deleted_is_answered_all_the_same(town: Scene) -> None:
    (ada, _), group = town.somebody(), town.group()
    with worker_stopped(town.bot):
        asked = town.server.say(ada, group, f"{ME} hello")
        await town.until(lambda: town.jobs(group))
        town.server.delete(asked)
    assert "reply_to_message" not in await the_reply(town, group)


async def test_a_press_that_became_too_old_is_still_done(town: Scene) -> None:
    ada, chat = town.somebody()
    reply = await town.answer(ada, chat, "hello")
    town.server.expire(town.server.press(ada, reply, GOOD))
    await town.votes_become(ada, (1, "button", None))
    assert is_reply(await town.answer(ada, chat, "hello again"))


async def test_the_file_with_a_persons_data_waits_until_their_chat_takes_it(town: Scene) -> None:
    ada, chat = town.somebody()
    await town.answer(ada, chat, "hello")
    town.server.fail_next("sendDocument", Fault.status(429, "Too Many Requests: retry after 1", 1))
    exported = await town.answer(ada, chat, "/mydata export")
    assert exported["caption"] == "Everything that is stored about you."
    await town.settled()
    assert len(town.server.from_bot(chat)) == 2


async def test_who_does_not_get_the_file_with_their_data_is_told_so(town: Scene) -> None:
    ada, chat = town.somebody()
    town.server.fail_next("sendDocument", Fault.status(413, "Request Entity Too Large"))
    told = await town.answer(ada, chat, "/mydata export")
    assert told["text"].startswith("The file with your data may not have reached you; say /mydata export again")
    await town.settled()
    assert len(town.server.from_bot(chat)) == 1


async def test_the_question_for_better_words_waits_until_the_chat_takes_it(town: Scene) -> None:
    ada, chat = town.somebody()
    await town.pressed(ada, await town.answer(ada, chat, "hello"), BAD)
    question = (await town.said(chat, 2))[-1]
    town.server.fail_next("sendMessage", Fault.status(429, "Too Many Requests: retry after 1", 1))
    await town.pressed(ada, question, "✏️ say it better")
    assert (await town.said(chat, 3))[-1]["text"].startswith("Reply to this message with the wording")


# Telegram is away


async def test_an_outage_is_told_in_a_line_and_loses_nothing(own: Scene) -> None:
    (ada, chat), (bob, other) = own.somebody(), own.somebody()
    with worker_stopped(own.bot):
        own.server.say(ada, chat, "hello")
        await own.becomes(lambda rows: len(rows) == 1, "SELECT id FROM jobs WHERE state = 'running'")
        own.server.down()
        await own.bot.says(UNREACHABLE)
    own.server.say(bob, other, "anybody there?")
    await own.becomes(lambda rows: rows == [("done",)], "SELECT state FROM jobs")
    own.server.up()
    for place in (chat, other):
        await the_reply(own, place, PLACEHOLDER)


async def test_a_bot_without_a_network_waits_for_it(tmp_path: Path) -> None:
    async with TelegramServer() as server:
        environment = settings_for(server, tmp_path)
        server.down()
        async with BotProcess(tmp_path, environment) as bot:
            await bot.says(UNREACHABLE)
            assert "Trying again in 1 s." in bot.output and CONNECTED not in bot.output
            here = Scene(server, bot)
            ada, chat = here.somebody()
            server.say(ada, chat, "hello")
            server.up()
            await bot.says(CONNECTED)
            await the_reply(here, chat)
            assert server.commands[("default", "")]
            assert "Traceback" not in bot.output


async def test_a_bad_gateway_at_the_start_is_waited_for(tmp_path: Path) -> None:
    async with TelegramServer() as server:
        server.fail_next("getMe", BAD_GATEWAY)
        server.fail_next("setMyCommands", BAD_GATEWAY)
        async with BotProcess(tmp_path, settings_for(server, tmp_path)) as bot:
            await bot.says(UNREACHABLE)
            await bot.says(CONNECTED)
            here = Scene(server, bot)
            ada, chat = here.somebody()
            assert is_reply(await here.answer(ada, chat, "hello"))
            assert ("default", "de") in server.commands
            assert "Traceback" not in bot.output


async def test_the_operator_is_not_shown_the_page_of_a_bad_gateway(own: Scene) -> None:
    own.server.fail_next("getUpdates", BAD_GATEWAY)
    await own.answer(*own.somebody(), "/help")
    await own.bot.says(UNREACHABLE)
    assert "<html" not in own.bot.output


async def test_another_program_with_the_same_token_is_told_of_and_outlived(town: Scene) -> None:
    ada, chat = town.somebody()
    async with ClientSession() as intruder:
        await intruder.get(f"{town.server.base_url}/bot{town.server.token}/getUpdates")
    await town.bot.says("Telegram: another program answers with the same token; stop it, or use a token of its own.")
    town.server.say(ada, chat, "hello")
    await the_reply(town, chat)


# The token


async def test_a_wrong_token_ends_the_bot_with_one_clear_line(tmp_path: Path) -> None:
    async with TelegramServer() as server:
        wrong = "123456:" + "B" * 35
        async with BotProcess(tmp_path, settings_for(server, tmp_path, TELEGRAM_TOKEN=wrong)) as bot:
            assert await bot.ended() == 1
        assert bot.lines[1:] == [
            "Telegram does not accept the token: copy TELEGRAM_TOKEN again from @BotFather.",
            "No platform is left to serve.",
        ]
        assert "B" * 35 not in bot.output


async def test_a_revoked_token_ends_the_bot_with_one_clear_line(own: Scene) -> None:
    ada, chat = own.somebody()
    assert is_reply(await own.answer(ada, chat, "hello"))
    own.server.revoke()
    assert await own.bot.ended() == 1
    assert own.bot.lines[-2:] == [
        "Telegram does not accept the token: copy TELEGRAM_TOKEN again from @BotFather.",
        "No platform is left to serve.",
    ]


async def test_what_waits_when_the_token_is_revoked_is_kept_for_the_next_start(tmp_path: Path) -> None:
    async with scene(tmp_path, inference__slots="1", quote__pool_depth="0") as town:
        people = [town.somebody() for _ in range(3)]
        with worker_stopped(town.bot):
            for person, chat in people:
                town.server.say(person, chat, "hello")
            await town.becomes(lambda rows: len(rows) == 3, "SELECT id FROM jobs WHERE state = 'running'")
            town.server.revoke()
            assert await town.bot.ended() == 1
        assert {state for (state,) in town.bot.rows("SELECT state FROM jobs")} <= {"accepted", "running"}
        assert "ERROR" not in town.bot.output and "Traceback" not in town.bot.output


async def test_the_token_is_never_shown_even_when_everything_is_logged(tmp_path: Path) -> None:
    async with scene(tmp_path, logging__level="debug") as talkative:
        ada, chat = talkative.somebody()
        talkative.server.fail_next("sendMessage", Fault.cut_after(), BAD_GATEWAY)
        talkative.server.fail_next("getUpdates", Fault.status(409, "Conflict: other getUpdates request"))
        talkative.server.say(ada, chat, "hello")
        await the_reply(talkative, chat, PLACEHOLDER)
        talkative.server.down()
        await talkative.bot.says("Trying again", times=2)
        talkative.server.up()
        assert is_reply(await talkative.answer(ada, chat, "hello again"))
        talkative.server.revoke()
        assert await talkative.bot.ended() == 1
        assert "DEBUG" in talkative.bot.output and "[secret]" in talkative.bot.output
        assert talkative.server.token not in talkative.bot.output and "A" * 35 not in talkative.bot.output
