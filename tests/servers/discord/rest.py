"""The REST API: all routes, and the answer to a request with its token, its limit and its refusals."""

from __future__ import annotations

from aiohttp import web

from tests.servers.discord import rest_application, rest_channels, rest_interactions, rest_messages
from tests.servers.discord.faults import Fault
from tests.servers.discord.refusals import Refused
from tests.servers.discord.requests import PREFIX, Asked, response
from tests.servers.discord.routing import Route, Routes
from tests.servers.discord.world import World

PARTS = (rest_application, rest_channels, rest_messages, rest_interactions)
ROUTES = Routes([route for part in PARTS for route in part.routes.known])


def answer(world: World, request: web.Request, asked: Asked) -> web.Response:
    """Carry a request out, or say why not."""
    route, ids = ROUTES.match(asked.method, request.rel_url.raw_path.removeprefix(PREFIX))
    if route is None:
        return response(404, {"message": "404: Not Found", "code": 0})
    token = request.headers.get("Authorization", "").removeprefix("Bot ")
    if route.needs_token and not world.accepts(token):
        return response(401, {"message": "401: Unauthorized", "code": 0})
    channel = world.channels.get(ids.get("channel", ""))
    passes, headers = channel.limit.take(route.bucket) if channel and channel.limit else (True, {})
    return _carried_out(world, route, asked, ids, headers) if passes else _limited(headers)


def _carried_out(
    world: World, route: Route, asked: Asked, ids: dict[str, str], headers: dict[str, str]
) -> web.Response:
    try:
        result = route.handler(world, asked, **ids)
    except Refused as error:
        return response(error.status, error.body, headers)
    return response(204 if result is None else 200, result, headers)


def _limited(headers: dict[str, str]) -> web.Response:
    refusal = Fault.rate_limit(float(headers["X-RateLimit-Reset-After"]))
    return response(429, refusal.body, {**refusal.headers, **headers})
