"""The Discord that tests use: it listens on loopback, tells what the bot did, and lets things go wrong."""

from __future__ import annotations

import asyncio
import copy
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TypeVar

from aiohttp import web

from tests.servers.discord.entities import Channel, Interaction, Person
from tests.servers.discord.faults import Fault, Faults, Limit
from tests.servers.discord.payloads import greeting
from tests.servers.discord.people import People
from tests.servers.discord.places import set_denied
from tests.servers.discord.protocol import EPHEMERAL, SEND_IN_THREADS, SEND_MESSAGES, VIEW_CHANNEL, Json
from tests.servers.discord.requests import PREFIX, Call, read, response
from tests.servers.discord.rest import answer
from tests.servers.patience import PATIENCE_S

T = TypeVar("T")


class DiscordServer(People):
    """A Discord of its own on loopback, for one bot.

    People act through its methods, the bot through HTTP and the gateway; what the bot did is read from `calls`,
    `messages`, `ephemeral`, `typing`, `commands` and `files`. It runs in the event loop of the test.
    """

    def __init__(self, token: str = "MTA.Gabcde." + "x" * 30) -> None:
        super().__init__(token, greeting)
        self._faults = Faults()
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.down()

    @property
    def api_base(self) -> str:
        return f"{self.origin}{PREFIX}"

    @property
    def gateway_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/gateway"

    async def up(self) -> None:
        """Listen, after `down` on the same port."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/gateway", self.gateway.serve)
        app.router.add_get("/attachments/{channel}/{id}/{name}", self._file)
        app.router.add_route("*", PREFIX + "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        self.origin = f"http://127.0.0.1:{self._port}"

    async def down(self) -> None:
        """Stop listening and cut every connection."""
        self.gateway.drop()
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    # What the bot did

    def messages(self, channel: Channel) -> list[Json]:
        """What everybody sees in a channel now, in order."""
        return [copy.deepcopy(each) for each in channel.messages if not each["flags"] & EPHEMERAL]

    def from_bot(self, channel: Channel) -> list[Json]:
        """Those messages of a channel that the bot sent; a deferred answer among them has the flag LOADING."""
        return [each for each in self.messages(channel) if each["author"]["id"] == self.bot_id]

    def ephemeral(self, person: Person) -> list[Json]:
        """The messages that only this person sees now."""
        every = (message for channel in self.channels.values() for message in channel.messages)
        return [copy.deepcopy(each) for each in every if self.audience.get(each["id"]) is person]

    def shown(self, interaction: Interaction) -> Json | None:
        """The original response of an interaction as it is now; None before it and once it is deleted."""
        return copy.deepcopy(interaction.original)

    async def until(self, predicate: Callable[[], T], timeout_s: float = PATIENCE_S) -> T:
        """Wait until the predicate gives something true and return that; it is asked after every change here."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not (result := predicate()):
                    await self.change.wait()
                return result
        raise AssertionError(f"not within {timeout_s} s\n{self.describe()}")

    async def connected(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the bot's session has had READY or RESUMED and its connection stands."""
        await self.until(lambda: self.gateway.ready, timeout_s)

    def describe(self) -> str:
        """The state in words, for a test that failed."""
        lines = [f"connected: {self.gateway.ready}; identified {len(self.gateway.identifies)} times"]
        lines += [f"{call.method} {call.path} {call.status} {str(call.body)[:300]}" for call in self.calls[-20:]]
        for channel in self.channels.values():
            for message in channel.messages:
                name = message["author"]["global_name"]
                lines.append(f"#{channel.name or 'direct'} <{name}> {message['content']!r} flags {message['flags']}")
        lines += [f"interaction {each.data} answered with {each.response}" for each in self.interactions[-5:]]
        return "\n".join(lines)

    # What goes wrong

    def fail_next(self, method: str, path_pattern: str, *faults: Fault) -> None:
        """Give the next requests whose path (without /api/v10) has the pattern in it these faults, one each."""
        self._faults.plan(method, path_pattern, list(faults))

    def limit_channel(self, channel: Channel, per_window: int, window_s: float) -> None:
        """Let only so many requests of each route to a channel pass in a window."""
        channel.limit = Limit(per_window, window_s)

    def forbid(self, channel: Channel, *, sending_only: bool = False) -> None:
        """Take the channel from the bot's sight, or only its right to write there."""
        set_denied(self, channel, SEND_MESSAGES | SEND_IN_THREADS if sending_only else VIEW_CHANNEL)

    def allow(self, channel: Channel) -> None:
        """Undo `forbid`."""
        set_denied(self, channel, 0)

    def refuse_direct(self, person: Person) -> None:
        """Let a person take no direct messages from the bot."""
        person.refuses_direct = True

    def expire(self, interaction: Interaction, *, code: int = 10015) -> None:
        """End the time in which an interaction's token is good; 50027 answers as after the real 15 minutes."""
        interaction.ends = -math.inf if code == 10015 else 0.0

    def revoke(self) -> None:
        """Make the bot's token worthless, at once."""
        self.revoked = True
        self.gateway.close(4004)

    def drop(self) -> None:
        """Cut the gateway's connection without a word; the session can be resumed."""
        self.gateway.drop()

    def close(self, code: int = 4000) -> None:
        """Close the gateway's connection with a code."""
        self.gateway.close(code)

    def reconnect_op(self) -> None:
        """Ask the bot to connect anew (op 7)."""
        self.gateway.reconnect()

    def invalidate(self, resumable: bool) -> None:
        """Declare the session invalid (op 9)."""
        self.gateway.invalidate(resumable)

    def send_raw(self, text: str) -> None:
        """Send a text over the gateway as it is."""
        self.gateway.send_raw(text)

    def stop_acking(self) -> None:
        """Leave heartbeats without an answer from now on."""
        self.gateway.acking = False

    # HTTP

    async def _file(self, request: web.Request) -> web.Response:
        content = self.files.get(request.match_info["id"])
        return web.Response(status=404) if content is None else web.Response(body=content)

    async def _serve(self, request: web.Request) -> web.Response:
        """Every route: note the request, carry it out, and let go wrong what shall."""
        asked = await read(request)
        call = Call(asked.method, asked.path, asked.raw_body, time.monotonic(), query=asked.query)
        self.calls.append(call)
        fault = self._faults.take(asked.method, asked.path)
        result = answer(self, request, asked) if fault is None or fault.carries_out else web.Response()
        if fault:
            result = await _spoilt(request, fault, result)
        call.status = 0 if fault and fault.cuts else result.status
        self.changed()
        return result


async def _spoilt(request: web.Request, fault: Fault, answered: web.Response) -> web.Response:
    match fault.kind:
        case "answer":
            return response(fault.code, fault.body, fault.headers)
        case "slow":
            await asyncio.sleep(fault.delay_s)
        case _:
            assert isinstance(request.transport, asyncio.Transport)
            request.transport.abort()
    return answered
