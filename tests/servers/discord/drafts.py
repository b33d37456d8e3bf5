"""What a bot writes into its messages: contents, files, mentions and the message that is answered."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tests.servers.discord.entities import Channel
from tests.servers.discord.messages import attach, emit_message, find, mentioned, visible
from tests.servers.discord.protocol import LAYOUT, LOADING, SET_FLAGS, UPLOAD_LIMIT, Files, Json
from tests.servers.discord.refusals import Refused, check_message, invalid
from tests.servers.discord.snowflakes import iso
from tests.servers.discord.world import World


def fill(world: World, channel: Channel, message: Json, body: Json, files: Files) -> None:
    """Put what a bot sent into its message, or refuse it and leave the message as it was."""
    check_message(body)
    draft = message | _contents(body)
    draft["flags"] = message["flags"] & ~LOADING | (body.get("flags") or 0) & SET_FLAGS
    described = body.get("attachments")
    kept = draft["attachments"]
    if described is not None:
        kept = [each for each in kept if each["id"] in {str(entry["id"]) for entry in described}]
    if not (draft["content"] or draft["embeds"] or kept or files or draft["flags"] & LAYOUT):
        raise Refused(400, 50006, "Cannot send an empty message")
    if sum(len(content) for _, content in files) > UPLOAD_LIMIT:
        raise Refused(413, 40005, "Request entity too large")
    about = {str(entry["id"]): entry for entry in described or []}
    draft["attachments"] = kept + [attach(world, channel, *file, about.get(str(n))) for n, file in enumerate(files)]
    _fill_mentions(world, draft, body.get("allowed_mentions"))
    message.update(draft)


def _contents(body: Json) -> Json:
    """What the body gives of text, embeds and components."""
    contents: Json = {}
    if "content" in body:
        contents["content"] = (body["content"] or "").strip()
    if "embeds" in body:
        contents["embeds"] = [{"type": "rich", **embed} for embed in body["embeds"] or []]
    if "components" in body:
        contents["components"] = body["components"] or []
    return contents


def _fill_mentions(world: World, message: Json, allowed: Json | None) -> None:
    users = mentioned(world, message["content"])
    everyone = bool(re.search(r"@(everyone|here)\b", message["content"]))
    reference = message.get("message_reference")
    replied = find(world.channels[reference["channel_id"]], reference["message_id"]) if reference else None
    if allowed is not None:
        kinds, named = allowed.get("parse", []), allowed.get("users", [])
        users = [user for user in users if "users" in kinds or user["id"] in {str(each) for each in named}]
        everyone = everyone and "everyone" in kinds
    if replied and "webhook_id" not in message and (allowed is None or allowed.get("replied_user")):
        users += [replied["author"]] if replied["author"] not in users else []
    message["mentions"], message["mention_everyone"] = users, everyone


def reference_fields(world: World, channel: Channel, reference: Json | None) -> Json:
    """The fields of a message that answers another."""
    if reference is None:
        return {}
    target = world.channels.get(str(reference.get("channel_id", channel.id)))
    found = target and find(target, str(reference["message_id"]))
    if target and found:
        full = {"type": 0, "message_id": found["id"], "channel_id": target.id}
        return {"type": 19, "message_reference": full | ({"guild_id": target.guild.id} if target.guild else {})}
    if reference.get("fail_if_not_exists", True):
        raise invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    return {}


def edited(world: World, channel: Channel, message: Json, body: Json, files: Files) -> Json:
    """Change a message of the bot; the first text of a deferred one is no edit to be seen."""
    was_loading = message["flags"] & LOADING
    fill(world, channel, message, body, files)
    if not was_loading:
        message["edited_timestamp"] = iso(datetime.now(UTC))
    emit_message(world, "MESSAGE_UPDATE", channel, message)
    return visible(world, message)
