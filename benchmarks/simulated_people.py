"""People with a taste who talk to the bot on loopback platforms, read what it writes, and press its buttons.

Nothing here knows a model: the bot is asked and told as people ask and tell it, on the servers that its tests use.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Protocol

from tests.servers.discord import LOADING, Channel, DiscordServer
from tests.servers.discord import Person as DiscordPerson
from tests.servers.telegram import Chat, TelegramServer
from tests.servers.telegram import Person as TelegramPerson

GOOD, BAD = "👍 good", "👎 bad"
LEFT, RIGHT, BOTH, NEITHER = "🅰 is better", "🅱 is better", "both are good", "neither is"
SHORT_WORDS = 9  # about half of the embedded model's quotes have fewer
NATURE = re.compile(  # images from nature: water, weather, light, earth, plants and wild animals
    r"\b(?:sea|ocean|river|stream|brook|lake|pond|water|wave|tide|shore|beach|island|rain|snow|ice|frost|wind|breeze|"
    r"storm|thunder|cloud|fog|mist|sky|sun|sunlight|sunshine|sunrise|sunset|dawn|dusk|moon|moonlight|stars?|tree|oak|pine|"
    r"branch|leaf|leaves|forest|wood|flower|blossom|rose|garden|grass|moss|seed|root|berry|mountain|hill|valley|stone|rock|"
    r"sand|field|meadow|earth|soil|bird|sparrow|owl|crow|bee|butterfly|fish|fox|wolf|bear|deer|spring|summer|autumn|winter)"
    r"(?:s|es)?\b",
    re.IGNORECASE,
)
_SIDES = re.compile(r"^🅰 (?P<left>.+?)\n\n🅱 (?P<right>[^\n]+)", re.DOTALL)

Post = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Taste:
    """How much a text is liked, more is better, and from what on it is called good."""

    score: Callable[[str], float]
    good_from: float


def taste_of(name: str) -> Taste:
    """The taste of that name. Raises ValueError."""
    if name == "shorter":
        return Taste(lambda text: -len(text.split()), 1.0 - SHORT_WORDS)
    if name == "nature":
        return Taste(lambda text: float(bool(NATURE.search(text))), 1.0)
    if name == "random":
        return Taste(lambda text: 0.0, 0.0)  # whose voters are all of the kind RANDOM
    kind, _, pattern = name.partition(":")
    if kind == "regex" and pattern:
        try:
            wanted = re.compile(pattern, re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}.") from error
        return Taste(lambda text: float(bool(wanted.search(text))), 1.0)
    raise ValueError(f"{name!r} is no taste; allowed are shorter, nature, random and regex:PATTERN.")


class Mind(StrEnum):
    """What a person's presses follow."""

    TASTE = "taste"
    CONTRARY = "contrary"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Voter:
    """Somebody who says what they like."""

    taste: Taste
    mind: Mind
    random: Random

    def likes(self, text: str) -> bool:
        """Whether they call it good."""
        if self.mind is Mind.RANDOM:
            return self.random.random() < 0.5
        return (self.taste.score(text) >= self.taste.good_from) is (self.mind is Mind.TASTE)

    def choice(self, left: str, right: str) -> str:
        """The button that they press under two texts."""
        if self.mind is Mind.RANDOM:
            return self.random.choice((LEFT, RIGHT))
        one, other = self.taste.score(left), self.taste.score(right)
        if one == other:
            return BOTH if self.likes(left) else NEITHER
        return LEFT if (one > other) is (self.mind is Mind.TASTE) else RIGHT


class Visitor(Protocol):
    """Somebody at a platform."""

    @property
    def user_id(self) -> str:
        """The id by which the platform knows them."""
        ...

    async def consent(self) -> None:
        """Agree that what they say may be trained on."""
        ...

    async def quote(self, keyword: str) -> tuple[str, Post]:
        """Ask for a quote: its text, and the message that it stands in."""
        ...

    async def compare(self, keyword: str) -> tuple[str, str, Post]:
        """Ask for two quotes side by side."""
        ...

    async def press(self, post: Post, label: str) -> None:
        """Press the button of that label, and wait until the bot has taken it."""
        ...


class TelegramVisitor:
    """Somebody in their private chat."""

    def __init__(self, server: TelegramServer, number: int) -> None:
        self._server = server
        self._person: TelegramPerson = server.person(100_000 + number, f"Reader {number}", "en")
        self._chat: Chat = server.private(self._person)

    @property
    def user_id(self) -> str:
        return str(self._person.id)

    async def consent(self) -> None:
        await self._answer("/consent on", "")

    async def quote(self, keyword: str) -> tuple[str, Post]:
        post = await self._answer(f"/quote {keyword}", GOOD)
        return _first_line(post["text"]), post

    async def compare(self, keyword: str) -> tuple[str, str, Post]:
        post = await self._answer(f"/compare {keyword}", LEFT)
        return *_sides(post["text"]), post

    async def press(self, post: Post, label: str) -> None:
        query = self._server.press(self._person, post, label)
        await self._server.until(lambda: query in self._server.callback_answers)

    async def _answer(self, text: str, label: str) -> Post:
        """The next finished message of the bot with such a button; what it asks after a bad vote comes in between."""
        before = len(self._finished(label))
        self._server.say(self._person, self._chat, text)
        await self._server.until(lambda: len(self._finished(label)) > before)
        return self._finished(label)[before]

    def _finished(self, label: str) -> list[Post]:
        """Quotes keep their buttons, whatever is pressed."""
        return [post for post in self._server.from_bot(self._chat) if not label or label in _labels(post)]


class DiscordVisitor:
    """Somebody in a channel of their own of a server."""

    def __init__(self, server: DiscordServer, channel: Channel, number: int) -> None:
        self._server, self._channel = server, channel
        self._person: DiscordPerson = server.person(f"Reader {number}")

    @property
    def user_id(self) -> str:
        return str(self._person.id)

    async def consent(self) -> None:
        await self._command("consent on")

    async def quote(self, keyword: str) -> tuple[str, Post]:
        post = await self._command("quote", keyword=keyword)
        return _first_line(post["content"]), post

    async def compare(self, keyword: str) -> tuple[str, str, Post]:
        post = await self._command("compare", text=keyword)
        return *_sides(post["content"]), post

    async def press(self, post: Post, label: str) -> None:
        pressed = self._server.press(self._person, post, label)
        await self._server.until(lambda: self._server.shown(pressed) is not None)

    async def _command(self, name: str, **options: object) -> Post:
        asked = self._server.command(self._person, self._channel, name, **options)

        def finished() -> Post:
            shown = self._server.shown(asked)
            if shown is None or shown["flags"] & LOADING:
                return {}
            pressable = [button["custom_id"] for row in shown["components"] for button in row["components"]]
            return {} if any(each.startswith("stop:") for each in pressable) else shown

        return await self._server.until(finished)


def _labels(post: Post) -> list[str]:
    """The labels under a message on Telegram."""
    rows = post.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]


def _first_line(text: str) -> str:
    """The quote: what stands beneath a first one is the note for new people."""
    return text.split("\n", 1)[0].strip()


def _sides(text: str) -> tuple[str, str]:
    found = _SIDES.match(text)
    if found is None:
        raise AssertionError(f"These are no two quotes: {text!r}")
    return found["left"].strip(), found["right"].strip()
