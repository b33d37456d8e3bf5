"""What Discord refuses: messages, answers to interactions and commands that break its rules."""

from __future__ import annotations

import re

from tests.servers.discord.components import every_component
from tests.servers.discord.entities import Interaction
from tests.servers.discord.protocol import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Json


class Refused(Exception):
    """An error as the real API reports it."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.body: Json = {"message": message, "code": code} | ({"errors": errors} if errors else {})


def invalid(path: str, code: str, message: str) -> Refused:
    """The error 50035 that names a field, as in "data.choices.0.name"."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(path.split(".")):
        errors = {part: errors}
    return Refused(400, 50035, "Invalid Form Body", errors)


def _check_length(path: str, value: object, most: int, least: int = 0) -> None:
    if isinstance(value, str) and len(value) > most:
        raise invalid(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
    if least and not value:
        raise invalid(path, "BASE_TYPE_REQUIRED", "This field is required")


def _check_number(path: str, number: int, most: int = 25) -> None:
    if number > most:
        raise invalid(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")


def _check_row(path: str, number: int) -> None:
    if not 1 <= number <= 5:
        raise invalid(path, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")


# Messages


def check_message(body: Json) -> None:
    """Refuse what a message cannot hold."""
    _check_length("content", body.get("content"), 2000)
    for index, embed in enumerate(body.get("embeds") or []):
        _check_embed(f"embeds.{index}", embed)
    _check_components(body.get("components") or [])


def _check_components(components: list[Json]) -> None:
    seen: set[str] = set()
    for component in every_component(components):
        custom_id = component.get("custom_id")
        _check_length("components.custom_id", custom_id, 100)
        _check_length("components.label", component.get("label"), 80)
        if custom_id in seen:
            raise invalid("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
        seen |= {custom_id} if custom_id else set()
    for row in components:
        if row["type"] == 1:
            _check_row("components", len(row["components"]))


def _check_embed(path: str, embed: Json) -> None:
    title, description, footer = embed.get("title"), embed.get("description"), embed.get("footer", {}).get("text")
    _check_length(f"{path}.title", title, 256)
    _check_length(f"{path}.description", description, 4096)
    _check_length(f"{path}.footer.text", footer, 2048)
    fields = embed.get("fields") or []
    _check_number(f"{path}.fields", len(fields))
    for index, each in enumerate(fields):
        _check_length(f"{path}.fields.{index}.name", each.get("name"), 256, 1)
        _check_length(f"{path}.fields.{index}.value", each.get("value"), 1024, 1)
    texts = [title, description, footer, *(each[key] for each in fields for key in ("name", "value"))]
    if sum(len(text or "") for text in texts) > 6000:
        raise invalid(path, "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


# Answers to interactions


def check_callback(interaction: Interaction, body: Json) -> None:
    """Refuse an answer that does not fit its interaction, or breaks a rule of its own."""
    kind, data = body.get("type"), body.get("data") or {}
    from_component = interaction.type == COMPONENT or (interaction.type == MODAL and interaction.source)
    fits = {
        COMMAND: kind in (4, 5, 9),
        COMPONENT: kind in (4, 5, 6, 7, 9),
        AUTOCOMPLETE: kind == 8,
        MODAL: kind in (4, 5) or (kind in (6, 7) and bool(from_component)),
    }
    if not fits[interaction.type]:
        raise invalid("type", "INTERACTION_CALLBACK_TYPE_INVALID", f"Type {kind} does not answer this interaction")
    if kind == 8:
        _check_choices(data.get("choices") or [])
    if kind == 9:
        _check_modal(data)


def _check_choices(choices: list[Json]) -> None:
    _check_number("data.choices", len(choices))
    for index, choice in enumerate(choices):
        _check_length(f"data.choices.{index}.name", choice.get("name"), 100, 1)
        _check_length(f"data.choices.{index}.value", choice.get("value"), 100)


def _check_modal(modal: Json) -> None:
    _check_length("data.title", modal.get("title"), 45, 1)
    _check_length("data.custom_id", modal.get("custom_id"), 100, 1)
    _check_row("data.components", len(modal["components"]))
    for component in every_component(modal["components"]):
        _check_length("data.components.label", component.get("label"), 45)
        _check_length("data.components.description", component.get("description"), 100)
        _check_length("data.components.placeholder", component.get("placeholder"), 100)
        _check_length("data.components.value", component.get("value"), component.get("max_length") or 4000)


# Commands


def check_commands(commands: list[Json]) -> None:
    """Refuse commands that cannot be registered."""
    if len({(each.get("type", 1), each["name"]) for each in commands}) < len(commands):
        raise invalid("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
    for index, command in enumerate(commands):
        _check_length(f"{index}.name", command["name"], 32, 1)
        if command.get("type", 1) == 1:
            _check_declaration(str(index), command)


def _check_declaration(path: str, declared: Json) -> None:
    """A command or an option, with all that is under it."""
    if not re.fullmatch(r"[-_'\w]{1,32}", declared["name"]) or declared["name"] != declared["name"].lower():
        raise invalid(f"{path}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    _check_length(f"{path}.description", declared.get("description"), 100, 1)
    options, choices = declared.get("options") or [], declared.get("choices") or []
    _check_number(path, max(len(options), len(choices)))
    required = [bool(option.get("required")) for option in options]
    if required != sorted(required, reverse=True):
        message = "Required options must be placed before non-required options"
        raise invalid(f"{path}.options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
    for index, option in enumerate(options):
        _check_declaration(f"{path}.options.{index}", option)
