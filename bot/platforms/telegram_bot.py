"""The bot on Telegram: takes updates one after the other, and none twice; translates and decides nothing else.

The library's own updater confirms an update to Telegram as soon as it has read it. Here the next request for updates
is made only when the last ones are on record, so that a process that is killed loses none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    CallbackQuery,
    InlineQuery,
    InlineQueryResultArticle,
    InputTextMessageContent,
    MessageReactionUpdated,
    Update,
)
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from bot.chat.messages import ConversationKey, Platform
from bot.chat.ports import SeenBefore
from bot.errors import PlatformRefused, PlatformUnreachable, QuotesmithError, StorageError
from bot.platforms.address import Address
from bot.platforms.catalogue import ENGLISH, Texts, languages
from bot.platforms.commands import Action, styled_quote
from bot.platforms.errands import Outcome
from bot.platforms.front_desk import FrontDesk, only_text
from bot.platforms.incoming import Incoming, vote_of
from bot.platforms.outlet import ChatCooldown, ChatGone, ChatUnreachable, PostGone
from bot.platforms.presses import FollowUp, Pressed, why_buttons
from bot.platforms.replies import user_text
from bot.platforms.telegram_outlet import TelegramOutlet, reason_of, retry_after_s
from bot.platforms.telegram_updates import (
    Me,
    asked_better,
    growing_pastes,
    paste_groups,
    read_messages,
    read_press,
    signs_of,
)

log = logging.getLogger(__name__)

_POLL_S = 30
_GATHER_S = 1.0  # the rest of a paste follows at once
_LOOK_AGAIN_S = 0.2  # meanwhile others are not kept waiting
_MOST_LOOKS = 25
_INLINE_PAUSE_S = 0.6  # who types goes on typing
_TOAST_CHARS = 200
_WANTED = [Update.MESSAGE, Update.CALLBACK_QUERY, Update.INLINE_QUERY, Update.MESSAGE_REACTION]
_MENU = (
    Action.QUOTE,
    Action.CHAT,
    Action.NEW,
    Action.CANCEL,
    Action.HELP,
    Action.PRIVACY,
    Action.COMPARE,
    Action.FAVORITES,
    Action.CONSENT,
    Action.MYDATA,
    Action.FORGET,
)
_OPERATORS_MENU = (*_MENU, Action.STATS, Action.MODEL, Action.ANNOUNCE)


def make_bot(token: str, base_url: str) -> Bot:
    """The library's client; `base_url` is a Bot API server of the operator's own, "" Telegram's."""
    request = HTTPXRequest(connection_pool_size=64, pool_timeout=30.0)
    if not base_url:
        return Bot(token, request=request, get_updates_request=HTTPXRequest())
    return Bot(
        token,
        base_url=f"{base_url}/bot",
        base_file_url=f"{base_url}/file/bot",
        request=request,
        get_updates_request=HTTPXRequest(),
    )


class TelegramBot:
    """Serves Telegram with the desk's help. `report` takes a line for the operator."""

    platform = Platform.TELEGRAM

    def __init__(self, bot: Bot, outlet: TelegramOutlet, desk: FrontDesk, report: Callable[[str], None]) -> None:
        self._bot = bot
        self._outlet = outlet
        self._desk = desk
        self._report = report
        self._offset: int | None = None
        self._me = Me(0, "")
        self._inline: dict[int, asyncio.Task[None]] = {}
        self._menu_shown = False

    async def run(self, connected: Callable[[], None]) -> None:
        """Serve until cancelled; `connected` is called when Telegram answers.

        Raises PlatformRefused for a wrong token, and PlatformUnreachable when Telegram stops answering.
        """
        try:
            await self._bot.initialize()
            account = await self._bot.get_me()
            self._me = Me(account.id, account.username or "")
            self._report(f"Telegram: connected as @{self._me.username}.")
            await self._show_menu()
            await self._desk.resume()
            connected()
            while True:
                await self._poll()
        except InvalidToken as error:
            raise PlatformRefused(
                "Telegram does not accept the token: copy TELEGRAM_TOKEN again from @BotFather."
            ) from error
        except Forbidden as error:
            raise PlatformRefused(f"Telegram refuses to serve the bot ({reason_of(error)}).") from error
        except Conflict as error:
            raise PlatformUnreachable(
                "Telegram: another program answers with the same token; stop it, or use a token of its own."
            ) from error
        except RetryAfter as error:
            await asyncio.sleep(retry_after_s(error))
            raise PlatformUnreachable("Telegram asked to be left alone for a while.") from error
        except TelegramError as error:
            raise PlatformUnreachable(f"Telegram cannot be reached ({reason_of(error)}).") from error

    async def close(self) -> None:
        """Let go of the connections."""
        with suppress(TelegramError, RuntimeError):
            await self._bot.shutdown()

    # -- updates ----------------------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        """Take the next updates; they are confirmed by the next call, so only when they are on record."""
        updates = await self._updates(_POLL_S)
        done: set[int] = set()
        quiet_s = 0.0  # since a paste has grown
        for _ in range(_MOST_LOOKS):
            groups = paste_groups(updates)
            growing = growing_pastes(groups)
            if not growing or quiet_s >= _GATHER_S:
                break
            await self._take_all([group for group in groups if group not in growing], done)
            await asyncio.sleep(_LOOK_AGAIN_S)
            updates = await self._updates(0)  # unconfirmed, so the same again, and what has come since
            grown = growing_pastes(paste_groups(updates))
            quiet_s = quiet_s + _LOOK_AGAIN_S if sum(map(len, grown)) == sum(map(len, growing)) else 0.0
        await self._take_all(paste_groups(updates), done)
        if updates:
            self._offset = updates[-1].update_id + 1

    async def _updates(self, timeout_s: int) -> Sequence[Update]:
        return await self._bot.get_updates(offset=self._offset, timeout=timeout_s, allowed_updates=_WANTED)

    async def _take_all(self, groups: Sequence[Sequence[Update]], done: set[int]) -> None:
        for group in groups:
            if group[0].update_id not in done:
                await self._take(group)
                done.update(update.update_id for update in group)

    async def _take(self, group: Sequence[Update]) -> None:
        """Deal with what belongs together. What cannot be put on record is brought again by Telegram."""
        update = group[0]
        if self._desk.admission.closing:
            raise PlatformUnreachable("Telegram: the bot is stopping.")  # unconfirmed, so it comes again
        try:
            if update.message is not None:
                await self._message(group)
            elif update.callback_query is not None:
                await self._press(update.callback_query)
            elif update.message_reaction is not None:
                await self._reaction(update.message_reaction, (f"update:{update.update_id}",))
            elif update.inline_query is not None:
                self._ask_inline(update.inline_query)
        except StorageError as error:
            raise PlatformUnreachable(f"Telegram: a message cannot be stored, so it waits: {error}") from error
        except QuotesmithError as error:
            log.info("an update of Telegram was refused: %s", error)
        except (TelegramError, asyncio.CancelledError):
            raise
        except Exception:  # one strange update must not keep all others from being answered
            log.exception("an update of Telegram was not understood")

    # -- messages ---------------------------------------------------------------------------------------------------

    async def _message(self, group: Sequence[Update]) -> None:
        if len(group) > 1:
            group = await self._untaken(group)
        while group and (incoming := self._read(group)) is None:
            group = group[1:]  # what begins it is not for the bot, which says nothing of what follows
        if not group:
            return
        message = group[0].message
        assert message is not None and incoming is not None
        if message.text is None:
            await self._desk.refuse(incoming, only_text())
        elif (reply_id := asked_better(message, self._me)) is not None:
            await self._desk.correct(incoming, reply_id)
        else:
            await self._desk.message(incoming, self._show)

    async def _show(self, incoming: Incoming, outcome: Outcome) -> None:
        delivery = self._desk.answering.delivery
        if outcome.data is None:
            await delivery.say(incoming.address, outcome.text)
        else:
            await delivery.hand_over(incoming.address, outcome.text, outcome.data)

    def _read(self, group: Sequence[Update]) -> Incoming | None:
        user = group[0].message.from_user if group[0].message is not None else None
        return read_messages(group, self._me, self._desk.language(user.language_code if user else None))

    async def _untaken(self, group: Sequence[Update]) -> Sequence[Update]:
        """What of a paste an earlier process has not dealt with; the rest only looks like a part of it."""
        names = {f"update:{update.update_id}": update for update in group}
        taken = await self._desk.records.taken_events(self.platform, list(names))
        return [update for name, update in names.items() if name not in taken]

    # -- buttons and reactions --------------------------------------------------------------------------------------

    async def _press(self, query: CallbackQuery) -> None:
        incoming = read_press(query, self._desk.language(query.from_user.language_code))
        if incoming is None:
            return
        spawn = self._desk.answering.spawn
        try:
            pressed = await self._desk.presses.press(incoming, query.data or "")
        except SeenBefore:
            return
        except QuotesmithError as error:
            spawn(self._toast(query, user_text(error, incoming.address.texts), alert=True), "why a button does nothing")
            return
        if pressed.job is not None:
            self._desk.answering.answer(pressed.job, incoming.address)
        spawn(self._toast(query, pressed.notice), "the notice of a button")
        if (query.data or "").startswith("why:"):
            spawn(self._end_question(query, incoming.address, pressed.notice), "the end of a question")
        elif pressed.shared:
            spawn(self._share(incoming.address, pressed.shared), "a quote that is shared")
        elif pressed.follow_up is not None:
            spawn(self._follow_up(incoming.address, pressed), "the question after a button")

    async def _toast(self, query: CallbackQuery, text: str, alert: bool = False) -> None:
        with suppress(TelegramError):  # the person's program gave up waiting: the deed is done all the same
            await self._bot.answer_callback_query(query.id, text[:_TOAST_CHARS] or None, show_alert=alert)

    async def _follow_up(self, address: Address, pressed: Pressed) -> None:
        texts, delivery = address.texts, self._desk.answering.delivery
        if pressed.follow_up is FollowUp.WHY:
            buttons = why_buttons(texts, pressed.reply_id, address.user_id)
            await delivery.say(address, texts("ask-why"), buttons)
            return
        question = texts("ask-better", reply=str(pressed.reply_id))
        await delivery.send(address, lambda _: self._outlet.ask(address, question))  # Telegram knows no nonce

    async def _share(self, address: Address, quote: str) -> None:
        await self._desk.answering.delivery.say(address, quote)

    async def _end_question(self, query: CallbackQuery, address: Address, text: str) -> None:
        if query.message is not None:
            with suppress(ChatCooldown, ChatGone, ChatUnreachable, PostGone):
                await self._outlet.edit(address, str(query.message.message_id), text, ())

    async def _reaction(self, reaction: MessageReactionUpdated, events: Sequence[str]) -> None:
        """Count a reaction, and take its events afterwards: what cannot be stored now is brought again."""
        if reaction.user is None or reaction.user.is_bot:  # an anonymous admin is nobody who could vote
            return
        records = self._desk.records
        if await records.taken_events(self.platform, events):
            return
        before, after = vote_of(signs_of(reaction.old_reaction)), vote_of(signs_of(reaction.new_reaction))
        chat_id, post_id = str(reaction.chat.id), str(reaction.message_id)
        await self._desk.presses.react(str(reaction.user.id), chat_id, post_id, before, after, (chat_id,))
        await records.take_events(self.platform, events)  # a vote that is given twice is the same vote

    # -- inline -----------------------------------------------------------------------------------------------------

    def _ask_inline(self, query: InlineQuery) -> None:
        """Answer what the person has typed so far, once they stop typing."""
        earlier = self._inline.pop(query.from_user.id, None)
        if earlier is not None:
            earlier.cancel()
        task = self._desk.answering.spawn(self._answer_inline(query), "an inline query")
        self._inline[query.from_user.id] = task
        task.add_done_callback(lambda _: self._drop_inline(query.from_user.id, task))

    def _drop_inline(self, user_id: int, task: asyncio.Task[None]) -> None:
        if self._inline.get(user_id) is task:
            del self._inline[user_id]

    async def _answer_inline(self, query: InlineQuery) -> None:
        await asyncio.sleep(_INLINE_PAUSE_S)
        user_id = str(query.from_user.id)
        language = self._desk.language(query.from_user.language_code)
        chat_id = f"inline:{user_id}"  # no chat of Telegram's, which does not say where it was typed; nobody shares it
        address = Address(chat_id, user_id, one_to_one=True, inline=query.id, language=language)
        key = ConversationKey(Platform.TELEGRAM, chat_id, "", user_id)
        incoming = Incoming(key, (f"inline:{query.id}",), address, query.query)
        found: list[InlineQueryResultArticle] = []
        try:
            if query.query.strip():
                command = styled_quote(query.query)
                job = await self._desk.ask(incoming, command)
                reply = await self._desk.write(job)
                found.append(_article(reply.message_id, command.text, reply.text, address.texts))
                await self._desk.outbox.confirm(reply.message_id)
        except SeenBefore:
            return
        except QuotesmithError as error:
            log.info("an inline query was not answered: %s", error)
        with suppress(TelegramError):  # the person has typed on, and wants no answer any more
            await self._bot.answer_inline_query(query.id, found, cache_time=0, is_personal=True)

    # -- the menu ---------------------------------------------------------------------------------------------------

    async def _show_menu(self) -> None:
        """The commands as Telegram's apps list them, in every language; once in the life of the process."""
        if self._menu_shown:
            return
        for language in languages():
            code = None if language == ENGLISH else language
            await self._bot.set_my_commands(_commands(_MENU, Texts(language)), language_code=code)
        for operator in self._desk.admission.lists.operators:
            with suppress(BadRequest, Forbidden):  # somebody who never wrote to the bot, or whose account is gone
                texts = Texts(self._desk.language(None))
                scope = BotCommandScopeChat(int(operator))
                await self._bot.set_my_commands(_commands(_OPERATORS_MENU, texts), scope=scope)
        self._menu_shown = True


def _commands(actions: Sequence[Action], texts: Texts) -> list[BotCommand]:
    return [BotCommand(str(action), texts(f"command-{action}")) for action in actions]


def _article(reply_id: int, keyword: str, text: str, texts: Texts) -> InlineQueryResultArticle:
    title = texts("inline-title", keyword=keyword)
    return InlineQueryResultArticle(str(reply_id), title, InputTextMessageContent(text), description=text)
