"""What goes wrong with requests when a test wants it: broken answers, and a limit for one chat."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

from tests.servers.telegram.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request. From 500 on the body is HTML: not the Bot API answers then, but its gateway."""

    kind: Literal["status", "cut_before", "cut_after"]
    code: int = 0
    description: str = ""
    retry_after: int | None = None

    @classmethod
    def status(cls, code: int, description: str, retry_after: int | None = None) -> Fault:
        """An error instead of the answer; the request is not carried out."""
        return cls("status", code, description, retry_after)

    @classmethod
    def cut_before(cls) -> Fault:
        """The connection ends; the request is not carried out."""
        return cls("cut_before")

    @classmethod
    def cut_after(cls) -> Fault:
        """The request is carried out; the connection ends before an answer."""
        return cls("cut_after")

    def response(self) -> web.Response | None:
        """The answer, None for a cut."""
        if self.kind != "status":
            return None
        if self.code < 500:
            return Refusal(self.code, self.description, self.retry_after).response()
        title = f"{self.code} {self.description}"
        page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>\r\n</html>\r\n"
        return web.Response(status=self.code, text=page, content_type="text/html")


@dataclass(slots=True)
class Limit:
    """So many requests in a sliding window; refused ones are not counted."""

    per_window: int
    window_s: float
    taken: list[float] = field(default_factory=list)

    def take(self) -> None:
        now = time.monotonic()
        self.taken = [at for at in self.taken if at > now - self.window_s]
        if len(self.taken) >= self.per_window:
            wait_s = max(1, math.ceil((self.taken or [now])[0] + self.window_s - now))
            raise Refusal(429, f"Too Many Requests: retry after {wait_s}", wait_s)
        self.taken.append(now)
