"""How Telegram reads texts: their length, and the commands and mentions in them."""

from __future__ import annotations

import re

from tests.servers.telegram.protocol import Json

_COMMAND = re.compile(r"(?<![\w/@])/[A-Za-z0-9_]{1,32}(?:@\w{3,32})?(?!\w)")
_MENTION = re.compile(r"(?<![\w/@])@\w{3,32}")


def utf16_length(text: str) -> int:
    """The length of a text as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def found_entities(text: str) -> list[Json]:
    """The commands and mentions that Telegram finds in a text by itself."""
    found = [("bot_command", match) for match in _COMMAND.finditer(text)]
    found += [("mention", match) for match in _MENTION.finditer(text)]
    return [
        {"type": kind, "offset": utf16_length(text[: match.start()]), "length": utf16_length(match[0])}
        for kind, match in sorted(found, key=lambda pair: pair[1].start())
    ]


def marked_part(text: str, entity: Json) -> str:
    """The part of a text that an entity is about."""
    start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
    return text.encode("utf-16-le")[start:end].decode("utf-16-le")


def plain_emoji(emoji: str) -> str:
    """An emoji without its variation selector, which Telegram leaves out."""
    return emoji.replace("\ufe0f", "")
