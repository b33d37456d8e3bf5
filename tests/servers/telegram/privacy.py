"""Which messages reach the bot: its privacy mode, as groups have it."""

from __future__ import annotations

from tests.servers.telegram.account import Account
from tests.servers.telegram.chats import Chat
from tests.servers.telegram.protocol import SERVICE_FIELDS, Json
from tests.servers.telegram.texts import marked_part


def deliver(account: Account, chat: Chat, kind: str, message: Json) -> Json:
    """Tell the bot of a message where it may read it."""
    open_to_bot = chat.type == "private" or chat.admin
    if open_to_bot or SERVICE_FIELDS & message.keys() or _addressed(account, message):
        account.updates.add(kind, message)
    return message


def _addressed(account: Account, message: Json) -> bool:
    """Whether a message in a group is one that privacy mode lets through."""
    if message.get("reply_to_message", {}).get("from", {}).get("id") == account.bot_id:
        return True
    marked = [(message.get("text", ""), entity) for entity in message.get("entities", [])]
    marked += [(message.get("caption", ""), entity) for entity in message.get("caption_entities", [])]
    return any(_names_bot(account, marked_part(text, entity), entity) for text, entity in marked)


def _names_bot(account: Account, marked: str, entity: Json) -> bool:
    if entity["type"] == "bot_command":
        name = marked.partition("@")[2]
        return entity["offset"] == 0 and name.lower() in ("", account.username.lower())
    if entity["type"] == "text_mention":
        return bool(entity["user"]["id"] == account.bot_id)
    return entity["type"] == "mention" and marked.lower() == f"@{account.username}".lower()
