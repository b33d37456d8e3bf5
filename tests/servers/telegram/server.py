"""The Telegram that tests use: it listens on loopback, tells what the bot did, and lets things go wrong."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.servers.patience import PATIENCE_S
from tests.servers.telegram.chats import Chat
from tests.servers.telegram.faults import Fault, Limit
from tests.servers.telegram.methods import perform
from tests.servers.telegram.people import People
from tests.servers.telegram.protocol import Json
from tests.servers.telegram.refusals import Refusal
from tests.servers.telegram.requests import Call, read_parameters
from tests.servers.telegram.state import described


@dataclass(slots=True, repr=False)
class TelegramServer(People):
    """The server, and the people's side of it: `async with TelegramServer() as server`.

    Messages that it returns are copies, as they stood then. What people do in a group reaches the bot as privacy mode
    lets it: commands, mentions and answers to the bot, or everything where the bot is an administrator.
    """

    base_url: str = field(default="", init=False)
    _port: int = field(default=0, init=False)
    _revoked: bool = field(default=False, init=False)
    _faults: dict[str, list[Fault]] = field(default_factory=dict, init=False)
    _runner: web.AppRunner | None = field(default=None, init=False)
    _listener: socket.socket | None = field(default=None, init=False)
    _opening: asyncio.Task[asyncio.Server] | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/bot{token}/{method}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self.up()
        self.base_url = f"http://127.0.0.1:{self._port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        self.down()
        await self._runner.cleanup()

    # What the bot did

    def messages(self, chat: Chat) -> list[Json]:
        """The messages of a chat as they stand now."""
        return [deepcopy(chat.messages[identifier]) for identifier in sorted(chat.messages)]

    def from_bot(self, chat: Chat) -> list[Json]:
        """The bot's messages of a chat as they stand now."""
        return [message for message in self.messages(chat) if message["from"]["id"] == self.bot_id]

    def called(self, method: str) -> list[Call]:
        """The requests for one method, in order."""
        return [call for call in self.calls if call.method == method]

    @property
    def pending_updates(self) -> list[Json]:
        """The updates that are not confirmed yet."""
        return [deepcopy(waiting.update) for waiting in self.updates.pending]

    async def until(self, predicate: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
        """Wait until the predicate holds, which is asked again whenever something happened at this server."""
        deadline = time.monotonic() + timeout_s
        while not predicate():
            if not await self.changes.wait(deadline):
                assert predicate(), f"nothing of the kind within {timeout_s} s\n{self.state()}"

    def state(self) -> str:
        """What happened so far, for a person to read."""
        return described(self)

    # What goes wrong

    def fail_next(self, method: str, *faults: Fault) -> None:
        """Let the next requests for a method go wrong, one after the other."""
        self._faults.setdefault(method, []).extend(faults)

    def limit_chat(self, chat: Chat, per_window: int, window_s: float) -> None:
        """Refuse sendMessage and editMessageText beyond so many in that time."""
        chat.limit = Limit(per_window, window_s)

    def repeat_last_update(self) -> int:
        """Deliver the last update again under its identifier, confirmed or not."""
        assert self.updates.last is not None, "there was no update yet"
        return self.push(self.updates.last, same_id=self.updates.last["update_id"])

    def push(self, update: Json, *, same_id: int | None = None) -> int:
        """Deliver an update as it is, of whatever kind; with `same_id` under an identifier that was there before."""
        return self.updates.put(update, same_id)

    def revoke(self) -> None:
        """Make the token worthless, also for requests that wait."""
        self._revoked = True
        self.updates.end_polls(Refusal(401, "Unauthorized"))

    def down(self) -> None:
        """Stop listening and end every connection."""
        assert self._runner is not None and self._runner.server is not None
        if self._listener is None or self._opening is None:
            return
        if not self._opening.cancel():
            self._opening.result().close()
        self._listener.close()
        self._listener = self._opening = None
        for connection in self._runner.server.connections:
            connection.force_close()
        self.updates.end_polls(Refusal(502, "Bad Gateway"))  # reaches nobody

    def up(self) -> None:
        """Listen, again on the same port; who connects from now on waits at most for the loop's next step."""
        assert self._runner is not None and self._runner.server is not None
        if self._listener is not None:
            return
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._opening = loop.create_task(loop.create_server(self._runner.server, sock=self._listener))

    # HTTP

    async def _serve(self, request: web.Request) -> web.Response:
        call = Call(request.match_info["method"], await read_parameters(request), time.monotonic())
        self.calls.append(call)
        self.changes.note()
        faults = self._faults.get(call.method)
        response = await self._answer(call, request.match_info["token"], faults.pop(0) if faults else None)
        if response is None:
            if request.transport is not None:
                request.transport.close()
            response = web.Response()  # goes nowhere
        else:
            call.status = response.status
        self.changes.note()
        return response

    async def _answer(self, call: Call, token: str, fault: Fault | None) -> web.Response | None:
        if fault is not None and fault.kind != "cut_after":
            return fault.response()
        try:
            if token != self.token or self._revoked:
                raise Refusal(401, "Unauthorized")
            result = await perform(self, call)
        except Refusal as refusal:
            response = refusal.response()
        else:
            response = web.json_response({"ok": True, "result": result})
        return response if fault is None else None
