"""Tells apart what a person typed: a command, a quote that is asked for, or something to chat about; does nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from bot.errors import InputError


class Action(StrEnum):
    """What a line asks for; the values are the commands' names, but for CHAT."""

    CHAT = "chat"
    QUOTE = "quote"
    NEW = "new"
    GOOD = "good"
    BAD = "bad"
    HELP = "help"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Command:
    """A parsed line; `text` is the keyword of a quote or the message of a chat, else empty."""

    action: Action
    text: str = ""


HELP = {
    "/quote KEYWORD": "a quote on anything, such as /quote courage",
    "/new": "begin a new conversation",
    "/good, /bad": "say how you liked the last reply",
    "/help": "this list",
    "/quit": "leave",
    "anything else": "chat; begin with // to say something that starts with a slash",
}
COMMANDS = tuple(f"/{action}" for action in Action if action is not Action.CHAT)
_SYNONYMS = {"exit": Action.QUIT, "reset": Action.NEW, "?": Action.HELP}


def parse(line: str) -> Command:
    """What the line asks for. Raises InputError for an unknown command and for a quote without a keyword."""
    text = line.strip()
    if text.startswith("//"):
        return Command(Action.CHAT, text[1:])
    if not text.startswith("/"):
        return Command(Action.CHAT, text)
    words = re.match(r"/(\S*)\s*(.*)", text, re.DOTALL)
    assert words is not None  # it begins with a slash, and all else is optional
    action = _action(words[1].lower())
    if action is Action.QUOTE and not words[2]:
        raise InputError("Say what the quote should be about: /quote courage.")
    return Command(action, words[2] if action is Action.QUOTE else "")


def help_text() -> str:
    """All commands, a line each."""
    width = max(len(name) for name in HELP)
    return "\n".join(f"{name:<{width}}  {what}" for name, what in HELP.items())


def _action(name: str) -> Action:
    if name in _SYNONYMS:
        return _SYNONYMS[name]
    if f"/{name}" in COMMANDS:
        return Action(name)
    near = get_close_matches(f"/{name}", COMMANDS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}."
    raise InputError(f"There is no command /{name[:40]}; {hint}")
