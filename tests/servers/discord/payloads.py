"""The objects in which the API and the gateway show the bot, members, guilds and channels."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.servers.discord.entities import Channel, Guild, user_payload
from tests.servers.discord.gateway import Event, Session
from tests.servers.discord.protocol import GUILDS, PERMISSIONS, TEXT, THREAD, Json
from tests.servers.discord.snowflakes import iso, moment
from tests.servers.discord.world import World

APPLICATION_FLAGS = 1 << 19
JOINED = iso(datetime(2024, 6, 1, tzinfo=UTC))
EMPTY_OF_GUILD = ("icon", "splash", "discovery_splash", "banner", "description", "vanity_url_code", "application_id")
LISTS_OF_GUILD = (
    *("features", "emojis", "stickers", "presences", "voice_states"),
    *("stage_instances", "guild_scheduled_events", "soundboard_sounds"),
)
SETTINGS_OF_GUILD: Json = {
    "joined_at": JOINED,
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
LISTS_OF_READY = ("private_channels", "presences", "relationships", "geo_ordered_rtc_regions", "_trace")


def greeting(world: World, session: Session) -> list[Event]:
    """READY, and the guilds where the session asked for them."""
    ready: Json = {
        **{name: [] for name in LISTS_OF_READY},
        "v": 10,
        "user": own_payload(world),
        "guilds": [{"id": guild.id, "unavailable": True} for guild in world.guilds.values()],
        "session_id": session.id,
        "session_type": "normal",
        "resume_gateway_url": gateway_url(world),
        "application": {"id": world.application_id, "flags": APPLICATION_FLAGS},
        "user_settings": {},
    }
    created: list[Event] = [("GUILD_CREATE", guild_payload(world, guild)) for guild in world.guilds.values()]
    return [("READY", ready), *(created if session.intents & GUILDS else [])]


def gateway_url(world: World) -> str:
    """Where the gateway listens."""
    return f"{world.origin.replace('http', 'ws', 1)}/gateway"


def bot_payload(world: World) -> Json:
    """The bot as everybody sees it."""
    return user_payload(world.bot_id, "Quotesmith", bot=True)


def own_payload(world: World) -> Json:
    """The bot as it sees itself."""
    more = {"verified": True, "mfa_enabled": False, "locale": "en-US", "flags": 0, "email": None}
    return bot_payload(world) | more


def payload_of(world: World, user_id: str) -> Json | None:
    """The user with that id, the bot or a person."""
    if user_id == world.bot_id:
        return bot_payload(world)
    return world.people[user_id].payload if user_id in world.people else None


def member_payload(user: Json | None = None) -> Json:
    """A member of a guild, with the user where it is not told elsewhere."""
    member: Json = {
        "roles": [],
        "nick": None,
        "avatar": None,
        "joined_at": JOINED,
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
        "communication_disabled_until": None,
    }
    return member | ({"user": user} if user else {})


def guild_payload(world: World, guild: Guild) -> Json:
    """A guild with its channels and threads."""
    return {
        **dict.fromkeys(EMPTY_OF_GUILD),
        **{name: [] for name in LISTS_OF_GUILD},
        **SETTINGS_OF_GUILD,
        "id": guild.id,
        "name": guild.name,
        "owner_id": guild.owner_id,
        "roles": [_everyone(guild)],
        "members": [member_payload(payload_of(world, world.bot_id))],
        "channels": [channel_payload(world, channel) for channel in guild.channels if channel.type == TEXT],
        "threads": [channel_payload(world, channel) for channel in guild.channels if channel.type == THREAD],
        "member_count": len(world.people) + 1,
    }


def _everyone(guild: Guild) -> Json:
    """The role that all members have."""
    return {
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


def channel_payload(world: World, channel: Channel) -> Json:
    """A channel of any type."""
    last = channel.messages[-1]["id"] if channel.messages else None
    common: Json = {"id": channel.id, "type": channel.type, "last_message_id": last, "flags": 0}
    if channel.recipient:
        return common | {"recipients": [channel.recipient.payload]}
    assert channel.guild
    common |= {"guild_id": channel.guild.id, "name": channel.name, "rate_limit_per_user": 0}
    if channel.parent:
        return common | _thread_fields(channel, channel.parent)
    deny = {"id": world.bot_id, "type": 1, "allow": "0", "deny": str(channel.denied)}
    position = channel.guild.channels.index(channel)
    overwrites = [deny] if channel.denied else []
    place = {"position": position, "permission_overwrites": overwrites, "parent_id": None}
    return common | place | {"topic": None, "nsfw": False}


def _thread_fields(thread: Channel, parent: Channel) -> Json:
    created = iso(moment(thread.id))
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
