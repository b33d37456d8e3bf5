"""A chat platform and an outbox in memory, which keep the promises of their ports and fail when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.chat.messages import ConversationKey, MessageKind, Platform
from bot.chat.ports import AcceptedJob, PendingReply, Place, ShownReply
from bot.errors import DatabaseUnavailable
from bot.platforms.address import Address
from bot.platforms.data_files import DataFile
from bot.platforms.outlet import AddressOver, Button, ChatCooldown, ChatUnreachable, PostGone

Fault = Literal["cooldown", "lost", "unanswered", "gone", "over"]
KEY = ConversationKey(Platform.TELEGRAM, "lobby", "", "ada")
ADDRESS = Address("lobby", "ada")


def job_of(number: int = 1, key: ConversationKey = KEY) -> AcceptedJob:
    """A request that is on record."""
    return AcceptedJob(number, number, key, MessageKind.CHAT, "hello", None, ADDRESS.to_json())


@dataclass(slots=True)
class Post:
    """A message of the bot as people see it."""

    text: str
    buttons: list[str]
    nonce: str


@dataclass(slots=True)
class FakeOutlet:
    """Chats as lists of messages. `faults` are used up from the front, one for each create or edit.

    "cooldown" and "lost" change nothing, "unanswered" does what was asked and says that it failed, "gone" deletes the
    message that is to be changed, "over" ends an address that has a token.
    """

    limit: int = 100
    file_limit: int = 1_000
    typing_s: float = 4.0
    edit_s: float = 0.0
    private_edit_s: float = 0.0
    draft_s: float = 0.0
    remembers_nonces: bool = False
    has_drafts: bool = False
    chats: dict[str, dict[str, Post]] = field(default_factory=dict)
    drafted: list[str] = field(default_factory=list)
    files: list[DataFile] = field(default_factory=list)
    typed: int = 0
    seen: list[str] = field(default_factory=list)  # every text that ever stood in a message
    faults: list[Fault] = field(default_factory=list)
    ids: int = 0

    def address_of(self, place: Place) -> Address:
        return Address(place.chat_id, "")

    def lasting(self, address: Address) -> Address:
        return Address(address.chat_id, address.user_id, mention=True)

    def creates_once(self, address: Address) -> bool:
        return self.remembers_nonces

    def small_print(self, paragraph: str) -> str:
        return f"({paragraph})"

    def drafts(self, address: Address) -> bool:
        return self.has_drafts

    async def typing(self, address: Address) -> None:
        self.typed += 1

    async def draft(self, address: Address, draft_id: int, text: str) -> None:
        self.drafted.append(text)

    async def create(self, address: Address, text: str, buttons: Sequence[Button], nonce: str) -> str:
        await asyncio.sleep(0)
        fault = self._fault()
        if fault == "over" and address.token:
            raise AddressOver("over")
        if fault in ("cooldown", "lost"):
            raise _error(fault)
        posts = self.chats.setdefault(address.chat_id, {})
        known = next((post_id for post_id, post in posts.items() if post.nonce == nonce), None)
        if known is None or not self.remembers_nonces:
            self.ids += 1
            known = str(self.ids)
            posts[known] = Post("", [], nonce)
        self._write(posts[known], text, buttons)
        if fault == "unanswered":
            raise _error(fault)
        return known

    async def send_file(self, address: Address, text: str, file: DataFile, nonce: str) -> str:
        post_id = await self.create(address, text, (), nonce)
        self.files.append(file)
        return post_id

    async def edit(self, address: Address, post_id: str, text: str, buttons: Sequence[Button]) -> None:
        await asyncio.sleep(0)
        fault = self._fault()
        if fault == "over" and address.token:
            raise AddressOver("over")
        if fault in ("cooldown", "lost"):
            raise _error(fault)
        posts = self.chats.setdefault(address.chat_id, {})
        if fault == "gone":
            posts.pop(post_id, None)
        if post_id not in posts:
            raise PostGone("deleted")
        self._write(posts[post_id], text, buttons)
        if fault == "unanswered":
            raise _error(fault)

    def texts(self, chat_id: str = "lobby") -> list[str]:
        """What stands in the chat now."""
        return [post.text for post in self.chats.get(chat_id, {}).values()]

    def _write(self, post: Post, text: str, buttons: Iterable[Button]) -> None:
        post.text, post.buttons = text, [button.data for button in buttons]
        self.seen.append(text)

    def _fault(self) -> Fault | None:
        return self.faults.pop(0) if self.faults else None


def _error(fault: Fault) -> Exception:
    return ChatCooldown(0.0) if fault == "cooldown" else ChatUnreachable(fault)


@dataclass(slots=True)
class FakeOutbox:
    """Outbox and Unfinished over dictionaries; survives the parts that use it, as a database does.

    `away` names calls that fail, once for each time that they stand there.
    """

    at: dict[int, dict[int, tuple[str, str]]] = field(default_factory=dict)
    addresses: dict[int, str] = field(default_factory=dict)
    confirmed: set[int] = field(default_factory=set)
    given_up: dict[int, str] = field(default_factory=dict)
    tries: list[str] = field(default_factory=list)
    waiting: list[PendingReply] = field(default_factory=list)
    left: list[AcceptedJob] = field(default_factory=list)
    replies: dict[int, ShownReply] = field(default_factory=dict)
    away: list[str] = field(default_factory=list)

    async def posts(self, job_id: int) -> Sequence[str]:
        await asyncio.sleep(0)
        self._be_there("posts")
        return [post_id for _, (_, post_id) in sorted(self.at.get(job_id, {}).items())]

    async def posted(self, job_id: int, part: int, platform: Platform, chat_id: str, platform_message_id: str) -> None:
        self.at.setdefault(job_id, {})[part] = (chat_id, platform_message_id)

    async def moved(self, job_id: int, address: str) -> None:
        self.at.pop(job_id, None)
        self.addresses[job_id] = address

    async def shown(self, platform: Platform, chat_id: str, platform_message_id: str) -> ShownReply | None:
        for job_id, parts in self.at.items():
            if (chat_id, platform_message_id) in parts.values():
                return self.replies.get(job_id)
        return None

    async def confirm(self, reply_id: int) -> None:
        self.confirmed.add(reply_id)

    async def try_later(self, reply_id: int, reason: str) -> None:
        self.tries.append(reason)

    async def give_up(self, reply_id: int, reason: str) -> None:
        self.given_up[reply_id] = reason

    async def pending(self, platforms: Collection[Platform]) -> Sequence[PendingReply]:
        self._be_there("pending")
        return self.waiting

    async def unfinished(self, platforms: Collection[Platform]) -> Sequence[AcceptedJob]:
        self._be_there("unfinished")
        return self.left

    def _be_there(self, call: str) -> None:
        if call in self.away:
            self.away.remove(call)
            raise DatabaseUnavailable("The database cannot be opened.")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now
