"""Requests as they come over HTTP, and the answers to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.servers.discord.protocol import Files, Json

PREFIX = "/api/v10"
Answer = Json | list[Json] | web.Response | None


@dataclass(slots=True)
class Call:
    """A request as it came; status 0 until it is answered, and for ever when it was cut. `at` is monotonic."""

    method: str
    path: str
    body: Any
    at: float
    status: int = 0
    query: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Asked:
    """A request, read."""

    method: str
    path: str
    query: dict[str, str]
    body: Json
    files: Files
    raw_body: Any = None  # also what is no object


async def read(request: web.Request) -> Asked:
    """The body as JSON, whether it came alone or beside files."""
    files: Files = []
    raw = None
    if request.content_type == "multipart/form-data":
        form = await request.post()
        raw = json.loads(str(form.get("payload_json", "{}")))
        files = [(part.filename, part.file.read()) for part in form.values() if isinstance(part, web.FileField)]
    elif text := await request.text():
        raw = json.loads(text)
    body = raw if isinstance(raw, dict) else {}
    return Asked(request.method, request.path.removeprefix(PREFIX), dict(request.query), body, files, raw)


def response(status: int, body: object, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer; the type is exactly application/json, without which discord.py takes a body for text."""
    if status == 204:
        return web.Response(status=204, headers=headers)
    if isinstance(body, str):
        return web.Response(status=status, text=body, content_type="text/html", headers=headers)
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)
