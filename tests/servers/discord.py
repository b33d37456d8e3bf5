"""A Discord on loopback: its REST API and gateway with people and faults; it knows nothing of the bot's code."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import math
import mimetypes
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self, TypeVar
from urllib.parse import unquote

from aiohttp import web

from tests.servers.discord_gateway import Event, Gateway, Session

Json = dict[str, Any]
Answer = Json | list[Json] | web.Response | None
T = TypeVar("T")

EPOCH_MS = 1_420_070_400_000
TEXT, DIRECT, THREAD = 0, 1, 11  # types of channels
EPHEMERAL, LOADING = 1 << 6, 1 << 7  # flags of messages
SET_FLAGS = 1 << 2 | 1 << 12 | 1 << 15  # what a bot may set at any time: no embeds, silent, layout
VIEW_CHANNEL, SEND_MESSAGES, SEND_IN_THREADS = 1 << 10, 1 << 11, 1 << 38
PERMISSIONS = (1 << 50) - 1 & ~(1 << 3)  # everything but administrator, which no channel could limit
GUILDS, GUILD_MESSAGES, GUILD_REACTIONS = 1 << 0, 1 << 9, 1 << 10  # intents
DIRECT_MESSAGES, DIRECT_REACTIONS, MESSAGE_CONTENT = 1 << 12, 1 << 13, 1 << 15
COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5  # types of interactions
NONCE_LIFETIME_S = 300
UPLOAD_LIMIT = 10 * 1024 * 1024
EMPTY_OF_GUILD = ("icon", "splash", "discovery_splash", "banner", "description", "vanity_url_code", "application_id")
LISTS_OF_GUILD = (
    *("features", "emojis", "stickers", "presences", "voice_states"),
    *("stage_instances", "guild_scheduled_events", "soundboard_sounds"),
)


@dataclass(slots=True, eq=False)
class Person:
    """An account that is not the bot under test; a member of every guild."""

    id: str
    name: str
    locale: str
    bot: bool = False
    refuses_direct: bool = False

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    @property
    def payload(self) -> Json:
        """The user object."""
        return _user(self.id, self.name, self.bot)


@dataclass(slots=True, eq=False)
class Guild:
    """A server with its channels and threads."""

    id: str
    name: str
    owner_id: str
    channels: list[Channel] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Limit:
    """So many requests in a window of time for each route of one channel."""

    per_window: int
    window_s: float
    used: dict[str, tuple[float, int]] = field(default_factory=dict)  # by bucket: the window's end, and the count

    def take(self, bucket: str) -> tuple[bool, dict[str, str]]:
        """Count one request; whether it passes, and the headers that tell the client so."""
        now = time.time()
        end, count = self.used.get(bucket, (0.0, 0))
        if now >= end:
            end, count = now + self.window_s, 0
        passes = count < self.per_window
        count += passes
        self.used[bucket] = (end, count)
        return passes, _limit_headers(bucket, self.per_window, self.per_window - count, end)


@dataclass(slots=True, eq=False)
class Channel:
    """A text channel, a thread or a direct channel, with its messages in order."""

    id: str
    name: str
    type: int
    guild: Guild | None = None
    parent: Channel | None = None
    recipient: Person | None = None
    messages: list[Json] = field(default_factory=list, repr=False)
    denied: int = 0  # permissions that the bot lacks here
    limit: Limit | None = None

    @property
    def lacks(self) -> int:
        return self.denied | (self.parent.denied if self.parent else 0)


@dataclass(slots=True, eq=False)
class Interaction:
    """What a person did with the bot's commands and components, and what the bot answered."""

    id: str
    token: str
    type: int
    person: Person
    channel: Channel
    data: Json
    source: Json | None = field(repr=False)  # the message of the pressed component
    began: float  # on the monotonic clock, like all times here
    ends: float
    response: Json | None = None  # the body of the callback
    original: Json | None = field(default=None, repr=False)
    followups: list[Json] = field(default_factory=list, repr=False)

    @property
    def acknowledged(self) -> bool:
        return self.response is not None

    @property
    def modal(self) -> Json | None:
        return self.response["data"] if self.response and self.response["type"] == 9 else None

    @property
    def choices(self) -> list[Json] | None:
        return self.response["data"]["choices"] if self.response and self.response["type"] == 8 else None

    @property
    def ephemeral(self) -> bool:
        """Whether only the person sees the original response."""
        return bool(self.original and self.original["flags"] & EPHEMERAL)


@dataclass(slots=True)
class Call:
    """A request as it came; status 0 until it is answered, and for ever when it was cut. `at` is monotonic."""

    method: str
    path: str
    body: Any
    at: float
    status: int = 0
    query: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request instead of its answer."""

    kind: str
    code: int = 0
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0

    @classmethod
    def status(cls, code: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Fault:
        """An answer with this code; the body as JSON, or as HTML when it is a text."""
        return cls("answer", code, {"message": f"{code}: fault", "code": 0} if body is None else body, headers or {})

    @classmethod
    def rate_limit(cls, retry_after_s: float, is_global: bool = False, scope: str = "user") -> Fault:
        """A 429 as Discord itself sends it."""
        headers = _limit_headers("fault", 5, 0, time.time() + retry_after_s)
        if is_global:
            headers, scope = {"X-RateLimit-Global": "true"}, "global"
        headers |= {"X-RateLimit-Scope": scope, "Retry-After": str(math.ceil(retry_after_s)), "Via": "1.1 google"}
        body = {"message": "You are being rate limited.", "retry_after": retry_after_s, "global": is_global}
        return cls("answer", 429, body, headers)

    @classmethod
    def cut_before(cls) -> Fault:
        """The connection breaks and nothing is done."""
        return cls("before")

    @classmethod
    def cut_after(cls) -> Fault:
        """The request is carried out, the connection breaks before the answer."""
        return cls("after")

    @classmethod
    def slow(cls, delay_s: float) -> Fault:
        """The request is carried out, the answer comes late."""
        return cls("slow", delay_s=delay_s)


class Refused(Exception):
    """An error as the real API reports it."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.body: Json = {"message": message, "code": code} | ({"errors": errors} if errors else {})


@dataclass(slots=True)
class Asked:
    """A request, read."""

    method: str
    path: str
    query: dict[str, str]
    body: Json
    files: list[tuple[str, bytes]]
    raw_body: Any = None  # also what is no object


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Callable[..., Answer]


ROUTES: list[Route] = []
Handler = TypeVar("Handler", bound=Callable[..., Answer])


def _route(method: str, template: str) -> Callable[[Handler], Handler]:
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, template, pattern, handler))
        return handler

    return register


class World:
    """People, places and messages, as they are and as the bot is allowed to see them."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.calls: list[Call] = []
        self.typing: list[str] = []
        self.commands: list[Json] = []
        self.guild_commands: dict[str, list[Json]] = {}
        self.files: dict[str, bytes] = {}
        self.interactions: list[Interaction] = []
        self.acknowledge_within_s = 3.0
        self.interaction_lifetime_s = 900.0
        self.origin = ""
        self._people: dict[str, Person] = {}
        self._guilds: dict[str, Guild] = {}
        self._channels: dict[str, Channel] = {}
        self._audience: dict[str, Person] = {}  # by ephemeral message: who sees it
        self._reactors: dict[tuple[str, str], list[str]] = {}  # by message and emoji
        self._nonces: dict[tuple[str, str], tuple[float, str]] = {}  # by channel and nonce: when, which message
        self._last_event: tuple[str, Json, int] | None = None  # the last one that a person caused
        self._last_snowflake = 0
        self._revoked = False
        self._change = asyncio.Event()
        self.bot_id = self.application_id = self._snowflake(datetime(2024, 5, 1, tzinfo=UTC))
        self.gateway = Gateway(self._accepts, self._greeting, self._changed)

    # Places and people

    def _snowflake(self, at: datetime | None = None) -> str:
        moment = int((at.timestamp() if at else time.time()) * 1000)
        number = max(moment - EPOCH_MS << 22 | secrets.randbelow(1 << 12), 0 if at else self._last_snowflake + 1)
        if at is None:
            self._last_snowflake = number
        return str(number)

    def _changed(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    def _accepts(self, token: str) -> bool:
        return token == self.token and not self._revoked

    def _greeting(self, session: Session) -> list[Event]:
        guilds = [{"id": guild.id, "unavailable": True} for guild in self._guilds.values()]
        ready: Json = {
            "v": 10,
            "user": self._bot_user(),
            "guilds": guilds,
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": f"{self.origin.replace('http', 'ws', 1)}/gateway",
            "application": {"id": self.application_id, "flags": 1 << 19},
            "private_channels": [],
            "presences": [],
            "relationships": [],
            "user_settings": {},
            "geo_ordered_rtc_regions": [],
            "_trace": [],
        }
        created: list[Event] = [("GUILD_CREATE", self._guild_payload(guild)) for guild in self._guilds.values()]
        return [("READY", ready), *(created if session.intents & GUILDS else [])]

    def _emit(self, event: str, data: Json, intent: int = 0) -> None:
        self.gateway.dispatch(event, data, intent)
        self._changed()

    def _bot_user(self) -> Json:
        more = {"verified": True, "mfa_enabled": False, "locale": "en-US", "flags": 0, "email": None}
        return _user(self.bot_id, "Quotesmith", bot=True) | more

    def _user_payload(self, user_id: str) -> Json | None:
        if user_id == self.bot_id:
            return _user(self.bot_id, "Quotesmith", bot=True)
        return self._people[user_id].payload if user_id in self._people else None

    def _member(self, user: Json | None = None) -> Json:
        member: Json = {
            "roles": [],
            "nick": None,
            "avatar": None,
            "joined_at": _iso(datetime(2024, 6, 1, tzinfo=UTC)),
            "premium_since": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
            "communication_disabled_until": None,
        }
        return member | ({"user": user} if user else {})

    def _guild_payload(self, guild: Guild) -> Json:
        everyone = {
            "id": guild.id,
            "name": "@everyone",
            "permissions": str(PERMISSIONS),
            "position": 0,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "managed": False,
            "mentionable": False,
            "icon": None,
            "unicode_emoji": None,
            "flags": 0,
        }
        return {
            **dict.fromkeys(EMPTY_OF_GUILD),
            **{name: [] for name in LISTS_OF_GUILD},
            "id": guild.id,
            "name": guild.name,
            "owner_id": guild.owner_id,
            "roles": [everyone],
            "members": [self._member(self._user_payload(self.bot_id))],
            "channels": [self._channel_payload(channel) for channel in guild.channels if channel.type == TEXT],
            "threads": [self._channel_payload(channel) for channel in guild.channels if channel.type == THREAD],
            "member_count": len(self._people) + 1,
            "joined_at": _iso(datetime(2024, 6, 1, tzinfo=UTC)),
            "large": False,
            "unavailable": False,
            "afk_timeout": 300,
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "premium_tier": 0,
            "premium_subscription_count": 0,
            "premium_progress_bar_enabled": False,
            "preferred_locale": "en-US",
            "system_channel_flags": 0,
            "max_members": 500_000,
            "max_video_channel_users": 25,
        }

    def _channel_payload(self, channel: Channel) -> Json:
        last = channel.messages[-1]["id"] if channel.messages else None
        common: Json = {"id": channel.id, "type": channel.type, "last_message_id": last, "flags": 0}
        if channel.recipient:
            return common | {"recipients": [channel.recipient.payload]}
        assert channel.guild
        common |= {"guild_id": channel.guild.id, "name": channel.name, "rate_limit_per_user": 0}
        if channel.parent:
            return common | self._thread_fields(channel, channel.parent)
        deny = {"id": self.bot_id, "type": 1, "allow": "0", "deny": str(channel.denied)}
        return common | {
            "position": channel.guild.channels.index(channel),
            "permission_overwrites": [deny] if channel.denied else [],
            "parent_id": None,
            "topic": None,
            "nsfw": False,
        }

    def _thread_fields(self, thread: Channel, parent: Channel) -> Json:
        created = _iso(_moment(thread.id))
        metadata = {
            "archived": False,
            "auto_archive_duration": 1440,
            "archive_timestamp": created,
            "create_timestamp": created,
            "locked": False,
        }
        return {
            "parent_id": parent.id,
            "owner_id": thread.guild.owner_id if thread.guild else "0",
            "message_count": len(thread.messages),
            "total_message_sent": len(thread.messages),
            "member_count": 2,
            "thread_metadata": metadata,
            "applied_tags": [],
        }

    # Messages

    def _message(self, channel: Channel, author: Json, at: datetime | None = None, **fields: Any) -> Json:
        """A new message that is not yet in its channel."""
        message_id = self._snowflake(at)
        blank: Json = {name: [] for name in ("mentions", "mention_roles", "attachments", "embeds", "components")}
        return blank | {
            "id": message_id,
            "channel_id": channel.id,
            "author": author,
            "content": "",
            "timestamp": _iso(at or _moment(message_id)),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "pinned": False,
            "type": 0,
            "flags": 0,
            "reactions": [],
            **fields,
        }

    def _put(self, channel: Channel, message: Json) -> None:
        """Add a message where its id belongs."""
        channel.messages.append(message)
        channel.messages.sort(key=lambda each: int(each["id"]))

    def _find(self, channel: Channel, message_id: str) -> Json | None:
        return next((message for message in channel.messages if message["id"] == message_id), None)

    def _visible(self, message: Json, *, nested: bool = True) -> Json:
        """A message as the API gives it to the bot: without the content that is not meant for it."""
        shown = copy.deepcopy(message)
        channel = self._channels[message["channel_id"]]
        mentioned = any(user["id"] == self.bot_id for user in message["mentions"])
        meant = mentioned or message["author"]["id"] == self.bot_id or channel.type == DIRECT
        if not meant and not self.gateway.intents & MESSAGE_CONTENT:
            shown |= {"content": "", "attachments": [], "embeds": [], "components": []}
        if nested and (reference := message.get("message_reference")):
            target = self._channels[reference["channel_id"]]
            referred = self._find(target, reference["message_id"])
            shown["referenced_message"] = self._visible(referred, nested=False) if referred else None
        return shown

    def _emit_message(self, event: str, channel: Channel, message: Json) -> None:
        """Tell the bot of a message; an ephemeral one comes as if it were direct, as the real gateway has it."""
        if channel.lacks & VIEW_CHANNEL and not message["flags"] & EPHEMERAL:
            return None
        shown = self._visible(message)
        emit = self._emit if message["author"]["id"] == self.bot_id else self._emit_by_person
        if channel.guild is None or message["flags"] & EPHEMERAL:
            return emit(event, shown | {"channel_type": channel.type}, DIRECT_MESSAGES)
        shown |= {"guild_id": channel.guild.id, "channel_type": channel.type}
        if "webhook_id" not in message:
            shown["member"] = self._member()
        shown["mentions"] = [user | {"member": self._member()} for user in shown["mentions"]]
        return emit(event, shown, GUILD_MESSAGES)

    def _remove(self, channel: Channel, message: Json) -> None:
        channel.messages.remove(message)
        for interaction in self.interactions:
            if interaction.original is message:
                interaction.original = None
            if message in interaction.followups:
                interaction.followups.remove(message)
        data = {"id": message["id"], "channel_id": channel.id}
        if channel.guild and not message["flags"] & EPHEMERAL:
            return self._emit("MESSAGE_DELETE", data | {"guild_id": channel.guild.id}, GUILD_MESSAGES)
        return self._emit("MESSAGE_DELETE", data, DIRECT_MESSAGES)

    def _mentioned(self, content: str) -> list[Json]:
        found = dict.fromkeys(re.findall(r"<@!?(\d+)>", content))
        return [user for user_id in found if (user := self._user_payload(user_id))]

    def _attach(self, channel: Channel, name: str, content: bytes, more: Json | None = None) -> Json:
        """Keep a file and return its attachment object."""
        attachment_id = self._snowflake()
        self.files[attachment_id] = content
        url = f"{self.origin}/attachments/{channel.id}/{attachment_id}/{name}"
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        fields = {"filename": name, "size": len(content), "url": url, "proxy_url": url, "content_type": kind}
        return {**(more or {}), "id": attachment_id, **fields}

    def _fill(self, channel: Channel, message: Json, body: Json, files: Sequence[tuple[str, bytes]]) -> None:
        """Put what a bot sent into its message, or refuse it and leave the message as it was."""
        _check_message(body)
        draft = dict(message)
        if "content" in body:
            draft["content"] = (body["content"] or "").strip()
        if "embeds" in body:
            draft["embeds"] = [{"type": "rich", **embed} for embed in body["embeds"] or []]
        if "components" in body:
            draft["components"] = body["components"] or []
        draft["flags"] = message["flags"] & ~LOADING | (body.get("flags") or 0) & SET_FLAGS
        kept = draft["attachments"]
        described = body.get("attachments")
        if described is not None:
            kept = [each for each in kept if each["id"] in {str(entry["id"]) for entry in described}]
        if not (draft["content"] or draft["embeds"] or kept or files or draft["flags"] & 1 << 15):
            raise Refused(400, 50006, "Cannot send an empty message")
        if sum(len(content) for _, content in files) > UPLOAD_LIMIT:
            raise Refused(413, 40005, "Request entity too large")
        described_new = {str(entry["id"]): entry for entry in described or []}
        new = [self._attach(channel, *file, described_new.get(str(index))) for index, file in enumerate(files)]
        draft["attachments"] = kept + new
        self._fill_mentions(draft, body.get("allowed_mentions"))
        message.update(draft)

    def _fill_mentions(self, message: Json, allowed: Json | None) -> None:
        users = self._mentioned(message["content"])
        everyone = bool(re.search(r"@(everyone|here)\b", message["content"]))
        reference = message.get("message_reference")
        replied = self._find(self._channels[reference["channel_id"]], reference["message_id"]) if reference else None
        if allowed is not None:
            kinds, named = allowed.get("parse", []), allowed.get("users", [])
            users = [user for user in users if "users" in kinds or user["id"] in {str(each) for each in named}]
            everyone = everyone and "everyone" in kinds
        if replied and "webhook_id" not in message and (allowed is None or allowed.get("replied_user")):
            users += [replied["author"]] if replied["author"] not in users else []
        message["mentions"], message["mention_everyone"] = users, everyone

    # Interactions

    def _begin(self, kind: int, person: Person, channel: Channel, data: Json, source: Json | None) -> Interaction:
        """Record an interaction and tell the bot of it."""
        now = time.monotonic()
        token = secrets.token_urlsafe(64)
        ends = now + self.interaction_lifetime_s
        interaction = Interaction(self._snowflake(), token, kind, person, channel, data, source, now, ends)
        self.interactions.append(interaction)
        self._emit_by_person("INTERACTION_CREATE", self._interaction_payload(interaction))
        return interaction

    def _emit_by_person(self, event: str, data: Json, intent: int = 0) -> None:
        self._last_event = (event, copy.deepcopy(data), intent)
        self._emit(event, data, intent)

    def _interaction_payload(self, interaction: Interaction) -> Json:
        channel, person, guild = interaction.channel, interaction.person, interaction.channel.guild
        place = self._channel_payload(channel)
        payload: Json = {
            "id": interaction.id,
            "application_id": self.application_id,
            "type": interaction.type,
            "token": interaction.token,
            "version": 1,
            "data": interaction.data,
            "channel_id": channel.id,
            "channel": place | ({"permissions": str(PERMISSIONS)} if guild else {}),
            "locale": person.locale,
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": {"0": guild.id if guild else "0"},
            "context": 0 if guild else 1,
            "attachment_size_limit": UPLOAD_LIMIT,
            "app_permissions": str(PERMISSIONS & ~channel.lacks),
        }
        if interaction.source:
            payload["message"] = self._visible(interaction.source)
        if guild is None:
            return payload | {"user": person.payload}
        member = self._member(person.payload) | {"permissions": str(PERMISSIONS)}
        about = {"id": guild.id, "locale": "en-US", "features": []}
        return payload | {"guild_id": guild.id, "guild": about, "guild_locale": "en-US", "member": member}

    def _answer_message(self, interaction: Interaction, data: Json) -> Json:
        """A new message in answer to an interaction, still empty."""
        metadata = {
            "id": interaction.id,
            "type": interaction.type,
            "user": interaction.person.payload,
            "authorizing_integration_owners": {"0": interaction.channel.guild.id if interaction.channel.guild else "0"},
        }
        fields: Json = {
            "webhook_id": self.application_id,
            "application_id": self.application_id,
            "flags": (data.get("flags") or 0) & (SET_FLAGS | EPHEMERAL),
            "interaction_metadata": metadata,
        }
        if interaction.type == COMMAND:
            fields |= {"type": 20, "interaction": {**metadata, "name": interaction.data["name"]}}
        message = self._message(interaction.channel, _user(self.bot_id, "Quotesmith", bot=True), **fields)
        if message["flags"] & EPHEMERAL:
            self._audience[message["id"]] = interaction.person
        return message


class Api(World):
    """The REST routes. Those of interactions and webhooks need no token but their own."""

    def _place(self, channel_id: str, needs: int = VIEW_CHANNEL) -> Channel:
        channel = self._channels.get(channel_id)
        if channel is None:
            raise Refused(404, 10003, "Unknown Channel")
        if channel.lacks & VIEW_CHANNEL:
            raise Refused(403, 50001, "Missing Access")
        if channel.lacks & needs:
            raise Refused(403, 50013, "Missing Permissions")
        return channel

    def _existing(self, channel: Channel, message_id: str, *, ephemeral: bool = False) -> Json:
        message = self._find(channel, message_id)
        if message is None or (message["flags"] & EPHEMERAL and not ephemeral):
            raise Refused(404, 10008, "Unknown Message")
        return message

    @_route("GET", "/users/@me")
    def _me(self, asked: Asked) -> Answer:
        return self._bot_user()

    @_route("GET", "/users/{user}")
    def _user_by_id(self, asked: Asked, user: str) -> Answer:
        if payload := self._user_payload(user):
            return payload
        raise Refused(404, 10013, "Unknown User")

    @_route("GET", "/oauth2/applications/@me")
    @_route("GET", "/applications/@me")
    def _application(self, asked: Asked) -> Answer:
        return {
            "id": self.application_id,
            "name": "Quotesmith",
            "icon": None,
            "description": "",
            "bot_public": True,
            "bot_require_code_grant": False,
            "owner": _user("80351110224678912", "owner", bot=False),
            "team": None,
            "verify_key": "0" * 64,
            "flags": 1 << 19,
            "redirect_uris": [],
            "tags": [],
            "interactions_endpoint_url": None,
            "role_connections_verification_url": None,
            "approximate_guild_count": len(self._guilds),
            "integration_types_config": {"0": {}},
        }

    @_route("GET", "/gateway/bot")
    @_route("GET", "/gateway")
    def _gateway_address(self, asked: Asked) -> Answer:
        start = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
        url = f"{self.origin.replace('http', 'ws', 1)}/gateway"
        return {"url": url, "shards": 1, "session_start_limit": start}

    @_route("GET", "/applications/{app}/commands")
    def _global_commands(self, asked: Asked, app: str) -> Answer:
        return self.commands

    @_route("PUT", "/applications/{app}/commands")
    def _put_global_commands(self, asked: Asked, app: str) -> Answer:
        self.commands = self._registered(asked.raw_body, self.commands)
        return self.commands

    @_route("GET", "/applications/{app}/guilds/{guild}/commands")
    def _commands_of_guild(self, asked: Asked, app: str, guild: str) -> Answer:
        self._known_guild(guild)
        return self.guild_commands.get(guild, [])

    @_route("PUT", "/applications/{app}/guilds/{guild}/commands")
    def _put_commands_of_guild(self, asked: Asked, app: str, guild: str) -> Answer:
        self._known_guild(guild)
        commands = self._registered(asked.raw_body, self.guild_commands.get(guild, []))
        self.guild_commands[guild] = [command | {"guild_id": guild} for command in commands]
        return self.guild_commands[guild]

    def _registered(self, commands: list[Json], before: list[Json]) -> list[Json]:
        """The commands as the API gives them back; a command that had a name already keeps its id."""
        _check_commands(commands)
        ids = {(command["type"], command["name"]): command["id"] for command in before}
        blank: Json = {
            "application_id": self.application_id,
            "version": self._snowflake(),
            "type": 1,
            "description": "",
            "default_member_permissions": None,
            "dm_permission": True,
            "contexts": None,
            "integration_types": [0],
            "name_localizations": None,
            "description_localizations": None,
            "nsfw": False,
        }
        return [
            blank
            | _without_none(command)
            | {"id": ids.get((command.get("type", 1), command["name"])) or self._snowflake()}
            for command in commands
        ]

    def _known_guild(self, guild_id: str) -> Guild:
        if guild_id not in self._guilds:
            raise Refused(404, 10004, "Unknown Guild")
        return self._guilds[guild_id]

    @_route("GET", "/guilds/{guild}")
    def _guild_by_id(self, asked: Asked, guild: str) -> Answer:
        return self._guild_payload(self._known_guild(guild))

    @_route("GET", "/guilds/{guild}/members/{user}")
    def _member_by_id(self, asked: Asked, guild: str, user: str) -> Answer:
        self._known_guild(guild)
        if payload := self._user_payload(user):
            return self._member(payload)
        raise Refused(404, 10007, "Unknown Member")

    @_route("GET", "/channels/{channel}")
    def _channel_by_id(self, asked: Asked, channel: str) -> Answer:
        return self._channel_payload(self._place(channel))

    @_route("POST", "/users/@me/channels")
    def _open_direct(self, asked: Asked) -> Answer:
        person = self._people.get(str(asked.body.get("recipient_id")))
        if person is None:
            raise Refused(400, 50033, "Invalid Recipient(s)")
        return self._channel_payload(self._direct(person))

    def _direct(self, person: Person) -> Channel:
        found = (channel for channel in self._channels.values() if channel.recipient is person)
        channel = next(found, None) or Channel(self._snowflake(), "", DIRECT, recipient=person)
        self._channels[channel.id] = channel
        return channel

    @_route("POST", "/channels/{channel}/typing")
    def _type(self, asked: Asked, channel: str) -> Answer:
        place = self._place(channel, SEND_IN_THREADS)
        self.typing.append(place.id)
        return None

    @_route("GET", "/channels/{channel}/messages")
    def _history(self, asked: Asked, channel: str) -> Answer:
        limit = int(asked.query.get("limit", 50))
        if not 1 <= limit <= 100:
            raise _invalid("limit", "NUMBER_TYPE_COERCE", "int value should be between 1 and 100.")
        messages = [each for each in self._place(channel).messages if not each["flags"] & EPHEMERAL]
        if around := asked.query.get("around"):
            older = [each for each in messages if int(each["id"]) < int(around)][-(limit // 2) :]
            newer = [each for each in messages if int(each["id"]) >= int(around)][: limit - limit // 2]
            chosen = older + newer
        elif after := asked.query.get("after"):
            chosen = [each for each in messages if int(each["id"]) > int(after)][:limit]
        else:
            before = int(asked.query.get("before", 2**64))
            chosen = [each for each in messages if int(each["id"]) < before][-limit:]
        return [self._visible(message) for message in reversed(chosen)]

    @_route("GET", "/channels/{channel}/messages/{message}")
    def _one_message(self, asked: Asked, channel: str, message: str) -> Answer:
        return self._visible(self._existing(self._place(channel), message))

    @_route("POST", "/channels/{channel}/messages")
    def _send(self, asked: Asked, channel: str) -> Answer:
        place = self._place(channel, SEND_IN_THREADS)
        if place.recipient and place.recipient.refuses_direct:
            raise Refused(403, 50007, "Cannot send messages to this user")
        if earlier := self._same_nonce(place, asked.body):
            return self._visible(earlier)
        fields = self._reference(place, asked.body.get("message_reference"))
        message = self._message(place, _user(self.bot_id, "Quotesmith", bot=True), **fields)
        self._fill(place, message, asked.body, asked.files)
        if "nonce" in asked.body:
            message["nonce"] = asked.body["nonce"]
            self._nonces[place.id, str(asked.body["nonce"])] = (time.monotonic(), message["id"])
        self._put(place, message)
        self._emit_message("MESSAGE_CREATE", place, message)
        return self._visible(message)

    def _same_nonce(self, channel: Channel, body: Json) -> Json | None:
        nonce = str(body.get("nonce", ""))
        if len(nonce) > 25:
            raise _invalid("nonce", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
        at, message_id = self._nonces.get((channel.id, nonce), (-math.inf, ""))
        fresh = body.get("enforce_nonce") and time.monotonic() - at < NONCE_LIFETIME_S
        return self._find(channel, message_id) if fresh else None

    def _reference(self, channel: Channel, reference: Json | None) -> Json:
        if reference is None:
            return {}
        target = self._channels.get(str(reference.get("channel_id", channel.id)))
        found = target and self._find(target, str(reference["message_id"]))
        if target and found:
            full = {"type": 0, "message_id": found["id"], "channel_id": target.id}
            return {"type": 19, "message_reference": full | ({"guild_id": target.guild.id} if target.guild else {})}
        if reference.get("fail_if_not_exists", True):
            raise _invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return {}

    @_route("PATCH", "/channels/{channel}/messages/{message}")
    def _edit(self, asked: Asked, channel: str, message: str) -> Answer:
        place = self._place(channel)
        found = self._existing(place, message)
        if found["author"]["id"] != self.bot_id:
            raise Refused(403, 50005, "Cannot edit a message authored by another user")
        return self._edited(place, found, asked.body, asked.files)

    def _edited(self, channel: Channel, message: Json, body: Json, files: Sequence[tuple[str, bytes]]) -> Json:
        """Change a message of the bot; the first text of a deferred one is no edit to be seen."""
        was_loading = message["flags"] & LOADING
        self._fill(channel, message, body, files)
        if not was_loading:
            message["edited_timestamp"] = _iso(datetime.now(UTC))
        self._emit_message("MESSAGE_UPDATE", channel, message)
        return self._visible(message)

    @_route("DELETE", "/channels/{channel}/messages/{message}")
    def _delete(self, asked: Asked, channel: str, message: str) -> Answer:
        place = self._place(channel)
        found = self._existing(place, message)
        if place.type == DIRECT and found["author"]["id"] != self.bot_id:
            raise Refused(403, 50003, "Cannot execute action on a DM channel")
        self._remove(place, found)
        return None

    # Reactions

    @_route("PUT", "/channels/{channel}/messages/{message}/reactions/{emoji}/@me")
    def _react(self, asked: Asked, channel: str, message: str, emoji: str) -> Answer:
        place = self._place(channel)
        self._set_reaction(place, self._existing(place, message), emoji, self.bot_id, on=True)
        return None

    @_route("DELETE", "/channels/{channel}/messages/{message}/reactions/{emoji}/{user}")
    def _unreact(self, asked: Asked, channel: str, message: str, emoji: str, user: str) -> Answer:
        place = self._place(channel)
        who = self.bot_id if user == "@me" else user
        self._set_reaction(place, self._existing(place, message), emoji, who, on=False)
        return None

    @_route("GET", "/channels/{channel}/messages/{message}/reactions/{emoji}")
    def _reacted(self, asked: Asked, channel: str, message: str, emoji: str) -> Answer:
        self._existing(self._place(channel), message)
        reactors = self._reactors.get((message, emoji), [])
        return [user for each in reactors if (user := self._user_payload(each))]

    def _set_reaction(self, channel: Channel, message: Json, emoji: str, user_id: str, *, on: bool) -> None:
        reactors = self._reactors.setdefault((message["id"], emoji), [])
        if on == (user_id in reactors):
            return
        (reactors.append if on else reactors.remove)(user_id)
        message["reactions"] = [
            {
                "emoji": _emoji(each),
                "count": len(who),
                "count_details": {"normal": len(who), "burst": 0},
                "me": self.bot_id in who,
                "me_burst": False,
                "burst_colors": [],
            }
            for (message_id, each), who in self._reactors.items()
            if message_id == message["id"] and who
        ]
        self._emit_reaction(channel, message, emoji, user_id, on)

    def _emit_reaction(self, channel: Channel, message: Json, emoji: str, user_id: str, on: bool) -> None:
        if channel.lacks & VIEW_CHANNEL:
            return
        data: Json = {
            "user_id": user_id,
            "channel_id": channel.id,
            "message_id": message["id"],
            "message_author_id": message["author"]["id"],
            "emoji": _emoji(emoji),
            "burst": False,
            "type": 0,
        }
        if channel.guild:
            data["guild_id"] = channel.guild.id
            if on:
                data["member"] = self._member(self._user_payload(user_id))
        emit = self._emit if user_id == self.bot_id else self._emit_by_person
        event = "MESSAGE_REACTION_ADD" if on else "MESSAGE_REACTION_REMOVE"
        emit(event, data, GUILD_REACTIONS if channel.guild else DIRECT_REACTIONS)

    # Threads

    @_route("POST", "/channels/{channel}/messages/{message}/threads")
    def _thread_from(self, asked: Asked, channel: str, message: str) -> Answer:
        place = self._place(channel)
        found = self._existing(place, message)
        if message in self._channels:
            raise Refused(400, 160004, "A thread has already been created for this message")
        thread = self._new_thread(place, asked.body["name"], message)
        found["thread"] = self._channel_payload(thread)
        return self._channel_payload(thread)

    @_route("POST", "/channels/{channel}/threads")
    def _thread(self, asked: Asked, channel: str) -> Answer:
        return self._channel_payload(self._new_thread(self._place(channel), asked.body["name"], self._snowflake()))

    def _new_thread(self, parent: Channel, name: str, thread_id: str) -> Channel:
        if parent.guild is None or parent.type != TEXT:
            raise Refused(400, 50024, "Cannot execute action on this channel type")
        thread = Channel(thread_id, name, THREAD, parent.guild, parent)
        self._channels[thread.id] = thread
        parent.guild.channels.append(thread)
        if not parent.lacks & VIEW_CHANNEL:
            self._emit("THREAD_CREATE", self._channel_payload(thread) | {"newly_created": True}, GUILDS)
        return thread

    # Interactions

    @_route("POST", "/interactions/{interaction}/{token}/callback")
    def _callback(self, asked: Asked, interaction: str, token: str) -> Answer:
        found = next((each for each in self.interactions if each.id == interaction and each.token == token), None)
        now = time.monotonic()
        if found and found.acknowledged:
            raise Refused(400, 40060, "Interaction has already been acknowledged.")
        if found is None or now - found.began > self.acknowledge_within_s or now > found.ends:
            raise Refused(404, 10062, "Unknown interaction")
        _check_callback(found, asked.body)
        message = self._respond(found, asked.body["type"], asked.body.get("data") or {}, asked.files)
        found.response = asked.body
        if asked.query.get("with_response") not in ("1", "true"):
            return None
        return self._callback_resource(found, asked.body["type"], message)

    def _respond(
        self, interaction: Interaction, kind: int, data: Json, files: Sequence[tuple[str, bytes]]
    ) -> Json | None:
        """Carry out a callback and return the message that it made or changed."""
        channel = interaction.channel
        if kind in (6, 7):
            interaction.original = interaction.source
            if kind == 7 and interaction.source:
                self._edited(channel, interaction.source, data, files)
            return interaction.source
        if kind not in (4, 5):
            return None
        message = self._answer_message(interaction, data)
        if kind == 5:
            message["flags"] = message["flags"] & EPHEMERAL | LOADING
        else:
            self._fill(channel, message, data, files)
        interaction.original = message
        self._put(channel, message)
        self._emit_message("MESSAGE_CREATE", channel, message)
        return message

    def _callback_resource(self, interaction: Interaction, kind: int, message: Json | None) -> Json:
        about: Json = {"id": interaction.id, "type": interaction.type}
        resource: Json = {"type": kind}
        if message:
            about |= {
                "response_message_id": message["id"],
                "response_message_loading": bool(message["flags"] & LOADING),
                "response_message_ephemeral": bool(message["flags"] & EPHEMERAL),
            }
        if message and kind in (4, 7):
            resource["message"] = self._visible(message)
        return {"interaction": about, "resource": resource}

    def _by_token(self, token: str) -> Interaction:
        interaction = next((each for each in self.interactions if each.token == token), None)
        if interaction is None or not interaction.acknowledged or interaction.ends == -math.inf:
            raise Refused(404, 10015, "Unknown Webhook")
        if time.monotonic() > interaction.ends:
            raise Refused(401, 50027, "Invalid Webhook Token")
        return interaction

    def _own(self, interaction: Interaction, message_id: str) -> Json:
        original = interaction.original
        if message_id == "@original" and original is not None:
            return original
        mine = [*interaction.followups, *([original] if original else [])]
        found = next((message for message in mine if message["id"] == message_id), None)
        if found is None:
            raise Refused(404, 10008, "Unknown Message")
        return found

    @_route("POST", "/webhooks/{app}/{token}")
    def _follow_up(self, asked: Asked, app: str, token: str) -> Answer:
        interaction = self._by_token(token)
        channel, original = interaction.channel, interaction.original
        if original and original["flags"] & LOADING:
            return self._edited(channel, original, asked.body, asked.files)
        message = self._answer_message(interaction, asked.body) | {"type": 0}
        if original:
            reference = {"type": 0, "message_id": original["id"], "channel_id": channel.id}
            message |= {"type": 19, "message_reference": reference}
        self._fill(channel, message, asked.body, asked.files)
        interaction.followups.append(message)
        self._put(channel, message)
        self._emit_message("MESSAGE_CREATE", channel, message)
        return self._visible(message)

    @_route("GET", "/webhooks/{app}/{token}/messages/{message}")
    def _webhook_message(self, asked: Asked, app: str, token: str, message: str) -> Answer:
        return self._visible(self._own(self._by_token(token), message))

    @_route("PATCH", "/webhooks/{app}/{token}/messages/{message}")
    def _edit_webhook_message(self, asked: Asked, app: str, token: str, message: str) -> Answer:
        interaction = self._by_token(token)
        found = self._own(interaction, message)
        return self._edited(interaction.channel, found, asked.body, asked.files)

    @_route("DELETE", "/webhooks/{app}/{token}/messages/{message}")
    def _delete_webhook_message(self, asked: Asked, app: str, token: str, message: str) -> Answer:
        interaction = self._by_token(token)
        self._remove(interaction.channel, self._own(interaction, message))
        return None


class DiscordServer(Api):
    """A Discord of its own on loopback, for one bot.

    People act through its methods, the bot through HTTP and the gateway; what the bot did is read from `calls`,
    `messages`, `ephemeral`, `typing`, `commands` and `files`. It runs in the event loop of the test.
    """

    def __init__(self, token: str = "MTA.Gabcde." + "x" * 30) -> None:
        super().__init__(token)
        self._faults: list[tuple[str, re.Pattern[str], list[Fault]]] = []
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.down()

    @property
    def api_base(self) -> str:
        return f"{self.origin}/api/v10"

    @property
    def gateway_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/gateway"

    async def up(self) -> None:
        """Listen, after `down` on the same port."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/gateway", self.gateway.serve)
        app.router.add_get("/attachments/{channel}/{id}/{name}", self._file)
        app.router.add_route("*", "/api/v10/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        self.origin = f"http://127.0.0.1:{self._port}"

    async def down(self) -> None:
        """Stop listening and cut every connection."""
        self.gateway.drop()
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    # The world

    def person(self, name: str, *, locale: str = "en-US", bot: bool = False) -> Person:
        """A new account, a member of every guild."""
        person = Person(self._snowflake(), name, locale, bot)
        self._people[person.id] = person
        return person

    def guild(self, name: str) -> Guild:
        """A new guild that the bot is in, without channels."""
        guild = Guild(self._snowflake(), name, self.person(f"owner of {name}").id)
        self._guilds[guild.id] = guild
        self._emit("GUILD_CREATE", self._guild_payload(guild), GUILDS)
        return guild

    def channel(self, guild: Guild, name: str) -> Channel:
        """A new text channel."""
        channel = Channel(self._snowflake(), name, TEXT, guild)
        self._channels[channel.id] = channel
        guild.channels.append(channel)
        self._emit("CHANNEL_CREATE", self._channel_payload(channel), GUILDS)
        return channel

    def thread(self, channel: Channel, name: str) -> Channel:
        """A new public thread."""
        return self._new_thread(channel, name, self._snowflake())

    def dm(self, person: Person) -> Channel:
        """The direct channel of a person and the bot."""
        return self._direct(person)

    # What people do

    def say(
        self,
        person: Person,
        channel: Channel,
        content: str,
        *,
        reply_to: Json | None = None,
        ping: bool = True,
        attachments: Sequence[tuple[str, bytes]] = (),
        at: datetime | None = None,
        deliver: bool = True,
    ) -> Json:
        """A message of a person; without `deliver` it is in the history only, said while the bot was away."""
        fields: Json = {"content": content, "mentions": self._mentioned(content)}
        fields["mention_everyone"] = "@everyone" in content or "@here" in content
        if reply_to:
            fields |= self._reference(channel, {"message_id": reply_to["id"], "channel_id": reply_to["channel_id"]})
            author = reply_to["author"]
            if ping and author["id"] not in {user["id"] for user in fields["mentions"]}:
                fields["mentions"].append(author)
        message = self._message(channel, person.payload, at, **fields)
        message["attachments"] = [self._attach(channel, *attachment) for attachment in attachments]
        self._put(channel, message)
        if deliver:
            self._emit_message("MESSAGE_CREATE", channel, message)
        self._changed()
        return copy.deepcopy(message)

    def edit(self, message: Json, content: str) -> None:
        """A person changes a message of theirs."""
        channel = self._channels[message["channel_id"]]
        found = self._existing(channel, message["id"])
        found |= {"content": content, "mentions": self._mentioned(content), "edited_timestamp": _iso(datetime.now(UTC))}
        self._emit_message("MESSAGE_UPDATE", channel, found)

    def delete(self, message: Json) -> None:
        """A person deletes a message, theirs or the bot's."""
        channel = self._channels[message["channel_id"]]
        self._remove(channel, self._existing(channel, message["id"]))

    def react(self, person: Person, message: Json, emoji: str) -> None:
        """Add a reaction."""
        self._reaction_by(person, message, emoji, on=True)

    def unreact(self, person: Person, message: Json, emoji: str) -> None:
        """Take a reaction back."""
        self._reaction_by(person, message, emoji, on=False)

    def _reaction_by(self, person: Person, message: Json, emoji: str, *, on: bool) -> None:
        channel = self._channels[message["channel_id"]]
        self._set_reaction(channel, self._existing(channel, message["id"]), emoji, person.id, on=on)

    def command(self, person: Person, channel: Channel, name: str, **options: object) -> Interaction:
        """Use a registered command; a subcommand by its whole name, as in "mydata show"."""
        command, path, declared = self._declared(channel, name)
        given = _checked_options(name, declared, options)
        resolved: Json = {}
        built = [self._option(each, given[each["name"]], resolved) for each in declared if each["name"] in given]
        return self._begin(COMMAND, person, channel, _command_data(command, path, built, resolved), None)

    def menu(self, person: Person, channel: Channel, name: str, target: Person | Json) -> Interaction:
        """Use a registered context menu command on a person or a message."""
        kind = 2 if isinstance(target, Person) else 3
        command = self._find_command(channel, name, kind)
        data = _command_data(command, [], [], {})
        if isinstance(target, Person):
            users: Json = {"users": {target.id: target.payload}}
            members: Json = {"members": {target.id: self._member()}} if channel.guild else {}
            data |= {"target_id": target.id, "resolved": users | members}
        else:
            found = copy.deepcopy(self._existing(channel, target["id"]))
            data |= {"target_id": found["id"], "resolved": {"messages": {found["id"]: found}}}
        return self._begin(COMMAND, person, channel, data, None)

    def autocomplete(
        self, person: Person, channel: Channel, name: str, option: str, value: object, **others: object
    ) -> Interaction:
        """Type into an option of a command; its `choices` are there once the bot has answered."""
        command, path, declared = self._declared(channel, name)
        assert any(each["name"] == option and each.get("autocomplete") for each in declared), f"{option}: no choices"
        resolved: Json = {}
        given = others | {option: value}
        built = [self._option(each, given[each["name"]], resolved) for each in declared if each["name"] in given]
        built = [each | ({"focused": True} if each["name"] == option else {}) for each in built]
        return self._begin(AUTOCOMPLETE, person, channel, _command_data(command, path, built, resolved), None)

    def press(self, person: Person, message: Json, label_or_custom_id: str, *values: str) -> Interaction:
        """Press a button of a message, or choose values in a select of it."""
        channel = self._channels[message["channel_id"]]
        found = self._existing(channel, message["id"], ephemeral=True)
        audience = self._audience.get(found["id"], person)
        assert audience is person, f"only {audience.name} sees this message"
        component = _component(found["components"], label_or_custom_id)
        data: Json = {"custom_id": component["custom_id"], "component_type": component["type"], "id": 0}
        return self._begin(
            COMPONENT, person, channel, data | ({"values": list(values)} if component["type"] != 2 else {}), found
        )

    def submit(self, person: Person, interaction: Interaction, **values: object) -> Interaction:
        """Fill in the modal that an interaction was answered with and send it; what is not given stays as it was."""
        assert interaction.modal, "the interaction was not answered with a modal"
        modal, left = interaction.modal, dict(values)
        components = [_filled(each, None, left) for each in modal["components"]]
        assert not left, f"the modal has no {', '.join(left)}"
        data = {"custom_id": modal["custom_id"], "components": components}
        return self._begin(MODAL, person, interaction.channel, data, interaction.source)

    def repeat_last_event(self) -> None:
        """Send the last event that a person caused once more, with the same ids and a new sequence number."""
        assert self._last_event, "nobody has done anything"
        event, data, intent = self._last_event
        self._emit(event, copy.deepcopy(data), intent)

    def _find_command(self, channel: Channel, name: str, kind: int) -> Json:
        own = self.guild_commands.get(channel.guild.id, []) if channel.guild else []
        known = [each for each in own + self.commands if each["type"] == kind]
        command = next((each for each in known if each["name"] == name), None)
        assert command, f"no command {name!r}; registered: {[each['name'] for each in known]}"
        contexts = command["contexts"] or ([0, 1] if command["dm_permission"] in (True, None) else [0])
        assert (0 if channel.guild else 1) in contexts, f"/{name} is not offered here"
        return command

    def _declared(self, channel: Channel, name: str) -> tuple[Json, list[Json], list[Json]]:
        """A command, the subcommands on the way and the options declared at its end."""
        first, *rest = name.split()
        command = self._find_command(channel, first, 1)
        declared, path = command.get("options") or [], []
        for part in rest:
            found = next((each for each in declared if each["name"] == part and each["type"] in (1, 2)), None)
            assert found, f"/{name}: no subcommand {part!r} among {[each['name'] for each in declared]}"
            path.append(found)
            declared = found.get("options") or []
        assert not any(each["type"] in (1, 2) for each in declared), f"/{name} needs a subcommand"
        return command, path, declared

    def _option(self, declared: Json, value: object, resolved: Json) -> Json:
        """An option as it is sent; what it names by its id goes into `resolved`."""
        sent: object = value
        if isinstance(value, Person):
            resolved.setdefault("users", {})[value.id] = value.payload
            resolved.setdefault("members", {})[value.id] = self._member() | {"permissions": str(PERMISSIONS)}
            sent = value.id
        elif isinstance(value, Channel):
            payload = self._channel_payload(value) | {"permissions": str(PERMISSIONS)}
            resolved.setdefault("channels", {})[value.id] = payload
            sent = value.id
        elif isinstance(value, tuple):
            attachment = self._attach(next(iter(self._channels.values())), *value)
            resolved.setdefault("attachments", {})[attachment["id"]] = attachment
            sent = attachment["id"]
        return {"name": declared["name"], "type": declared["type"], "value": sent}

    # What the bot did

    def messages(self, channel: Channel) -> list[Json]:
        """What everybody sees in a channel now, in order."""
        return [copy.deepcopy(each) for each in channel.messages if not each["flags"] & EPHEMERAL]

    def from_bot(self, channel: Channel) -> list[Json]:
        """Those messages of a channel that the bot sent; a deferred answer among them has the flag LOADING."""
        return [each for each in self.messages(channel) if each["author"]["id"] == self.bot_id]

    def ephemeral(self, person: Person) -> list[Json]:
        """The messages that only this person sees now."""
        every = (message for channel in self._channels.values() for message in channel.messages)
        return [copy.deepcopy(each) for each in every if self._audience.get(each["id"]) is person]

    def shown(self, interaction: Interaction) -> Json | None:
        """The original response of an interaction as it is now; None before it and once it is deleted."""
        return copy.deepcopy(interaction.original)

    async def until(self, predicate: Callable[[], T], timeout_s: float = 60) -> T:
        """Wait until the predicate gives something true and return that; it is asked after every change here."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not (result := predicate()):
                    await self._change.wait()
                return result
        raise AssertionError(f"not within {timeout_s} s\n{self.describe()}")

    async def connected(self, timeout_s: float = 60) -> None:
        """Wait until the bot's session has had READY or RESUMED and its connection stands."""
        await self.until(lambda: self.gateway.ready, timeout_s)

    def describe(self) -> str:
        """The state in words, for a test that failed."""
        lines = [f"connected: {self.gateway.ready}; identified {len(self.gateway.identifies)} times"]
        lines += [f"{call.method} {call.path} {call.status} {str(call.body)[:300]}" for call in self.calls[-20:]]
        for channel in self._channels.values():
            for message in channel.messages:
                name = message["author"]["global_name"]
                lines.append(f"#{channel.name or 'direct'} <{name}> {message['content']!r} flags {message['flags']}")
        lines += [f"interaction {each.data} answered with {each.response}" for each in self.interactions[-5:]]
        return "\n".join(lines)

    # What goes wrong

    def fail_next(self, method: str, path_pattern: str, *faults: Fault) -> None:
        """Give the next requests whose path (without /api/v10) has the pattern in it these faults, one each."""
        self._faults.append((method, re.compile(path_pattern), list(faults)))

    def limit_channel(self, channel: Channel, per_window: int, window_s: float) -> None:
        """Let only so many requests of each route to a channel pass in a window."""
        channel.limit = Limit(per_window, window_s)

    def forbid(self, channel: Channel, *, sending_only: bool = False) -> None:
        """Take the channel from the bot's sight, or only its right to write there."""
        channel.denied = SEND_MESSAGES | SEND_IN_THREADS if sending_only else VIEW_CHANNEL
        self._emit("CHANNEL_UPDATE", self._channel_payload(channel), GUILDS)

    def allow(self, channel: Channel) -> None:
        """Undo `forbid`."""
        channel.denied = 0
        self._emit("CHANNEL_UPDATE", self._channel_payload(channel), GUILDS)

    def refuse_direct(self, person: Person) -> None:
        """Let a person take no direct messages from the bot."""
        person.refuses_direct = True

    def expire(self, interaction: Interaction, *, code: int = 10015) -> None:
        """End the time in which an interaction's token is good; 50027 answers as after the real 15 minutes."""
        interaction.ends = -math.inf if code == 10015 else 0.0

    def revoke(self) -> None:
        """Make the bot's token worthless, at once."""
        self._revoked = True
        self.gateway.close(4004)

    def drop(self) -> None:
        """Cut the gateway's connection without a word; the session can be resumed."""
        self.gateway.drop()

    def close(self, code: int = 4000) -> None:
        """Close the gateway's connection with a code."""
        self.gateway.close(code)

    def reconnect_op(self) -> None:
        """Ask the bot to connect anew (op 7)."""
        self.gateway.reconnect()

    def invalidate(self, resumable: bool) -> None:
        """Declare the session invalid (op 9)."""
        self.gateway.invalidate(resumable)

    def send_raw(self, text: str) -> None:
        """Send a text over the gateway as it is."""
        self.gateway.send_raw(text)

    def stop_acking(self) -> None:
        """Leave heartbeats without an answer from now on."""
        self.gateway.acking = False

    # HTTP

    async def _file(self, request: web.Request) -> web.Response:
        content = self.files.get(request.match_info["id"])
        return web.Response(status=404) if content is None else web.Response(body=content)

    async def _serve(self, request: web.Request) -> web.Response:
        """Every route: note the request, carry it out, and let go wrong what shall."""
        asked = await _read(request)
        call = Call(asked.method, asked.path, asked.raw_body, time.monotonic(), query=asked.query)
        self.calls.append(call)
        fault = self._next_fault(asked)
        response = self._answer(request, asked) if fault is None or fault.kind in ("after", "slow") else web.Response()
        if fault:
            response = await self._spoil(request, fault, response)
        call.status = 0 if fault and fault.kind in ("before", "after") else response.status
        self._changed()
        return response

    def _next_fault(self, asked: Asked) -> Fault | None:
        for method, pattern, faults in self._faults:
            if faults and method == asked.method and pattern.search(asked.path):
                return faults.pop(0)
        return None

    async def _spoil(self, request: web.Request, fault: Fault, response: web.Response) -> web.Response:
        match fault.kind:
            case "answer":
                return _respond(fault.code, fault.body, fault.headers)
            case "slow":
                await asyncio.sleep(fault.delay_s)
            case _:
                assert isinstance(request.transport, asyncio.Transport)
                request.transport.abort()
        return response

    def _answer(self, request: web.Request, asked: Asked) -> web.Response:
        route, ids = _match(asked.method, request.rel_url.raw_path.removeprefix("/api/v10"))
        if route is None:
            return _respond(404, {"message": "404: Not Found", "code": 0})
        free = route.template.startswith(("/interactions", "/webhooks"))
        if not free and not self._accepts(request.headers.get("Authorization", "").removeprefix("Bot ")):
            return _respond(401, {"message": "401: Unauthorized", "code": 0})
        channel = self._channels.get(ids.get("channel", ""))
        passes, headers = channel.limit.take(_bucket(route)) if channel and channel.limit else (True, {})
        if not passes:
            return self._limited(headers)
        try:
            answer = route.handler(self, asked, **ids)
        except Refused as error:
            return _respond(error.status, error.body, headers)
        return _respond(204 if answer is None else 200, answer, headers)

    @staticmethod
    def _limited(headers: dict[str, str]) -> web.Response:
        refusal = Fault.rate_limit(float(headers["X-RateLimit-Reset-After"]))
        return _respond(429, refusal.body, {**refusal.headers, **headers})


def _user(user_id: str, name: str, bot: bool) -> Json:
    return {
        "id": user_id,
        "username": re.sub(r"\W+", "_", name.lower()),
        "discriminator": "0",
        "global_name": name,
        "avatar": None,
        "bot": bot,
        "system": False,
        "public_flags": 0,
    }


def _without_none(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(snowflake: str) -> datetime:
    return datetime.fromtimestamp(((int(snowflake) >> 22) + EPOCH_MS) / 1000, UTC)


def _emoji(emoji: str) -> Json:
    name, _, emoji_id = emoji.partition(":")
    return {"id": emoji_id or None, "name": name}


def _bucket(route: Route) -> str:
    return hashlib.sha256(f"{route.method} {route.template}".encode()).hexdigest()[:32]


def _limit_headers(bucket: str, limit: int, remaining: int, end: float) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": f"{end:.3f}",
        "X-RateLimit-Reset-After": f"{max(0.0, end - time.time()):.3f}",
        "X-RateLimit-Bucket": bucket,
    }


async def _read(request: web.Request) -> Asked:
    """The body as JSON, whether it came alone or beside files."""
    path, files, raw = request.path.removeprefix("/api/v10"), [], None
    if request.content_type == "multipart/form-data":
        form = await request.post()
        raw = json.loads(str(form.get("payload_json", "{}")))
        files = [(part.filename, part.file.read()) for part in form.values() if isinstance(part, web.FileField)]
    elif text := await request.text():
        raw = json.loads(text)
    return Asked(request.method, path, dict(request.query), raw if isinstance(raw, dict) else {}, files, raw)


def _respond(status: int, body: object, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer; the type is exactly application/json, without which discord.py takes a body for text."""
    if status == 204:
        return web.Response(status=204, headers=headers)
    if isinstance(body, str):
        return web.Response(status=status, text=body, content_type="text/html", headers=headers)
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)


def _match(method: str, raw_path: str) -> tuple[Route | None, dict[str, str]]:
    for route in ROUTES:
        found = route.pattern.fullmatch(raw_path)
        if found and route.method == method:
            return route, {name: unquote(value) for name, value in found.groupdict().items()}
    return None, {}


# What Discord refuses


def _invalid(path: str, code: str, message: str) -> Refused:
    """The error 50035 that names a field, as in "data.choices.0.name"."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(path.split(".")):
        errors = {part: errors}
    return Refused(400, 50035, "Invalid Form Body", errors)


def _check_length(path: str, value: object, most: int, least: int = 0) -> None:
    if isinstance(value, str) and len(value) > most:
        raise _invalid(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
    if least and not value:
        raise _invalid(path, "BASE_TYPE_REQUIRED", "This field is required")


def _check_message(body: Json) -> None:
    _check_length("content", body.get("content"), 2000)
    for index, embed in enumerate(body.get("embeds") or []):
        _check_embed(f"embeds.{index}", embed)
    seen: set[str] = set()
    for component in _components(body.get("components") or []):
        custom_id = component.get("custom_id")
        _check_length("components.custom_id", custom_id, 100)
        _check_length("components.label", component.get("label"), 80)
        if custom_id in seen:
            raise _invalid("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
        seen |= {custom_id} if custom_id else set()
    for row in body.get("components") or []:
        if row["type"] == 1 and not 1 <= len(row["components"]) <= 5:
            raise _invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")


def _check_embed(path: str, embed: Json) -> None:
    _check_length(f"{path}.title", embed.get("title"), 256)
    _check_length(f"{path}.description", embed.get("description"), 4096)
    _check_length(f"{path}.footer.text", embed.get("footer", {}).get("text"), 2048)
    fields = embed.get("fields") or []
    if len(fields) > 25:
        raise _invalid(f"{path}.fields", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for index, each in enumerate(fields):
        _check_length(f"{path}.fields.{index}.name", each.get("name"), 256, 1)
        _check_length(f"{path}.fields.{index}.value", each.get("value"), 1024, 1)
    texts = [embed.get("title"), embed.get("description"), embed.get("footer", {}).get("text")]
    texts += [each[key] for each in fields for key in ("name", "value")]
    if sum(len(text or "") for text in texts) > 6000:
        raise _invalid(path, "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def _check_callback(interaction: Interaction, body: Json) -> None:
    kind, data = body.get("type"), body.get("data") or {}
    from_component = interaction.type == COMPONENT or (interaction.type == MODAL and interaction.source)
    fits = {
        COMMAND: kind in (4, 5, 9),
        COMPONENT: kind in (4, 5, 6, 7, 9),
        AUTOCOMPLETE: kind == 8,
        MODAL: kind in (4, 5) or (kind in (6, 7) and bool(from_component)),
    }
    if not fits[interaction.type]:
        raise _invalid("type", "INTERACTION_CALLBACK_TYPE_INVALID", f"Type {kind} does not answer this interaction")
    if kind == 8:
        _check_choices(data.get("choices") or [])
    if kind == 9:
        _check_modal(data)


def _check_choices(choices: list[Json]) -> None:
    if len(choices) > 25:
        raise _invalid("data.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for index, choice in enumerate(choices):
        _check_length(f"data.choices.{index}.name", choice.get("name"), 100, 1)
        _check_length(f"data.choices.{index}.value", choice.get("value"), 100)


def _check_modal(modal: Json) -> None:
    _check_length("data.title", modal.get("title"), 45, 1)
    _check_length("data.custom_id", modal.get("custom_id"), 100, 1)
    if not 1 <= len(modal["components"]) <= 5:
        raise _invalid("data.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    for component in _components(modal["components"]):
        _check_length("data.components.label", component.get("label"), 45)
        _check_length("data.components.description", component.get("description"), 100)
        _check_length("data.components.placeholder", component.get("placeholder"), 100)
        _check_length("data.components.value", component.get("value"), component.get("max_length") or 4000)


def _check_commands(commands: list[Json]) -> None:
    if len({(each.get("type", 1), each["name"]) for each in commands}) < len(commands):
        raise _invalid("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
    for index, command in enumerate(commands):
        _check_length(f"{index}.name", command["name"], 32, 1)
        if command.get("type", 1) == 1:
            _check_declaration(str(index), command)


def _check_declaration(path: str, declared: Json) -> None:
    """A command or an option, with all that is under it."""
    if not re.fullmatch(r"[-_'\w]{1,32}", declared["name"]) or declared["name"] != declared["name"].lower():
        raise _invalid(f"{path}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    _check_length(f"{path}.description", declared.get("description"), 100, 1)
    options, choices = declared.get("options") or [], declared.get("choices") or []
    if max(len(options), len(choices)) > 25:
        raise _invalid(path, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    required = [bool(option.get("required")) for option in options]
    if required != sorted(required, reverse=True):
        message = "Required options must be placed before non-required options"
        raise _invalid(f"{path}.options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
    for index, option in enumerate(options):
        _check_declaration(f"{path}.options.{index}", option)


# What a person's own client does


def _checked_options(command: str, declared: list[Json], given: Mapping[str, object]) -> dict[str, object]:
    """The options with which a client lets a command go."""
    unknown = set(given) - {each["name"] for each in declared}
    assert not unknown, f"/{command} has no option {', '.join(sorted(unknown))}"
    checked: dict[str, object] = {}
    for each in declared:
        name = each["name"]
        assert name in given or not each.get("required"), f"/{command} needs the option {name}"
        if name in given:
            checked[name] = _checked_value(each, given[name])
    return checked


def _checked_value(declared: Json, value: object) -> object:
    """A value as a client would let it into this option; a choice may be given by its name."""
    kinds: dict[int, type | tuple[type, ...]] = {
        3: str, 4: int, 5: bool, 6: Person, 7: Channel, 9: Person, 10: (int, float), 11: tuple
    }  # fmt: skip
    if choices := declared.get("choices"):
        by_name = {each["name"]: each["value"] for each in choices}
        value = by_name.get(value, value) if isinstance(value, str) else value
        assert value in by_name.values(), f"{declared['name']}: {value!r} is none of {by_name}"
    assert isinstance(value, kinds[declared["type"]]), f"{declared['name']} does not take {value!r}"
    if isinstance(value, str):
        least, most, size = declared.get("min_length", 0), declared.get("max_length", 6000), float(len(value))
    elif isinstance(value, int | float):
        least, most, size = declared.get("min_value", -math.inf), declared.get("max_value", math.inf), float(value)
    else:
        return value
    assert least <= size <= most, f"{declared['name']}: a client refuses {value!r}"
    return value


def _command_data(command: Json, path: list[Json], options: list[Json], resolved: Json) -> Json:
    for part in reversed(path):
        options = [{"name": part["name"], "type": part["type"], "options": options}]
    data: Json = {"id": command["id"], "name": command["name"], "type": command["type"], "options": options}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    return data | ({"resolved": resolved} if resolved else {})


def _components(components: list[Json]) -> Iterator[Json]:
    """Every component, with those inside others."""
    for component in components:
        yield component
        inner = [component[key] for key in ("component", "accessory") if key in component]
        yield from _components([*component.get("components", []), *inner])


def _component(components: list[Json], label_or_custom_id: str) -> Json:
    """The one that a person can press under this name."""
    usable = [each for each in _components(components) if "custom_id" in each]
    for each in usable:
        names = (each["custom_id"], each.get("label"), (each.get("emoji") or {}).get("name"))
        if label_or_custom_id in names:
            assert not each.get("disabled"), f"{label_or_custom_id!r} is disabled"
            return each
    known = [each.get("label") or each["custom_id"] for each in usable]
    raise AssertionError(f"no {label_or_custom_id!r} to press; there are {known}")


def _filled(component: Json, label: str | None, values: dict[str, object]) -> Json:
    """A component of a modal as it is submitted; the values that were used are taken away."""
    sent: Json = {"type": component["type"], "id": component.get("id", 0)}
    if component["type"] == 1:
        return sent | {"components": [_filled(each, None, values) for each in component["components"]]}
    if component["type"] == 18:
        return sent | {"component": _filled(component["component"], component["label"], values)}
    if "custom_id" not in component:
        return sent
    sent["custom_id"] = component["custom_id"]
    keys = [key for key in (component["custom_id"], label, component.get("label")) if key in values]
    value = values.pop(str(keys[0])) if keys else component.get("value", "")
    if component["type"] == 4:
        _check_typed(component, str(value))
    return sent | ({"values": list(value)} if isinstance(value, list | tuple) else {"value": value})


def _check_typed(component: Json, value: str) -> None:
    """A client sends no text of a wrong length."""
    least, most = component.get("min_length") or 0, component.get("max_length") or 4000
    optional = component.get("required") is False and not value
    assert optional or max(least, 1 if component.get("required", True) else 0) <= len(value) <= most, (
        f"a client refuses {value!r} in {component['custom_id']}"
    )
