"""Whether a given value is allowed, and the sentence that says what would be; knows no source and no setting."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import get_origin

from pydantic import BaseModel

from bot.errors import SettingsError
from bot.settings_sources import PREFIX, SECRET_VARIABLES, Given

_Schema = Mapping[str, type[BaseModel]]
_LONGEST_SHOWN = 60
_SECRET_NAME = re.compile(r"(token|secret|secrets|password|api_?key|data_?key)$", re.IGNORECASE)
_PASSWORD_IN_ADDRESS = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")


def check_known(given: Given, schema: _Schema) -> None:
    """Raise SettingsError when there is no such section or key; the sentence names the nearest one."""
    section = schema.get(given.section)
    if section is None or (given.key is not None and given.key not in section.model_fields):
        raise SettingsError(_unknown(given, schema))


def checked_value(given: Given, section: type[BaseModel], hidden: tuple[str, ...]) -> object:
    """The value as the type of its field. Raises SettingsError; the `hidden` texts are never in the sentence."""
    key = given.key or ""
    try:
        return _parsed(key, given, section)
    except ValueError as error:  # pydantic's or, for a list in a variable, the TOML reader's
        shown, allowed = shown_value(given.value, hidden), _allowed(section, key)
        raise SettingsError(f"{given.source}: {given.section}.{key} is {shown}, but must be {allowed}.") from error


def _parsed(key: str, given: Given, section: type[BaseModel]) -> object:
    if not given.from_variable:
        return getattr(section.model_validate({key: given.value}), key)
    text = str(given.value)
    if get_origin(section.model_fields[key].annotation) in (tuple, list, frozenset):
        items = tomllib.loads(f"items = {text}")["items"] if text.lstrip().startswith("[") else _split(text)
        return getattr(section.model_validate({key: items}, strict=False), key)
    return getattr(section.model_validate_strings({key: text}), key)


def _split(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _unknown(given: Given, schema: _Schema) -> str:
    nearest = _nearest(given, schema)
    hint = f"the nearest is {nearest}" if nearest else f"the sections are {', '.join(schema)}"
    if given.from_variable:
        return f"The variable {given.source} names no setting; {hint}."
    name = _spelled(given, given.section, given.key)
    name = name if name and name.isprintable() else repr(name)
    if _SECRET_NAME.search(given.key or "") or _SECRET_NAME.search(given.section):
        variables = ", ".join(SECRET_VARIABLES.values())
        return f"{given.source} holds {name}: secrets are read from the environment or a .env file only ({variables})."
    if given.key in schema and not given.section:
        return f"{given.source}: {given.key} must be a section, written [{given.key}], not a value."
    return f"{given.source}: there is no setting {name}; {hint}."


def _nearest(given: Given, schema: _Schema) -> str | None:
    known = [(section, key) for section, model in schema.items() for key in model.model_fields]
    same_key = [section_key for section_key in known if section_key[1] == (given.key or "").lower()]
    if len(same_key) == 1:  # the right key in the wrong place
        return _spelled(given, *same_key[0])
    names = [_spelled(given, *section_key) for section_key in known]
    if given.from_variable:
        for secret in SECRET_VARIABLES.values():
            if given.source.endswith(secret):
                return secret
        names += SECRET_VARIABLES.values()
    wanted = _spelled(given, given.section, given.key)
    return next(iter(difflib.get_close_matches(wanted, names, n=1)), None)


def _spelled(given: Given, section: str, key: str | None) -> str:
    if given.from_variable:
        return f"{PREFIX}{section}__{key}".upper()
    return f"{section}.{key}" if section and key is not None else section or key or ""


def shown_value(value: object, hidden: tuple[str, ...] = ()) -> str:
    """As it is written in a file, in one short line, and without the `hidden` texts."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    try:
        shown = "null" if value is None else repr(value) if isinstance(value, str) else str(value).lower()
    except ValueError:  # a number with thousands of digits
        return "a number of thousands of digits"
    if any(secret in shown or (isinstance(value, str) and secret in value) for secret in hidden):
        return "a secret"
    shown = _PASSWORD_IN_ADDRESS.sub(r"\1***@", shown)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."


def _allowed(section: type[BaseModel], key: str) -> str:
    rule = section.model_json_schema()["properties"][key]
    if "allowed" in rule:
        return str(rule["allowed"])
    if "enum" in rule:
        return f"one of {', '.join(rule['enum'])}"
    return "".join(_phrases(rule))


def _phrases(rule: Mapping[str, object]) -> Iterator[str]:
    nouns = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "array": "a list"}
    yield "a path" if rule.get("format") == "path" else nouns.get(str(rule.get("type")), "text")
    if "minimum" in rule and "maximum" in rule:
        yield f" from {rule['minimum']} to {rule['maximum']}"
    if "maxLength" in rule:
        yield f" of at most {rule['maxLength']} characters"
