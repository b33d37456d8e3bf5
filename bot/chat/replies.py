"""What a person sees of a reply that is being written, and how repetition is kept out of it; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.chat.generation import FinishReason, Queued, TextDelta
from bot.chat.messages import QuoteSource
from bot.chat.quotes import same_text_key


@dataclass(frozen=True, slots=True)
class Retracted:
    """What was shown of this reply so far does not count; it begins anew."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The finished reply. All TextDelta since the start or the last Retracted, put together, are its text.

    `shows_two` says that these are two replies side by side.
    """

    text: str
    message_id: int
    model: str
    source: QuoteSource
    tokens: int
    elapsed_ms: int
    reason: FinishReason
    shows_two: bool = False


_CLOSING = tuple(".!?…。！？؟۔।॥")  # a reply that ends so was not cut off in a sentence

ReplyEvent = Queued | TextDelta | Retracted | Reply


class Showing:
    """Decides how much of a growing text may be shown.

    Nothing is shown while the text could still become one that the person saw lately, so that a repetition can be
    written again unseen.
    """

    def __init__(self, seen: Iterable[str], visible: Callable[[str], str]) -> None:
        self._seen = {same_text_key(text) for text in seen}
        self._visible = visible
        self.written = ""
        self.shown = ""

    def add(self, text: str) -> str:
        """More was written; returns what may be shown in addition."""
        self.written += text
        visible = self._visible(self.written)
        key = same_text_key(visible)
        if any(seen.startswith(key) for seen in self._seen) or not visible.startswith(self.shown):
            return ""
        addition, self.shown = visible[len(self.shown) :], visible
        return addition

    def repeats(self, text: str) -> bool:
        """The person saw this text lately."""
        return same_text_key(text) in self._seen


def completing(shown: str, text: str) -> list[Retracted | TextDelta]:
    """What must still be said so that a person who saw `shown` sees `text`."""
    if not text.startswith(shown):
        return [Retracted(), TextDelta(text)]
    return [TextDelta(text[len(shown) :])] if len(text) > len(shown) else []


def visible_reply(text: str) -> str:
    """What of a chat reply may be shown while it is being written: no outer white space."""
    return text.strip()


def finished_reply(text: str, reason: FinishReason) -> str | None:
    """The chat reply as it is given to a person, None for an empty one; a reply that was cut off says so."""
    reply = text.strip()
    if not reply:
        return None
    cut_off = reason in (FinishReason.LENGTH, FinishReason.DEADLINE)
    return f"{reply} …" if cut_off and not reply.endswith(_CLOSING) else reply
