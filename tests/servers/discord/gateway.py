"""The gateway of a Discord on loopback: sessions, replay and broken connections; it does not know what events mean."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from tests.servers.discord.protocol import Json

Event = tuple[str, Json]
PRIVILEGED_INTENTS = 1 << 1 | 1 << 8 | 1 << 15  # members, presences, message content


@dataclass(slots=True, eq=False)
class Session:
    """What one IDENTIFY began; the dispatch with the sequence number n is kept at n - 1, for a RESUME."""

    intents: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    sent: list[str] = field(default_factory=list)

    def record(self, event: str, data: Json) -> str:
        """Number a dispatch, keep it and return its text."""
        self.sent.append(json.dumps({"op": 0, "s": len(self.sent) + 1, "t": event, "d": data}))
        return self.sent[-1]


@dataclass(slots=True, eq=False)
class Connection:
    """One web socket: texts are sent in order, a number closes it with that code."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport
    outbox: asyncio.Queue[str | int] = field(default_factory=asyncio.Queue)
    session: Session | None = None
    closing: bool = False  # from this side

    def send(self, frame: str | int) -> None:
        self.outbox.put_nowait(frame)

    def send_op(self, op: int, data: object = None) -> None:
        self.send(json.dumps({"op": op, "d": data, "s": None, "t": None}))

    async def write(self) -> None:
        """Send what is put into the outbox, until the close."""
        with suppress(ConnectionError):
            while isinstance(frame := await self.outbox.get(), str):
                await self.socket.send_str(frame)
            self.closing = True
            await self.socket.close(code=frame)


class Gateway:
    """The session of one bot and its connections.

    `accepts` says whether a token is good, `greeting` gives READY and what follows, `changed` is told of every change.
    """

    def __init__(
        self, accepts: Callable[[str], bool], greeting: Callable[[Session], list[Event]], changed: Callable[[], None]
    ) -> None:
        self._accepts, self._greeting, self._changed = accepts, greeting, changed
        self._session: Session | None = None
        self._connections: list[Connection] = []
        self.heartbeat_interval_ms = 41_250
        self.acking = True
        self.privileged = 0  # the intents of PRIVILEGED_INTENTS that the bot may ask for
        self.heartbeats = 0
        self.identifies: list[Json] = []
        self.resumes: list[Json] = []
        self.presences: list[Json] = []

    @property
    def ready(self) -> bool:
        """Whether a connection of the present session has had READY or RESUMED and has not been broken since."""
        return any(connection.session is self._session is not None for connection in self._connections)

    @property
    def intents(self) -> int:
        return self._session.intents if self._session else 0

    def dispatch(self, event: str, data: Json, intent: int = 0) -> None:
        """Send an event, or keep it for a RESUME; without a session or the intent it is lost."""
        if self._session is None or self._session.intents & intent != intent:
            return
        text = self._session.record(event, data)
        for connection in self._connections:
            if connection.session is self._session:
                connection.send(text)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """GET /gateway: one connection, from HELLO to its end."""
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        assert isinstance(request.transport, asyncio.Transport)
        connection = Connection(socket, request.transport)
        self._connections.append(connection)
        connection.send_op(10, {"heartbeat_interval": self.heartbeat_interval_ms, "_trace": []})
        writer = asyncio.create_task(connection.write())
        try:
            await self._read(connection)
            if connection.closing:
                await writer
        finally:
            writer.cancel()
            self._forget(connection)
        return socket

    async def _read(self, connection: Connection) -> None:
        async for frame in connection.socket:
            if frame.type is WSMsgType.TEXT:
                self._receive(connection, json.loads(frame.data))
        goodbye = connection.socket.close_code in (1000, 1001) and not connection.closing
        if goodbye and connection.session is self._session:
            self._session = None  # as when a bot closes by itself

    def _receive(self, connection: Connection, frame: Json) -> None:
        match frame["op"]:
            case 1:
                self.heartbeats += 1
                if self.acking:
                    connection.send_op(11)
            case 2:
                self._identify(connection, frame["d"])
            case 3:
                self.presences.append(frame["d"])
            case 6:
                self._resume(connection, frame["d"])
        self._changed()

    def _identify(self, connection: Connection, data: Json) -> None:
        self.identifies.append(data)
        if not self._accepts(data["token"]):
            return connection.send(4004)
        if data["intents"] & PRIVILEGED_INTENTS & ~self.privileged:
            return connection.send(4014)
        self._session = connection.session = Session(data["intents"])
        for event, payload in self._greeting(self._session):
            self.dispatch(event, payload)
        return None

    def _resume(self, connection: Connection, data: Json) -> None:
        self.resumes.append(data)
        session, seen = self._session, data["seq"]
        if not self._accepts(data["token"]):
            return connection.send(4004)
        if session is None or session.id != data["session_id"] or not isinstance(seen, int) or seen > len(session.sent):
            return connection.send_op(9, False)
        for text in session.sent[seen:]:
            connection.send(text)
        connection.session = session
        return self.dispatch("RESUMED", {"_trace": []})

    def drop(self) -> None:
        """Cut every connection without a close frame; the session can be resumed."""
        for connection in list(self._connections):
            connection.transport.abort()
            self._forget(connection)

    def close(self, code: int) -> None:
        """Close every connection with a code; the session can be resumed unless the code forbids it."""
        if code in (4004, 4007, 4009):
            self._session = None
        for connection in list(self._connections):
            connection.send(code)
            self._forget(connection)

    def reconnect(self) -> None:
        """Ask for a reconnection (op 7)."""
        for connection in list(self._connections):
            connection.send_op(7)
            self._forget(connection)

    def invalidate(self, resumable: bool) -> None:
        """Declare the session invalid (op 9)."""
        if not resumable:
            self._session = None
        for connection in list(self._connections):
            connection.send_op(9, resumable)
            self._forget(connection)

    def send_raw(self, text: str) -> None:
        """Send a text as it is, however malformed."""
        assert self._connections, "no bot is connected"
        for connection in self._connections:
            connection.send(text)

    def _forget(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        self._changed()
