"""What a Discord consists of: people, guilds, channels and interactions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.servers.discord.faults import Limit
from tests.servers.discord.protocol import EPHEMERAL, Json


def user_payload(user_id: str, name: str, bot: bool) -> Json:
    """A user object."""
    return {
        "id": user_id,
        "username": re.sub(r"\W+", "_", name.lower()),
        "discriminator": "0",
        "global_name": name,
        "avatar": None,
        "bot": bot,
        "system": False,
        "public_flags": 0,
    }


@dataclass(slots=True, eq=False)
class Person:
    """An account that is not the bot under test; a member of every guild."""

    id: str
    name: str
    locale: str
    bot: bool = False
    refuses_direct: bool = False

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    @property
    def payload(self) -> Json:
        """The user object."""
        return user_payload(self.id, self.name, self.bot)


@dataclass(slots=True, eq=False)
class Guild:
    """A server with its channels and threads."""

    id: str
    name: str
    owner_id: str
    channels: list[Channel] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Channel:
    """A text channel, a thread or a direct channel, with its messages in order."""

    id: str
    name: str
    type: int
    guild: Guild | None = None
    parent: Channel | None = None
    recipient: Person | None = None
    messages: list[Json] = field(default_factory=list, repr=False)
    denied: int = 0  # permissions that the bot lacks here
    limit: Limit | None = None

    @property
    def lacks(self) -> int:
        return self.denied | (self.parent.denied if self.parent else 0)


@dataclass(slots=True, eq=False)
class Interaction:
    """What a person did with the bot's commands and components, and what the bot answered."""

    id: str
    token: str
    type: int
    person: Person
    channel: Channel
    data: Json
    source: Json | None = field(repr=False)  # the message of the pressed component
    began: float  # on the monotonic clock, like all times here
    ends: float
    response: Json | None = None  # the body of the callback
    original: Json | None = field(default=None, repr=False)
    followups: list[Json] = field(default_factory=list, repr=False)

    @property
    def acknowledged(self) -> bool:
        return self.response is not None

    @property
    def modal(self) -> Json | None:
        return self.response["data"] if self.response and self.response["type"] == 9 else None

    @property
    def choices(self) -> list[Json] | None:
        return self.response["data"]["choices"] if self.response and self.response["type"] == 8 else None

    @property
    def ephemeral(self) -> bool:
        """Whether only the person sees the original response."""
        return bool(self.original and self.original["flags"] & EPHEMERAL)
