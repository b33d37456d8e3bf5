"""Reads Telegram's updates: who said what where, whether it is for the bot, and which belong together; does nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from telegram import CallbackQuery, Chat, Message, MessageEntity, ReactionType, ReactionTypeEmoji, Update, User
from telegram.constants import ChatType

from bot.chat.messages import ConversationKey, Platform
from bot.platforms.address import Address
from bot.platforms.commands import IN_CHATS
from bot.platforms.incoming import Incoming
from bot.platforms.splitting import length

NEAR_LIMIT = 3_900  # UTF-16 units: Telegram's apps cut a paste at the last white space before 4,096
_MOST_PARTS = 20
_PASTE_WITHIN = timedelta(seconds=5)  # an app sends the parts of one paste one right after the other
_COMMAND = re.compile(r"/(\w+)(?:@(\w+))?(?=\s|$)", re.ASCII)
_ASKED_BETTER = re.compile(r"\[№(\d{1,18})\]\s*$")


@dataclass(frozen=True, slots=True)
class Me:
    """The bot's own account."""

    id: int
    username: str


def paste_groups(updates: Sequence[Update]) -> list[list[Update]]:
    """The updates in order, with the messages that an app cut one paste into put together."""
    groups: list[list[Update]] = []
    newest: dict[tuple[int, int, int], list[Update]] = {}
    for update in updates:
        who = _sayer(update)
        group = newest.get(who) if who is not None else None
        if group is not None and _goes_on(group, update):
            group.append(update)
            continue
        groups.append([update])
        if who is not None:
            newest[who] = groups[-1]
    return groups


def growing_pastes(groups: Sequence[Sequence[Update]]) -> list[Sequence[Update]]:
    """Those of the groups that the rest of a paste may be on its way to: their people have said nothing since."""
    newest = {who: group for group in groups if (who := _sayer(group[-1])) is not None}
    return [group for group in newest.values() if may_go_on(group)]


def may_go_on(group: Sequence[Update]) -> bool:
    """The group ends with a message that is so long that the rest of a paste may be on its way."""
    message = group[-1].message
    text = message.text if message is not None else None
    return text is not None and length(text) >= NEAR_LIMIT and len(group) < _MOST_PARTS


def _sayer(update: Update) -> tuple[int, int, int] | None:
    """Who said something in words, and where; None for anything else."""
    message = update.message
    if message is None or message.text is None or message.from_user is None:
        return None
    return message.chat.id, message.message_thread_id or 0, message.from_user.id


def _goes_on(group: Sequence[Update], update: Update) -> bool:
    """The update is the next part of a paste, and no command, and nothing that its person said later."""
    last, message = group[-1].message, update.message
    if last is None or message is None or not may_go_on(group):
        return False
    return message.date - last.date <= _PASTE_WITHIN and _COMMAND.match(message.text or "") is None


def read_messages(group: Sequence[Update], me: Me, language: str) -> Incoming | None:
    """What was said to the bot; None when it was not said to the bot. The text is "" for what holds none."""
    first = group[0].message
    if first is None or first.from_user is None or first.from_user.is_bot:
        return None
    text = _addressed(first, me)
    if text is None:
        return None
    messages = [update.message for update in group if update.message is not None]
    rest = "".join(message.text or "" for message in messages[1:])
    events = [f"update:{update.update_id}" for update in group]
    events += [f"message:{message.chat.id}:{message.message_id}" for message in messages]
    key, address = _key(first, first.from_user), address_of(first, first.from_user, language)
    return Incoming(key, tuple(events), address, text + rest, (str(first.chat.id),))


def read_press(query: CallbackQuery, language: str) -> Incoming | None:
    """Who pressed a button, and where an answer to it would go; None for a button in a chat that is not known."""
    message = query.message
    if message is None:
        return None
    thread = message.message_thread_id if isinstance(message, Message) and message.is_topic_message else None
    chat_id, user_id = str(message.chat.id), str(query.from_user.id)
    alone = _is_private(message.chat)
    address = Address(
        chat_id,
        user_id,
        thread_id=str(thread or ""),
        reply_to="" if alone else str(message.message_id),
        one_to_one=alone,
        language=language,
    )
    key = ConversationKey(Platform.TELEGRAM, chat_id, str(thread or ""), user_id)
    return Incoming(key, (f"callback:{query.id}",), address, "", (chat_id,))


def asked_better(message: Message, me: Me) -> int | None:
    """The reply that this message says better, if it answers the bot's question for that."""
    question = message.reply_to_message
    if question is None or not _is_mine(question, me):
        return None
    found = _ASKED_BETTER.search(question.text or "")
    return int(found[1]) if found else None


def signs_of(reactions: Iterable[ReactionType]) -> list[str]:
    """The emoji among the reactions."""
    return [reaction.emoji for reaction in reactions if isinstance(reaction, ReactionTypeEmoji)]


def address_of(message: Message, user: User, language: str) -> Address:
    """Where an answer to the message goes."""
    alone = _is_private(message.chat)
    return Address(
        str(message.chat.id),
        str(user.id),
        thread_id=_thread(message),
        reply_to="" if alone else str(message.message_id),
        one_to_one=alone,
        language=language,
    )


def _key(message: Message, user: User) -> ConversationKey:
    return ConversationKey(Platform.TELEGRAM, str(message.chat.id), _thread(message), str(user.id))


def _thread(message: Message) -> str:
    """The topic. A reply in a group without topics carries a thread too, which is none to send to."""
    return str(message.message_thread_id) if message.is_topic_message and message.message_thread_id else ""


def _addressed(message: Message, me: Me) -> str | None:
    """The text without what only calls the bot; None when the bot is not called."""
    if message.text is None and not _has_content(message):
        return None  # somebody came, left, changed the title
    text = message.text or ""
    command = _COMMAND.match(text)
    if command is not None:
        to = (command[2] or "").lower()
        known = command[1].lower() in set(IN_CHATS)
        if to and to != me.username.lower():
            return None
        if to or known or _is_private(message.chat):
            return f"/{command[1]}{text[command.end() :]}"
        return None  # it may be another bot's
    if _is_private(message.chat):
        return text
    mentioned = _without_mentions(message, me)
    if mentioned is not None:
        return mentioned
    answered = message.reply_to_message
    return text if answered is not None and _is_mine(answered, me) else None


def _without_mentions(message: Message, me: Me) -> str | None:
    """The text without the bot's name, None where it does not stand."""
    text, found = message.text or "", False
    names = message.parse_entities([MessageEntity.MENTION]) if message.text else {}
    for entity, name in sorted(names.items(), key=lambda item: -item[0].offset):
        if name.lower() == f"@{me.username}".lower():
            found = True
            units = text.encode("utf-16-le")
            start, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
            text = (units[:start] + units[end:]).decode("utf-16-le")
    return text.strip() if found else None


def _is_mine(message: Message, me: Me) -> bool:
    """The bot wrote it. In topics every message answers the one that made the topic, which is no reply."""
    return message.from_user is not None and message.from_user.id == me.id and message.forum_topic_created is None


def _has_content(message: Message) -> bool:
    return bool(message.effective_attachment)


def _is_private(chat: Chat) -> bool:
    """One person and the bot."""
    return chat.type == ChatType.PRIVATE
