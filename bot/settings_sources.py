"""Where settings come from: a TOML file, variables, a `.env` file; knows no setting by name, but the secrets."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from bot.errors import SettingsError

PREFIX = "QUOTESMITH_"
CONFIG_VARIABLE = "QUOTESMITH_CONFIG"
SECRET_VARIABLES = {
    "discord_token": "DISCORD_TOKEN",
    "telegram_token": "TELEGRAM_TOKEN",
    "data_key": "QUOTESMITH_DATA_KEY",
    "hf_token": "HF_TOKEN",
}
_NOT_SETTINGS = {CONFIG_VARIABLE, "QUOTESMITH_CACHE", *SECRET_VARIABLES.values()}


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody set: `source` is the file or the variable.

    The section is empty when the value stands in none, the key when the section is empty. A variable's value is text
    that is still to be parsed; a file's value has its type already.
    """

    section: str
    key: str | None
    value: object
    source: str
    from_variable: bool


@dataclass(frozen=True, slots=True, repr=False)
class GivenSecret:
    """A secret and where it was found; has no repr, so that it cannot be printed by accident."""

    value: str
    source: str


def find_config_file(environ: Mapping[str, str], folder: Path, packages_folder: Path) -> Path | None:
    """The file that QUOTESMITH_CONFIG names, else config.toml in `folder`, else the one in `packages_folder`."""
    named = environ.get(CONFIG_VARIABLE, "")
    if named:
        return _named_file(named, folder)
    for path in (folder / "config.toml", packages_folder / "config.toml"):
        with _readable(str(path)):
            if path.is_file():
                return path
    return None


def _named_file(named: str, folder: Path) -> Path:
    try:
        path = folder / Path(named).expanduser()
    except RuntimeError as error:  # a person unknown to this machine
        raise SettingsError(f"{CONFIG_VARIABLE} names {named!r}, but there is no such home folder.") from error
    with _readable(f"{CONFIG_VARIABLE} names {str(path)!r}, which"):
        if not path.is_file():
            raise SettingsError(f"{CONFIG_VARIABLE} names {str(path)!r}, which is not a file.")
    return path


def read_config_file(path: Path) -> Iterator[Given]:
    """Every value of the file, unchecked."""
    try:
        tables = tomllib.loads(_read(path))
    except RecursionError as error:
        raise SettingsError(f"{path} is nested too deeply.") from error
    except ValueError as error:  # also what int() says of a number with thousands of digits
        raise SettingsError(f"{path} is not TOML: {error}.") from error
    for section, table in tables.items():
        if not isinstance(table, dict):
            yield Given("", section, table, str(path), from_variable=False)
            continue
        for key, value in table.items() or [(None, None)]:
            yield Given(section, key, value, str(path), from_variable=False)


def read_variables(environ: Mapping[str, str]) -> Iterator[Given]:
    """Every QUOTESMITH_<SECTION>__<KEY>, unchecked."""
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in _NOT_SETTINGS:
            continue
        section, _, key = name.removeprefix(PREFIX).lower().rpartition("__")
        if name != name.upper():  # taken as well, one setting could be given twice
            section, key = "", name.removeprefix(PREFIX)
        yield Given(section, key, environ[name], name, from_variable=True)


def read_secrets(environ: Mapping[str, str], folder: Path) -> dict[str, GivenSecret]:
    """The secrets that are set, by field name: from the environment, else from `.env` in `folder`."""
    path = folder / ".env"
    with _readable(str(path)):
        is_there = path.exists()
    in_file = _read_env_file(path) if is_there else {}
    secrets = {}
    for field, variable in SECRET_VARIABLES.items():
        for values, source in ((environ, "environment"), (in_file, str(path))):
            value = values.get(variable, "").strip()
            if not value:
                continue
            if any(character.isspace() or not character.isprintable() for character in value):
                raise SettingsError(f"{variable} ({source}) must be one word without spaces.")
            secrets[field] = GivenSecret(value, source)
            break
    return secrets


def _read_env_file(path: Path) -> dict[str, str]:
    values = {}
    for binding in parse_stream(StringIO(_read(path))):
        if binding.error:
            raise SettingsError(f"{path}, line {binding.original.line}, is not of the form NAME=value.")
        name = binding.key or ""
        if name.startswith(PREFIX) and name not in SECRET_VARIABLES.values():
            raise SettingsError(f"{path} holds {name}, but only secrets are read from it: set it in the environment.")
        values[name] = binding.value or ""
    return values


def _read(path: Path) -> str:
    try:
        with _readable(str(path)):
            return path.read_text(encoding="utf-8-sig")  # editors on Windows begin a file with a mark
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not a UTF-8 text file.") from error


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Say what cannot be read, where the block cannot read it, or may not even look for it."""
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{what} cannot be read: {error.strerror}.") from error
