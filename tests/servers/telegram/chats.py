"""People, chats and the files in them."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.servers.telegram.faults import Limit
from tests.servers.telegram.protocol import Json


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
    became: int | None = None  # the supergroup that the group is now
    limit: Limit | None = None

    def as_json(self) -> Json:
        described: Json = {"id": self.id, "type": self.type}
        described["first_name" if self.type == "private" else "title"] = self.name
        return described | ({"is_forum": True} if self.forum else {})

    def thread_fields(self, answered: Json | None, thread: int | None) -> Json:
        """In which thread a message stands that is sent into one, or answers another."""
        if thread is None and answered is not None and answered.get("is_topic_message"):
            thread = answered["message_thread_id"]
        if thread is not None:
            return {"message_thread_id": thread, "is_topic_message": True}
        if answered is not None and self.type == "supergroup":
            # Without topics a thread is what hangs on one message; sendMessage does not take its identifier.
            return {"message_thread_id": answered.get("message_thread_id", answered["message_id"])}
        return {}


@dataclass(frozen=True, slots=True)
class Document:
    """A file that the bot sent to a chat."""

    name: str
    content: bytes
    caption: str
    chat: Chat


def buttons(message: Json) -> list[Json]:
    """The buttons under a message, in order."""
    return [button for row in message.get("reply_markup", {}).get("inline_keyboard", []) for button in row]
