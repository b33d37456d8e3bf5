"""The routes of guilds and their members, of channels and of threads."""

from __future__ import annotations

from tests.servers.discord.messages import existing
from tests.servers.discord.payloads import channel_payload, guild_payload, member_payload, payload_of
from tests.servers.discord.places import direct_channel, known_guild, new_thread, usable_channel
from tests.servers.discord.protocol import SEND_IN_THREADS
from tests.servers.discord.refusals import Refused
from tests.servers.discord.requests import Answer, Asked
from tests.servers.discord.routing import Routes
from tests.servers.discord.world import World

routes = Routes()


@routes.add("GET", "/guilds/{guild}")
def guild_by_id(world: World, asked: Asked, guild: str) -> Answer:
    return guild_payload(world, known_guild(world, guild))


@routes.add("GET", "/guilds/{guild}/members/{user}")
def member_by_id(world: World, asked: Asked, guild: str, user: str) -> Answer:
    known_guild(world, guild)
    if payload := payload_of(world, user):
        return member_payload(payload)
    raise Refused(404, 10007, "Unknown Member")


@routes.add("GET", "/channels/{channel}")
def channel_by_id(world: World, asked: Asked, channel: str) -> Answer:
    return channel_payload(world, usable_channel(world, channel))


@routes.add("POST", "/users/@me/channels")
def open_direct(world: World, asked: Asked) -> Answer:
    person = world.people.get(str(asked.body.get("recipient_id")))
    if person is None:
        raise Refused(400, 50033, "Invalid Recipient(s)")
    return channel_payload(world, direct_channel(world, person))


@routes.add("POST", "/channels/{channel}/typing")
def start_typing(world: World, asked: Asked, channel: str) -> Answer:
    place = usable_channel(world, channel, SEND_IN_THREADS)
    world.typing.append(place.id)
    return None


@routes.add("POST", "/channels/{channel}/messages/{message}/threads")
def thread_from_message(world: World, asked: Asked, channel: str, message: str) -> Answer:
    place = usable_channel(world, channel)
    found = existing(place, message)
    if message in world.channels:
        raise Refused(400, 160004, "A thread has already been created for this message")
    thread = new_thread(world, place, asked.body["name"], message)
    found["thread"] = channel_payload(world, thread)
    return channel_payload(world, thread)


@routes.add("POST", "/channels/{channel}/threads")
def thread_alone(world: World, asked: Asked, channel: str) -> Answer:
    place = usable_channel(world, channel)
    return channel_payload(world, new_thread(world, place, asked.body["name"], world.snowflake()))
