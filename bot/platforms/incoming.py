"""What a person did on a platform, in the words that all platforms share; plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.chat.messages import ConversationKey, Origin, Vote
from bot.platforms.address import Address


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message or command of one person.

    `events` are the platform's ids of it, `places` those of the chat and of what the chat belongs to, for the
    operator's lists; `as_option` says that the text was typed as the option of a command.
    """

    key: ConversationKey
    events: tuple[str, ...]
    address: Address
    text: str = ""
    places: tuple[str, ...] = ()
    as_option: bool = False

    @property
    def origin(self) -> Origin:
        """What the records keep of where it came from."""
        return Origin(self.events, self.address.to_json(), self.as_option)

    @property
    def unseen(self) -> bool:
        """Nobody but this person sees the answer."""
        return self.address.private or self.address.one_to_one


_UP = frozenset("👍❤🔥👏🎉😁🤩🙏👌💯⭐🥰😍✅🏆😂🤣💖💜💙💚🧡💛")
_DOWN = frozenset("👎💩🤮😡❌🤬😠🥱🚫")
_WORN = "\ufe0f\ufe0e" + "".join(chr(tone) for tone in range(0x1F3FB, 0x1F400))  # as emoji, as text, skin tones


def vote_of(signs: Sequence[str]) -> Vote:
    """What reactions say, the last one that says anything; NONE if none does."""
    for sign in reversed(signs):
        plain = sign.strip(_WORN)
        if plain in _UP:
            return Vote.UP
        if plain in _DOWN:
            return Vote.DOWN
    return Vote.NONE
