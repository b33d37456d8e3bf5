"""What a request is about: its chat, thread, message or query, or a refusal where the bot may not."""

from __future__ import annotations

from tests.servers.telegram.account import Account
from tests.servers.telegram.chats import Chat
from tests.servers.telegram.protocol import Json
from tests.servers.telegram.refusals import Refusal, bad_request


def chat_of(account: Account, parameters: Json) -> Chat:
    if parameters.get("chat_id") in (None, ""):
        raise bad_request("chat_id is empty")
    chat = account.chats.get(parameters["chat_id"])
    if chat is None:
        raise bad_request("chat not found")
    return chat


def writable_chat(account: Account, parameters: Json) -> Chat:
    chat = chat_of(account, parameters)
    if chat.closed:
        raise Refusal(403, chat.closed)
    if chat.became is not None:
        what = "Bad Request: group chat was upgraded to a supergroup chat"
        raise Refusal(400, what, migrate_to=chat.became)
    return chat


def check_thread(chat: Chat, thread: int | None) -> None:
    if thread is not None and thread not in chat.threads:
        raise bad_request("message thread not found")


def message_of(chat: Chat, parameters: Json, not_found: str) -> Json:
    if "message_id" not in parameters:
        raise bad_request("message identifier is not specified")
    message = chat.messages.get(parameters["message_id"])
    if message is None:
        raise bad_request(not_found)
    return message


def editable_message(account: Account, chat: Chat, parameters: Json) -> Json:
    """The message, which has to be the bot's own."""
    message = message_of(chat, parameters, "message to edit not found")
    if message["from"]["id"] != account.bot_id:
        raise bad_request("message can't be edited")
    return message


def answer_of_bot(account: Account, chat: Chat, parameters: Json) -> Json:
    """A message from the bot without content yet, where the request wants it."""
    thread = parameters.get("message_thread_id")
    check_thread(chat, thread)
    reply = parameters.get("reply_parameters") or {}
    found = reply.get("message_id") in chat.messages
    if reply and not found and not reply.get("allow_sending_without_reply"):
        raise bad_request("message to be replied not found")
    reply_to = reply["message_id"] if found else None
    return account.new_message(chat, account.bot_user(), reply_to=reply_to, thread=thread)


def check_query(account: Account, identifier: str) -> None:
    if identifier not in account.open_queries:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
