"""What people do: they open chats, write, press buttons, ask inline and react."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from tests.servers.telegram.account import Account
from tests.servers.telegram.chats import Chat, Person, buttons
from tests.servers.telegram.privacy import deliver
from tests.servers.telegram.protocol import REACTIONS, Json
from tests.servers.telegram.state import described
from tests.servers.telegram.texts import found_entities, plain_emoji


@dataclass(slots=True, repr=False)
class People(Account):
    """The account as people deal with it; messages that its methods return are copies, as they stood then."""

    _reactions: dict[tuple[int, int, int], list[Json]] = field(default_factory=dict, init=False)
    _last_query_id: int = field(default=4_000_000_000_000_000_000, init=False)

    # Themselves and their chats

    def person(self, user_id: int, first_name: str = "Ada", language: str = "en") -> Person:
        self.people[user_id] = Person(user_id, first_name, language)
        return self.people[user_id]

    def private(self, person: Person) -> Chat:
        """The chat of a person with the bot."""
        return self.chats.setdefault(person.id, Chat(person.id, "private", person.first_name))

    def group(self, chat_id: int, title: str, forum: bool = False, *, admin: bool = False) -> Chat:
        """A group with the bot in it; a supergroup where it has topics or an identifier like -100..."""
        kind = "supergroup" if forum or chat_id <= -(10**12) else "group"
        self.chats[chat_id] = Chat(chat_id, kind, title, forum, admin)
        return self.chats[chat_id]

    def upgrade(self, chat: Chat) -> Chat:
        """Make a supergroup of a group, which has another identifier and begins without messages."""
        assert chat.type == "group"
        chat.became = chat.id - 10**12
        return self.group(chat.became, chat.name, admin=chat.admin)

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

    def _tell_membership(self, person: Person, old: str, new: str) -> None:
        told: Json = {"chat": self.private(person).as_json(), "from": person.as_user(), "date": int(time.time())}
        for name, status in (("old_chat_member", old), ("new_chat_member", new)):
            until = {"until_date": 0} if status == "kicked" else {}
            told[name] = {"user": self.bot_user(), "status": status} | until
        self.updates.add("my_chat_member", told)

    # Messages

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

    def _send(self, person: Person, chat: Chat, content: Json, reply_to: int | None, thread: int | None) -> Json:
        assert reply_to is None or reply_to in chat.messages, f"no message {reply_to} to answer\n{described(self)}"
        if thread is not None and thread not in chat.threads:
            chat.threads[thread] = _opening(person, chat, thread)
        message = self.new_message(chat, person.as_user(), reply_to=reply_to, thread=thread) | content
        return deliver(self, chat, "message", self.store(chat, message))

    def edit(self, message: Json, text: str) -> Json:
        """Change the text of a person's message."""
        chat = self.chats[message["chat"]["id"]]
        marked = found_entities(text)
        changed: Json = {"text": text, "edit_date": int(time.time())} | ({"entities": marked} if marked else {})
        kept = {name: value for name, value in chat.messages[message["message_id"]].items() if name != "entities"}
        return deliver(self, chat, "edited_message", self.store(chat, kept | changed))

    def delete(self, message: Json) -> None:
        """Delete a message; Telegram tells bots nothing of it."""
        del self.chats[message["chat"]["id"]].messages[message["message_id"]]
        self.changes.note()

    def react(self, person: Person, message: Json, *emoji: str) -> None:
        """Set the reactions of a person to a message, or take them back; in a group only an administrator hears it."""
        plain = [plain_emoji(one) for one in emoji]
        assert REACTIONS.issuperset(plain), f"Telegram offers no such reaction: {emoji}"
        chat = self.chats[message["chat"]["id"]]
        key = (chat.id, message["message_id"], person.id)
        old, new = self._reactions.get(key, []), [{"type": "emoji", "emoji": one} for one in plain]
        self._reactions[key] = new
        update = {"chat": chat.as_json(), "message_id": message["message_id"], "user": person.as_user()}
        if chat.type == "private" or chat.admin:
            dated = update | {"date": int(time.time()), "old_reaction": old, "new_reaction": new}
            self.updates.add("message_reaction", dated)

    # Queries

    def press(self, person: Person, message: Json, label_or_data: str) -> str:
        """Press the button with that label or callback_data, also one that an edit has taken away meanwhile."""
        now = self.chats[message["chat"]["id"]].messages.get(message["message_id"])
        gone = {"message_id": message["message_id"], "chat": message["chat"], "date": 0}
        there = [button for seen in (message, now or {}) for button in buttons(seen)]
        pressed = [button for button in there if label_or_data in (button["text"], button.get("callback_data"))]
        assert pressed, f"no button {label_or_data!r} among {there}"
        assert "callback_data" in pressed[0], f"a press of {pressed[0]} does not reach the bot"
        query = {"message": now or gone, "chat_instance": str(message["chat"]["id"])}
        return self._ask("callback_query", person, query | {"data": pressed[0]["callback_data"]})

    def inline(self, person: Person, query: str, offset: str = "") -> str:
        """Type a query after the bot's name in any chat."""
        return self._ask("inline_query", person, {"query": query, "offset": offset, "chat_type": "sender"})

    def expire(self, query_id: str) -> None:
        """Let a press or an inline query become too old to be answered."""
        self.open_queries.discard(query_id)

    def _ask(self, kind: str, person: Person, content: Json) -> str:
        self._last_query_id += 1
        identifier = str(self._last_query_id)
        self.open_queries.add(identifier)
        self.updates.add(kind, {"id": identifier, "from": person.as_user()} | content)
        return identifier


def _opening(person: Person, chat: Chat, thread: int) -> Json:
    """The message that opens a thread."""
    opening = {"message_id": thread, "from": person.as_user(), "chat": chat.as_json(), "date": int(time.time())}
    topic = {"name": f"Topic {thread}", "icon_color": 7322096}
    return opening | {"message_thread_id": thread, "is_topic_message": True, "forum_topic_created": topic}
