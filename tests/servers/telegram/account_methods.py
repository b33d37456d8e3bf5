"""The methods of the Bot API for the bot itself, its updates and settings, and for chats and their members."""

from __future__ import annotations

import re

from tests.servers.telegram.account import Account
from tests.servers.telegram.protocol import ADMINISTRATOR_RIGHTS, Json
from tests.servers.telegram.refusals import Refusal, bad_request
from tests.servers.telegram.targets import chat_of

GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")


def get_me(account: Account, parameters: Json) -> Json:
    rights = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": True}
    return account.bot_user() | rights | {"can_connect_to_business": False, "has_main_web_app": False}


# Updates


async def get_updates(account: Account, parameters: Json) -> list[Json]:
    if "allowed_updates" in parameters:
        account.updates.allowed = frozenset(parameters["allowed_updates"]) or None
    limit = min(max(int(parameters.get("limit", 100)), 1), 100)
    timeout_s = min(max(float(parameters.get("timeout", 0)), 0), 50)
    return await account.updates.poll(int(parameters.get("offset", 0)), limit, timeout_s)


def delete_webhook(account: Account, parameters: Json) -> bool:
    if parameters.get("drop_pending_updates"):
        account.updates.pending.clear()
    return True


def get_webhook_info(account: Account, parameters: Json) -> Json:
    return {"url": "", "has_custom_certificate": False, "pending_update_count": len(account.updates.pending)}


# Settings


def set_my_commands(account: Account, parameters: Json) -> bool:
    commands = parameters.get("commands", [])
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(command["description"]) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    chat = account.chats.get((parameters.get("scope") or {}).get("chat_id", 0))
    if chat is not None and chat.closed:
        raise Refusal(403, chat.closed)
    account.commands[_scope(parameters)] = commands
    return True


def get_my_commands(account: Account, parameters: Json) -> list[Json]:
    return account.commands.get(_scope(parameters), [])


def delete_my_commands(account: Account, parameters: Json) -> bool:
    account.commands.pop(_scope(parameters), None)
    return True


def _scope(parameters: Json) -> tuple[str, str]:
    scope = parameters.get("scope") or {"type": "default"}
    parts = [scope["type"], *(str(scope[name]) for name in ("chat_id", "user_id") if name in scope)]
    return ":".join(parts), parameters.get("language_code", "")


def set_my_description(account: Account, parameters: Json) -> bool:
    description = parameters.get("description", "")
    if len(description) > 512:
        raise bad_request("BOT_DESCRIPTION_TOO_LONG")
    account.descriptions[parameters.get("language_code", "")] = description
    return True


def set_my_short_description(account: Account, parameters: Json) -> bool:
    description = parameters.get("short_description", "")
    if len(description) > 120:
        raise bad_request("BOT_SHORT_DESCRIPTION_TOO_LONG")
    account.short_descriptions[parameters.get("language_code", "")] = description
    return True


# Chats


def get_chat(account: Account, parameters: Json) -> Json:
    accepted = {"accepted_gift_types": dict.fromkeys(GIFTS, False)}
    return chat_of(account, parameters).as_json() | {"accent_color_id": 0, "max_reaction_count": 11} | accepted


def get_chat_member(account: Account, parameters: Json) -> Json:
    chat, user_id = chat_of(account, parameters), int(parameters.get("user_id", 0))
    if user_id == account.bot_id:
        return _member(account.bot_user(), chat.admin)
    if user_id not in account.people:
        raise bad_request("PARTICIPANT_ID_INVALID")
    return _member(account.people[user_id].as_user(), user_id in chat.administrators)


def _member(user: Json, administrator: bool) -> Json:
    if not administrator:
        return {"user": user, "status": "member"}
    member = {"user": user, "status": "administrator", "can_be_edited": False, "is_anonymous": False}
    return member | {f"can_{right}": True for right in ADMINISTRATOR_RIGHTS}


METHODS = (
    *(get_me, get_updates, delete_webhook, get_webhook_info),
    *(set_my_commands, get_my_commands, delete_my_commands, set_my_description, set_my_short_description),
    *(get_chat, get_chat_member),
)
