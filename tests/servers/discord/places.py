"""How guilds, channels and threads come to be, and which of them the bot may use."""

from __future__ import annotations

from tests.servers.discord.entities import Channel, Guild, Person
from tests.servers.discord.payloads import channel_payload, guild_payload
from tests.servers.discord.protocol import DIRECT, GUILDS, TEXT, THREAD, VIEW_CHANNEL
from tests.servers.discord.refusals import Refused
from tests.servers.discord.world import World


def usable_channel(world: World, channel_id: str, needs: int = VIEW_CHANNEL) -> Channel:
    """The channel, where the bot has the permissions that it needs."""
    channel = world.channels.get(channel_id)
    if channel is None:
        raise Refused(404, 10003, "Unknown Channel")
    if channel.lacks & VIEW_CHANNEL:
        raise Refused(403, 50001, "Missing Access")
    if channel.lacks & needs:
        raise Refused(403, 50013, "Missing Permissions")
    return channel


def known_guild(world: World, guild_id: str) -> Guild:
    """The guild, where there is one of that id."""
    if guild_id not in world.guilds:
        raise Refused(404, 10004, "Unknown Guild")
    return world.guilds[guild_id]


def new_guild(world: World, name: str, owner: Person) -> Guild:
    """A guild that the bot is in, without channels."""
    guild = Guild(world.snowflake(), name, owner.id)
    world.guilds[guild.id] = guild
    world.emit("GUILD_CREATE", guild_payload(world, guild), GUILDS)
    return guild


def new_channel(world: World, guild: Guild, name: str) -> Channel:
    """A text channel."""
    channel = Channel(world.snowflake(), name, TEXT, guild)
    world.channels[channel.id] = channel
    guild.channels.append(channel)
    world.emit("CHANNEL_CREATE", channel_payload(world, channel), GUILDS)
    return channel


def new_thread(world: World, parent: Channel, name: str, thread_id: str) -> Channel:
    """A public thread in a text channel."""
    if parent.guild is None or parent.type != TEXT:
        raise Refused(400, 50024, "Cannot execute action on this channel type")
    thread = Channel(thread_id, name, THREAD, parent.guild, parent)
    world.channels[thread.id] = thread
    parent.guild.channels.append(thread)
    if not parent.lacks & VIEW_CHANNEL:
        world.emit("THREAD_CREATE", channel_payload(world, thread) | {"newly_created": True}, GUILDS)
    return thread


def direct_channel(world: World, person: Person) -> Channel:
    """The channel of a person and the bot, which is there once one of them wants it."""
    found = (channel for channel in world.channels.values() if channel.recipient is person)
    channel = next(found, None) or Channel(world.snowflake(), "", DIRECT, recipient=person)
    world.channels[channel.id] = channel
    return channel


def set_denied(world: World, channel: Channel, permissions: int) -> None:
    """Say which permissions the bot lacks in a channel."""
    channel.denied = permissions
    world.emit("CHANNEL_UPDATE", channel_payload(world, channel), GUILDS)
