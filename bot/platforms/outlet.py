"""What the shared parts need of a platform: a way to put text before people, and the ways in which it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.chat.messages import MessageKind, Preferred
from bot.chat.ports import PendingReply, Place
from bot.platforms.address import Address
from bot.platforms.catalogue import Texts
from bot.platforms.data_files import DataFile


class ChatCooldown(Exception):
    """The platform takes nothing more for this chat for `retry_s` seconds."""

    def __init__(self, retry_s: float) -> None:
        super().__init__(f"too many messages; again in {retry_s:g} s")
        self.retry_s = retry_s


class ChatUnreachable(Exception):
    """There was no answer, or a passing error: whether the message arrived is not known."""


class ChatGone(Exception):
    """This chat takes no message of ours any more: it was left, deleted or closed to us."""


class PostGone(Exception):
    """The message that was to be changed is not there any more, or cannot be changed."""


class AddressOver(ChatGone):
    """The address served until now, and another one lasts; the messages there cannot be changed any more."""


class Press(StrEnum):
    """What a button under a reply asks for; the values begin its data."""

    GOOD = "good"
    BAD = "bad"
    AGAIN = "again"
    STOP = "stop"
    WHY = "why"
    BETTER = "better"
    KEEP = "keep"
    SHARE = "share"
    COMPARE = "compare"
    PREFER = "prefer"


@dataclass(frozen=True, slots=True)
class Button:
    """A button: its label, and what comes back when it is pressed, such as "good:123"."""

    label: str
    data: str


def reply_buttons(texts: Texts, reply: PendingReply) -> list[Button]:
    """What stands under a finished reply; a quote can be kept, passed on and compared with another too.

    Of two, people say which is better; a comparison was asked for also where fixed words are the answer.
    """
    reply_id, job_id = reply.reply_id, reply.job.job_id
    if reply.shows_two:
        return [Button(texts(f"button-{side}"), f"{Press.PREFER}:{reply_id}:{side}") for side in Preferred]
    buttons = [
        Button(texts("button-good"), f"{Press.GOOD}:{reply_id}"),
        Button(texts("button-bad"), f"{Press.BAD}:{reply_id}"),
        *again_button(texts, job_id),
    ]
    if reply.job.kind is MessageKind.QUOTE:
        buttons += [Button(texts(f"button-{what}"), f"{what}:{reply_id}") for what in (Press.KEEP, Press.SHARE)]
        buttons.append(Button(texts("button-compare"), f"{Press.COMPARE}:{job_id}"))
    return buttons


def again_button(texts: Texts, job_id: int) -> list[Button]:
    """What stands under a request that was not answered."""
    return [Button(texts("button-again"), f"{Press.AGAIN}:{job_id}")]


def stop_button(texts: Texts, job_id: int) -> list[Button]:
    """What stands under a reply that is awaited or growing."""
    return [Button(texts("button-stop"), f"{Press.STOP}:{job_id}")]


class Outlet(Protocol):
    """One platform's way to put text before people. Every call raises the exceptions above, and no other."""

    limit: int  # UTF-16 units of a message
    file_limit: int  # bytes of a file
    typing_s: float  # how long a sign of typing lasts
    edit_s: float  # the least time between two edits that only show progress, in a chat with others
    private_edit_s: float  # and in a chat with one person
    draft_s: float  # the least time between two drafts

    def address_of(self, place: Place) -> Address:
        """Where something is said that answers nobody."""
        ...

    def lasting(self, address: Address) -> Address:
        """The address that serves when that one is over."""
        ...

    def creates_once(self, address: Address) -> bool:
        """A create that is repeated there with the same nonce makes no second message."""
        ...

    def small_print(self, paragraph: str) -> str:
        """The paragraph, less conspicuous where the platform can show it so."""
        ...

    def drafts(self, address: Address) -> bool:
        """A growing text can be shown there without a message."""
        ...

    async def typing(self, address: Address) -> None:
        """Show that an answer is on its way."""
        ...

    async def draft(self, address: Address, draft_id: int, text: str) -> None:
        """Show the growing text; an empty one shows that there is none yet."""
        ...

    async def create(self, address: Address, text: str, buttons: Sequence[Button], nonce: str) -> str:
        """Make a message; returns its id."""
        ...

    async def send_file(self, address: Address, text: str, file: DataFile, nonce: str) -> str:
        """Make a message with a file; returns its id."""
        ...

    async def edit(self, address: Address, post_id: str, text: str, buttons: Sequence[Button]) -> None:
        """Change a message; one that says that already is no error."""
        ...
