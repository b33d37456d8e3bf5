"""Interactions: how one begins, and how the bot's callback to it is carried out."""

from __future__ import annotations

import secrets
import time

from tests.servers.discord.drafts import edited, fill
from tests.servers.discord.entities import Channel, Guild, Interaction, Person
from tests.servers.discord.messages import new_message, post, visible
from tests.servers.discord.payloads import bot_payload, channel_payload, member_payload
from tests.servers.discord.protocol import (
    COMMAND,
    EPHEMERAL,
    LOADING,
    PERMISSIONS,
    SET_FLAGS,
    UPLOAD_LIMIT,
    Files,
    Json,
)
from tests.servers.discord.world import World

LOCALE_OF_GUILD = "en-US"
ANSWER, DEFERRED_ANSWER, DEFERRED_UPDATE, UPDATE = 4, 5, 6, 7  # types of callbacks that concern a message


def begin(
    world: World, kind: int, person: Person, channel: Channel, data: Json, source: Json | None = None
) -> Interaction:
    """Record an interaction and tell the bot of it."""
    now = time.monotonic()
    token = secrets.token_urlsafe(64)
    ends = now + world.interaction_lifetime_s
    interaction = Interaction(world.snowflake(), token, kind, person, channel, data, source, now, ends)
    world.interactions.append(interaction)
    world.emit_by_person("INTERACTION_CREATE", _payload(world, interaction))
    return interaction


def _payload(world: World, interaction: Interaction) -> Json:
    payload: Json = {
        "id": interaction.id,
        "application_id": world.application_id,
        "type": interaction.type,
        "token": interaction.token,
        "version": 1,
        "data": interaction.data,
        "locale": interaction.person.locale,
        "entitlements": [],
        "entitlement_sku_ids": [],
        "authorizing_integration_owners": _owners(interaction),
        "attachment_size_limit": UPLOAD_LIMIT,
    }
    if interaction.source:
        payload["message"] = visible(world, interaction.source)
    return payload | _place_fields(world, interaction.channel, interaction.person)


def _place_fields(world: World, channel: Channel, person: Person) -> Json:
    """Where an interaction was begun, and by whom."""
    place = channel_payload(world, channel)
    allowed = str(PERMISSIONS & ~channel.lacks)
    fields: Json = {"channel_id": channel.id, "channel": place, "app_permissions": allowed}
    if channel.guild is None:
        return fields | {"context": 1, "user": person.payload}
    place["permissions"] = str(PERMISSIONS)
    return fields | {"context": 0} | _guild_fields(channel.guild, person)


def _guild_fields(guild: Guild, person: Person) -> Json:
    member = member_payload(person.payload) | {"permissions": str(PERMISSIONS)}
    about = {"id": guild.id, "locale": LOCALE_OF_GUILD, "features": []}
    return {"guild_id": guild.id, "guild": about, "guild_locale": LOCALE_OF_GUILD, "member": member}


def _owners(interaction: Interaction) -> Json:
    return {"0": interaction.channel.guild.id if interaction.channel.guild else "0"}


def answer_message(world: World, interaction: Interaction, data: Json) -> Json:
    """A new message in answer to an interaction, still empty."""
    metadata = {
        "id": interaction.id,
        "type": interaction.type,
        "user": interaction.person.payload,
        "authorizing_integration_owners": _owners(interaction),
    }
    fields: Json = {
        "webhook_id": world.application_id,
        "application_id": world.application_id,
        "flags": (data.get("flags") or 0) & (SET_FLAGS | EPHEMERAL),
        "interaction_metadata": metadata,
    }
    if interaction.type == COMMAND:
        fields |= {"type": 20, "interaction": {**metadata, "name": interaction.data["name"]}}
    message = new_message(world, interaction.channel, bot_payload(world), **fields)
    if message["flags"] & EPHEMERAL:
        world.audience[message["id"]] = interaction.person
    return message


def carry_out(world: World, interaction: Interaction, kind: int, data: Json, files: Files) -> Json | None:
    """Carry out a callback and return the message that it made or changed."""
    if kind in (DEFERRED_UPDATE, UPDATE):
        interaction.original = interaction.source
        if kind == UPDATE and interaction.source:
            edited(world, interaction.channel, interaction.source, data, files)
        return interaction.source
    if kind not in (ANSWER, DEFERRED_ANSWER):
        return None
    message = answer_message(world, interaction, data)
    if kind == DEFERRED_ANSWER:
        message["flags"] = message["flags"] & EPHEMERAL | LOADING
    else:
        fill(world, interaction.channel, message, data, files)
    interaction.original = message
    post(world, interaction.channel, message)
    return message


def callback_resource(world: World, interaction: Interaction, kind: int, message: Json | None) -> Json:
    """What a callback made, as it is told with `with_response`."""
    about: Json = {"id": interaction.id, "type": interaction.type}
    resource: Json = {"type": kind}
    if message:
        about |= {
            "response_message_id": message["id"],
            "response_message_loading": bool(message["flags"] & LOADING),
            "response_message_ephemeral": bool(message["flags"] & EPHEMERAL),
        }
    if message and kind in (ANSWER, UPDATE):
        resource["message"] = visible(world, message)
    return {"interaction": about, "resource": resource}
