"""Requests and what came of them, each step one transaction; knows no queue and no model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.messages import ConversationKey, JobState, MessageKind, Origin, Platform, Role, Style, VoteSource
from bot.chat.messages import Vote as VoteValue
from bot.chat.ports import NO_ORIGIN, AcceptedJob, Comparison, GenerationRecord, JobLedger, Unfinished
from bot.errors import DataKeyError, InputError, StorageError
from bot.storage.column_types import utc_now
from bot.storage.consents import consents
from bot.storage.conversations import active_conversation
from bot.storage.database import Database
from bot.storage.deliveries import Deliveries
from bot.storage.encryption import JOB_ADDRESS, MESSAGE_TEXT, PAIR_TEXT
from bot.storage.events import take_events
from bot.storage.identity import ensure_person
from bot.storage.quote_pool import keyword_digest
from bot.storage.tables import ComparedPair, Conversation, Delivery, Generation, Job, Message, Person, Vote
from bot.storage.transitions import ERASED, IllegalTransition, check_job

TrainingRule = Callable[[ConversationKey, MessageKind, bool], bool]  # the bool: typed as the option of a command


def never(key: ConversationKey, kind: MessageKind, as_option: bool) -> bool:
    """The training rule of a bot that collects nothing."""
    return False


class SqlJobLedger(JobLedger, Unfinished):
    """The port `JobLedger` on the database.

    A message may be trained on when `may_train` allows its place and kind, and its person has consented at that time.
    A job that ended because its content was erased takes the news of its end in silence, and refuses a reply.
    """

    def __init__(self, database: Database, may_train: TrainingRule = never) -> None:
        self._database = database
        self._deliveries = Deliveries(database)
        self._may_train = may_train

    async def accept(
        self,
        key: ConversationKey,
        kind: MessageKind,
        text: str,
        *,
        style: Style | None = None,
        about: MessageKind | None = None,
        origin: Origin = NO_ORIGIN,
    ) -> AcceptedJob:
        """Store the message and an ACCEPTED job for it; the text of a quote is its keyword, which is counted."""
        async with self._database.write() as session:
            await take_events(session, key.platform, origin.events)
            return await self._accept(session, key, kind, text, style, about, origin)

    async def accept_again(
        self, key: ConversationKey, job_id: int, origin: Origin = NO_ORIGIN, kind: MessageKind | None = None
    ) -> AcceptedJob:
        """A new job for what an earlier one was asked; see the port."""
        async with self._database.write() as session:
            await take_events(session, key.platform, origin.events)
            found = (await session.execute(_JOBS.where(Job.id == job_id))).one_or_none()
            if found is None or not found[1].text or not _in_chat_of(found[2], key):
                raise InputError("What this was asked is no longer stored, so it cannot be answered again.", "gone")
            job, message, _place, user_id = found
            if job.kind is MessageKind.CHAT and user_id != key.user_id:
                raise InputError("Only who asked can ask for another reply.", "only-who-asked")
            earlier = self._job(job, message, key, origin.address)
            # A press of a button types nothing: how the words came to the bot, and whose they are, stays as it was.
            pressed = replace(origin, as_option=message.as_option)
            words_of = None if user_id == key.user_id and message.repeats_id is None else message
            if kind is not None:
                about = _what_it_is_of(job) if kind is MessageKind.COMPARE else None
                return await self._accept(session, key, kind, earlier.text, None, about, pressed, words_of)
            await _note_retry(session, key, job)
            if job.kind is not MessageKind.CHAT:
                return await self._accept(session, key, job.kind, earlier.text, job.style, job.about, pressed, words_of)
            again = Job(kind=job.kind, conversation_id=job.conversation_id, message_id=message.id, style=job.style)
            again.address = self._sealed_address(origin)
            session.add(again)
            await session.flush()
            return replace(earlier, job_id=again.id)

    async def _accept(
        self,
        session: AsyncSession,
        key: ConversationKey,
        kind: MessageKind,
        text: str,
        style: Style | None,
        about: MessageKind | None,
        origin: Origin,
        words_of: Message | None = None,
    ) -> AcceptedJob:
        """`words_of` is somebody else's message, which is repeated: whoever does so cannot consent for them."""
        conversation = await active_conversation(session, key)
        may_train = words_of is None and self._may_train(key, kind, origin.as_option)
        eligible = may_train and await consents(session, conversation.person_id)
        message = self._message(Role.USER, kind, text, conversation.id, train_eligible=eligible)
        message.as_option = origin.as_option
        message.repeats_id = (words_of.repeats_id or words_of.id) if words_of else None
        if kind is MessageKind.QUOTE:
            message.keyword_digest = keyword_digest(self._database.cipher, text)
        session.add(message)
        await session.flush()
        job = Job(kind=kind, conversation_id=conversation.id, message_id=message.id, style=style, about=about)
        job.address = self._sealed_address(origin)
        session.add(job)
        await session.flush()
        return AcceptedJob(job.id, message.id, key, kind, text, style, origin.address, about=about)

    def _sealed_address(self, origin: Origin) -> str:
        return self._database.cipher.seal(origin.address, JOB_ADDRESS)

    async def start(self, job_id: int) -> None:
        """Move the job to RUNNING."""
        async with self._database.write() as session:
            job = await _unforgotten(session, job_id)
            _move(job, JobState.RUNNING)

    async def complete(
        self, job_id: int, text: str, record: GenerationRecord, comparison: Comparison | None = None
    ) -> int:
        """Store the reply, its generation and a pending delivery; move the job to DONE; return the reply's id."""
        async with self._database.write() as session:
            job = await _unforgotten(session, job_id)
            _move(job, JobState.DONE)
            asked = await session.get_one(Message, job.message_id)
            reply = self._message(
                Role.ASSISTANT, job.kind, text, job.conversation_id, asked.id, train_eligible=asked.train_eligible
            )
            reply.as_option = asked.as_option
            session.add(reply)
            await session.flush()
            job.reply_message_id = reply.id
            session.add_all([_generation(reply.id, record), Delivery(message_id=reply.id)])
            if comparison is not None:
                session.add(self._pair(reply.id, comparison))
        return reply.id

    async def end(self, job_id: int, state: JobState, reason: str) -> None:
        """Move the job to FAILED or CANCELLED with a reason; the message stays answerable."""
        if state not in (JobState.FAILED, JobState.CANCELLED):
            raise IllegalTransition(f"a job ends as failed or cancelled, not as {state}")
        async with self._database.write() as session:
            job = await _job(session, job_id)
            if job.reason not in ERASED:
                _move(job, state, reason)

    async def confirm_delivery(self, message_id: int) -> None:
        """The platform has shown the reply."""
        await self._deliveries.confirm(message_id)

    async def park(self, job_id: int) -> None:
        """Move the job back to ACCEPTED: the next start of the bot goes on with it."""
        async with self._database.write() as session:
            job = await _job(session, job_id)
            if job.state is JobState.RUNNING:
                _move(job, JobState.ACCEPTED)

    async def unfinished(self, platforms: Collection[Platform]) -> Sequence[AcceptedJob]:
        """Take up what a stopped process left behind on those platforms: ACCEPTED again, oldest first.

        To be called once, at the start, by the process that serves the platforms. What cannot be unsealed fails.
        """
        left = Job.state.in_((JobState.ACCEPTED, JobState.RUNNING))
        rows = _JOBS.where(left, Conversation.platform.in_(platforms)).order_by(Job.id)
        async with self._database.write() as session:
            found = (await session.execute(rows)).all()
            for job, _message, _place, _user in found:
                if job.state is JobState.RUNNING:
                    _move(job, JobState.ACCEPTED)
        accepted = []
        for row in found:
            try:
                accepted.append(self._accepted(*row))
            except DataKeyError as error:  # it would keep all others from being answered
                await self.end(row[0].id, JobState.FAILED, f"{type(error).__name__}: {error}")
        return accepted

    def _accepted(self, job: Job, message: Message, place: Conversation, user_id: str) -> AcceptedJob:
        key = ConversationKey(place.platform, place.chat_id, place.thread_id, user_id)
        return self._job(job, message, key, self._database.cipher.unseal(job.address, JOB_ADDRESS))

    def _job(self, job: Job, message: Message, key: ConversationKey, address: str) -> AcceptedJob:
        text = self._database.cipher.unseal(message.text, MESSAGE_TEXT)
        return AcceptedJob(job.id, message.id, key, job.kind, text, job.style, address, about=job.about)

    def _pair(self, message_id: int, comparison: Comparison) -> ComparedPair:
        left, right = comparison.left, comparison.right
        return ComparedPair(
            message_id=message_id,
            about=comparison.about,
            left_text=self._database.cipher.seal(left.text, PAIR_TEXT),
            right_text=self._database.cipher.seal(right.text, PAIR_TEXT),
            left_model=left.model_name,
            right_model=right.model_name,
            left_sha256=left.model_sha256,
            right_sha256=right.model_sha256,
        )

    def _message(
        self,
        role: Role,
        kind: MessageKind,
        text: str,
        conversation_id: int,
        parent_id: int | None = None,
        *,
        train_eligible: bool,
    ) -> Message:
        return Message(
            role=role,
            kind=kind,
            text=self._database.cipher.seal(text, MESSAGE_TEXT),
            conversation_id=conversation_id,
            parent_id=parent_id,
            train_eligible=train_eligible,
        )


_JOBS = (
    select(Job, Message, Conversation, Person.platform_user_id)
    .join(Message, Message.id == Job.message_id)
    .join(Conversation, Conversation.id == Job.conversation_id)
    .join(Person, Person.id == Conversation.person_id)
)


def _what_it_is_of(job: Job) -> MessageKind | None:
    """What is compared where the job is asked once more as a comparison."""
    return job.about if job.kind is MessageKind.COMPARE else job.kind


def _in_chat_of(place: Conversation, key: ConversationKey) -> bool:
    return (place.platform, place.chat_id) == (key.platform, key.chat_id)


async def _job(session: AsyncSession, job_id: int) -> Job:
    job = await session.get(Job, job_id, with_for_update=True)
    if job is None:
        raise IllegalTransition(f"there is no job {job_id}")
    return job


async def _note_retry(session: AsyncSession, key: ConversationKey, job: Job) -> None:
    """Whoever asks for another reply liked this one less: a weak bad vote, once for each person."""
    if job.reply_message_id is None:
        return
    person = await ensure_person(session, key.platform, key.user_id)
    mine = select(Vote.id).where(Vote.person_id == person.id, Vote.message_id == job.reply_message_id)
    if await session.scalar(mine.where(Vote.source == VoteSource.RETRY).limit(1)) is None:
        down = int(VoteValue.DOWN)
        session.add(Vote(person_id=person.id, message_id=job.reply_message_id, source=VoteSource.RETRY, value=down))


async def _unforgotten(session: AsyncSession, job_id: int) -> Job:
    job = await _job(session, job_id)
    if job.state is JobState.CANCELLED and job.reason in ERASED:
        raise StorageError("What was asked was erased meanwhile, so there is no reply to it.")
    return job


def _move(job: Job, state: JobState, reason: str | None = None) -> None:
    check_job(job.id, job.state, state)
    job.state, job.reason = state, reason
    if state is JobState.RUNNING:
        job.started_at = utc_now()
    elif state is not JobState.ACCEPTED:
        job.ended_at = utc_now()


def _generation(message_id: int, record: GenerationRecord) -> Generation:
    finished = record.finished
    return Generation(
        message_id=message_id,
        model_name=record.model_name,
        model_sha256=record.model_sha256,
        prompt_sha256=finished.prompt_sha256,
        sampling=asdict(record.sampling),
        source=record.source,
        attempts=record.attempts,
        seed=finished.seed,
        prompt_tokens=finished.prompt_tokens,
        cached_tokens=finished.cached_tokens,
        completion_tokens=finished.completion_tokens,
        queued_s=finished.queued_s,
        first_token_s=finished.first_token_s,
        elapsed_s=finished.elapsed_s,
        finish_reason=finished.reason,
        resumed=finished.resumed,
        dropped_turns=finished.dropped_turns,
    )
