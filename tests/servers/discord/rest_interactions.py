"""The routes of interactions: the callback, and the webhook through which an interaction is answered later."""

from __future__ import annotations

import math
import time

from tests.servers.discord.drafts import edited, fill
from tests.servers.discord.entities import Interaction
from tests.servers.discord.interactions import answer_message, callback_resource, carry_out
from tests.servers.discord.messages import post, remove, visible
from tests.servers.discord.protocol import LOADING, Json
from tests.servers.discord.refusals import Refused, check_callback
from tests.servers.discord.requests import Answer, Asked
from tests.servers.discord.routing import Routes
from tests.servers.discord.world import World

routes = Routes()


@routes.add("POST", "/interactions/{interaction}/{token}/callback")
def callback(world: World, asked: Asked, interaction: str, token: str) -> Answer:
    found = next((each for each in world.interactions if each.id == interaction and each.token == token), None)
    now = time.monotonic()
    if found and found.acknowledged:
        raise Refused(400, 40060, "Interaction has already been acknowledged.")
    if found is None or now - found.began > world.acknowledge_within_s or now > found.ends:
        raise Refused(404, 10062, "Unknown interaction")
    check_callback(found, asked.body)
    message = carry_out(world, found, asked.body["type"], asked.body.get("data") or {}, asked.files)
    found.response = asked.body
    if asked.query.get("with_response") not in ("1", "true"):
        return None
    return callback_resource(world, found, asked.body["type"], message)


def _by_token(world: World, token: str) -> Interaction:
    interaction = next((each for each in world.interactions if each.token == token), None)
    if interaction is None or not interaction.acknowledged or interaction.ends == -math.inf:
        raise Refused(404, 10015, "Unknown Webhook")
    if time.monotonic() > interaction.ends:
        raise Refused(401, 50027, "Invalid Webhook Token")
    return interaction


def _own_message(interaction: Interaction, message_id: str) -> Json:
    original = interaction.original
    if message_id == "@original" and original is not None:
        return original
    mine = [*interaction.followups, *([original] if original else [])]
    found = next((message for message in mine if message["id"] == message_id), None)
    if found is None:
        raise Refused(404, 10008, "Unknown Message")
    return found


@routes.add("POST", "/webhooks/{app}/{token}")
def follow_up(world: World, asked: Asked, app: str, token: str) -> Answer:
    interaction = _by_token(world, token)
    channel, original = interaction.channel, interaction.original
    if original and original["flags"] & LOADING:
        return edited(world, channel, original, asked.body, asked.files)
    message = answer_message(world, interaction, asked.body) | {"type": 0}
    if original:
        reference = {"type": 0, "message_id": original["id"], "channel_id": channel.id}
        message |= {"type": 19, "message_reference": reference}
    fill(world, channel, message, asked.body, asked.files)
    interaction.followups.append(message)
    post(world, channel, message)
    return visible(world, message)


@routes.add("GET", "/webhooks/{app}/{token}/messages/{message}")
def webhook_message(world: World, asked: Asked, app: str, token: str, message: str) -> Answer:
    return visible(world, _own_message(_by_token(world, token), message))


@routes.add("PATCH", "/webhooks/{app}/{token}/messages/{message}")
def edit_webhook_message(world: World, asked: Asked, app: str, token: str, message: str) -> Answer:
    interaction = _by_token(world, token)
    found = _own_message(interaction, message)
    return edited(world, interaction.channel, found, asked.body, asked.files)


@routes.add("DELETE", "/webhooks/{app}/{token}/messages/{message}")
def delete_webhook_message(world: World, asked: Asked, app: str, token: str, message: str) -> Answer:
    interaction = _by_token(world, token)
    remove(world, interaction.channel, _own_message(interaction, message))
    return None
