"""A Telegram on loopback: the Bot API and the people who write to the bot. It knows nothing of what the bot is for."""

from __future__ import annotations

import asyncio
import json
import math
import re
import socket
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from inspect import isawaitable
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

Json = dict[str, Any]


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TEXT_LIMIT, CAPTION_LIMIT, ALERT_LIMIT, BUTTON_DATA_LIMIT = 4096, 1024, 200, 64
ONLY_ON_REQUEST = words("chat_member message_reaction message_reaction_count")
ADMINISTRATOR_RIGHTS = words(
    "manage_chat delete_messages manage_video_chats restrict_members promote_members change_info"
    " invite_users post_stories edit_stories delete_stories pin_messages manage_topics"
)
ACTIONS = words(
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker"
    " find_location record_video_note upload_video_note"
)
REACTIONS = words(
    "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾"
    " 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾"
    " 🤷‍♂ 🤷 🤷‍♀ 😡"
)
SERVICE_FIELDS = words(
    "new_chat_members left_chat_member new_chat_title group_chat_created supergroup_chat_created pinned_message"
    " migrate_to_chat_id migrate_from_chat_id forum_topic_created forum_topic_closed forum_topic_reopened"
)
SAMPLES: dict[str, Any] = {  # values for `send_other`
    "photo": [{"file_id": "photo-1", "file_unique_id": "p1", "width": 90, "height": 60}],
    "voice": {"file_id": "voice-1", "file_unique_id": "v1", "duration": 2, "mime_type": "audio/ogg"},
    "sticker": {
        "file_id": "sticker-1",
        "file_unique_id": "s1",
        "type": "regular",
        "width": 512,
        "height": 512,
        "is_animated": False,
        "is_video": False,
        "emoji": "👍",
    },
    "document": {"file_id": "document-1", "file_unique_id": "d1", "file_name": "notes.txt"},
}
# What stays a string even where it reads as JSON: a text that says 5, an identifier made of digits.
_TEXTS = words(
    "text caption title name description short_description language_code callback_query_id inline_query_id"
    " next_offset url parse_mode action"
)
_COMMAND = re.compile(r"(?<![\w/@])/[A-Za-z0-9_]{1,32}(?:@\w{3,32})?(?!\w)")
_MENTION = re.compile(r"(?<![\w/@])@\w{3,32}")


def utf16_length(text: str) -> int:
    """The length of a text as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def found_entities(text: str) -> list[Json]:
    """The commands and mentions that Telegram finds in a text by itself."""
    found = [("bot_command", match) for match in _COMMAND.finditer(text)]
    found += [("mention", match) for match in _MENTION.finditer(text)]
    return [
        {"type": kind, "offset": utf16_length(text[: match.start()]), "length": utf16_length(match[0])}
        for kind, match in sorted(found, key=lambda pair: pair[1].start())
    ]


def _marked(text: str, entity: Json) -> str:
    start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
    return text.encode("utf-16-le")[start:end].decode("utf-16-le")


class Refusal(Exception):
    """An error that the Bot API answers with."""

    def __init__(self, code: int, description: str, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after

    def response(self) -> web.Response:
        body: Json = {"ok": False, "error_code": self.code, "description": self.description}
        if self.retry_after is not None:
            body["parameters"] = {"retry_after": self.retry_after}
        return web.json_response(body, status=self.code)


def bad_request(reason: str) -> Refusal:
    return Refusal(400, f"Bad Request: {reason}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request. From 500 on the body is HTML: not the Bot API answers then, but its gateway."""

    kind: Literal["status", "cut_before", "cut_after"]
    code: int = 0
    description: str = ""
    retry_after: int | None = None

    @classmethod
    def status(cls, code: int, description: str, retry_after: int | None = None) -> Fault:
        """An error instead of the answer; the request is not carried out."""
        return cls("status", code, description, retry_after)

    @classmethod
    def cut_before(cls) -> Fault:
        """The connection ends; the request is not carried out."""
        return cls("cut_before")

    @classmethod
    def cut_after(cls) -> Fault:
        """The request is carried out; the connection ends before an answer."""
        return cls("cut_after")

    def response(self) -> web.Response | None:
        """The answer, None for a cut."""
        if self.kind != "status":
            return None
        if self.code < 500:
            return Refusal(self.code, self.description, self.retry_after).response()
        title = f"{self.code} {self.description}"
        page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>\r\n</html>\r\n"
        return web.Response(status=self.code, text=page, content_type="text/html")


@dataclass(slots=True)
class Call:
    """A request of the bot: `status` is the one it was answered with, 0 while it waits and where it was cut."""

    method: str
    parameters: Json
    at: float  # time.monotonic()
    status: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a request."""

    name: str
    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Document:
    """A file that the bot sent to a chat."""

    name: str
    content: bytes
    caption: str
    chat: Chat


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account."""

    id: int
    first_name: str
    language: str

    def as_user(self) -> Json:
        user = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        return user | {"username": f"user{self.id}", "language_code": self.language}


@dataclass(slots=True, eq=False)
class Chat:
    """A chat and its messages by identifier, deleted ones gone."""

    id: int
    type: str
    name: str  # the title of a group, the first name of a person
    forum: bool = False
    admin: bool = False  # whether the bot is an administrator and so reads everything
    administrators: set[int] = field(default_factory=set)
    threads: dict[int, Json] = field(default_factory=dict)  # the message that opened each
    messages: dict[int, Json] = field(default_factory=dict)
    closed: str = ""  # why the bot cannot write here
    limit: Limit | None = None

    def as_json(self) -> Json:
        described: Json = {"id": self.id, "type": self.type}
        described["first_name" if self.type == "private" else "title"] = self.name
        return described | ({"is_forum": True} if self.forum else {})


@dataclass(slots=True)
class Limit:
    """So many requests in a sliding window; refused ones are not counted."""

    per_window: int
    window_s: float
    taken: list[float] = field(default_factory=list)

    def take(self) -> None:
        now = time.monotonic()
        self.taken = [at for at in self.taken if at > now - self.window_s]
        if len(self.taken) >= self.per_window:
            wait_s = max(1, math.ceil((self.taken or [now])[0] + self.window_s - now))
            raise Refusal(429, f"Too Many Requests: retry after {wait_s}", wait_s)
        self.taken.append(now)


@dataclass(slots=True)
class Changes:
    """Wakes whoever waits for something to happen at the server."""

    _next: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self) -> None:
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self, deadline: float) -> bool:
        """Wait for the next change; False once the deadline has passed."""
        coming = self._next
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await coming.wait()
        except TimeoutError:
            return False
        return True


@dataclass(slots=True)
class Pending:
    """An update that waits for its confirmation; one `forced` is handed out once whatever is confirmed."""

    update: Json
    forced: bool

    @property
    def id(self) -> int:
        return int(self.update["update_id"])


@dataclass(slots=True)
class UpdateQueue:
    """The updates until a getUpdates with a larger offset confirms them."""

    changes: Changes
    pending: list[Pending] = field(default_factory=list)
    last: Json | None = None
    allowed: frozenset[str] | None = None  # None is Telegram's default
    next_id: int = 700_000_001
    polls: int = 0
    ended_by: Refusal | None = None  # what the polls that had to end are answered

    def add(self, kind: str, content: Json) -> None:
        """Queue an update unless it is of a kind that the bot does not ask for."""
        asked_for = kind in self.allowed if self.allowed else kind not in ONLY_ON_REQUEST
        if asked_for:
            self.put({kind: deepcopy(content)})

    def put(self, update: Json, same_id: int | None = None) -> int:
        """Queue an update under the next identifier, or again under one that was there before."""
        identifier = self.next_id if same_id is None else same_id
        self.next_id = max(self.next_id, identifier + 1)
        self.last = {**update, "update_id": identifier}
        self.pending.append(Pending(self.last, forced=same_id is not None))
        self.pending.sort(key=lambda waiting: waiting.id)
        self.changes.note()
        return identifier

    async def poll(self, offset: int, limit: int, timeout_s: float) -> list[Json]:
        """Answer getUpdates: at once where updates wait, else after the next one or the time-out."""
        reason = "terminated by other getUpdates request; make sure that only one bot instance is running"
        self.end_polls(Refusal(409, f"Conflict: {reason}"))
        mine, deadline = self.polls, time.monotonic() + timeout_s
        self._confirm(offset)
        while not self.pending and await self.changes.wait(deadline):
            if self.polls != mine and self.ended_by is not None:
                raise self.ended_by
        handed_out = self.pending[:limit]
        for waiting in handed_out:
            waiting.forced = False
        return [waiting.update for waiting in handed_out]

    def end_polls(self, answer: Refusal) -> None:
        """Make a getUpdates that still waits answer so."""
        self.polls += 1
        self.ended_by = answer
        self.changes.note()

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            del self.pending[:offset]
        else:
            self.pending = [waiting for waiting in self.pending if waiting.forced or waiting.id >= offset]


@dataclass(slots=True, repr=False)
class _Account:
    """What Telegram keeps of the bot: its chats, its updates, what it sent and set."""

    token: str = "123456:" + "A" * 35
    username: str = "quotesmith_bot"
    calls: list[Call] = field(default_factory=list, init=False)
    drafts: list[Call] = field(default_factory=list, init=False)
    documents: list[Document] = field(default_factory=list, init=False)
    callback_answers: dict[str, Json] = field(default_factory=dict, init=False)
    inline_answers: dict[str, Json] = field(default_factory=dict, init=False)
    commands: dict[tuple[str, str], list[Json]] = field(default_factory=dict, init=False)  # by scope and language
    descriptions: dict[str, str] = field(default_factory=dict, init=False)  # by language
    short_descriptions: dict[str, str] = field(default_factory=dict, init=False)
    bot_reactions: dict[tuple[int, int], list[str]] = field(default_factory=dict, init=False)  # by chat and message
    _changes: Changes = field(default_factory=Changes, init=False)
    _updates: UpdateQueue = field(init=False)
    _people: dict[int, Person] = field(default_factory=dict, init=False)
    _chats: dict[int, Chat] = field(default_factory=dict, init=False)
    _open_queries: set[str] = field(default_factory=set, init=False)
    _last_message_id: int = field(default=100, init=False)
    _last_query_id: int = field(default=4_000_000_000_000_000_000, init=False)

    def __post_init__(self) -> None:
        self._updates = UpdateQueue(self._changes)

    @property
    def bot_id(self) -> int:
        return int(self.token.partition(":")[0])

    def _bot_user(self) -> Json:
        return {"id": self.bot_id, "is_bot": True, "first_name": "Quotesmith", "username": self.username}

    def _new_message(self, chat: Chat, sender: Json, *, reply_to: int | None, thread: int | None) -> Json:
        """A message without content yet, with where it stands: what it answers, in which thread."""
        self._last_message_id += 1
        answered = chat.messages.get(reply_to) if reply_to is not None else None
        message: Json = {"message_id": self._last_message_id, "from": sender, "chat": chat.as_json()}
        message |= {"date": int(time.time())} | _thread_fields(chat, answered, thread)
        if answered is None and chat.forum and message.get("is_topic_message"):
            # As with the real one: what answers nothing in a topic "answers" the message that opened it.
            answered = chat.threads[message["message_thread_id"]]
        if answered is not None:
            message["reply_to_message"] = {k: v for k, v in answered.items() if k != "reply_to_message"}
        return message

    def _store(self, chat: Chat, message: Json) -> Json:
        chat.messages[message["message_id"]] = message
        self._changes.note()
        return deepcopy(message)


def _thread_fields(chat: Chat, answered: Json | None, thread: int | None) -> Json:
    if thread is None and answered is not None and answered.get("is_topic_message"):
        thread = answered["message_thread_id"]
    if thread is not None:
        return {"message_thread_id": thread, "is_topic_message": True}
    if answered is not None and chat.type == "supergroup":
        # Without topics a thread is what hangs on one message; sendMessage does not take its identifier.
        return {"message_thread_id": answered.get("message_thread_id", answered["message_id"])}
    return {}


def _checked_text(parameters: Json, too_long: str) -> Json:
    """The text of a message and its entities, as Telegram stores them."""
    if parameters.get("parse_mode"):
        raise bad_request("unsupported parse_mode")  # this server reads none
    text = str(parameters.get("text", ""))
    if not text:
        raise bad_request("message text is empty")
    if not text.strip():
        raise bad_request("text must be non-empty")
    if utf16_length(text.strip()) > TEXT_LIMIT:
        raise bad_request(too_long)
    entities = parameters.get("entities") or found_entities(text.strip())
    return {"text": text.strip()} | ({"entities": entities} if entities else {})


def _checked_markup(parameters: Json) -> Json:
    """The buttons under a message; keyboards of other kinds belong to no message."""
    markup = parameters.get("reply_markup") or {}
    for button in (button for row in markup.get("inline_keyboard", []) for button in row):
        if not 1 <= len(button.get("callback_data", "-").encode()) <= BUTTON_DATA_LIMIT:
            raise bad_request("BUTTON_DATA_INVALID")
        if not button.get("text"):
            raise bad_request("can't parse inline keyboard button: Text must be non-empty")
    return {"reply_markup": markup} if markup.get("inline_keyboard") else {}


def _plain_emoji(emoji: str) -> str:
    return emoji.replace("\ufe0f", "")  # a variation selector, which Telegram leaves out


def _scope(parameters: Json) -> tuple[str, str]:
    scope = parameters.get("scope") or {"type": "default"}
    parts = [scope["type"], *(str(scope[name]) for name in ("chat_id", "user_id") if name in scope)]
    return ":".join(parts), parameters.get("language_code", "")


class _BotMethods(_Account):
    """What the bot may ask for: each method of the Bot API, `api_` before its name."""

    __slots__ = ()

    def api_get_me(self, parameters: Json) -> Json:
        rights = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": True}
        return self._bot_user() | rights | {"can_connect_to_business": False, "has_main_web_app": False}

    async def api_get_updates(self, parameters: Json) -> list[Json]:
        if "allowed_updates" in parameters:
            self._updates.allowed = frozenset(parameters["allowed_updates"]) or None
        limit = min(max(int(parameters.get("limit", 100)), 1), 100)
        timeout_s = min(max(float(parameters.get("timeout", 0)), 0), 50)
        return await self._updates.poll(int(parameters.get("offset", 0)), limit, timeout_s)

    def api_delete_webhook(self, parameters: Json) -> bool:
        if parameters.get("drop_pending_updates"):
            self._updates.pending.clear()
        return True

    def api_get_webhook_info(self, parameters: Json) -> Json:
        return {"url": "", "has_custom_certificate": False, "pending_update_count": len(self._updates.pending)}

    def api_set_my_commands(self, parameters: Json) -> bool:
        commands = parameters.get("commands", [])
        if len(commands) > 100:
            raise bad_request("BOT_COMMANDS_TOO_MUCH")
        for command in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]):
                raise bad_request("BOT_COMMAND_INVALID")
            if not 1 <= len(command["description"]) <= 256:
                raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[_scope(parameters)] = commands
        return True

    def api_get_my_commands(self, parameters: Json) -> list[Json]:
        return self.commands.get(_scope(parameters), [])

    def api_delete_my_commands(self, parameters: Json) -> bool:
        self.commands.pop(_scope(parameters), None)
        return True

    def api_set_my_description(self, parameters: Json) -> bool:
        description = parameters.get("description", "")
        if len(description) > 512:
            raise bad_request("BOT_DESCRIPTION_TOO_LONG")
        self.descriptions[parameters.get("language_code", "")] = description
        return True

    def api_set_my_short_description(self, parameters: Json) -> bool:
        description = parameters.get("short_description", "")
        if len(description) > 120:
            raise bad_request("BOT_SHORT_DESCRIPTION_TOO_LONG")
        self.short_descriptions[parameters.get("language_code", "")] = description
        return True

    def api_send_message(self, parameters: Json) -> Json:
        content = _checked_text(parameters, "message is too long") | _checked_markup(parameters)
        chat = self._writable_chat(parameters)
        message = self._answer_of_bot(chat, parameters)
        if chat.limit is not None:
            chat.limit.take()
        return self._store(chat, message | content)

    def api_edit_message_text(self, parameters: Json) -> Json:
        content = _checked_text(parameters, "MESSAGE_TOO_LONG") | _checked_markup(parameters)
        chat = self._writable_chat(parameters)
        message = self._message_of_bot(chat, parameters)
        if "text" not in message:
            raise bad_request("there is no text in the message to edit")
        return self._edit(chat, message, ("text", "entities", "reply_markup"), content)

    def api_edit_message_reply_markup(self, parameters: Json) -> Json:
        content = _checked_markup(parameters)
        chat = self._writable_chat(parameters)
        return self._edit(chat, self._message_of_bot(chat, parameters), ("reply_markup",), content)

    def api_delete_message(self, parameters: Json) -> bool:
        chat = self._chat(parameters)
        message = self._message(chat, parameters, "message to delete not found")
        if message["from"]["id"] != self.bot_id and chat.type != "private" and not chat.admin:
            raise bad_request("message can't be deleted for everyone")
        del chat.messages[message["message_id"]]
        return True

    def api_send_message_draft(self, parameters: Json) -> bool:
        if not parameters.get("draft_id"):
            raise bad_request("RANDOM_ID_INVALID")
        if utf16_length(parameters.get("text", "")) > TEXT_LIMIT:
            raise bad_request("message is too long")
        if self._writable_chat(parameters).type != "private":
            raise bad_request("TEXTDRAFT_PEER_INVALID")
        return True

    def api_send_chat_action(self, parameters: Json) -> bool:
        if parameters.get("action") not in ACTIONS:
            raise bad_request("wrong parameter action in request")
        self._check_thread(self._writable_chat(parameters), parameters.get("message_thread_id"))
        return True

    def api_answer_callback_query(self, parameters: Json) -> bool:
        self._check_query(parameters.get("callback_query_id", ""))
        if len(parameters.get("text", "")) > ALERT_LIMIT:
            raise bad_request("MESSAGE_TOO_LONG")
        self.callback_answers[parameters["callback_query_id"]] = parameters
        return True

    def api_answer_inline_query(self, parameters: Json) -> bool:
        self._check_query(parameters.get("inline_query_id", ""))
        identifiers = [result["id"] for result in parameters["results"]]
        if len(identifiers) > 50:
            raise bad_request("RESULTS_TOO_MUCH")
        if len(set(identifiers)) < len(identifiers):
            raise bad_request("RESULT_ID_DUPLICATE")
        if not all(1 <= len(identifier.encode()) <= 64 for identifier in identifiers):
            raise bad_request("RESULT_ID_INVALID")
        for result in parameters["results"]:
            self._check_inline_result(result)
        self.inline_answers[parameters["inline_query_id"]] = parameters
        return True

    def api_send_document(self, parameters: Json) -> Json:
        upload = parameters.get("document")
        if isinstance(upload, str) and upload.startswith("attach://"):
            upload = parameters.get(upload.removeprefix("attach://"))
        if not isinstance(upload, Upload):
            raise bad_request("there is no document in the request")
        caption = parameters.get("caption", "").strip()
        if utf16_length(caption) > CAPTION_LIMIT:
            raise bad_request("message caption is too long")
        content = _checked_markup(parameters) | ({"caption": caption} if caption else {})
        chat = self._writable_chat(parameters)
        message = self._answer_of_bot(chat, parameters) | content
        message["document"] = self._file(upload)
        self.documents.append(Document(upload.name, upload.content, caption, chat))
        return self._store(chat, message)

    def api_set_message_reaction(self, parameters: Json) -> bool:
        chat = self._writable_chat(parameters)
        message = self._message(chat, parameters, "message to react not found")
        emoji = [_plain_emoji(reaction.get("emoji", "")) for reaction in parameters.get("reaction", [])]
        if len(emoji) > 1:
            raise bad_request("REACTIONS_TOO_MANY")
        if not REACTIONS.issuperset(emoji):
            raise bad_request("REACTION_INVALID")
        self.bot_reactions[chat.id, message["message_id"]] = emoji
        return True

    def api_get_chat(self, parameters: Json) -> Json:
        chat = self._chat(parameters)
        gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
        accepted = {"accepted_gift_types": dict.fromkeys(gifts, False)}
        return chat.as_json() | {"accent_color_id": 0, "max_reaction_count": 11} | accepted

    def api_get_chat_member(self, parameters: Json) -> Json:
        chat, user_id = self._chat(parameters), int(parameters.get("user_id", 0))
        if user_id == self.bot_id:
            return self._member(self._bot_user(), chat.admin)
        if user_id not in self._people:
            raise bad_request("PARTICIPANT_ID_INVALID")
        return self._member(self._people[user_id].as_user(), user_id in chat.administrators)

    @staticmethod
    def _member(user: Json, administrator: bool) -> Json:
        if not administrator:
            return {"user": user, "status": "member"}
        member = {"user": user, "status": "administrator", "can_be_edited": False, "is_anonymous": False}
        return member | {f"can_{right}": True for right in ADMINISTRATOR_RIGHTS}

    def _chat(self, parameters: Json) -> Chat:
        if parameters.get("chat_id") in (None, ""):
            raise bad_request("chat_id is empty")
        chat = self._chats.get(parameters["chat_id"])
        if chat is None:
            raise bad_request("chat not found")
        return chat

    def _writable_chat(self, parameters: Json) -> Chat:
        chat = self._chat(parameters)
        if chat.closed:
            raise Refusal(403, chat.closed)
        return chat

    @staticmethod
    def _check_thread(chat: Chat, thread: int | None) -> None:
        if thread is not None and thread not in chat.threads:
            raise bad_request("message thread not found")

    @staticmethod
    def _message(chat: Chat, parameters: Json, not_found: str) -> Json:
        if "message_id" not in parameters:
            raise bad_request("message identifier is not specified")
        message = chat.messages.get(parameters["message_id"])
        if message is None:
            raise bad_request(not_found)
        return message

    def _message_of_bot(self, chat: Chat, parameters: Json) -> Json:
        message = self._message(chat, parameters, "message to edit not found")
        if message["from"]["id"] != self.bot_id:
            raise bad_request("message can't be edited")
        return message

    def _answer_of_bot(self, chat: Chat, parameters: Json) -> Json:
        """A message from the bot without content yet, where the request wants it."""
        thread = parameters.get("message_thread_id")
        self._check_thread(chat, thread)
        reply = parameters.get("reply_parameters") or {}
        found = reply.get("message_id") in chat.messages
        if reply and not found and not reply.get("allow_sending_without_reply"):
            raise bad_request("message to be replied not found")
        reply_to = reply["message_id"] if found else None
        return self._new_message(chat, self._bot_user(), reply_to=reply_to, thread=thread)

    def _edit(self, chat: Chat, message: Json, names: tuple[str, ...], content: Json) -> Json:
        if {name: message[name] for name in names if name in message} == content:
            what = "specified new message content and reply markup are exactly the same as a current content"
            raise bad_request(f"message is not modified: {what} and reply markup of the message")
        if chat.limit is not None and "text" in names:
            chat.limit.take()
        kept = {name: value for name, value in message.items() if name not in names}
        return self._store(chat, kept | content | {"edit_date": int(time.time())})

    def _check_query(self, identifier: str) -> None:
        if identifier not in self._open_queries:
            raise bad_request("query is too old and response timeout expired or query ID is invalid")

    @staticmethod
    def _check_inline_result(result: Json) -> None:
        content = result.get("input_message_content", {})
        if "message_text" in content:
            _checked_text({**content, "text": content["message_text"]}, "MESSAGE_TOO_LONG")
        _checked_markup(result)

    def _file(self, upload: Upload) -> Json:
        number = len(self.documents) + 1
        described: Json = {"file_id": f"file-{number}", "file_unique_id": f"f{number}", "file_name": upload.name}
        return described | {"mime_type": upload.media_type, "file_size": len(upload.content)}


@dataclass(slots=True, repr=False)
class TelegramServer(_BotMethods):
    """The server, and the people's side of it: `async with TelegramServer() as server`.

    Messages that it returns are copies, as they stood then. What people do in a group reaches the bot as privacy mode
    lets it: commands, mentions and answers to the bot, or everything where the bot is an administrator.
    """

    base_url: str = field(default="", init=False)
    _port: int = field(default=0, init=False)
    _revoked: bool = field(default=False, init=False)
    _faults: dict[str, list[Fault]] = field(default_factory=dict, init=False)
    _reactions: dict[tuple[int, int, int], list[Json]] = field(default_factory=dict, init=False)
    _runner: web.AppRunner | None = field(default=None, init=False)
    _listener: socket.socket | None = field(default=None, init=False)
    _opening: asyncio.Task[asyncio.Server] | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/bot{token}/{method}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self.up()
        self.base_url = f"http://127.0.0.1:{self._port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        self.down()
        await self._runner.cleanup()

    # People and chats

    def person(self, user_id: int, first_name: str = "Ada", language: str = "en") -> Person:
        self._people[user_id] = Person(user_id, first_name, language)
        return self._people[user_id]

    def private(self, person: Person) -> Chat:
        """The chat of a person with the bot."""
        return self._chats.setdefault(person.id, Chat(person.id, "private", person.first_name))

    def group(self, chat_id: int, title: str, forum: bool = False, *, admin: bool = False) -> Chat:
        """A group with the bot in it; a supergroup where it has topics or an identifier like -100..."""
        kind = "supergroup" if forum or chat_id <= -(10**12) else "group"
        self._chats[chat_id] = Chat(chat_id, kind, title, forum, admin)
        return self._chats[chat_id]

    def promote(self, person: Person, chat: Chat) -> None:
        """Make somebody an administrator of a group."""
        chat.administrators.add(person.id)

    def block(self, person: Person) -> None:
        """Make somebody block the bot, which then cannot write to them."""
        self.private(person).closed = "Forbidden: bot was blocked by the user"
        self._tell_membership(person, "member", "kicked")

    def unblock(self, person: Person) -> None:
        self.private(person).closed = ""
        self._tell_membership(person, "kicked", "member")

    def remove_bot(self, chat: Chat) -> None:
        """Take the bot out of a group."""
        chat.closed = f"Forbidden: bot was kicked from the {chat.type.replace('group', 'group chat')}"

    # What people do

    def say(
        self,
        person: Person,
        chat: Chat,
        text: str,
        *,
        reply_to: int | None = None,
        thread: int | None = None,
        entities: list[Json] | None = None,
    ) -> Json:
        """Write a message; a thread that is not there yet is opened."""
        marked = found_entities(text) if entities is None else entities
        content: Json = {"text": text} | ({"entities": marked} if marked else {})
        return self._send(person, chat, content, reply_to, thread)

    def send_other(
        self, person: Person, chat: Chat, *, reply_to: int | None = None, thread: int | None = None, **fields: Any
    ) -> Json:
        """Send a message of another kind, such as `photo=SAMPLES["photo"]`."""
        marked = found_entities(fields.get("caption", ""))
        content = ({"caption_entities": marked} if marked else {}) | fields
        return self._send(person, chat, content, reply_to, thread)

    def edit(self, message: Json, text: str) -> Json:
        """Change the text of a person's message."""
        chat = self._chats[message["chat"]["id"]]
        marked = found_entities(text)
        changed: Json = {"text": text, "edit_date": int(time.time())} | ({"entities": marked} if marked else {})
        kept = {name: value for name, value in chat.messages[message["message_id"]].items() if name != "entities"}
        return self._deliver(chat, "edited_message", self._store(chat, kept | changed))

    def delete(self, message: Json) -> None:
        """Delete a message; Telegram tells bots nothing of it."""
        del self._chats[message["chat"]["id"]].messages[message["message_id"]]
        self._changes.note()

    def press(self, person: Person, message: Json, label_or_data: str) -> str:
        """Press the button with that label or callback_data, also one that an edit has taken away meanwhile."""
        now = self._chats[message["chat"]["id"]].messages.get(message["message_id"])
        gone = {"message_id": message["message_id"], "chat": message["chat"], "date": 0}
        buttons = [button for seen in (message, now or {}) for button in _buttons(seen)]
        pressed = [b for b in buttons if label_or_data in (b["text"], b.get("callback_data"))]
        assert pressed, f"no button {label_or_data!r} among {buttons}"
        assert "callback_data" in pressed[0], f"a press of {pressed[0]} does not reach the bot"
        query = {"message": now or gone, "chat_instance": str(message["chat"]["id"])}
        return self._ask("callback_query", person, query | {"data": pressed[0]["callback_data"]})

    def inline(self, person: Person, query: str, offset: str = "") -> str:
        """Type a query after the bot's name in any chat."""
        return self._ask("inline_query", person, {"query": query, "offset": offset, "chat_type": "sender"})

    def react(self, person: Person, message: Json, *emoji: str) -> None:
        """Set the reactions of a person to a message, or take them back; in a group only an administrator hears it."""
        plain = [_plain_emoji(one) for one in emoji]
        assert REACTIONS.issuperset(plain), f"Telegram offers no such reaction: {emoji}"
        chat = self._chats[message["chat"]["id"]]
        key = (chat.id, message["message_id"], person.id)
        old, new = self._reactions.get(key, []), [{"type": "emoji", "emoji": one} for one in plain]
        self._reactions[key] = new
        update = {"chat": chat.as_json(), "message_id": message["message_id"], "user": person.as_user()}
        if chat.type == "private" or chat.admin:
            dated = update | {"date": int(time.time()), "old_reaction": old, "new_reaction": new}
            self._updates.add("message_reaction", dated)

    def expire(self, query_id: str) -> None:
        """Let a press or an inline query become too old to be answered."""
        self._open_queries.discard(query_id)

    def repeat_last_update(self) -> int:
        """Deliver the last update again under its identifier, confirmed or not."""
        assert self._updates.last is not None, "there was no update yet"
        return self.push(self._updates.last, same_id=self._updates.last["update_id"])

    def push(self, update: Json, *, same_id: int | None = None) -> int:
        """Deliver an update as it is, of whatever kind; with `same_id` under an identifier that was there before."""
        return self._updates.put(update, same_id)

    # What the bot did

    def messages(self, chat: Chat) -> list[Json]:
        """The messages of a chat as they stand now."""
        return [deepcopy(chat.messages[identifier]) for identifier in sorted(chat.messages)]

    def from_bot(self, chat: Chat) -> list[Json]:
        """The bot's messages of a chat as they stand now."""
        return [message for message in self.messages(chat) if message["from"]["id"] == self.bot_id]

    def called(self, method: str) -> list[Call]:
        """The requests for one method, in order."""
        return [call for call in self.calls if call.method == method]

    @property
    def pending_updates(self) -> list[Json]:
        """The updates that are not confirmed yet."""
        return [deepcopy(waiting.update) for waiting in self._updates.pending]

    async def until(self, predicate: Callable[[], object], timeout_s: float = 60) -> None:
        """Wait until the predicate holds, which is asked again whenever something happened at this server."""
        deadline = time.monotonic() + timeout_s
        while not predicate():
            if not await self._changes.wait(deadline):
                assert predicate(), f"nothing of the kind within {timeout_s} s\n{self.state()}"

    def state(self) -> str:
        """What happened so far, for a person to read."""
        lines = [f"{len(self.calls)} calls, the last of them:"]
        lines += [f"  {call.status or '---'} {call.method} {_short(call.parameters)}" for call in self.calls[-30:]]
        lines += [f"pending update: {_short(waiting.update)}" for waiting in self._updates.pending]
        for chat in self._chats.values():
            lines.append(f"{chat.type} {chat.id} {chat.name!r}")
            lines += [f"  {_line(message)}" for message in self.messages(chat)]
        return "\n".join(lines)

    # What goes wrong

    def fail_next(self, method: str, *faults: Fault) -> None:
        """Let the next requests for a method go wrong, one after the other."""
        self._faults.setdefault(method, []).extend(faults)

    def limit_chat(self, chat: Chat, per_window: int, window_s: float) -> None:
        """Refuse sendMessage and editMessageText beyond so many in that time."""
        chat.limit = Limit(per_window, window_s)

    def revoke(self) -> None:
        """Make the token worthless, also for requests that wait."""
        self._revoked = True
        self._updates.end_polls(Refusal(401, "Unauthorized"))

    def down(self) -> None:
        """Stop listening and end every connection."""
        assert self._runner is not None and self._runner.server is not None
        if self._listener is None or self._opening is None:
            return
        if not self._opening.cancel():
            self._opening.result().close()
        self._listener.close()
        self._listener = self._opening = None
        for connection in self._runner.server.connections:
            connection.force_close()
        self._updates.end_polls(Refusal(502, "Bad Gateway"))  # reaches nobody

    def up(self) -> None:
        """Listen, again on the same port; who connects from now on waits at most for the loop's next step."""
        assert self._runner is not None and self._runner.server is not None
        if self._listener is not None:
            return
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._opening = loop.create_task(loop.create_server(self._runner.server, sock=self._listener))

    # Inside

    def _send(self, person: Person, chat: Chat, content: Json, reply_to: int | None, thread: int | None) -> Json:
        assert reply_to is None or reply_to in chat.messages, f"no message {reply_to} to answer\n{self.state()}"
        if thread is not None and thread not in chat.threads:
            opening = {"message_id": thread, "from": person.as_user(), "chat": chat.as_json(), "date": int(time.time())}
            topic = {"name": f"Topic {thread}", "icon_color": 7322096}
            opening |= {"message_thread_id": thread, "is_topic_message": True, "forum_topic_created": topic}
            chat.threads[thread] = opening
        message = self._new_message(chat, person.as_user(), reply_to=reply_to, thread=thread) | content
        return self._deliver(chat, "message", self._store(chat, message))

    def _deliver(self, chat: Chat, kind: str, message: Json) -> Json:
        if chat.type == "private" or chat.admin or SERVICE_FIELDS & message.keys() or self._addressed(message):
            self._updates.add(kind, message)
        return message

    def _addressed(self, message: Json) -> bool:
        """Whether a message in a group is one that privacy mode lets through."""
        if message.get("reply_to_message", {}).get("from", {}).get("id") == self.bot_id:
            return True
        marked = [(message.get("text", ""), entity) for entity in message.get("entities", [])]
        marked += [(message.get("caption", ""), entity) for entity in message.get("caption_entities", [])]
        return any(self._names_bot(_marked(text, entity), entity) for text, entity in marked)

    def _names_bot(self, marked: str, entity: Json) -> bool:
        if entity["type"] == "bot_command":
            name = marked.partition("@")[2]
            return entity["offset"] == 0 and name.lower() in ("", self.username.lower())
        if entity["type"] == "text_mention":
            return bool(entity["user"]["id"] == self.bot_id)
        return entity["type"] == "mention" and marked.lower() == f"@{self.username}".lower()

    def _ask(self, kind: str, person: Person, content: Json) -> str:
        self._last_query_id += 1
        identifier = str(self._last_query_id)
        self._open_queries.add(identifier)
        self._updates.add(kind, {"id": identifier, "from": person.as_user()} | content)
        return identifier

    def _tell_membership(self, person: Person, old: str, new: str) -> None:
        told: Json = {"chat": self.private(person).as_json(), "from": person.as_user(), "date": int(time.time())}
        for name, status in (("old_chat_member", old), ("new_chat_member", new)):
            told[name] = {"user": self._bot_user(), "status": status} | (
                {"until_date": 0} if status == "kicked" else {}
            )
        self._updates.add("my_chat_member", told)

    async def _serve(self, request: web.Request) -> web.Response:
        call = Call(request.match_info["method"], await _decoded(request), time.monotonic())
        self.calls.append(call)
        self._changes.note()
        faults = self._faults.get(call.method)
        response = await self._answer(call, request.match_info["token"], faults.pop(0) if faults else None)
        if response is None:
            if request.transport is not None:
                request.transport.close()
            response = web.Response()  # goes nowhere
        else:
            call.status = response.status
        self._changes.note()
        return response

    async def _answer(self, call: Call, token: str, fault: Fault | None) -> web.Response | None:
        if fault is not None and fault.kind != "cut_after":
            return fault.response()
        try:
            if token != self.token or self._revoked:
                raise Refusal(401, "Unauthorized")
            result = await self._perform(call)
        except Refusal as refusal:
            response = refusal.response()
        else:
            response = web.json_response({"ok": True, "result": result})
        return response if fault is None else None

    async def _perform(self, call: Call) -> object:
        name = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", call.method)
        method = getattr(self, f"api_{name}", None)
        if method is None:
            raise Refusal(404, "Not Found: method not found")
        result = method(call.parameters)
        if isawaitable(result):
            result = await result
        if call.method == "sendMessageDraft":
            self.drafts.append(call)
        return result


async def _decoded(request: web.Request) -> Json:
    if request.content_type == "application/json":
        fields: Json = await request.json()
    else:
        fields = {**request.query, **await request.post()}
    return {name: _value(name, value) for name, value in fields.items()}


def _value(name: str, value: object) -> object:
    if isinstance(value, web.FileField):
        return Upload(value.filename, value.file.read(), value.content_type)
    if name in _TEXTS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _buttons(message: Json) -> list[Json]:
    return [button for row in message.get("reply_markup", {}).get("inline_keyboard", []) for button in row]


def _short(value: object, limit: int = 300) -> str:
    written = repr(value)
    return written if len(written) <= limit else f"{written[:limit]}... ({len(written)} characters)"


def _line(message: Json) -> str:
    what = message.get("text") or ", ".join(message.keys() - {"message_id", "from", "chat", "date"})
    labels = "".join(f" [{button['text']}]" for button in _buttons(message))
    return f"{message['message_id']} {message['from']['first_name']}: {_short(what)}{labels}"
