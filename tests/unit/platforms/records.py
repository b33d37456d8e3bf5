"""What the desk keeps of a platform, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from bot.chat.messages import ConversationKey, Platform
from bot.chat.ports import Place


class FakeRecords:
    """The port PlatformRecords over sets."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.announced: list[Place] = []
        self.keywords: list[str] = []
        self.looked_up = 0

    async def take_event(self, platform: Platform, event_id: str) -> bool:
        new = event_id not in self.taken
        self.taken.add(event_id)
        return new

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
