"""Whether a request is taken at all: the operator's lists, how often, how many at once; says no in one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.chat.messages import ConversationKey
from bot.chat.ports import SeenBefore
from bot.errors import BusyError, InputError, QuotesmithError
from bot.platforms.access import AccessLists, Verdict
from bot.platforms.answering import Answering
from bot.platforms.incoming import Incoming
from bot.platforms.rates import Rate
from bot.settings import LimitSettings

_REFUSALS = {
    Verdict.DENIED: "The bot's operator does not let me answer you.",
    Verdict.NOT_ALLOWED: "The bot's operator lets me answer in chosen places only, and this is none of them.",
    Verdict.QUIET: "I am quiet in that chat; write to me in private.",
}


class Admission:
    """The door of one platform. `clock` gives seconds that never go back."""

    def __init__(
        self, lists: AccessLists, limits: LimitSettings, answering: Answering, clock: Callable[[], float]
    ) -> None:
        self.lists = lists
        self._limits = limits
        self._answering = answering
        self._clock = clock
        self._people = Rate(limits.requests_per_minute)
        self._chats = Rate(limits.chat_requests_per_minute)
        self._taking: list[ConversationKey] = []  # of requests that are not being answered yet
        self.closing = False

    def check_access(self, incoming: Incoming) -> None:
        """Raise InputError for somebody, or in a place, that the operator's lists keep out."""
        verdict = self.lists.verdict(incoming.key.user_id, incoming.places, private=incoming.unseen)
        if verdict is not Verdict.YES:
            raise InputError(_REFUSALS[verdict], str(verdict))

    @contextmanager
    def request(self, incoming: Incoming) -> Iterator[None]:
        """Take a request that the model is to answer, which the block puts on record, and count it.

        What the block refuses, or finds that the platform repeats, does not count. Raises InputError and BusyError.
        """
        self._admit(incoming)
        try:
            with self.taking(incoming):
                yield
        except (SeenBefore, QuotesmithError):
            self._people.take_back(incoming.key.user_id)
            self._chats.take_back(incoming.key.chat_id)
            raise

    @contextmanager
    def taking(self, incoming: Incoming) -> Iterator[None]:
        """Count a request, while the block runs, among those that its person and its chat wait for.

        For what is taken and not being answered yet: messages that come at once are not let in past the limit.
        """
        self._taking.append(incoming.key)
        try:
            yield
        finally:
            self._taking.remove(incoming.key)

    def _admit(self, incoming: Incoming) -> None:
        self.check_access(incoming)
        if self.closing:
            raise BusyError("The bot is about to be restarted; try again in a minute.", "stopping")
        self._check_simultaneous(incoming)
        now = self._clock()
        person, chat = incoming.key.user_id, incoming.key.chat_id
        if (wait_s := self._people.wait_s(person, now)) > 0:
            raise _too_fast("That was", "too-fast", self._people.per_minute, wait_s)
        if (wait_s := self._chats.wait_s(chat, now)) > 0:
            raise _too_fast("This chat made", "chat-too-fast", self._chats.per_minute, wait_s)
        self._people.count(person, now)
        self._chats.count(chat, now)

    def _check_simultaneous(self, incoming: Incoming) -> None:
        user_id, chat_id = incoming.key.user_id, incoming.key.chat_id
        mine = len(self._answering.of_person(user_id)) + sum(key.user_id == user_id for key in self._taking)
        if mine >= self._limits.waiting_per_person:
            raise BusyError(
                f"You already wait for {mine} replies, which is as many as allowed. Let one finish first.",
                "person-waits",
                waiting=mine,
            )
        here = self._answering.in_chat(chat_id) + sum(key.chat_id == chat_id for key in self._taking)
        if here >= self._limits.waiting_per_chat:
            raise BusyError(
                f"This chat already waits for {here} replies, which is as many as allowed. Try again in a minute.",
                "chat-waits",
                waiting=here,
            )


def _too_fast(who: str, key: str, most: int, wait_s: float) -> BusyError:
    seconds = math.ceil(wait_s)
    return BusyError(
        f"{who} more than {most} requests in a minute; try again in {seconds} s.", key, most=most, seconds=seconds
    )
