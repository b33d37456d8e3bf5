"""Which model answers whom: the usual one, or the one that is being tried out; writes nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bot.chat.canary import Canary
from bot.chat.choice import ChoiceSize
from bot.chat.messages import ConversationKey
from bot.chat.model import Model
from bot.chat.ports import Judge, TextGenerator


@dataclass(frozen=True, slots=True)
class Served:
    """A model with what writes its texts, what chooses among its quotes, and how many texts a choice has time for."""

    model: Model
    generator: TextGenerator
    judge: Judge | None
    quote_choice: ChoiceSize
    reply_choice: ChoiceSize

    def held(self, holds: AsyncExitStack) -> Served:
        """Itself, with a generator that is there to be asked until the holds are let go."""
        holds.enter_context(self.generator.held())
        return self


class Serving:
    """The models that answer now. What holds one ends with it, whatever is served meanwhile."""

    def __init__(self, usual: Served) -> None:
        self.usual = usual
        self._tried: Served | None = None
        self._canary: Canary | None = None

    def use(self, served: Served) -> None:
        """Answer everybody with it."""
        self.usual, self._tried, self._canary = served, None, None

    def try_out(self, served: Served, canary: Canary) -> None:
        """Answer those with it who take part in the canary."""
        self._tried, self._canary = served, canary

    def end_canary(self) -> None:
        """Answer everybody with the usual one again."""
        self._tried, self._canary = None, None

    def promote(self) -> None:
        """Answer everybody with what is being tried out."""
        if self._tried is not None:
            self.use(self._tried)

    def to(self, key: ConversationKey) -> Served:
        """What answers this person."""
        if self._tried is not None and self._canary is not None and self._canary.takes_part(key):
            return self._tried
        return self.usual

    @property
    def all(self) -> Sequence[Served]:
        """One, or two where one is being tried out."""
        return (self.usual,) if self._tried is None else (self.usual, self._tried)
