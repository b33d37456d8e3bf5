"""Lets the hub listen on two loopback addresses, one for its pages and one for large content."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

from aiohttp import web

from tests.servers.hub.loopback import LoopbackHub
from tests.servers.hub.repositories import Refused
from tests.servers.hub.writing import Writing

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Page = tuple[str, str, Handler]  # method, path, what answers

LARGEST_BODY = 64 << 20  # of a commit, in bytes
REPO = "{repo:[^/]+/[^/]+?}"
API = f"/api/{{kind:models|datasets}}/{REPO}"
SITE = f"/{{kind:(?:datasets/)?}}{REPO}"


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """A hub that listens until the end of the block, in a thread of its own."""
    hub = LoopbackHub()
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="hub", daemon=True)
    thread.start()
    pages, contents = _pages(hub)
    runners = [asyncio.run_coroutine_threadsafe(_listen(each), loop).result(10) for each in (pages, contents)]
    hub.endpoint, hub.content_address = (f"http://127.0.0.1:{runner.addresses[0][1]}" for runner in runners)
    try:
        yield hub
    finally:
        for runner in runners:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _pages(hub: LoopbackHub) -> tuple[list[Page], list[Page]]:
    writing = Writing(hub)
    pages: list[Page] = [
        ("GET", "/api/whoami-v2", writing.whoami),
        ("POST", "/api/repos/create", writing.create),
        ("POST", "/api/validate-yaml", writing.validate_yaml),
        ("POST", f"{API}/preupload/{{revision}}", writing.preupload),
        ("POST", f"{API}/commit/{{revision}}", writing.commit),
        ("POST", f"{API}/paths-info/{{revision}}", hub.paths_info),
        ("GET", f"{API}/tree/{{revision}}", hub.tree),
        ("GET", f"{API}/tree/{{revision}}/{{path:.*}}", hub.tree),
        ("GET", f"{API}/revision/{{revision}}", hub.info),
        ("GET", API, hub.info),
        ("POST", f"{SITE}.git/info/lfs/objects/batch", writing.batch),
        ("POST", f"{SITE}.git/info/lfs/verify", writing.verify),
        ("GET", f"{SITE}/resolve/{{revision}}/{{path:.+}}", hub.resolve),
    ]
    return pages, [("GET", "/{sha256}", hub.content), ("PUT", "/{sha256}", writing.upload)]


@web.middleware
async def _refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return refused.refusal.response()


async def _listen(pages: Sequence[Page]) -> web.AppRunner:
    app = web.Application(middlewares=[_refusing], client_max_size=LARGEST_BODY)
    for method, path, handler in pages:
        app.router.add_route(method, path, handler)
        if method == "GET":
            app.router.add_route("HEAD", path, handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner
