"""A model hub on loopback: what huggingface_hub asks of the real one, with the failures that a network can have."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from urllib.parse import unquote

from aiohttp import web

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that the hub gives instead of what was asked for; `code` and `message` as X-Error-* headers."""

    status: int
    code: str = ""
    message: str = ""

    def response(self) -> web.Response:
        headers = {"X-Error-Code": self.code, "X-Error-Message": self.message}
        return web.Response(status=self.status, headers={name: value for name, value in headers.items() if value})


@dataclass(slots=True)
class LoopbackHub:
    """The repositories of the hub, what goes wrong next, and what was asked. Files come from a second address.

    A list of things that go wrong is used up from the front, one for each request.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    card_data: dict[str, object] = field(default_factory=dict)
    info_refusals: list[Refusal] = field(default_factory=list)
    info_text: str | None = None  # sent in place of the metadata: what a login page does
    file_refusals: list[Refusal] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)  # bytes after which the connection is closed
    serves_ranges: bool = True
    stored: dict[str, bytes] = field(default_factory=dict)  # by SHA-256; a test may damage it
    ranges: list[str] = field(default_factory=list)  # the Range header of each request for content, "" without one
    tokens: list[tuple[str, str]] = field(default_factory=list)  # path and Authorization header of each request
    endpoint: str = ""
    content_address: str = ""

    def add(self, repo: str, path: str, content: bytes) -> str:
        """Put a file into a repository and return its SHA-256."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.repositories.setdefault(repo, {})[path] = content
        self.stored[sha256] = content
        return sha256

    async def info(self, request: web.Request) -> web.StreamResponse:
        """GET /api/models/OWNER/REPO: the metadata, with sizes and checksums when `blobs` is asked for."""
        self._note(request)
        if self.info_refusals:
            return self.info_refusals.pop(0).response()
        if self.info_text is not None:
            return web.Response(text=self.info_text, content_type="text/html")
        repo = request.match_info["repo"]
        if repo not in self.repositories:
            return Refusal(401, message="Invalid username or password.").response()
        siblings = [self._sibling(path, content) for path, content in self.repositories[repo].items()]
        return web.json_response({"id": repo, "sha": COMMIT, "siblings": siblings, "cardData": self.card_data})

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        """HEAD and GET /OWNER/REPO/resolve/REVISION/FILE: to where the content lies."""
        self._note(request)
        if self.file_refusals:
            return self.file_refusals.pop(0).response()
        content = self.repositories[request.match_info["repo"]].get(unquote(request.match_info["path"]))
        if content is None or request.match_info["revision"] not in (COMMIT, "main"):
            return Refusal(404, "EntryNotFound" if content is None else "RevisionNotFound").response()
        sha256 = hashlib.sha256(content).hexdigest()
        raise web.HTTPFound(
            f"{self.content_address}/{sha256}",
            headers={
                "X-Repo-Commit": COMMIT,
                "X-Linked-Etag": f'"{sha256}"',
                "X-Linked-Size": str(len(content)),
                "ETag": f'"{sha256[:40]}"',
            },
        )

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET /SHA256 at the second address: the bytes, from the one that was asked for."""
        self._note(request)
        self.ranges.append(request.headers.get("Range", ""))
        content = self.stored[request.match_info["sha256"]]
        asked = re.fullmatch(r"bytes=(\d+)-", self.ranges[-1]) if self.serves_ranges else None
        start = int(asked[1]) if asked else 0
        if start >= len(content):
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
        response = web.StreamResponse(status=206 if asked else 200)
        response.content_length = len(content) - start
        response.headers["ETag"] = f'"{request.match_info["sha256"]}"'
        if asked:
            response.headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        await response.prepare(request)
        await response.write(content[start:][: self.cuts[0] if self.cuts else None])
        if self.cuts:
            del self.cuts[0]
            assert request.transport is not None
            request.transport.close()  # what was written still arrives
        return response

    def _note(self, request: web.Request) -> None:
        self.tokens.append((request.path, request.headers.get("Authorization", "")))

    @staticmethod
    def _sibling(path: str, content: bytes) -> dict[str, object]:
        sibling: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": "b" * 40}
        if path.lower().endswith(".gguf"):
            sibling["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        return sibling


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """A hub that listens until the end of the block, in a thread of its own."""
    hub = LoopbackHub()
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="hub", daemon=True)
    thread.start()
    repo, revision = "{repo:[^/]+/[^/]+}", "{revision}"
    pages = {f"/api/models/{repo}": hub.info, f"/{repo}/resolve/{revision}/{{path:.+}}": hub.resolve}
    servers = [_listen(pages), _listen({"/{sha256}": hub.content})]
    runners = [asyncio.run_coroutine_threadsafe(server, loop).result(10) for server in servers]
    hub.endpoint, hub.content_address = (f"http://127.0.0.1:{runner.addresses[0][1]}" for runner in runners)
    try:
        yield hub
    finally:
        for runner in runners:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _listen(pages: Mapping[str, Handler]) -> web.AppRunner:
    app = web.Application()
    for path, handler in pages.items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner
