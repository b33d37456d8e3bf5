"""Turns the bytes of tokens into text that may be shown; knows neither tokens nor models."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Releases whole characters only, and nothing that may turn out to be a stop string.

    The stop string that is complete first ends the text; of several that are complete together, the longest. Bytes
    that are not UTF-8 come out as U+FFFD, as `bytes.decode(errors="replace")` would write them. The text released in
    all does not depend on how the bytes were split.
    """

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.stopped = False

    def feed(self, data: bytes) -> str:
        """Take the next bytes; return the text that is safe to show now."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(data)
        return self._release(self._held_back())

    def finish(self) -> str:
        """There are no more bytes: return what was held back, unless a stop string ended the text."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(b"", final=True)
        return self._release(0)

    def _release(self, hold: int) -> str:
        cut = self._first_stop()
        if cut is not None:
            self.stopped, released, self._held = True, self._held[:cut], ""
            return released
        keep = len(self._held) - hold
        released, self._held = self._held[:keep], self._held[keep:]
        return released

    def _first_stop(self) -> int | None:
        # By the end, not by the beginning: of "abc" and "b", "b" is complete first, however the bytes come.
        found = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        return min(found)[1] if found else None

    def _held_back(self) -> int:
        """The length of the longest end of the text that some stop string begins with."""
        longest = min(len(self._held), max((len(stop) for stop in self._stops), default=1) - 1)
        for length in range(longest, 0, -1):
            end = self._held[-length:]
            if any(stop.startswith(end) for stop in self._stops):
                return length
        return 0
