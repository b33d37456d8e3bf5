"""What the desk keeps of a platform, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from bot.chat.messages import ConversationKey, Platform
from bot.chat.ports import Place
from bot.errors import DatabaseUnavailable


class FakeRecords:
    """The port PlatformRecords over sets. `away_at` is the number of the taking that fails."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.announced: list[Place] = []
        self.keywords: list[str] = []
        self.looked_up = 0
        self.takings = self.away_at = 0

    async def take_events(self, platform: Platform, event_ids: Sequence[str]) -> bool:
        self.takings += 1
        if self.takings == self.away_at:
            raise DatabaseUnavailable("The database cannot be opened.")
        if self.taken.intersection(event_ids):
            return False
        self.taken.update(event_ids)
        return True

    async def taken_events(self, platform: Platform, event_ids: Sequence[str]) -> Collection[str]:
        return self.taken.intersection(event_ids)

    async def places(self, platform: Platform, since: datetime) -> Sequence[Place]:
        return []

    async def announce_in(self, platform: Platform, place: Place, wanted: bool) -> None:
        self.announced = [one for one in self.announced if one != place] + ([place] if wanted else [])

    async def announced_places(self, platform: Platform) -> Sequence[Place]:
        return self.announced

    async def popular_keywords(self, key: ConversationKey, limit: int) -> Sequence[str]:
        self.looked_up += 1
        return self.keywords[:limit]
