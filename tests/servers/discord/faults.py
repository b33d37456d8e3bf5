"""What goes wrong with requests when a test wants it: broken answers and limits of rate."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def limit_headers(bucket: str, limit: int, remaining: int, end: float) -> dict[str, str]:
    """The headers that tell a client of a limit."""
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": f"{end:.3f}",
        "X-RateLimit-Reset-After": f"{max(0.0, end - time.time()):.3f}",
        "X-RateLimit-Bucket": bucket,
    }


@dataclass(slots=True, eq=False)
class Limit:
    """So many requests in a window of time for each route of one channel."""

    per_window: int
    window_s: float
    used: dict[str, tuple[float, int]] = field(default_factory=dict)  # by bucket: the window's end, and the count

    def take(self, bucket: str) -> tuple[bool, dict[str, str]]:
        """Count one request; whether it passes, and the headers that tell the client so."""
        now = time.time()
        end, count = self.used.get(bucket, (0.0, 0))
        if now >= end:
            end, count = now + self.window_s, 0
        passes = count < self.per_window
        count += passes
        self.used[bucket] = (end, count)
        return passes, limit_headers(bucket, self.per_window, self.per_window - count, end)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request instead of its answer."""

    kind: str
    code: int = 0
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0

    @classmethod
    def status(cls, code: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Fault:
        """An answer with this code; the body as JSON, or as HTML when it is a text."""
        return cls("answer", code, {"message": f"{code}: fault", "code": 0} if body is None else body, headers or {})

    @classmethod
    def rate_limit(cls, retry_after_s: float, is_global: bool = False, scope: str = "user") -> Fault:
        """A 429 as Discord itself sends it."""
        headers = limit_headers("fault", 5, 0, time.time() + retry_after_s)
        if is_global:
            headers, scope = {"X-RateLimit-Global": "true"}, "global"
        headers |= {"X-RateLimit-Scope": scope, "Retry-After": str(math.ceil(retry_after_s)), "Via": "1.1 google"}
        body = {"message": "You are being rate limited.", "retry_after": retry_after_s, "global": is_global}
        return cls("answer", 429, body, headers)

    @classmethod
    def cut_before(cls) -> Fault:
        """The connection breaks and nothing is done."""
        return cls("before")

    @classmethod
    def cut_after(cls) -> Fault:
        """The request is carried out, the connection breaks before the answer."""
        return cls("after")

    @classmethod
    def slow(cls, delay_s: float) -> Fault:
        """The request is carried out, the answer comes late."""
        return cls("slow", delay_s=delay_s)

    @property
    def carries_out(self) -> bool:
        """Whether the request does what it asks for all the same."""
        return self.kind in ("after", "slow")

    @property
    def cuts(self) -> bool:
        """Whether the client gets no answer."""
        return self.kind in ("before", "after")


class Faults:
    """The faults that are still to come, each list for the requests of one kind."""

    def __init__(self) -> None:
        self._planned: list[tuple[str, re.Pattern[str], list[Fault]]] = []

    def plan(self, method: str, path_pattern: str, faults: list[Fault]) -> None:
        """Give the next requests whose path has the pattern in it these faults, one each."""
        self._planned.append((method, re.compile(path_pattern), faults))

    def take(self, method: str, path: str) -> Fault | None:
        """The fault of a request that has come."""
        for planned_method, pattern, faults in self._planned:
            if faults and planned_method == method and pattern.search(path):
                return faults.pop(0)
        return None
