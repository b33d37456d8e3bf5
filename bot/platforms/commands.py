"""Tells apart what a person typed: a command, a quote that is asked for, or something to chat about; does nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from bot.chat.messages import Style
from bot.errors import InputError


class Action(StrEnum):
    """What a line asks for; the values are the commands' names."""

    CHAT = "chat"
    QUOTE = "quote"
    COMPARE = "compare"
    NEW = "new"
    GOOD = "good"
    BAD = "bad"
    HELP = "help"
    QUIT = "quit"
    START = "start"
    CANCEL = "cancel"
    PRIVACY = "privacy"
    CONSENT = "consent"
    MYDATA = "mydata"
    FORGET = "forget"
    FAVORITES = "favorites"
    STATS = "stats"
    MODEL = "model"
    ANNOUNCE = "announce"


@dataclass(frozen=True, slots=True)
class Command:
    """A parsed line; `text` is the keyword of a quote, the message of a chat, or what stands behind the command."""

    action: Action
    text: str = ""
    style: Style | None = None


HELP = {
    "/quote KEYWORD": "a quote on anything, such as /quote courage; it may end in #short, #long, #calm or #daring",
    "/new": "begin a new conversation",
    "/good, /bad": "say how you liked the last reply",
    "/privacy": "what is stored, and your rights",
    "/consent on, off": "whether your words may train a better model",
    "/mydata show": "count what is stored about you; /mydata export prints it",
    "/forget me": "erase it",
    "/help": "this list",
    "/quit": "leave",
    "anything else": "chat; begin with // to say something that starts with a slash",
}
_RIGHTS = (Action.PRIVACY, Action.CONSENT, Action.MYDATA, Action.FORGET)
IN_TERMINAL = (Action.QUOTE, Action.NEW, Action.GOOD, Action.BAD, *_RIGHTS, Action.HELP, Action.QUIT)
IN_CHATS = tuple(action for action in Action if action is not Action.QUIT)
COMMANDS = tuple(f"/{action}" for action in IN_TERMINAL)
_SYNONYMS = {"exit": Action.QUIT, "reset": Action.NEW, "?": Action.HELP}
_STYLE = re.compile(rf"\s+#({'|'.join(Style)})\s*$", re.IGNORECASE)


def parse(line: str, known: Sequence[Action] = IN_TERMINAL) -> Command:
    """What the line asks for. Raises InputError for an unknown command and for a quote without a keyword."""
    text = line.strip()
    if text.startswith("//"):
        return Command(Action.CHAT, text[1:])
    if not text.startswith("/"):
        return Command(Action.CHAT, text)
    words = re.match(r"/(\S*)\s*(.*)", text, re.DOTALL)
    assert words is not None  # it begins with a slash, and all else is optional
    action = _action(words[1].lower(), known)
    if action is not Action.QUOTE:
        return Command(action, words[2] if known is not IN_TERMINAL or action in _RIGHTS else "")
    if not words[2]:
        raise InputError("Say what the quote should be about: /quote courage.", "quote-of-what")
    return styled_quote(words[2])


def styled_quote(text: str) -> Command:
    """A keyword that may end in a style, such as "courage #short"."""
    style = _STYLE.search(text)
    if style is None:
        return Command(Action.QUOTE, text)
    return Command(Action.QUOTE, text[: style.start()], Style(style[1].lower()))


def choice(command: Command, *allowed: str) -> str:
    """What stands behind a command that allows a few words only. Raises InputError for anything else."""
    said = command.text.strip().lower()
    if said not in allowed:
        words = " / ".join(allowed)
        raise InputError(f"Say /{command.action} {words}.", "choose", command=command.action, allowed=words)
    return said


def help_text() -> str:
    """All commands of the terminal, a line each."""
    width = max(len(name) for name in HELP)
    return "\n".join(f"{name:<{width}}  {what}" for name, what in HELP.items())


def _action(name: str, known: Sequence[Action]) -> Action:
    if _SYNONYMS.get(name) in known:
        return _SYNONYMS[name]
    if name in known:
        return Action(name)
    commands = [f"/{action}" for action in known]
    near = get_close_matches(f"/{name}", commands, n=1, cutoff=0.7)
    shown = name[:40]
    if near:
        raise InputError(
            f"There is no command /{shown}; did you mean {near[0]}?", "unknown-command-near", name=shown, near=near[0]
        )
    names = ", ".join(commands)
    raise InputError(f"There is no command /{shown}; there are {names}.", "unknown-command", name=shown, known=names)
