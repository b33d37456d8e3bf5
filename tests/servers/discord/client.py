"""What a person's own client does with commands: it finds them, checks the options and builds what is sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tests.servers.discord.entities import Channel, Person
from tests.servers.discord.messages import attach
from tests.servers.discord.payloads import channel_payload, member_payload
from tests.servers.discord.protocol import PERMISSIONS, Json
from tests.servers.discord.world import World

SUBCOMMANDS = (1, 2)  # types of options: a subcommand, a group of them
KINDS: dict[int, type | tuple[type, ...]] = {
    3: str, 4: int, 5: bool, 6: Person, 7: Channel, 9: Person, 10: (int, float), 11: tuple
}  # fmt: skip


def find_command(world: World, channel: Channel, name: str, kind: int) -> Json:
    """The registered command of that name that is offered in a channel."""
    own = world.guild_commands.get(channel.guild.id, []) if channel.guild else []
    known = [each for each in own + world.commands if each["type"] == kind]
    command = next((each for each in known if each["name"] == name), None)
    assert command, f"no command {name!r}; registered: {[each['name'] for each in known]}"
    contexts = command["contexts"] or ([0, 1] if command["dm_permission"] in (True, None) else [0])
    assert (0 if channel.guild else 1) in contexts, f"/{name} is not offered here"
    return command


def command_data(command: Json, path: list[Json], options: list[Json], resolved: Json) -> Json:
    """The data of an interaction with a command; `path` is the subcommands on the way."""
    for part in reversed(path):
        options = [{"name": part["name"], "type": part["type"], "options": options}]
    data: Json = {"id": command["id"], "name": command["name"], "type": command["type"], "options": options}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    return data | ({"resolved": resolved} if resolved else {})


@dataclass(frozen=True, slots=True)
class Declared:
    """A command, the subcommands on the way and the options declared at its end."""

    name: str
    command: Json
    path: list[Json]
    options: list[Json]

    @classmethod
    def find(cls, world: World, channel: Channel, name: str) -> Self:
        """By the whole name, as in "mydata show"."""
        first, *rest = name.split()
        command = find_command(world, channel, first, 1)
        options, path = command.get("options") or [], []
        for part in rest:
            found = next((each for each in options if each["name"] == part and each["type"] in SUBCOMMANDS), None)
            assert found, f"/{name}: no subcommand {part!r} among {[each['name'] for each in options]}"
            path.append(found)
            options = found.get("options") or []
        assert not any(each["type"] in SUBCOMMANDS for each in options), f"/{name} needs a subcommand"
        return cls(name, command, path, options)

    def checked(self, given: Mapping[str, object]) -> dict[str, object]:
        """The options with which a client lets the command go."""
        unknown = set(given) - {each["name"] for each in self.options}
        assert not unknown, f"/{self.name} has no option {', '.join(sorted(unknown))}"
        checked: dict[str, object] = {}
        for each in self.options:
            name = each["name"]
            assert name in given or not each.get("required"), f"/{self.name} needs the option {name}"
            if name in given:
                checked[name] = _checked_value(each, given[name])
        return checked

    def data(self, world: World, given: Mapping[str, object], focused: str | None = None) -> Json:
        """What is sent with those options; one is `focused` while a person types into it."""
        resolved: Json = {}
        built = [_option(world, each, given[each["name"]], resolved) for each in self.options if each["name"] in given]
        built = [each | ({"focused": True} if each["name"] == focused else {}) for each in built]
        return command_data(self.command, self.path, built, resolved)


def _checked_value(declared: Json, value: object) -> object:
    """A value as a client would let it into this option; a choice may be given by its name."""
    if choices := declared.get("choices"):
        by_name = {each["name"]: each["value"] for each in choices}
        value = by_name.get(value, value) if isinstance(value, str) else value
        assert value in by_name.values(), f"{declared['name']}: {value!r} is none of {by_name}"
    assert isinstance(value, KINDS[declared["type"]]), f"{declared['name']} does not take {value!r}"
    if isinstance(value, str):
        least, most, size = declared.get("min_length", 0), declared.get("max_length", 6000), float(len(value))
    elif isinstance(value, int | float):
        least, most, size = declared.get("min_value", -math.inf), declared.get("max_value", math.inf), float(value)
    else:
        return value
    assert least <= size <= most, f"{declared['name']}: a client refuses {value!r}"
    return value


def _option(world: World, declared: Json, value: object, resolved: Json) -> Json:
    """An option as it is sent; what it names by its id goes into `resolved`."""
    sent: object = value
    if isinstance(value, Person):
        resolved.setdefault("users", {})[value.id] = value.payload
        resolved.setdefault("members", {})[value.id] = member_payload() | {"permissions": str(PERMISSIONS)}
        sent = value.id
    elif isinstance(value, Channel):
        payload = channel_payload(world, value) | {"permissions": str(PERMISSIONS)}
        resolved.setdefault("channels", {})[value.id] = payload
        sent = value.id
    elif isinstance(value, tuple):
        attachment = attach(world, next(iter(world.channels.values())), *value)
        resolved.setdefault("attachments", {})[attachment["id"]] = attachment
        sent = attachment["id"]
    return {"name": declared["name"], "type": declared["type"], "value": sent}
