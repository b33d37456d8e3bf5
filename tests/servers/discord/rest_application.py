"""The routes of users, of the bot's application and of its commands."""

from __future__ import annotations

from tests.servers.discord.entities import user_payload
from tests.servers.discord.payloads import APPLICATION_FLAGS, gateway_url, own_payload, payload_of
from tests.servers.discord.places import known_guild
from tests.servers.discord.protocol import Json
from tests.servers.discord.refusals import Refused, check_commands
from tests.servers.discord.requests import Answer, Asked
from tests.servers.discord.routing import Routes
from tests.servers.discord.world import World

routes = Routes()


@routes.add("GET", "/users/@me")
def me(world: World, asked: Asked) -> Answer:
    return own_payload(world)


@routes.add("GET", "/users/{user}")
def user_by_id(world: World, asked: Asked, user: str) -> Answer:
    if payload := payload_of(world, user):
        return payload
    raise Refused(404, 10013, "Unknown User")


@routes.add("GET", "/oauth2/applications/@me")
@routes.add("GET", "/applications/@me")
def application(world: World, asked: Asked) -> Answer:
    return {
        "id": world.application_id,
        "name": "Quotesmith",
        "icon": None,
        "description": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "owner": user_payload("80351110224678912", "owner", bot=False),
        "team": None,
        "verify_key": "0" * 64,
        "flags": APPLICATION_FLAGS,
        "redirect_uris": [],
        "tags": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "approximate_guild_count": len(world.guilds),
        "integration_types_config": {"0": {}},
    }


@routes.add("GET", "/gateway/bot")
@routes.add("GET", "/gateway")
def gateway_address(world: World, asked: Asked) -> Answer:
    start = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
    return {"url": gateway_url(world), "shards": 1, "session_start_limit": start}


@routes.add("GET", "/applications/{app}/commands")
def global_commands(world: World, asked: Asked, app: str) -> Answer:
    return world.commands


@routes.add("PUT", "/applications/{app}/commands")
def put_global_commands(world: World, asked: Asked, app: str) -> Answer:
    world.commands = _registered(world, asked.raw_body, world.commands)
    return world.commands


@routes.add("GET", "/applications/{app}/guilds/{guild}/commands")
def commands_of_guild(world: World, asked: Asked, app: str, guild: str) -> Answer:
    known_guild(world, guild)
    return world.guild_commands.get(guild, [])


@routes.add("PUT", "/applications/{app}/guilds/{guild}/commands")
def put_commands_of_guild(world: World, asked: Asked, app: str, guild: str) -> Answer:
    known_guild(world, guild)
    commands = _registered(world, asked.raw_body, world.guild_commands.get(guild, []))
    world.guild_commands[guild] = [command | {"guild_id": guild} for command in commands]
    return world.guild_commands[guild]


def _registered(world: World, commands: list[Json], before: list[Json]) -> list[Json]:
    """The commands as the API gives them back; a command that had a name already keeps its id."""
    check_commands(commands)
    ids = {(command["type"], command["name"]): command["id"] for command in before}
    blank: Json = {
        "application_id": world.application_id,
        "version": world.snowflake(),
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
        | {name: value for name, value in command.items() if value is not None}
        | {"id": ids.get((command.get("type", 1), command["name"])) or world.snowflake()}
        for command in commands
    ]
