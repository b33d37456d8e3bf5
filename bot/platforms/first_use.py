"""The note that everybody gets once with each version of the terms: what is stored, what trains, and their rights.

It comes with the first reply, never before it and never in its place. Where nobody else sees the reply, it stands
beneath it in small print, so that it arrives with it, over restarts too. Before others, the answer to a command is
followed by a note that its person alone sees; where a platform cannot do that, one line stands beneath the reply.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.chat.messages import ConversationKey, Platform
from bot.chat.ports import NewTerms, PersonalData
from bot.errors import QuotesmithError
from bot.platforms.address import Address
from bot.platforms.catalogue import Texts
from bot.platforms.rights import PrivacyFacts

log = logging.getLogger(__name__)

Whisper = Callable[[Address, str], Awaitable[str | None]]  # returns the message's id, None when it could not be said


class FirstUse:
    """Tells one platform's people. `small_print` sets a paragraph as the platform can."""

    def __init__(
        self, platform: Platform, people: PersonalData, facts: PrivacyFacts, small_print: Callable[[str], str]
    ) -> None:
        self._platform = platform
        self._people = people
        self._facts = facts
        self._small_print = small_print

    async def note(self, key: ConversationKey, reply_id: int, *, alone: bool, texts: Texts) -> str:
        """The note where it is due beneath that reply, else ""; no reply fails for its sake."""
        try:
            new = await self._people.tell_terms(key.platform, key.user_id, reply_id)
        except QuotesmithError as error:
            log.warning("whether a note is due is not known: %s", error)
            return ""
        return self._text(new, alone, texts) if new is not None else ""

    async def beneath(self, key: ConversationKey, reply_id: int, address: Address) -> str:
        """What stands beneath that reply: "" for nearly everybody, else a paragraph; the same whenever it is asked."""
        if _whispered(address):
            return ""
        note = await self.note(key, reply_id, alone=_unseen(address), texts=address.texts)
        return f"\n\n{self._small_print(note)}" if note else ""

    async def after(self, key: ConversationKey, reply_id: int, address: Address, say: Whisper) -> None:
        """Once the reply is shown, tell its person alone what does not stand beneath it."""
        if not _whispered(address):
            return
        note = await self.note(key, reply_id, alone=True, texts=address.texts)
        if note and await say(replace(address, private=True), note) is None:
            await self.not_shown(key, reply_id)

    async def not_shown(self, key: ConversationKey, reply_id: int) -> None:
        """The reply did not reach its person, and so did not what stands beneath it."""
        try:
            await self._people.terms_not_told(key.platform, key.user_id, reply_id)
        except QuotesmithError as error:
            log.warning("that a note was not shown is not on record: %s", error)

    def _text(self, new: NewTerms, alone: bool, texts: Texts) -> str:
        training = texts(self._training(alone), consents="yes" if new.consents else "no")
        return texts("note" if alone else "note-here", changed="yes" if new.changed else "no", training=training)

    def _training(self, alone: bool) -> str:
        """The sentence on what may train a model there."""
        if self._platform is Platform.TELEGRAM and not alone:
            return "note-groups"
        if self._platform is Platform.DISCORD and not self._facts.discord_permission:
            return "note-commands"
        return "note-words"


def _unseen(address: Address) -> bool:
    """Nobody but the person sees what is said there."""
    return address.private or address.one_to_one


def _whispered(address: Address) -> bool:
    """Others see the reply, but what follows the answer to a command or a button can be for its person alone."""
    return bool(address.token) and not _unseen(address)
