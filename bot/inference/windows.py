"""Remembers where the visible part of each conversation begins, so that it moves seldom; decides no lengths."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from bot.chat.messages import Role, Turn

_REMEMBERED = 4096  # conversations


class Windows:
    """For each conversation: the first turn that the model saw, and how many turns it saw."""

    def __init__(self) -> None:
        self._windows: OrderedDict[str, tuple[Turn, int]] = OrderedDict()

    def remember(self, conversation: str | None, turns: Sequence[Turn], start: int) -> None:
        """The model saw the turns from `start` on, counted without the system turn."""
        rest = _without_system(turns)[start:]
        if conversation is None or not rest:
            return
        self._windows[conversation] = (rest[0], len(rest))
        self._windows.move_to_end(conversation)
        if len(self._windows) > _REMEMBERED:
            self._windows.popitem(last=False)

    def start(self, conversation: str | None, turns: Sequence[Turn]) -> int | None:
        """Where the same window begins now: the conversation has grown by a reply and a message, or not at all."""
        first, count = self._windows.get(conversation or "", (None, 0))
        rest = _without_system(turns)
        for start in (len(rest) - count - 2, len(rest) - count):
            if 0 <= start < len(rest) and rest[start] == first:
                return start
        return None


def _without_system(turns: Sequence[Turn]) -> Sequence[Turn]:
    return turns[1:] if turns and turns[0].role is Role.SYSTEM else turns
