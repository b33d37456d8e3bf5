"""Takes what people do on one platform to the part that deals with it, and what comes of it back to them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

from bot.chat.messages import ConversationKey, Platform
from bot.chat.ports import AcceptedJob, Outbox, PersonalData, PlatformRecords, SeenBefore, Unfinished
from bot.chat.replies import Reply
from bot.chat.service import ChatService
from bot.errors import DatabaseUnavailable, InputError, QuotesmithError, StorageError
from bot.platforms.access import AccessLists, Verdict
from bot.platforms.admission import Admission
from bot.platforms.answering import Answering
from bot.platforms.catalogue import Texts, best_language
from bot.platforms.commands import IN_CHATS, Action, Command, parse
from bot.platforms.errands import TAKE_LONG, Announcer, Errands, Operations, Outcome
from bot.platforms.first_use import FirstUse
from bot.platforms.incoming import Incoming
from bot.platforms.outlet import ChatCooldown, ChatGone, ChatUnreachable, Outlet, PostGone
from bot.platforms.presses import Presses
from bot.platforms.replies import user_text
from bot.platforms.rights import PrivacyFacts, Rights
from bot.settings import LimitSettings

log = logging.getLogger(__name__)

_KEYWORDS_FOR_S = 30.0  # popular keywords are looked up that often at most; people type many letters a second
_KEYWORDS = 200

ShowOutcome = Callable[[Incoming, Outcome], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Records:
    """The database, as the platforms need it."""

    outbox: Outbox
    unfinished: Unfinished
    people: PersonalData
    platforms: PlatformRecords


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """What the operator chose for one platform. `language` is "auto" or the language to speak."""

    lists: AccessLists
    limits: LimitSettings
    privacy: PrivacyFacts
    language: str = "auto"


class FrontDesk:
    """One platform's desk. `clock` gives seconds that never go back."""

    def __init__(
        self,
        platform: Platform,
        outlet: Outlet,
        service: ChatService,
        records: Records,
        settings: DeskSettings,
        operations: Operations,
        announcer: Announcer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.platform = platform
        self.outlet = outlet
        self.records = records.platforms
        self.outbox = records.outbox
        self._service = service
        self._language = settings.language
        self._clock = clock
        self._keywords: dict[str, tuple[float, Sequence[str]]] = {}
        self._carried_out: dict[tuple[str, ...], Outcome] = {}  # by the events, while these are not taken
        first_use = FirstUse(platform, records.people, settings.privacy, outlet.small_print)
        self.answering = Answering(platform, service, outlet, records.outbox, records.unfinished, clock, first_use)
        self.admission = Admission(settings.lists, settings.limits, self.answering, clock)
        self.presses = Presses(platform, service, self.answering, self.admission, records.outbox, records.platforms)
        self.errands = Errands(
            platform,
            service,
            self.answering,
            self.admission,
            Rights(platform, records.people, settings.privacy),
            records.platforms,
            operations,
            announcer,
        )

    def language(self, wanted: str | None) -> str:
        """The language to speak to a person whose program says it wants that one."""
        return best_language(wanted, self._language)

    async def resume(self) -> None:
        """Go on with what an earlier process left behind; to be called before anything new is taken.

        Raises PlatformUnreachable where it cannot be read; then nothing new is to be taken yet.
        """
        await self.answering.resume()

    async def ask(self, incoming: Incoming, command: Command) -> AcceptedJob:
        """Put a request for a quote or a reply on record. Raises InputError, BusyError, StorageError and SeenBefore."""
        with self.admission.request(incoming):
            if command.action is Action.QUOTE:
                return await self._service.accept_quote(incoming.key, command.text, command.style, incoming.origin)
            if command.action is Action.COMPARE:
                return await self._service.accept_comparison(incoming.key, command.text, incoming.origin)
            return await self._service.accept_chat(incoming.key, command.text, incoming.origin)

    async def message(self, incoming: Incoming, show: ShowOutcome) -> None:
        """Deal with a message: it is on record, carried out or refused when this returns; the rest goes on by itself.

        `show` brings the outcome of an errand to the person. Raises StorageError where nothing could be put on record:
        then the platform is to bring the message again. The messages of one person are to come one after the other,
        as a command decides how the next one is stored.
        """
        if self.admission.closing:
            return  # it is not taken, so the platform's messages bring it again at the next start
        try:
            command = parse(incoming.text, IN_CHATS)
            if command.action in (Action.CHAT, Action.QUOTE, Action.COMPARE):
                job = await self.ask(incoming, command)
                self.answering.answer(job, incoming.address)
                return
            self.admission.check_access(incoming)
        except SeenBefore:
            return
        except QuotesmithError as error:
            await self.refuse(incoming, error)
            return
        if command.action not in TAKE_LONG:
            await self._carry_out(incoming, command, show)
        elif await self._taken(incoming):
            self.answering.spawn(self._errand(incoming, command, show), f"the errand {command.action}")

    async def give_up(self, incoming: Incoming, error: StorageError) -> Outcome:
        """What to say of a message that `message` raised that for, on a platform that does not bring it again.

        A command may have been carried out all the same, and only that could not be put on record.
        """
        outcome = self._carried_out.get(incoming.events) or Outcome(user_text(error, incoming.address.texts))
        with suppress(StorageError):  # who reads that it failed says it again: it is not to be done later as well
            await self._taken(incoming)
            self._carried_out.pop(incoming.events, None)
        return outcome

    async def errand(self, incoming: Incoming, command: Command) -> Outcome:
        """Carry out a command that needs no model; what went wrong is said in the outcome."""
        try:
            return await self._outcome(incoming, command)
        except DatabaseUnavailable as error:
            return Outcome(user_text(error, incoming.address.texts))

    async def _carry_out(self, incoming: Incoming, command: Command, show: ShowOutcome) -> None:
        """Carry out an errand and take its events afterwards, so that one that is cut off is brought again.

        One that is cut off between the two is carried out twice, which harms less than not at all. Raises StorageError.
        """
        if await self.records.taken_events(self.platform, incoming.events):
            return
        if incoming.events not in self._carried_out:
            self._carried_out[incoming.events] = await self._outcome(incoming, command)
        is_new = await self._taken(incoming)
        outcome = self._carried_out.pop(incoming.events)
        if is_new:
            self.answering.spawn(show(incoming, outcome), f"the outcome of {command.action}")

    async def _outcome(self, incoming: Incoming, command: Command) -> Outcome:
        """What comes of an errand, and be it an error; raises only DatabaseUnavailable, after which it may yet work."""
        try:
            self.admission.check_access(incoming)
            return await self.errands.run(incoming, command)
        except DatabaseUnavailable:
            raise
        except QuotesmithError as error:
            return Outcome(user_text(error, incoming.address.texts))
        except Exception:
            log.exception("the errand %s failed", command.action)
            return Outcome(incoming.address.texts("error-unexpected"))

    async def refuse(self, incoming: Incoming, error: QuotesmithError) -> None:
        """Say why something is not done, once. Raises StorageError where it cannot be put on record that it was.

        Somebody who is kept out reads that, whatever else was wrong.
        """
        try:
            self.admission.check_access(incoming)
        except InputError as kept_out:
            error = kept_out
        if await self._taken(incoming):
            self._say_why_not(incoming, error)

    async def correct(self, incoming: Incoming, reply_id: int) -> None:
        """Keep the better wording that a message holds for a reply, once. Raises StorageError."""
        if not await self._taken(incoming):
            return
        try:
            thanks = await self.presses.correct(incoming, reply_id, incoming.text)
        except QuotesmithError as error:
            self._say_why_not(incoming, error)
        else:
            self.answering.spawn(self._say(incoming, thanks), "thanks for a correction")

    def _say_why_not(self, incoming: Incoming, error: QuotesmithError) -> None:
        if error.key == str(Verdict.QUIET):
            incoming = replace(incoming, address=replace(incoming.address, private=True, reply_to=""))
        saying = self._say(incoming, user_text(error, incoming.address.texts))
        self.answering.spawn(saying, "a refusal")

    async def write(self, job: AcceptedJob) -> Reply:
        """Write a reply that nobody watches grow. Raises what the service raises."""
        reply: Reply | None = None
        async with aclosing(self._service.answer(job)) as events:
            async for event in events:
                reply = event if isinstance(event, Reply) else reply
        assert reply is not None  # the service ends with a Reply or an error
        return reply

    async def suggestions(self, key: ConversationKey, typed: str, most: int) -> list[str]:
        """Keywords that begin with, or else contain, what was typed: what people ask for, and this person asked."""
        at, keywords = self._keywords.get(key.user_id, (float("-inf"), ()))
        if self._clock() - at > _KEYWORDS_FOR_S:
            keywords = await self.records.popular_keywords(key, _KEYWORDS)
            self._keywords = {**self._keywords, key.user_id: (self._clock(), keywords)}
            self._drop_old_keywords()
        wanted = typed.casefold().strip()
        beginning = [keyword for keyword in keywords if keyword.startswith(wanted)]
        within = [keyword for keyword in keywords if wanted in keyword and keyword not in beginning]
        return (beginning + within)[:most]

    async def announce(self, sentence: str, **values: str) -> None:
        """Say a sentence in every chat of this platform that wants to be told."""
        for place in await self.records.announced_places(self.platform):
            address = self.outlet.address_of(place)
            texts = Texts(self.language(None))
            with suppress(ChatCooldown, ChatGone, ChatUnreachable, PostGone):
                await self.outlet.create(address, texts(sentence, **values), (), "")

    async def stop(self, within_s: float) -> None:
        """Take nothing more; finish or park what is under way."""
        self.admission.closing = True
        await self.answering.stop(within_s)

    async def _taken(self, incoming: Incoming) -> bool:
        """The events of a message that makes no request are taken; False if one was already."""
        return await self.records.take_events(self.platform, incoming.events)

    async def _errand(self, incoming: Incoming, command: Command, show: ShowOutcome) -> None:
        await show(incoming, await self.errand(incoming, command))

    async def _say(self, incoming: Incoming, text: str) -> None:
        await self.answering.delivery.say(incoming.address, text)

    def _drop_old_keywords(self) -> None:
        now = self._clock()
        kept = {user: found for user, found in self._keywords.items() if now - found[0] <= _KEYWORDS_FOR_S}
        self._keywords = kept


def only_text() -> InputError:
    """Why a picture or a voice message is not answered."""
    return InputError("I can read text only.", "only-text")
