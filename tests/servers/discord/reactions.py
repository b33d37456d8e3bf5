"""Reactions to messages: who set which, and what the bot is told of it."""

from __future__ import annotations

from tests.servers.discord.entities import Channel
from tests.servers.discord.payloads import member_payload, payload_of
from tests.servers.discord.protocol import DIRECT_REACTIONS, GUILD_REACTIONS, VIEW_CHANNEL, Json
from tests.servers.discord.world import World


def set_reaction(world: World, channel: Channel, message: Json, emoji: str, user_id: str, *, on: bool) -> None:
    """Add a user's reaction or take it back, where that changes anything."""
    reactors = world.reactors.setdefault((message["id"], emoji), [])
    if on == (user_id in reactors):
        return
    (reactors.append if on else reactors.remove)(user_id)
    message["reactions"] = [
        _counted(world, each, who)
        for (message_id, each), who in world.reactors.items()
        if message_id == message["id"] and who
    ]
    _emit_reaction(world, channel, message, emoji, user_id, on)


def _counted(world: World, emoji: str, reactors: list[str]) -> Json:
    return {
        "emoji": _emoji_payload(emoji),
        "count": len(reactors),
        "count_details": {"normal": len(reactors), "burst": 0},
        "me": world.bot_id in reactors,
        "me_burst": False,
        "burst_colors": [],
    }


def _emit_reaction(world: World, channel: Channel, message: Json, emoji: str, user_id: str, on: bool) -> None:
    if channel.lacks & VIEW_CHANNEL:
        return
    data: Json = {
        "user_id": user_id,
        "channel_id": channel.id,
        "message_id": message["id"],
        "message_author_id": message["author"]["id"],
        "emoji": _emoji_payload(emoji),
        "burst": False,
        "type": 0,
    }
    if channel.guild:
        data["guild_id"] = channel.guild.id
        if on:
            data["member"] = member_payload(payload_of(world, user_id))
    emit = world.emit if user_id == world.bot_id else world.emit_by_person
    event = "MESSAGE_REACTION_ADD" if on else "MESSAGE_REACTION_REMOVE"
    emit(event, data, GUILD_REACTIONS if channel.guild else DIRECT_REACTIONS)


def _emoji_payload(emoji: str) -> Json:
    name, _, emoji_id = emoji.partition(":")
    return {"id": emoji_id or None, "name": name}
