"""What the buttons under a reply, and the reactions to it, do; knows no platform's buttons."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from bot.chat.messages import Complaint, ConversationKey, MessageKind, Platform, Preferred, Vote, VoteSource
from bot.chat.ports import AcceptedJob, Outbox, PlatformRecords, SeenBefore, ShownReply
from bot.chat.service import ChatService
from bot.errors import InputError
from bot.platforms.access import Verdict
from bot.platforms.admission import Admission
from bot.platforms.answering import Answering
from bot.platforms.catalogue import Texts
from bot.platforms.incoming import Incoming
from bot.platforms.outlet import Button, Press
from bot.platforms.replies import STOPPED, THANKS_DOWN, THANKS_UP

LOOK_AGAIN_S = 1.0  # at a message that is new, or still being written


class FollowUp(StrEnum):
    """What the person is asked after a press."""

    WHY = "why"
    BETTER = "better"


@dataclass(frozen=True, slots=True)
class Pressed:
    """What came of a press: a notice for the person, and a question or a new request that follows.

    `reply_id` is the reply that a question is about; `shared` is a quote to be said in the chat, for all.
    """

    notice: str
    follow_up: FollowUp | None = None
    reply_id: int = 0
    job: AcceptedJob | None = None
    shared: str = ""


class Presses:
    """The buttons and reactions of one platform."""

    def __init__(
        self,
        platform: Platform,
        service: ChatService,
        answering: Answering,
        admission: Admission,
        outbox: Outbox,
        records: PlatformRecords,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._platform = platform
        self._service = service
        self._answering = answering
        self._admission = admission
        self._outbox = outbox
        self._records = records
        self._look_again_s = look_again_s
        self._early: dict[tuple[str, str, str], asyncio.Task[None]] = {}  # the newest reaction that waits, of each

    async def press(self, incoming: Incoming, data: str) -> Pressed:
        """Do what a button asks for. Raises InputError, BusyError, and SeenBefore for a press that is repeated.

        `data` is what the button was made with; anything else is an error of the person's program.
        """
        what, number, more = _parsed(data)
        if what in (Press.AGAIN, Press.COMPARE):
            kind = MessageKind.COMPARE if what is Press.COMPARE else None
            with self._admission.request(incoming):
                job = await self._service.accept_again(incoming.key, number, incoming.origin, kind)
            return Pressed("", job=job)
        self._admission.check_access(incoming)
        if not await self._records.take_events(self._platform, incoming.events):
            raise SeenBefore
        texts = incoming.address.texts
        if what is Press.STOP:
            return Pressed(self._stop(incoming, number, texts))
        if what is Press.BETTER:
            _check_voter(incoming.key, more)
            return Pressed("", FollowUp.BETTER, number)
        if what is Press.KEEP:
            kept = await self._service.toggle_favorite(incoming.key, number)
            return Pressed(texts("kept" if kept else "kept-no-more"))
        if what is Press.SHARE:
            return Pressed(texts("shared"), shared=await self._service.share(incoming.key, number))
        if what is Press.PREFER:
            return await self._prefer(incoming.key, number, more, texts)
        if what is Press.WHY:
            return await self._complain(incoming.key, number, more, texts)
        return await self._vote(incoming.key, number, Vote.UP if what is Press.GOOD else Vote.DOWN, texts)

    async def correct(self, incoming: Incoming, reply_id: int, text: str) -> str:
        """Keep what the person would rather have read. Raises InputError."""
        self._admission.check_access(incoming)
        await self._service.correct(incoming.key, text, message_id=reply_id, as_option=incoming.as_option)
        return incoming.address.texts("corrected")

    async def react(
        self, user_id: str, chat_id: str, post_id: str, before: Vote, after: Vote, places: Collection[str]
    ) -> None:
        """A person's reactions to a message said `before` and now say `after`; messages of others do not count.

        `places` are the ids of the chat and of what the chat belongs to, for the operator's lists.
        """
        if self._admission.lists.verdict(user_id, places, private=True) is not Verdict.YES:
            return
        shown = await self._outbox.shown(self._platform, chat_id, post_id)
        whose = (user_id, chat_id, post_id)
        earlier = self._early.get(whose)
        if earlier is None and shown is not None and shown.reply_id is not None:
            await self._count_reaction(shown, user_id, before, after)
        elif earlier is not None or self._answering.busy:
            # It may be to a message that the platform has shown, and not told us the id of yet; or to half a reply.
            later = self._react_later(earlier, user_id, chat_id, post_id, before, after)
            task = self._early[whose] = self._answering.spawn(later, "a reaction to a new message")
            task.add_done_callback(lambda _: self._early.get(whose) is task and self._early.pop(whose))

    async def _react_later(
        self, earlier: asyncio.Task[None] | None, user_id: str, chat_id: str, post_id: str, before: Vote, after: Vote
    ) -> None:
        """Count a reaction once its reply is written, and after the one before it."""
        if earlier is not None:
            await asyncio.wait([earlier])
        else:
            await asyncio.sleep(self._look_again_s)
        ended = False
        while (shown := await self._outbox.shown(self._platform, chat_id, post_id)) is not None:
            if shown.reply_id is not None:
                with suppress(InputError):  # the reply was erased meanwhile
                    await self._count_reaction(shown, user_id, before, after)
                return
            if ended:  # and without a reply
                return
            ended = self._answering.asker(shown.job_id) is None  # perhaps since the look at it: so one more
            await asyncio.sleep(0.0 if ended else self._look_again_s)

    async def _count_reaction(self, shown: ShownReply, user_id: str, before: Vote, after: Vote) -> None:
        assert shown.reply_id is not None
        key = ConversationKey(self._platform, shown.key.chat_id, shown.key.thread_id, user_id)
        if after is not Vote.NONE:
            await self._service.vote(key, after, VoteSource.REACTION, message_id=shown.reply_id)
        elif before is not Vote.NONE:
            await self._service.withdraw_vote(key, before, VoteSource.REACTION, shown.reply_id)

    async def _vote(self, key: ConversationKey, reply_id: int, vote: Vote, texts: Texts) -> Pressed:
        in_force = await self._service.toggle_vote(key, vote, VoteSource.BUTTON, reply_id)
        if in_force is Vote.NONE:
            return Pressed(texts("vote-withdrawn"))
        if in_force is Vote.UP:
            return Pressed(texts(THANKS_UP))
        return Pressed(texts(THANKS_DOWN), FollowUp.WHY, reply_id)

    async def _prefer(self, key: ConversationKey, reply_id: int, said: str, texts: Texts) -> Pressed:
        if said not in set(Preferred):
            raise _unknown_button()
        await self._service.prefer(key, Preferred(said), reply_id)
        return Pressed(texts("preferred"))

    async def _complain(self, key: ConversationKey, reply_id: int, said: str, texts: Texts) -> Pressed:
        complaint, _, voter = said.partition(":")
        _check_voter(key, voter)
        if complaint not in set(Complaint):
            raise _unknown_button()
        await self._service.complain(key, Complaint(complaint), VoteSource.BUTTON, reply_id)
        return Pressed(texts("complained"))

    def _stop(self, incoming: Incoming, job_id: int, texts: Texts) -> str:
        asker, user_id = self._answering.asker(job_id), incoming.key.user_id
        if asker is None:
            return texts("stopped-already")
        if user_id != asker and user_id not in self._admission.lists.operators:
            raise InputError("Only who asked can stop this.", "stop-not-yours")
        self._answering.cancel(job_id)
        return texts(STOPPED)


def why_buttons(texts: Texts, reply_id: int, voter: str = "") -> list[Button]:
    """What may have been wrong with a reply; with `voter`, for that person alone."""
    suffix = f":{voter}" if voter else ""
    whys = [Button(texts(f"button-{one}"), f"{Press.WHY}:{reply_id}:{one}{suffix}") for one in Complaint]
    return [*whys, Button(texts("button-better"), f"{Press.BETTER}:{reply_id}{suffix}")]


def _check_voter(key: ConversationKey, voter: str) -> None:
    if voter and voter != key.user_id:
        raise InputError("Only who voted can answer that.", "not-your-question")


def _parsed(data: str) -> tuple[Press, int, str]:
    what, _, rest = data.partition(":")
    number, _, more = rest.partition(":")
    if what not in set(Press) or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise _unknown_button()
    return Press(what), int(number), more


def _unknown_button() -> InputError:
    return InputError("This button is of another version of the bot.", "unknown-button")
