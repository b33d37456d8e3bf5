"""Reads Discord's events: who said what where, and whether it is for the bot; does nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import discord

from bot.chat.messages import ConversationKey, Platform
from bot.platforms.address import Address
from bot.platforms.incoming import Incoming

TOKEN_LIFE_S = 14 * 60.0  # of 15 minutes: what is sent in the last one may come too late
_SAID = (discord.MessageType.default, discord.MessageType.reply)


def message_event(message_id: int) -> str:
    """What a message is called among the events that were taken."""
    return f"message:{message_id}"


def read_message(message: discord.Message, my_id: int, language: str) -> Incoming | None:
    """What was said to the bot, in private, by mention or reply; None when it was not. "" for what holds no text."""
    if message.author.bot or message.type not in _SAID or message.webhook_id is not None:
        return None
    alone = isinstance(message.channel, discord.DMChannel)
    if not alone and all(user.id != my_id for user in message.mentions):
        return None
    text = re.sub(rf"<@!?{my_id}>", "", message.content).strip()
    places = places_of(message.channel, message.channel.id, message.guild.id if message.guild else None)
    address = Address(
        str(message.channel.id),
        str(message.author.id),
        reply_to="" if alone else str(message.id),
        one_to_one=alone,
        language=language,
    )
    key = key_of(message.channel, message.channel.id, message.author.id)
    return Incoming(key, (message_event(message.id),), address, text, places)


def read_interaction(
    interaction: discord.Interaction, language: str, *, private: bool, quiet: Sequence[str] = ()
) -> Incoming:
    """Who used a command or button, and where the answer goes: to nobody else if `private` or in a quiet place."""
    channel_id = interaction.channel_id or 0
    places = places_of(interaction.channel, channel_id, interaction.guild_id)
    context = interaction.context
    alone = bool(context.dm_channel) or (interaction.guild_id is None and not context.private_channel)
    address = Address(
        str(channel_id),
        str(interaction.user.id),
        token=interaction.token,
        token_until=interaction.created_at.timestamp() + TOKEN_LIFE_S,
        private=private or bool(set(places) & set(quiet)),
        one_to_one=alone,
        language=language,
    )
    key = key_of(interaction.channel, channel_id, interaction.user.id)
    return Incoming(key, (f"interaction:{interaction.id}",), address, "", places, as_option=True)


def key_of(channel: object, channel_id: int, user_id: int) -> ConversationKey:
    """A thread is part of its channel, and a conversation of its own."""
    if isinstance(channel, discord.Thread):
        return ConversationKey(Platform.DISCORD, str(channel.parent_id), str(channel.id), str(user_id))
    return ConversationKey(Platform.DISCORD, str(channel_id), "", str(user_id))


def places_of(channel: object, channel_id: int, guild_id: int | None) -> tuple[str, ...]:
    """The ids of the channel, of the one that it is a thread of, and of the server; `channel` may be unknown (None)."""
    parent = channel.parent_id if isinstance(channel, discord.Thread) else None
    return tuple(str(one) for one in (channel_id, parent, guild_id) if one is not None)


def custom_id(interaction: discord.Interaction) -> str:
    """What a button or a form was made with."""
    data: Mapping[str, object] = dict(interaction.data or {})
    return str(data.get("custom_id", ""))


def typed_text(interaction: discord.Interaction) -> str:
    """What was typed into the only field of a form."""
    found = list(_values(interaction.data or {}))
    return found[0] if found else ""


def _values(node: object) -> list[str]:
    """The values of all fields, whichever way they are nested: Discord has changed it before."""
    if isinstance(node, list):
        return [value for child in node for value in _values(child)]
    if not isinstance(node, dict):
        return []
    here = [node["value"]] if isinstance(node.get("value"), str) else []
    return here + _values(node.get("components")) + _values(node.get("component"))
