"""How often a person and a chat may ask: a sliding window for each; pure, with the time given from outside."""

from __future__ import annotations

from collections import deque

WINDOW_S = 60.0
_MOST_KNOWN = 10_000  # people or chats remembered at a time


class Rate:
    """At most so many requests of each asker in any minute; 0 is no limit."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._asked: dict[str, deque[float]] = {}

    def wait_s(self, asker: str, now: float) -> float:
        """Seconds until the asker may ask again; 0 if now. Asking is free of charge until `count`."""
        if not self.per_minute:  # nothing is remembered of askers who cannot be too fast
            return 0.0
        asked = self._recent(asker, now)
        if len(asked) < self.per_minute:
            return 0.0
        return WINDOW_S - (now - asked[-self.per_minute])

    def count(self, asker: str, now: float) -> None:
        """The asker made a request."""
        if not self.per_minute:
            return
        self._recent(asker, now).append(now)
        if len(self._asked) > _MOST_KNOWN:
            for known in list(self._asked):
                if not self._recent(known, now):
                    del self._asked[known]

    def take_back(self, asker: str) -> None:
        """The asker's newest request does not count."""
        if asked := self._asked.get(asker):
            asked.pop()

    def _recent(self, asker: str, now: float) -> deque[float]:
        asked = self._asked.setdefault(asker, deque())
        # The age is compared, as in `wait_s`: a sum of clock and window is rounded, and the two would disagree.
        while asked and now - asked[0] >= WINDOW_S:
            asked.popleft()
        return asked
