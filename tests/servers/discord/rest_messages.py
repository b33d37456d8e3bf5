"""The routes of a channel's messages and of the reactions to them."""

from __future__ import annotations

import math
import time

from tests.servers.discord.drafts import edited, fill, reference_fields
from tests.servers.discord.entities import Channel
from tests.servers.discord.messages import existing, find, new_message, post, remove, visible
from tests.servers.discord.payloads import bot_payload, payload_of
from tests.servers.discord.places import usable_channel
from tests.servers.discord.protocol import DIRECT, EPHEMERAL, SEND_IN_THREADS, Json
from tests.servers.discord.reactions import set_reaction
from tests.servers.discord.refusals import Refused, invalid
from tests.servers.discord.requests import Answer, Asked
from tests.servers.discord.routing import Routes
from tests.servers.discord.world import World

NONCE_LIFETIME_S = 300

routes = Routes()


@routes.add("GET", "/channels/{channel}/messages")
def history(world: World, asked: Asked, channel: str) -> Answer:
    limit = int(asked.query.get("limit", 50))
    if not 1 <= limit <= 100:
        raise invalid("limit", "NUMBER_TYPE_COERCE", "int value should be between 1 and 100.")
    messages = [each for each in usable_channel(world, channel).messages if not each["flags"] & EPHEMERAL]
    return [visible(world, message) for message in reversed(_page(messages, asked.query, limit))]


def _page(messages: list[Json], query: dict[str, str], limit: int) -> list[Json]:
    """The messages around, after or before one, or the last."""
    if around := query.get("around"):
        older = [each for each in messages if int(each["id"]) < int(around)][-(limit // 2) :]
        newer = [each for each in messages if int(each["id"]) >= int(around)][: limit - limit // 2]
        return older + newer
    if after := query.get("after"):
        return [each for each in messages if int(each["id"]) > int(after)][:limit]
    before = int(query.get("before", 2**64))
    return [each for each in messages if int(each["id"]) < before][-limit:]


@routes.add("GET", "/channels/{channel}/messages/{message}")
def one_message(world: World, asked: Asked, channel: str, message: str) -> Answer:
    return visible(world, existing(usable_channel(world, channel), message))


@routes.add("POST", "/channels/{channel}/messages")
def send(world: World, asked: Asked, channel: str) -> Answer:
    place = usable_channel(world, channel, SEND_IN_THREADS)
    if place.recipient and place.recipient.refuses_direct:
        raise Refused(403, 50007, "Cannot send messages to this user")
    if earlier := _same_nonce(world, place, asked.body):
        return visible(world, earlier)
    fields = reference_fields(world, place, asked.body.get("message_reference"))
    message = new_message(world, place, bot_payload(world), **fields)
    fill(world, place, message, asked.body, asked.files)
    if "nonce" in asked.body:
        message["nonce"] = asked.body["nonce"]
        world.nonces[place.id, str(asked.body["nonce"])] = (time.monotonic(), message["id"])
    post(world, place, message)
    return visible(world, message)


def _same_nonce(world: World, channel: Channel, body: Json) -> Json | None:
    nonce = str(body.get("nonce", ""))
    if len(nonce) > 25:
        raise invalid("nonce", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    at, message_id = world.nonces.get((channel.id, nonce), (-math.inf, ""))
    fresh = body.get("enforce_nonce") and time.monotonic() - at < NONCE_LIFETIME_S
    return find(channel, message_id) if fresh else None


@routes.add("PATCH", "/channels/{channel}/messages/{message}")
def edit(world: World, asked: Asked, channel: str, message: str) -> Answer:
    place = usable_channel(world, channel)
    found = existing(place, message)
    if found["author"]["id"] != world.bot_id:
        raise Refused(403, 50005, "Cannot edit a message authored by another user")
    return edited(world, place, found, asked.body, asked.files)


@routes.add("DELETE", "/channels/{channel}/messages/{message}")
def delete(world: World, asked: Asked, channel: str, message: str) -> Answer:
    place = usable_channel(world, channel)
    found = existing(place, message)
    if place.type == DIRECT and found["author"]["id"] != world.bot_id:
        raise Refused(403, 50003, "Cannot execute action on a DM channel")
    remove(world, place, found)
    return None


@routes.add("PUT", "/channels/{channel}/messages/{message}/reactions/{emoji}/@me")
def react(world: World, asked: Asked, channel: str, message: str, emoji: str) -> Answer:
    place = usable_channel(world, channel)
    set_reaction(world, place, existing(place, message), emoji, world.bot_id, on=True)
    return None


@routes.add("DELETE", "/channels/{channel}/messages/{message}/reactions/{emoji}/{user}")
def unreact(world: World, asked: Asked, channel: str, message: str, emoji: str, user: str) -> Answer:
    place = usable_channel(world, channel)
    who = world.bot_id if user == "@me" else user
    set_reaction(world, place, existing(place, message), emoji, who, on=False)
    return None


@routes.add("GET", "/channels/{channel}/messages/{message}/reactions/{emoji}")
def reacted(world: World, asked: Asked, channel: str, message: str, emoji: str) -> Answer:
    existing(usable_channel(world, channel), message)
    reactors = world.reactors.get((message, emoji), [])
    return [user for each in reactors if (user := payload_of(world, each))]
