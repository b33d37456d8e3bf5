"""What Telegram keeps of the bot: its chats, its updates, what it sent and set."""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass, field

from tests.servers.telegram.chats import Chat, Document, Person
from tests.servers.telegram.protocol import Json
from tests.servers.telegram.requests import Call
from tests.servers.telegram.updates import Changes, UpdateQueue


@dataclass(slots=True, repr=False)
class Account:
    """The bot's account with all that belongs to it."""

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
    changes: Changes = field(default_factory=Changes, init=False)
    updates: UpdateQueue = field(init=False)
    people: dict[int, Person] = field(default_factory=dict, init=False)
    chats: dict[int, Chat] = field(default_factory=dict, init=False)
    open_queries: set[str] = field(default_factory=set, init=False)
    _last_message_id: int = field(default=100, init=False)

    def __post_init__(self) -> None:
        self.updates = UpdateQueue(self.changes)

    @property
    def bot_id(self) -> int:
        return int(self.token.partition(":")[0])

    def bot_user(self) -> Json:
        """The bot as a user."""
        return {"id": self.bot_id, "is_bot": True, "first_name": "Quotesmith", "username": self.username}

    def new_message(self, chat: Chat, sender: Json, *, reply_to: int | None, thread: int | None) -> Json:
        """A message without content yet, with where it stands: what it answers, in which thread."""
        self._last_message_id += 1
        answered = chat.messages.get(reply_to) if reply_to is not None else None
        message: Json = {"message_id": self._last_message_id, "from": sender, "chat": chat.as_json()}
        message |= {"date": int(time.time())} | chat.thread_fields(answered, thread)
        if answered is None and chat.forum and message.get("is_topic_message"):
            # As with the real one: what answers nothing in a topic "answers" the message that opened it.
            answered = chat.threads[message["message_thread_id"]]
        if answered is not None:
            message["reply_to_message"] = {k: v for k, v in answered.items() if k != "reply_to_message"}
        return message

    def store(self, chat: Chat, message: Json) -> Json:
        """Keep a message as it is now, and return a copy."""
        chat.messages[message["message_id"]] = message
        self.changes.note()
        return deepcopy(message)
