"""The outbox: where replies stand on their platforms, which are yet to be shown, and how it went; sends nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select

from bot.chat.messages import ConversationKey, Platform
from bot.chat.ports import AcceptedJob, Outbox, PendingReply, ShownReply
from bot.errors import DataKeyError
from bot.storage.database import Database
from bot.storage.encryption import JOB_ADDRESS, MESSAGE_TEXT
from bot.storage.tables import ComparedPair, Conversation, Delivery, DeliveryState, Job, Message, Person, Post
from bot.storage.transitions import ERASED, IllegalTransition, check_delivery


class Deliveries(Outbox):
    """One delivery for each reply: PENDING until it is confirmed or given up. An erased one takes any news."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def posts(self, job_id: int) -> Sequence[str]:
        """The platform's ids of the messages that answer the job, in the order of their parts."""
        rows = select(Post.platform_message_id).where(Post.job_id == job_id).order_by(Post.part)
        async with self._database.read() as session:
            return (await session.scalars(rows)).all()

    async def posted(self, job_id: int, part: int, platform: Platform, chat_id: str, platform_message_id: str) -> None:
        """A message was made for that part of the answer; it takes the place of an earlier one."""
        async with self._database.write() as session:
            post = await session.scalar(select(Post).where(Post.job_id == job_id, Post.part == part))
            if post is None:
                post = Post(job_id=job_id, part=part, platform=platform)
                session.add(post)
            post.chat_id, post.platform_message_id = chat_id, platform_message_id

    async def moved(self, job_id: int, address: str) -> None:
        """The job is answered at another address from now on; the messages that it had do not count any more."""
        async with self._database.write() as session:
            await session.execute(delete(Post).where(Post.job_id == job_id))
            job = await session.get(Job, job_id)
            if job is not None and job.address:  # without one its person was forgotten
                job.address = self._database.cipher.seal(address, JOB_ADDRESS)

    async def shown(self, platform: Platform, chat_id: str, platform_message_id: str) -> ShownReply | None:
        """What the message belongs to, None when it is none of ours."""
        rows = (
            select(Job.id, Job.reply_message_id, Conversation, Person.platform_user_id)
            .join(Post, Post.job_id == Job.id)
            .join(Conversation, Conversation.id == Job.conversation_id)
            .join(Person, Person.id == Conversation.person_id)
            .where(Post.platform == platform, Post.chat_id == chat_id, Post.platform_message_id == platform_message_id)
        )
        async with self._database.read() as session:
            found = (await session.execute(rows.limit(1))).one_or_none()
        if found is None:
            return None
        job_id, reply_id, place, user_id = found
        return ShownReply(job_id, ConversationKey(platform, place.chat_id, place.thread_id, user_id), reply_id)

    async def confirm(self, reply_id: int) -> None:
        """The platform has shown the reply."""
        await self._attempted(reply_id, DeliveryState.SENT, None)

    async def try_later(self, reply_id: int, reason: str) -> None:
        """An attempt went wrong; the reply stays pending."""
        await self._attempted(reply_id, DeliveryState.PENDING, reason)

    async def give_up(self, reply_id: int, reason: str) -> None:
        """The reply cannot be shown."""
        await self._attempted(reply_id, DeliveryState.FAILED, reason)

    async def pending(self, platforms: Collection[Platform]) -> Sequence[PendingReply]:
        """The unconfirmed replies of those platforms, oldest first; one that cannot be unsealed is given up."""
        rows = (
            select(Message, Job, Conversation, Person.platform_user_id, Delivery.attempts, ComparedPair.message_id)
            .join(Delivery, Delivery.message_id == Message.id)
            .join(Job, Job.reply_message_id == Message.id)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .join(Person, Person.id == Conversation.person_id)
            .outerjoin(ComparedPair, ComparedPair.message_id == Message.id)
            .where(Delivery.state == DeliveryState.PENDING, Conversation.platform.in_(platforms))
            .order_by(Message.id)
        )
        async with self._database.read() as session:
            found = (await session.execute(rows)).all()
        waiting = []
        for row in found:
            try:
                waiting.append(self._pending(*row))
            except DataKeyError as error:  # it would keep all others from being shown
                await self.give_up(row[0].id, str(error))
        return waiting

    def _pending(
        self, reply: Message, job: Job, place: Conversation, user_id: str, attempts: int, pair_id: int | None
    ) -> PendingReply:
        cipher = self._database.cipher
        key = ConversationKey(place.platform, place.chat_id, place.thread_id, user_id)
        address = cipher.unseal(job.address, JOB_ADDRESS)
        accepted = AcceptedJob(job.id, job.message_id, key, job.kind, "", job.style, address)
        text = cipher.unseal(reply.text, MESSAGE_TEXT)
        return PendingReply(accepted, reply.id, text, attempts, shows_two=pair_id is not None)

    async def _attempted(self, message_id: int, state: DeliveryState, reason: str | None) -> None:
        async with self._database.write() as session:
            row = select(Delivery).where(Delivery.message_id == message_id).with_for_update()
            delivery = await session.scalar(row)
            if delivery is None:
                raise IllegalTransition(f"message {message_id} has no delivery")
            if delivery.reason in ERASED:
                return  # it was on its way while its content was erased
            check_delivery(message_id, delivery.state, state)
            delivery.state, delivery.reason = state, reason
            delivery.attempts += 1
