"""How a request finds its handler: a route has a method, a template of a path and a function."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import unquote

from tests.servers.discord.requests import Answer

Handler = TypeVar("Handler", bound=Callable[..., Answer])


@dataclass(frozen=True, slots=True)
class Route:
    """A handler takes the world, the request and what stands in the path for each name in the template."""

    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Callable[..., Answer]

    @property
    def bucket(self) -> str:
        """What is counted together where the rate is limited."""
        return hashlib.sha256(f"{self.method} {self.template}".encode()).hexdigest()[:32]

    @property
    def needs_token(self) -> bool:
        """Those of interactions and webhooks need no token but their own."""
        return not self.template.startswith(("/interactions", "/webhooks"))


@dataclass(slots=True)
class Routes:
    """The routes of one part of the API, the first that fits goes."""

    known: list[Route] = field(default_factory=list)

    def add(self, method: str, template: str) -> Callable[[Handler], Handler]:
        """Make a function the handler of a route."""
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))

        def register(handler: Handler) -> Handler:
            self.known.append(Route(method, template, pattern, handler))
            return handler

        return register

    def match(self, method: str, raw_path: str) -> tuple[Route | None, dict[str, str]]:
        """The route of a request, and what stands in its path."""
        for route in self.known:
            found = route.pattern.fullmatch(raw_path)
            if found and route.method == method:
                return route, {name: unquote(value) for name, value in found.groupdict().items()}
        return None, {}
