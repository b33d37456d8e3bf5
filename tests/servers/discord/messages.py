"""Messages: how they come to be, are found and go, and what of them the bot is told and allowed to see."""

from __future__ import annotations

import copy
import mimetypes
import re
from datetime import datetime
from typing import Any

from tests.servers.discord.entities import Channel
from tests.servers.discord.payloads import member_payload, payload_of
from tests.servers.discord.protocol import (
    DIRECT,
    DIRECT_MESSAGES,
    EPHEMERAL,
    GUILD_MESSAGES,
    MESSAGE_CONTENT,
    VIEW_CHANNEL,
    Json,
)
from tests.servers.discord.refusals import Refused
from tests.servers.discord.snowflakes import iso, moment
from tests.servers.discord.world import World

LISTS_OF_MESSAGE = ("mentions", "mention_roles", "attachments", "embeds", "components", "reactions")


def new_message(world: World, channel: Channel, author: Json, at: datetime | None = None, **fields: Any) -> Json:
    """A new message that is not yet in its channel."""
    message_id = world.snowflake(at)
    return {
        **{name: [] for name in LISTS_OF_MESSAGE},
        "id": message_id,
        "channel_id": channel.id,
        "author": author,
        "content": "",
        "timestamp": iso(at or moment(message_id)),
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "pinned": False,
        "type": 0,
        "flags": 0,
        **fields,
    }


def put(channel: Channel, message: Json) -> None:
    """Add a message where its id belongs."""
    channel.messages.append(message)
    channel.messages.sort(key=lambda each: int(each["id"]))


def find(channel: Channel, message_id: str) -> Json | None:
    """The message, where there is one of that id."""
    return next((message for message in channel.messages if message["id"] == message_id), None)


def existing(channel: Channel, message_id: str, *, ephemeral: bool = False) -> Json:
    """The message, or a refusal; ephemeral ones are unknown to most routes."""
    message = find(channel, message_id)
    if message is None or (message["flags"] & EPHEMERAL and not ephemeral):
        raise Refused(404, 10008, "Unknown Message")
    return message


def visible(world: World, message: Json, *, nested: bool = True) -> Json:
    """A message as the API gives it to the bot: without the content that is not meant for it."""
    shown = copy.deepcopy(message)
    channel = world.channels[message["channel_id"]]
    mentioned = any(user["id"] == world.bot_id for user in message["mentions"])
    meant = mentioned or message["author"]["id"] == world.bot_id or channel.type == DIRECT
    if not meant and not world.gateway.intents & MESSAGE_CONTENT:
        shown |= {"content": "", "attachments": [], "embeds": [], "components": []}
    if nested and (reference := message.get("message_reference")):
        referred = find(world.channels[reference["channel_id"]], reference["message_id"])
        shown["referenced_message"] = visible(world, referred, nested=False) if referred else None
    return shown


def emit_message(world: World, event: str, channel: Channel, message: Json) -> None:
    """Tell the bot of a message; an ephemeral one comes as if it were direct, as the real gateway has it."""
    if channel.lacks & VIEW_CHANNEL and not message["flags"] & EPHEMERAL:
        return None
    shown = visible(world, message) | {"channel_type": channel.type}
    emit = world.emit if message["author"]["id"] == world.bot_id else world.emit_by_person
    if channel.guild is None or message["flags"] & EPHEMERAL:
        return emit(event, shown, DIRECT_MESSAGES)
    shown["guild_id"] = channel.guild.id
    if "webhook_id" not in message:
        shown["member"] = member_payload()
    shown["mentions"] = [user | {"member": member_payload()} for user in shown["mentions"]]
    return emit(event, shown, GUILD_MESSAGES)


def post(world: World, channel: Channel, message: Json) -> None:
    """Put a new message into its channel and tell the bot of it."""
    put(channel, message)
    emit_message(world, "MESSAGE_CREATE", channel, message)


def remove(world: World, channel: Channel, message: Json) -> None:
    """Take a message away, also from the interaction that it answers, and tell the bot."""
    channel.messages.remove(message)
    for interaction in world.interactions:
        if interaction.original is message:
            interaction.original = None
        if message in interaction.followups:
            interaction.followups.remove(message)
    data = {"id": message["id"], "channel_id": channel.id}
    if channel.guild and not message["flags"] & EPHEMERAL:
        return world.emit("MESSAGE_DELETE", data | {"guild_id": channel.guild.id}, GUILD_MESSAGES)
    return world.emit("MESSAGE_DELETE", data, DIRECT_MESSAGES)


def mentioned(world: World, content: str) -> list[Json]:
    """The users whom a text mentions, each once."""
    found = dict.fromkeys(re.findall(r"<@!?(\d+)>", content))
    return [user for user_id in found if (user := payload_of(world, user_id))]


def attach(world: World, channel: Channel, name: str, content: bytes, more: Json | None = None) -> Json:
    """Keep a file and return its attachment object."""
    attachment_id = world.snowflake()
    world.files[attachment_id] = content
    url = f"{world.origin}/attachments/{channel.id}/{attachment_id}/{name}"
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    fields = {"filename": name, "size": len(content), "url": url, "proxy_url": url, "content_type": kind}
    return {**(more or {}), "id": attachment_id, **fields}
