"""The state of a Discord: its people, guilds and channels, what the bot left there, and who is told of changes."""

from __future__ import annotations

import asyncio
import copy
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from tests.servers.discord.entities import Channel, Guild, Interaction, Person
from tests.servers.discord.gateway import Event, Gateway, Session
from tests.servers.discord.protocol import Json
from tests.servers.discord.requests import Call
from tests.servers.discord.snowflakes import first_at


class World:
    """People, places and messages, as they are; `greeting` gives what a new session of the gateway is sent first."""

    def __init__(self, token: str, greeting: Callable[[World, Session], list[Event]]) -> None:
        self.token = token
        self.calls: list[Call] = []
        self.typing: list[str] = []
        self.commands: list[Json] = []
        self.guild_commands: dict[str, list[Json]] = {}
        self.files: dict[str, bytes] = {}
        self.interactions: list[Interaction] = []
        self.acknowledge_within_s = 3.0
        self.interaction_lifetime_s = 900.0
        self.origin = ""
        self.people: dict[str, Person] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.audience: dict[str, Person] = {}  # by ephemeral message: who sees it
        self.reactors: dict[tuple[str, str], list[str]] = {}  # by message and emoji
        self.nonces: dict[tuple[str, str], tuple[float, str]] = {}  # by channel and nonce: when, which message
        self.revoked = False
        self.change = asyncio.Event()
        self._last_event: tuple[str, Json, int] | None = None  # the last one that a person caused
        self._last_snowflake = 0
        self.bot_id = self.application_id = self.snowflake(datetime(2024, 5, 1, tzinfo=UTC))
        self.gateway = Gateway(self.accepts, partial(greeting, self), self.changed)

    def snowflake(self, at: datetime | None = None) -> str:
        """A new id, of now or of another moment."""
        moment = at.timestamp() if at else time.time()
        number = max(first_at(moment) | secrets.randbelow(1 << 12), 0 if at else self._last_snowflake + 1)
        if at is None:
            self._last_snowflake = number
        return str(number)

    def accepts(self, token: str) -> bool:
        """Whether a token is the bot's and good."""
        return token == self.token and not self.revoked

    def changed(self) -> None:
        """Wake whoever waits for something to happen here."""
        self.change.set()
        self.change = asyncio.Event()

    def emit(self, event: str, data: Json, intent: int = 0) -> None:
        """Tell the bot of an event."""
        self.gateway.dispatch(event, data, intent)
        self.changed()

    def emit_by_person(self, event: str, data: Json, intent: int = 0) -> None:
        """Tell the bot of what a person did."""
        self._last_event = (event, copy.deepcopy(data), intent)
        self.emit(event, data, intent)

    def repeat_last_event(self) -> None:
        """Send the last event that a person caused once more, with the same ids and a new sequence number."""
        assert self._last_event, "nobody has done anything"
        event, data, intent = self._last_event
        self.emit(event, copy.deepcopy(data), intent)
