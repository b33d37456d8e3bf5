"""The methods of the Bot API that send, change and delete messages, drafts, files, actions and reactions."""

from __future__ import annotations

import time

from tests.servers.telegram.account import Account
from tests.servers.telegram.chats import Chat, Document
from tests.servers.telegram.protocol import ACTIONS, CAPTION_LIMIT, REACTIONS, TEXT_LIMIT, Json
from tests.servers.telegram.refusals import bad_request, checked_markup, checked_text
from tests.servers.telegram.requests import Upload
from tests.servers.telegram.targets import (
    answer_of_bot,
    chat_of,
    check_thread,
    editable_message,
    message_of,
    writable_chat,
)
from tests.servers.telegram.texts import plain_emoji, utf16_length


def send_message(account: Account, parameters: Json) -> Json:
    content = checked_text(parameters, "message is too long") | checked_markup(parameters)
    chat = writable_chat(account, parameters)
    message = answer_of_bot(account, chat, parameters)
    if chat.limit is not None:
        chat.limit.take()
    return account.store(chat, message | content)


def edit_message_text(account: Account, parameters: Json) -> Json:
    content = checked_text(parameters, "MESSAGE_TOO_LONG") | checked_markup(parameters)
    chat = writable_chat(account, parameters)
    message = editable_message(account, chat, parameters)
    if "text" not in message:
        raise bad_request("there is no text in the message to edit")
    return _edit(account, chat, message, ("text", "entities", "reply_markup"), content)


def edit_message_reply_markup(account: Account, parameters: Json) -> Json:
    content = checked_markup(parameters)
    chat = writable_chat(account, parameters)
    return _edit(account, chat, editable_message(account, chat, parameters), ("reply_markup",), content)


def _edit(account: Account, chat: Chat, message: Json, names: tuple[str, ...], content: Json) -> Json:
    if {name: message[name] for name in names if name in message} == content:
        what = "specified new message content and reply markup are exactly the same as a current content"
        raise bad_request(f"message is not modified: {what} and reply markup of the message")
    if chat.limit is not None and "text" in names:
        chat.limit.take()
    kept = {name: value for name, value in message.items() if name not in names}
    return account.store(chat, kept | content | {"edit_date": int(time.time())})


def delete_message(account: Account, parameters: Json) -> bool:
    chat = chat_of(account, parameters)
    message = message_of(chat, parameters, "message to delete not found")
    if message["from"]["id"] != account.bot_id and chat.type != "private" and not chat.admin:
        raise bad_request("message can't be deleted for everyone")
    del chat.messages[message["message_id"]]
    return True


def send_message_draft(account: Account, parameters: Json) -> bool:
    if not parameters.get("draft_id"):
        raise bad_request("RANDOM_ID_INVALID")
    if utf16_length(parameters.get("text", "")) > TEXT_LIMIT:
        raise bad_request("message is too long")
    if writable_chat(account, parameters).type != "private":
        raise bad_request("TEXTDRAFT_PEER_INVALID")
    return True


def send_chat_action(account: Account, parameters: Json) -> bool:
    if parameters.get("action") not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    check_thread(writable_chat(account, parameters), parameters.get("message_thread_id"))
    return True


def send_document(account: Account, parameters: Json) -> Json:
    upload = _uploaded(parameters)
    caption = parameters.get("caption", "").strip()
    if utf16_length(caption) > CAPTION_LIMIT:
        raise bad_request("message caption is too long")
    content = checked_markup(parameters) | ({"caption": caption} if caption else {})
    chat = writable_chat(account, parameters)
    message = answer_of_bot(account, chat, parameters) | content
    message["document"] = _file(upload, len(account.documents) + 1)
    account.documents.append(Document(upload.name, upload.content, caption, chat))
    return account.store(chat, message)


def _uploaded(parameters: Json) -> Upload:
    upload = parameters.get("document")
    if isinstance(upload, str) and upload.startswith("attach://"):
        upload = parameters.get(upload.removeprefix("attach://"))
    if not isinstance(upload, Upload):
        raise bad_request("there is no document in the request")
    return upload


def _file(upload: Upload, number: int) -> Json:
    described: Json = {"file_id": f"file-{number}", "file_unique_id": f"f{number}", "file_name": upload.name}
    return described | {"mime_type": upload.media_type, "file_size": len(upload.content)}


def set_message_reaction(account: Account, parameters: Json) -> bool:
    chat = writable_chat(account, parameters)
    message = message_of(chat, parameters, "message to react not found")
    emoji = [plain_emoji(reaction.get("emoji", "")) for reaction in parameters.get("reaction", [])]
    if len(emoji) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    if not REACTIONS.issuperset(emoji):
        raise bad_request("REACTION_INVALID")
    account.bot_reactions[chat.id, message["message_id"]] = emoji
    return True


METHODS = (
    *(send_message, edit_message_text, edit_message_reply_markup, delete_message),
    *(send_message_draft, send_chat_action, send_document, set_message_reaction),
)
