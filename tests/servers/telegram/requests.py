"""Requests of the bot as they come over HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass

from aiohttp import web

from tests.servers.telegram.protocol import TEXT_PARAMETERS, Json


@dataclass(slots=True)
class Call:
    """A request of the bot: `status` is the one it was answered with, 0 while it waits and where it was cut."""

    method: str
    parameters: Json
    at: float  # time.monotonic()
    status: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a request."""

    name: str
    content: bytes
    media_type: str


async def read_parameters(request: web.Request) -> Json:
    """What a request asks for, however it is encoded."""
    if request.content_type == "application/json":
        fields: Json = await request.json()
    else:
        fields = {**request.query, **await request.post()}
    return {name: _value(name, value) for name, value in fields.items()}


def _value(name: str, value: object) -> object:
    if isinstance(value, web.FileField):
        return Upload(value.filename, value.file.read(), value.content_type)
    if name in TEXT_PARAMETERS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
