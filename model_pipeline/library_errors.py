"""What the errors of libraries have in common when they become one of our sentences; imports no library by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TELLS_ALL = ("value_error", "missing", "extra_forbidden")  # problems of pydantic's that need no value beside them
_LONGEST_SHOWN = 60  # characters
_LONGEST_KEY = 100


def refusal(problem: Mapping[str, Any]) -> str:
    """One of pydantic's problems as the end of a sentence about its key: what is allowed there, and what was given."""
    text = str(problem["msg"]).removeprefix("Value error, ")
    return text if problem["type"] in _TELLS_ALL else f"{text}, and is {_shown(problem['input'])}"


def key_of(problem: Mapping[str, Any]) -> str:
    """Where one of pydantic's problems is: `fine_tune.epochs`, `data.sources.0.path`; it may be anybody's text."""
    key = ".".join(str(part) for part in problem["loc"])
    key = "".join(character if character.isprintable() else "?" for character in key)
    return key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}..."


def _shown(value: object) -> str:
    """As it is written in TOML and JSON, in one short line; it may be anybody's text."""
    if isinstance(value, dict | list | tuple):
        return "a table" if isinstance(value, dict) else "a list"
    try:
        shown = "null" if value is None else repr(value) if isinstance(value, str) else str(value).lower()
    except ValueError:  # str's, of a number that was written in hexadecimal
        return "a number of thousands of digits"
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."


def first_line(error: BaseException) -> str:
    """A library's message as the end of a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


def transport_error() -> type[Exception]:
    """The root of the HTTP library's errors: of httpx or httpx2, as huggingface_hub's version has it."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__[0]
