"""The loopback Telegram as python-telegram-bot sees it; nothing here runs the project's bot."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultArticle,
    InputFile,
    InputTextMessageContent,
    ReplyParameters,
    Update,
)
from telegram.constants import ReactionEmoji
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.ext import ApplicationBuilder, ContextTypes, MessageHandler, filters

from tests.servers.telegram import REACTIONS, SAMPLES, Chat, Fault, Person, TelegramServer

EVERYTHING = ["message", "message_reaction"]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest_asyncio.fixture
async def bot(server: TelegramServer) -> AsyncIterator[Bot]:
    async with connected(server) as bot:
        yield bot


@pytest.fixture
def ada(server: TelegramServer) -> Person:
    return server.person(7, "Ada")


@pytest.fixture
def chat(server: TelegramServer, ada: Person) -> Chat:
    return server.private(ada)


@asynccontextmanager
async def connected(server: TelegramServer) -> AsyncIterator[Bot]:
    async with Bot(server.token, base_url=f"{server.base_url}/bot") as bot:
        yield bot


def keyboard(*buttons: tuple[str, str]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(label, callback_data=data) for label, data in buttons]])


async def refused(request: Awaitable[object], kind: type[TelegramError] = BadRequest) -> str:
    with pytest.raises(kind) as refusal:
        await request
    return refusal.value.message


async def texts(bot: Bot, offset: int | None = None) -> list[str | None]:
    updates = await bot.get_updates(offset=offset)
    return [update.effective_message.text for update in updates if update.effective_message is not None]


async def test_the_bot_learns_who_it_is(server: TelegramServer, bot: Bot) -> None:
    me = await bot.get_me()
    assert (me.id, me.username, me.is_bot) == (server.bot_id, server.username, True)
    assert me.supports_inline_queries and me.can_join_groups and not me.can_read_all_group_messages


async def test_a_message_arrives_with_its_command_and_stays_until_it_is_confirmed(
    server: TelegramServer, bot: Bot, ada: Person, chat: Chat
) -> None:
    server.say(ada, chat, "/quote of the day")
    server.say(ada, chat, "😀 hello @quotesmith_bot")
    first, second = await bot.get_updates()
    assert first.message is not None and second.message is not None
    assert first.message.from_user is not None and first.message.from_user.language_code == "en"
    assert list(first.message.parse_entities(["bot_command"]).values()) == ["/quote"]
    assert list(second.message.parse_entities(["mention"]).values()) == ["@quotesmith_bot"]
    async with connected(server) as restarted:
        assert len(await restarted.get_updates()) == 2
        assert await texts(restarted, first.update_id + 1) == ["😀 hello @quotesmith_bot"]
    assert await texts(bot) == ["😀 hello @quotesmith_bot"]
    assert await bot.get_updates(offset=second.update_id + 1) == ()
    assert server.pending_updates == []


async def test_a_long_poll_ends_with_the_next_update(server: TelegramServer, bot: Bot, ada: Person, chat: Chat) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await server.until(lambda: server.called("getUpdates"))
    server.say(ada, chat, "hello")
    async with asyncio.timeout(5):
        assert len(await poll) == 1


async def test_a_long_poll_without_updates_ends_in_time(bot: Bot) -> None:
    before = time.monotonic()
    assert await bot.get_updates(timeout=1) == ()
    assert 1 <= time.monotonic() - before < 3


async def test_what_came_while_a_bot_died_goes_to_its_successor(
    server: TelegramServer, ada: Person, chat: Chat
) -> None:
    async with connected(server) as dying:
        poll = asyncio.create_task(dying.get_updates(timeout=30))
        await server.until(lambda: server.called("getUpdates"))
        poll.cancel()
    server.say(ada, chat, "hello")
    async with connected(server) as successor:
        assert await texts(successor) == ["hello"]


async def test_the_older_of_two_polls_is_refused(server: TelegramServer, bot: Bot) -> None:
    older = asyncio.create_task(bot.get_updates(timeout=30))
    await server.until(lambda: server.called("getUpdates"))
    async with connected(server) as other:
        await other.get_updates()
    assert "terminated by other getUpdates request" in await refused(older, Conflict)


async def test_an_update_comes_again_after_it_was_confirmed(
    server: TelegramServer, bot: Bot, ada: Person, chat: Chat
) -> None:
    server.say(ada, chat, "hello")
    [update] = await bot.get_updates()
    await bot.get_updates(offset=update.update_id + 1)
    assert server.repeat_last_update() == update.update_id
    assert [again.update_id for again in await bot.get_updates(offset=update.update_id + 1)] == [update.update_id]
    assert await bot.get_updates(offset=update.update_id + 1) == ()


async def test_messages_are_sent_edited_and_deleted(server: TelegramServer, bot: Bot, chat: Chat) -> None:
    sent = await bot.send_message(chat.id, " 5\n", reply_markup=keyboard(("Again", "again")))
    assert sent.text == "5" and server.called("sendMessage")[-1].parameters["text"] == " 5\n"
    await bot.edit_message_text("six", chat.id, sent.message_id)
    [edited] = server.messages(chat)
    assert edited["text"] == "six" and edited["edit_date"] and "reply_markup" not in edited
    await bot.edit_message_reply_markup(chat.id, sent.message_id, reply_markup=keyboard(("More", "more")))
    assert server.from_bot(chat)[0]["reply_markup"]["inline_keyboard"][0][0]["text"] == "More"
    assert await bot.delete_message(chat.id, sent.message_id)
    assert server.messages(chat) == []


async def test_what_telegram_refuses_is_refused_in_its_words(
    server: TelegramServer, bot: Bot, ada: Person, chat: Chat
) -> None:
    sent = await bot.send_message(chat.id, "hello")
    assert await refused(bot.send_message(chat.id, "")) == "Message text is empty"
    assert await refused(bot.send_message(chat.id, " \n")) == "Text must be non-empty"
    assert await refused(bot.send_message(chat.id, "😀" * 2049)) == "Message is too long"
    assert await refused(bot.edit_message_text("a" * 4097, chat.id, sent.message_id)) == "Message_too_long"
    assert "is not modified: specified" in await refused(bot.edit_message_text("hello ", chat.id, sent.message_id))
    assert await refused(bot.edit_message_text("hi", chat.id, 1)) == "Message to edit not found"
    assert await refused(bot.delete_message(chat.id, 1)) == "Message to delete not found"
    assert await refused(bot.send_message(12345, "hello")) == "Chat not found"
    long_button = keyboard(("Again", "é" * 33))
    assert await refused(bot.send_message(chat.id, "hello", reply_markup=long_button)) == "Button_data_invalid"
    said = server.say(ada, chat, "mine")
    assert await refused(bot.edit_message_text("yours", chat.id, said["message_id"])) == "Message can't be edited"
    assert await bot.send_message(chat.id, "😀" * 2048)


async def test_an_answer_needs_its_message_unless_it_may_go_without(
    server: TelegramServer, bot: Bot, ada: Person, chat: Chat
) -> None:
    said = server.say(ada, chat, "hello")
    answer = await bot.send_message(chat.id, "hi", reply_parameters=ReplyParameters(said["message_id"]))
    assert answer.reply_to_message is not None and answer.reply_to_message.text == "hello"
    server.delete(said)
    gone = bot.send_message(chat.id, "hi", reply_parameters=ReplyParameters(said["message_id"]))
    assert await refused(gone) == "Message to be replied not found"
    may = ReplyParameters(said["message_id"], allow_sending_without_reply=True)
    assert (await bot.send_message(chat.id, "hi", reply_parameters=may)).reply_to_message is None


async def test_a_press_arrives_and_is_answered_until_it_is_too_old(
    server: TelegramServer, bot: Bot, ada: Person, chat: Chat
) -> None:
    await bot.send_message(chat.id, "A quote", reply_markup=keyboard(("Again", "again:1"), ("Stop", "stop")))
    [message] = server.from_bot(chat)
    with pytest.raises(AssertionError, match=r"no button 'More' among .*Again"):
        server.press(ada, message, "More")
    query = server.press(ada, message, "Again")
    [update] = await bot.get_updates()
    assert update.callback_query is not None
    assert (update.callback_query.id, update.callback_query.data) == (query, "again:1")
    await update.callback_query.answer("Here", show_alert=True)
    assert server.callback_answers[query] == {"callback_query_id": query, "text": "Here", "show_alert": True}
    server.expire(query)
    assert (await refused(update.callback_query.answer())).startswith("Query is too old and response timeout expired")


async def test_a_button_can_be_pressed_after_its_message_is_gone(
    server: TelegramServer, bot: Bot, ada: Person, chat: Chat
) -> None:
    sent = await bot.send_message(chat.id, "A quote", reply_markup=keyboard(("Again", "again")))
    [message] = server.from_bot(chat)
    await sent.delete()
    server.press(ada, message, "again")
    [update] = await bot.get_updates()
    assert update.callback_query is not None and update.callback_query.message is not None
    assert not update.callback_query.message.is_accessible


async def test_reactions_arrive_only_where_they_are_asked_for(
    server: TelegramServer, bot: Bot, ada: Person, chat: Chat
) -> None:
    await bot.send_message(chat.id, "A quote")
    [message] = server.from_bot(chat)
    server.react(ada, message, "👎")
    assert await bot.get_updates(allowed_updates=EVERYTHING) == ()
    server.react(ada, message, "👍")
    server.react(ada, message)
    reactions = [update.message_reaction for update in await bot.get_updates()]
    changes = [
        ([r.to_dict()["emoji"] for r in one.old_reaction], [r.to_dict()["emoji"] for r in one.new_reaction])
        for one in reactions
        if one is not None
    ]
    assert changes == [(["👎"], ["👍"]), (["👍"], [])]
    await bot.get_updates(offset=-1, allowed_updates=[])
    server.react(ada, message, "🔥")
    assert len(server.pending_updates) == 1


async def test_the_bot_reacts(server: TelegramServer, bot: Bot, ada: Person, chat: Chat) -> None:
    said = server.say(ada, chat, "hello")
    await bot.set_message_reaction(chat.id, said["message_id"], ReactionEmoji.HEART_ON_FIRE)
    assert server.bot_reactions[chat.id, said["message_id"]] == ["❤\u200d🔥"]
    assert await refused(bot.set_message_reaction(chat.id, said["message_id"], "x")) == "Reaction_invalid"


def test_the_reactions_are_those_of_telegram() -> None:
    # The library writes some with a variation selector, which Telegram leaves out.
    assert {emoji.value.replace("\ufe0f", "") for emoji in ReactionEmoji} == REACTIONS


async def test_an_inline_query_is_answered(server: TelegramServer, bot: Bot, ada: Person) -> None:
    identifier = server.inline(ada, "courage")
    [update] = await bot.get_updates()
    assert update.inline_query is not None and update.inline_query.query == "courage"
    article = InlineQueryResultArticle("1", "Courage", InputTextMessageContent("Be brave."))
    await update.inline_query.answer([article], cache_time=0, is_personal=True)
    [result] = server.inline_answers[identifier]["results"]
    assert result["input_message_content"]["message_text"] == "Be brave."
    assert await refused(bot.answer_inline_query(identifier, [article, article])) == "Result_id_duplicate"
    assert (await refused(bot.answer_inline_query("1", [article]))).startswith("Query is too old")


async def test_drafts_go_to_people_only(server: TelegramServer, bot: Bot, chat: Chat) -> None:
    group = server.group(-5, "Readers")
    await bot.send_message_draft(chat.id, 1, "Once")
    await bot.send_message_draft(chat.id, 1, "Once upon")
    assert [draft.parameters["text"] for draft in server.drafts] == ["Once", "Once upon"]
    assert await refused(bot.send_message_draft(group.id, 1, "Once")) == "Textdraft_peer_invalid"
    assert len(server.drafts) == 2 and server.messages(chat) == []


async def test_a_document_arrives_whole(server: TelegramServer, bot: Bot, chat: Chat) -> None:
    content = bytes(range(256)) * 8192
    sent = await bot.send_document(chat.id, content, caption="Your data", filename="data.zip")
    attached = InputFile(b"{}", filename="data.json", attach=True)
    await bot.send_document(chat.id, attached)
    first, second = server.documents
    assert (first.name, first.content, first.caption, first.chat) == ("data.zip", content, "Your data", chat)
    assert (second.name, second.content) == ("data.json", b"{}")
    assert sent.document is not None and sent.document.file_size == len(content)


async def test_commands_and_descriptions_are_kept_by_scope_and_language(server: TelegramServer, bot: Bot) -> None:
    commands = [BotCommand("quote", "Say a quote")]
    await bot.set_my_commands(commands)
    await bot.set_my_commands(commands, scope=BotCommandScopeChat(7), language_code="de")
    assert await bot.get_my_commands() == tuple(commands)
    assert server.commands[("chat:7", "de")] == [{"command": "quote", "description": "Say a quote"}]
    await bot.delete_my_commands()
    assert list(server.commands) == [("chat:7", "de")]
    assert await refused(bot.set_my_commands([("Quote", "Say a quote")])) == "Bot_command_invalid"
    await bot.set_my_description("Writes quotes.", language_code="de")
    await bot.set_my_short_description("Quotes")
    assert (server.descriptions, server.short_descriptions) == ({"de": "Writes quotes."}, {"": "Quotes"})


async def test_privacy_mode_keeps_what_is_not_for_the_bot(server: TelegramServer, bot: Bot, ada: Person) -> None:
    group = server.group(-1001234567890, "Readers")
    sent = await bot.send_message(group.id, "A quote")
    for text in ("hello", "a /quote inside", "/quote@other_bot", "@other_bot hi"):
        server.say(ada, group, text)
    heard = ["/quote", "/quote@Quotesmith_bot now", "hi @quotesmith_bot"]
    for text in heard:
        server.say(ada, group, text)
    server.say(ada, group, "why?", reply_to=sent.message_id)
    server.react(ada, server.from_bot(group)[0], "👍")
    assert await texts(bot) == [*heard, "why?"]
    assert len(server.messages(group)) == 9


async def test_an_administrator_hears_everything(server: TelegramServer, bot: Bot, ada: Person) -> None:
    group = server.group(-1001234567890, "Readers", admin=True)
    await bot.get_updates(allowed_updates=EVERYTHING)
    said = server.say(ada, group, "hello")
    server.react(ada, said, "👍")
    assert len(await bot.get_updates()) == 2
    assert (await bot.get_chat_member(group.id, server.bot_id)).status == "administrator"
    assert (await bot.get_chat_member(group.id, ada.id)).status == "member"
    server.promote(ada, group)
    assert (await bot.get_chat_member(group.id, ada.id)).status == "administrator"
    assert (await bot.get_chat(group.id)).title == "Readers"


async def test_threads_are_kept_apart(server: TelegramServer, bot: Bot, ada: Person) -> None:
    forum = server.group(-1001234567890, "Readers", forum=True)
    server.say(ada, forum, "/quote", thread=55)
    [update] = await bot.get_updates()
    assert update.message is not None and update.message.is_topic_message
    assert update.message.reply_to_message is not None and update.message.reply_to_message.forum_topic_created
    answer = await update.message.reply_text("A quote")
    assert answer.message_thread_id == 55
    assert await refused(bot.send_message(forum.id, "A quote", message_thread_id=56)) == "Message thread not found"


async def test_a_reply_in_a_supergroup_names_a_thread_that_cannot_be_sent_to(
    server: TelegramServer, bot: Bot, ada: Person
) -> None:
    group = server.group(-1001234567890, "Readers")
    sent = await bot.send_message(group.id, "A quote")
    said = server.say(ada, group, "why?", reply_to=sent.message_id)
    thread = said["message_thread_id"]
    assert thread == sent.message_id
    assert await refused(bot.send_message(group.id, "so", message_thread_id=thread)) == "Message thread not found"


async def test_other_messages_are_read(server: TelegramServer, bot: Bot, ada: Person, chat: Chat) -> None:
    for kind, sample in SAMPLES.items():
        server.send_other(ada, chat, **{kind: sample})
    server.send_other(ada, chat, photo=SAMPLES["photo"], caption="/quote this")
    messages = [update.message for update in await bot.get_updates()]
    assert [bool(m and m.effective_attachment) for m in messages] == [True] * (len(SAMPLES) + 1)


async def test_an_edited_message_comes_as_such(server: TelegramServer, bot: Bot, ada: Person, chat: Chat) -> None:
    server.edit(server.say(ada, chat, "/quote"), "hello")
    edited = (await bot.get_updates())[-1].edited_message
    assert edited is not None and edited.text == "hello" and edited.entities == ()


async def test_who_blocked_the_bot_gets_nothing(server: TelegramServer, bot: Bot, ada: Person, chat: Chat) -> None:
    server.block(ada)
    for request in (bot.send_message(chat.id, "hello"), bot.send_message_draft(chat.id, 1, "hello")):
        assert await refused(request, Forbidden) == "Forbidden: bot was blocked by the user"
    [update] = await bot.get_updates()
    assert update.my_chat_member is not None and update.my_chat_member.new_chat_member.status == "kicked"
    server.unblock(ada)
    await bot.send_message(chat.id, "hello")
    group = server.group(-1001234567890, "Readers")
    server.remove_bot(group)
    kicked = await refused(bot.send_message(group.id, "hello"), Forbidden)
    assert kicked == "Forbidden: bot was kicked from the supergroup chat"


async def test_faults_come_in_order_and_pass(server: TelegramServer, bot: Bot, chat: Chat) -> None:
    server.fail_next(
        "sendMessage",
        Fault.status(429, "Too Many Requests: retry after 3", retry_after=3),
        Fault.status(502, "Bad Gateway"),
        Fault.cut_before(),
        Fault.cut_after(),
    )
    assert "Retry in 3 seconds" in await refused(bot.send_message(chat.id, "limited"), RetryAfter)
    assert "Bad Gateway (502)" in await refused(bot.send_message(chat.id, "gateway"), NetworkError)
    assert "RemoteProtocolError" in await refused(bot.send_message(chat.id, "before"), NetworkError)
    assert "RemoteProtocolError" in await refused(bot.send_message(chat.id, "after"), NetworkError)
    assert await bot.send_message(chat.id, "through")
    assert [message["text"] for message in server.messages(chat)] == ["after", "through"]
    assert [call.status for call in server.called("sendMessage")] == [429, 502, 0, 0, 200]


async def test_a_chat_is_limited_on_its_own(server: TelegramServer, bot: Bot, chat: Chat) -> None:
    other = server.group(-5, "Readers")
    server.limit_chat(chat, 2, 60)
    sent = await bot.send_message(chat.id, "one")
    await bot.edit_message_text("two", chat.id, sent.message_id)
    with pytest.raises(RetryAfter) as limited:
        await bot.send_message(chat.id, "three")
    assert limited.value.retry_after in (59, 60)
    assert await bot.send_message(other.id, "elsewhere") and await bot.send_message_draft(chat.id, 1, "draft")


async def test_the_server_goes_and_comes_back(server: TelegramServer, bot: Bot, ada: Person, chat: Chat) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await server.until(lambda: server.called("getUpdates"))
    server.down()
    await refused(poll, NetworkError)
    assert "ConnectError" in await refused(bot.send_message(chat.id, "hello"), NetworkError)
    server.say(ada, chat, "anybody?")
    server.up()
    assert await texts(bot) == ["anybody?"]
    server.down()
    server.up()
    server.down()
    server.down()
    server.up()
    server.up()
    assert await bot.send_message(chat.id, "hello")
    server.down()


async def test_a_revoked_token_is_worth_nothing(server: TelegramServer, bot: Bot, chat: Chat) -> None:
    async with Bot(server.token, base_url=f"{server.base_url}/bot") as other:
        poll = asyncio.create_task(other.get_updates(timeout=30))
        await server.until(lambda: server.called("getUpdates"))
        server.revoke()
        assert await refused(poll, InvalidToken) == "Unauthorized"
    assert await refused(bot.send_message(chat.id, "hello"), InvalidToken) == "Unauthorized"


async def test_a_wrong_token_and_an_unknown_method_are_told_apart(server: TelegramServer, bot: Bot) -> None:
    wrong = Bot("123456:" + "B" * 35, base_url=f"{server.base_url}/bot")
    assert "was rejected by the server" in await refused(wrong.initialize(), InvalidToken)
    await wrong.shutdown()
    assert "not found" in (await refused(bot.do_api_request("sendNothing"), TelegramError)).lower()


async def test_a_request_can_be_json_or_a_query(server: TelegramServer, chat: Chat) -> None:
    async with ClientSession(f"{server.base_url}/bot{server.token}/") as session:
        buttons = {"inline_keyboard": [[{"text": "Again", "callback_data": "again"}]]}
        await session.post("sendMessage", json={"chat_id": chat.id, "text": "1", "reply_markup": buttons})
        await session.get("sendMessage", params={"chat_id": chat.id, "text": "2", "reply_markup": json.dumps(buttons)})
    assert [message["text"] for message in server.from_bot(chat)] == ["1", "2"]
    assert all(call.parameters["reply_markup"] == buttons for call in server.calls)


async def test_waiting_in_vain_says_what_there_was(server: TelegramServer, bot: Bot, ada: Person, chat: Chat) -> None:
    server.say(ada, chat, "hello")
    await bot.send_message(chat.id, "A quote", reply_markup=keyboard(("Again", "again")))
    with pytest.raises(AssertionError, match=r"200 sendMessage(.|\n)*Ada: 'hello'(.|\n)*'A quote' \[Again\]"):
        await server.until(lambda: False, timeout_s=0.05)


async def test_an_application_polls_and_confirms(server: TelegramServer, ada: Person, chat: Chat) -> None:
    async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message is not None and update.message.text is not None
        await update.message.reply_text(update.message.text.upper())

    application = ApplicationBuilder().token(server.token).base_url(f"{server.base_url}/bot").build()
    application.add_handler(MessageHandler(filters.TEXT, echo))
    async with application:
        assert application.updater is not None
        await application.updater.start_polling(timeout=30)
        await application.start()
        server.say(ada, chat, "hello")
        await server.until(lambda: server.from_bot(chat), timeout_s=10)
        await application.updater.stop()
        await application.stop()
    assert server.from_bot(chat)[0]["text"] == "HELLO" and server.pending_updates == []
