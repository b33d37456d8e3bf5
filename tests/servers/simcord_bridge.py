"""Simcord's Discord behind real sockets, for a bot in another process; it knows the wire, and no rule of Discord."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import unquote

import discord
from aiohttp import WSCloseCode, web
from simcord import (
    BackendError,
    ChannelHandle,
    Env,
    GuildHandle,
    InteractionResult,
    MemberActor,
    ResponseMessage,
    RouteNotImplemented,
    UnsupportedField,
    UserHandle,
)
from simcord._clock import Clock
from simcord.backend import Backend
from simcord.backend.models import Message
from simcord.gateway import FakeWebSocket, ShardRouter
from simcord.http.router import dispatch, parse_form

from tests.servers.patience import PATIENCE_S

TOKEN = "simcord.bridge.token"
HOST = "127.0.0.1"
PREFIX = "/api/v10"
UPLOAD_LIMIT = 64 * 2**20
TRANSCRIPT_LINES = 60
# What the bot asks for with the token in the path carries no Authorization header.
OPEN_PATHS = re.compile(r"/(interactions|webhooks)/\d+/")
WRONG_TOKEN = 4004
HEARTBEAT_MS = 41250

Actor = MemberActor | UserHandle
T = TypeVar("T")


class Op(IntEnum):
    """What a frame of the gateway is."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    RESUME = 6
    REQUEST_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class WallClock(Clock):
    """The real time: the bot in the other process measures the age of an interaction by its own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class RemoteEnv(Env):
    """Simcord's world without a bot inside; the client that it wants to hold never connects."""

    def __init__(self) -> None:
        super().__init__(discord.Client(intents=discord.Intents.all()))
        self.backend = Backend(clock=WallClock())

    async def _settle_internal(
        self,
        *,
        timeout: float | None = None,
        idle: float = 0.05,
        dispatch: str | None = None,
        _deadline: float | None = None,
    ) -> None:
        """Return at once: the work of a bot in another process can't be seen, so tests wait for what it does."""


@dataclass(slots=True)
class Session:
    """One connection to the gateway. Simcord takes it for the connection state of a client and feeds its parsers."""

    env: Env
    socket: web.WebSocketResponse
    gateway_url: str
    intents: discord.Intents = field(default_factory=discord.Intents.none)
    guilds: tuple[discord.Guild, ...] = ()  # what simcord reads as the cache of a client that comes back
    parsers: dict[str, Callable[[Mapping[str, Any]], None]] = field(init=False)
    router: ShardRouter | None = None
    sequence: int = 0
    outgoing: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    def __post_init__(self) -> None:
        self.parsers = {event: partial(self.send_event, event) for event in self.env.bot._connection.parsers}

    def feed(self, event: str, payload: Mapping[str, Any]) -> None:
        """Hand an event to simcord, which drops or shapes it by the intents; nothing goes out before IDENTIFY."""
        if self.router is not None:
            self.router.feed(event, payload)

    def send_event(self, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event that simcord has shaped; only the address to come back to is ours."""
        if event == "READY":
            payload = {**payload, "resume_gateway_url": self.gateway_url}
        self.sequence += 1
        self.send(Op.DISPATCH, payload, t=event, s=self.sequence)

    def send(self, op: int, d: object, **names: object) -> None:
        """Put a frame in line for the socket."""
        self.outgoing.put_nowait(json.dumps({"op": op, "d": d, **names}))

    async def write(self) -> None:
        """Write what is sent, in order, for as long as the client is there."""
        with suppress(ConnectionError):
            while True:
                await self.socket.send_str(await self.outgoing.get())

    async def read(self, identified: Callable[[], None]) -> None:
        """Answer the client until it goes."""
        self.send(Op.HELLO, {"heartbeat_interval": HEARTBEAT_MS})
        async for frame in self.socket:
            await self._answer(frame.json(), identified)

    async def _answer(self, message: Mapping[str, Any], identified: Callable[[], None]) -> None:
        match message["op"]:
            case Op.HEARTBEAT:
                self.send(Op.HEARTBEAT_ACK, None)
            case Op.IDENTIFY if message["d"]["token"] != TOKEN:
                await self.socket.close(code=WRONG_TOKEN, message=b"Authentication failed.")
            case Op.IDENTIFY:
                self._identify(message["d"])
                identified()
            case Op.RESUME:
                self.send(Op.INVALID_SESSION, False)  # simcord keeps no events to replay; the client identifies anew
            case Op.REQUEST_MEMBERS:
                await self._send_members(message["d"])

    def _identify(self, d: Mapping[str, Any]) -> None:
        self.intents.value = d["intents"]
        self.router = ShardRouter(self.env.backend, self, lambda *_: None, 1, (0,))
        self.router.identify(0, replay_guilds=True)

    async def _send_members(self, d: Mapping[str, Any]) -> None:
        assert self.router is not None
        gateway: FakeWebSocket = self.router.websockets[0]
        wanted = d.get("user_ids")
        await gateway.request_chunks(
            int(d["guild_id"]),
            d.get("query"),
            limit=d.get("limit", 0),
            user_ids=[int(user) for user in wanted] if wanted else None,
            presences=d.get("presences", False),
            nonce=d.get("nonce"),
        )


class SimcordBridge:
    """A Discord on loopback that simcord decides; the users are simcord's actors, the bot is another process.

    What simcord does not know of Discord is kept in `gaps`, and fails the waiting and the end of the block.
    """

    def __init__(self) -> None:
        self.env: Env = RemoteEnv()
        self.token = TOKEN
        self.api_base = ""
        self.gateway_url = ""
        self.gaps: list[str] = []
        self._sessions: list[Session] = []
        self._changed = asyncio.Event()
        app = web.Application(client_max_size=UPLOAD_LIMIT)
        app.router.add_get("/gateway", self._gateway)
        app.router.add_route("*", PREFIX + "/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, shutdown_timeout=1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        port = self._runner.addresses[0][1]
        self.api_base = f"http://{HOST}:{port}{PREFIX}"
        self.gateway_url = f"ws://{HOST}:{port}/gateway"
        self.env.backend.subscribers.append(self._feed)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drop_connection()
        await self._runner.cleanup()
        if error is None:
            self._refuse_gaps()

    # -- the world ----------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the bot has identified at the gateway."""
        return any(session.router is not None for session in self._sessions)

    @property
    def mention(self) -> str:
        """What a person writes to mention the bot."""
        return f"<@{self.env.backend.bot_user.id}>"

    @property
    def commands(self) -> set[str]:
        """The names of the application commands that the bot has registered, for everywhere or for a guild."""
        return {name for scope in self.env.backend.commands.values() for name, _ in scope}

    def create_guild(self, name: str = "Guild") -> GuildHandle:
        """A guild with the bot as a member."""
        return self.env.create_guild(name)

    def create_channel(self, guild: GuildHandle, name: str = "general") -> ChannelHandle:
        """A text channel that everyone in the guild sees."""
        return guild.create_text_channel(name)

    def create_user(self, name: str) -> UserHandle:
        """A person who shares no guild with the bot, and can write to it directly."""
        return self.env.create_user(name)

    def create_member(self, guild: GuildHandle, user: UserHandle | str) -> MemberActor:
        """A person in the guild: a new one by name, or one who is in other guilds too."""
        return guild.add_member(self.env.create_user(user) if isinstance(user, str) else user)

    async def drop_connection(self) -> None:
        """Close the bot's connection to the gateway, as Discord does now and then; the bot is to come back."""
        for session in list(self._sessions):
            await session.socket.close(code=WSCloseCode.SERVICE_RESTART)

    # -- what people do -----------------------------------------------------------------------------------------------

    async def say(
        self, actor: Actor, text: str, channel: ChannelHandle | None = None, *, reply_to: ResponseMessage | None = None
    ) -> ResponseMessage:
        """Write in a channel of a guild, or to the bot directly without one."""
        if channel is not None and channel.guild is not None:
            assert isinstance(actor, MemberActor), "only a member can write in a guild"
            sent = await actor.send(channel, text, reply_to=reply_to)
        else:
            sent = await _user(actor).send_dm(text, reference=self._reference(actor, reply_to))
        return ResponseMessage(self.env, self.env.backend.get_message(sent.channel.id, sent.id))

    async def slash(
        self, actor: Actor, command: str, channel: ChannelHandle | None = None, /, **options: object
    ) -> InteractionResult:
        """Run a slash command in a channel of a guild, or in the direct messages without one."""
        if channel is not None and channel.guild is not None:
            assert isinstance(actor, MemberActor), "only a member can run a command in a guild"
            return await actor.slash(channel, command, **options)
        result: InteractionResult = await _user(actor).slash(command, **options)
        return result

    async def press(
        self, actor: Actor, message: ResponseMessage, label: str | None = None, *, custom_id: str | None = None
    ) -> InteractionResult:
        """Press the one button with this label or custom_id."""
        result: InteractionResult = await self._at(actor, message).click(message, label=label, custom_id=custom_id)
        return result

    async def react(self, actor: Actor, message: ResponseMessage, emoji: str) -> None:
        """Add the person's reaction to a message."""
        await self._at(actor, message).set_reaction(message, emoji, reacted=True)

    async def unreact(self, actor: Actor, message: ResponseMessage, emoji: str) -> None:
        """Take it back."""
        await self._at(actor, message).set_reaction(message, emoji, reacted=False)

    async def submit_modal(
        self, actor: Actor, shown: InteractionResult, values: Mapping[str, object]
    ) -> InteractionResult:
        """Send the modal that an interaction was answered with; values by custom_id."""
        in_guild = shown._interaction.guild_id is not None
        result: InteractionResult = await (actor if in_guild else _user(actor)).submit_modal(shown, dict(values))
        return result

    # -- what they see ------------------------------------------------------------------------------------------------

    def messages(self, where: ChannelHandle | Actor, viewer: Actor | None = None) -> list[ResponseMessage]:
        """A channel's messages as they stand, oldest first, with the viewer's ephemeral ones; a person names the DM."""
        return [ResponseMessage(self.env, message) for message in self._visible(where, viewer)]

    def bot_messages(self, where: ChannelHandle | Actor, viewer: Actor | None = None) -> list[ResponseMessage]:
        """Those of them that the bot wrote. Each stays up to date with the bot's edits."""
        bot = self.env.backend.bot_user.id
        return [
            ResponseMessage(self.env, message) for message in self._visible(where, viewer) if message.author_id == bot
        ]

    async def until(self, predicate: Callable[[], T | None], timeout_s: float = PATIENCE_S) -> T:
        """Wait until the predicate gives something true, looking after each request and event, and return it."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    self._refuse_gaps()
                    if value := predicate():
                        return value
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"not seen within {timeout_s} s\n{self.describe()}") from None

    def describe(self) -> str:
        """The last events and requests, for a failing test."""
        lines = self.env.transcript().splitlines()[-TRANSCRIPT_LINES:]
        return "\n".join([f"connected: {self.connected}, commands: {sorted(self.commands)}", *lines])

    # -- the wire -----------------------------------------------------------------------------------------------------

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=UPLOAD_LIMIT)
        await socket.prepare(request)
        session = Session(self.env, socket, self.gateway_url)
        self._sessions.append(session)
        writer = asyncio.create_task(session.write())
        try:
            await session.read(self._changed.set)
        finally:
            self._sessions.remove(session)
            writer.cancel()
            self._changed.set()
        return socket

    async def _rest(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path.removeprefix(PREFIX)
        try:
            self._authorize(request, path)
            return _json(await self._dispatch(request, path))
        except BackendError as error:
            if isinstance(error, RouteNotImplemented | UnsupportedField):
                self.gaps.append(error.message)
            self.env.backend.transcript.append(("REFUSED", f"{request.method} {path}", error.to_json()))
            return _json(error.to_json(), error.status)
        except Exception as error:
            self.gaps.append(f"{request.method} {path}: {error!r}")
            raise
        finally:
            self._changed.set()

    async def _dispatch(self, request: web.Request, path: str) -> object:
        body, files = await _body(request)
        reason = request.headers.get("X-Audit-Log-Reason")
        answer: object = dispatch(
            self.env.backend,
            request.method,
            path,
            json=body,
            params=dict(request.query),
            files=files,
            reason=unquote(reason) if reason else None,
        )
        return answer

    @staticmethod
    def _authorize(request: web.Request, path: str) -> None:
        if not OPEN_PATHS.match(path) and request.headers.get("Authorization") != f"Bot {TOKEN}":
            raise BackendError(401, 0, "401: Unauthorized")

    def _feed(self, event: str, payload: Mapping[str, Any]) -> None:
        for session in self._sessions:
            session.feed(event, payload)
        self._changed.set()

    def _visible(self, where: ChannelHandle | Actor, viewer: Actor | None) -> list[Message]:
        channel = where if isinstance(where, ChannelHandle) else _user(where).dm_channel
        stored = self.env.backend.messages.get(channel.id, {})
        viewer_id = viewer.id if viewer else None
        return [stored[key] for key in sorted(stored) if stored[key].visible_to(viewer_id)]

    def _refuse_gaps(self) -> None:
        assert not self.gaps, "simcord does not know what the bot asked for: " + "; ".join(self.gaps)

    def _at(self, actor: Actor, message: ResponseMessage) -> Actor:
        """The actor as simcord wants them where the message is: a member in a guild, a user in direct messages."""
        in_guild = self.env.backend.get_channel(message.channel_id).guild_id is not None
        return actor if in_guild else _user(actor)

    def _reference(self, actor: Actor, reply_to: ResponseMessage | None) -> dict[str, Any] | None:
        if reply_to is None:
            return None
        channel = _user(actor).dm_channel.id
        named = {"channel_id": str(reply_to.channel_id), "message_id": str(reply_to.id)}
        return self.env.backend.normalize_message_reference(channel, named)


def _user(actor: Actor) -> UserHandle:
    return actor.user if isinstance(actor, MemberActor) else actor


def _json(answer: object, status: int = 200) -> web.Response:
    if answer is None:
        return web.Response(status=204)
    # As bytes, since for text aiohttp adds the charset, and discord.py then takes the answer for plain text.
    return web.Response(body=json.dumps(answer).encode(), status=status, content_type="application/json")


async def _body(request: web.Request) -> tuple[Any, list[discord.File]]:
    """The JSON of a request and the files that came with it."""
    if request.content_type != "multipart/form-data":
        text = await request.text()
        return (json.loads(text) if text else None), []
    form = await request.post()
    scalars = [{"name": name, "value": part} for name, part in form.items() if not isinstance(part, web.FileField)]
    payload, _ = parse_form(scalars, [])
    uploads = [part for part in form.values() if isinstance(part, web.FileField)]
    described = {str(entry["id"]): entry.get("description") for entry in (payload or {}).get("attachments") or []}
    return payload, [_file(part, described.get(str(index))) for index, part in enumerate(uploads)]


def _file(part: web.FileField, description: str | None) -> discord.File:
    return discord.File(io.BytesIO(part.file.read()), filename=part.filename, description=description)
