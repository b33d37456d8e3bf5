"""What a person may know, allow, take along and have erased, in words; the same on every platform and the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.chat.eligibility import TERMS_VERSION
from bot.chat.messages import Platform
from bot.chat.ports import PersonalData
from bot.platforms.catalogue import Texts


@dataclass(frozen=True, slots=True)
class PrivacyFacts:
    """What the sentences about privacy depend on.

    `discord_permission` is the reference of Discord's permission to train on messages, `kept_days` how long what was
    said is kept, 0 for ever.
    """

    encrypted: bool
    discord_permission: str
    kept_days: int = 0


class Rights:
    """The rights of one platform's people."""

    def __init__(self, platform: Platform, people: PersonalData, facts: PrivacyFacts) -> None:
        self._platform = platform
        self._people = people
        self._facts = facts

    def privacy(self, texts: Texts) -> str:
        """What is stored, and what the person may do about it."""
        return texts(
            "privacy",
            platform=self._platform.capitalize(),
            encrypted="yes" if self._facts.encrypted else "no",
            training=self._training(texts),
            days=self._facts.kept_days,
        )

    async def consent(self, user_id: str, granted: bool, texts: Texts) -> str:
        """Record a yes or no to the terms in force."""
        await self._people.record_consent(self._platform, user_id, TERMS_VERSION, granted)
        return texts("consent-given", training=self._training(texts)) if granted else texts("consent-withdrawn")

    async def shown(self, user_id: str, texts: Texts) -> str:
        """What is stored about the person, counted."""
        found = await self._people.overview(self._platform, user_id)
        counts = {
            "messages": found.messages,
            "replies": found.replies,
            "votes": found.votes,
            "corrections": found.corrections,
            "favorites": found.favorites,
            "preferences": found.preferences,
            "exports": found.exports,
        }
        if not (any(counts.values()) or found.consents):
            return texts("mydata-nothing")
        return texts("mydata", **counts, consents="yes" if found.consents else "no")

    async def exported(self, user_id: str) -> Mapping[str, object]:
        """All that is stored about the person."""
        return await self._people.everything(self._platform, user_id)

    async def forgotten(self, user_id: str, texts: Texts) -> str:
        """Erase what is stored about the person."""
        report = await self._people.forget(self._platform, user_id)
        if report.empty:
            return texts("forgotten-nothing")
        return texts(
            "forgotten",
            messages=report.messages,
            votes=report.feedback,
            corrections=report.corrections,
            preferences=report.preferences,
            consent="yes" if report.consent else "no",
        )

    def _training(self, texts: Texts) -> str:
        """What consent would cover on this platform."""
        if self._platform is Platform.DISCORD and self._facts.discord_permission:
            return texts("privacy-discord-permitted", reference=self._facts.discord_permission)
        return texts(f"privacy-{self._platform}")
