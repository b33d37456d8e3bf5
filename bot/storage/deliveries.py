"""The outbox: which replies are yet to be shown, and how it went; knows no platform's way of sending."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from bot.chat.messages import ConversationKey, MessageKind, Platform
from bot.storage.database import Database
from bot.storage.encryption import MESSAGE_TEXT
from bot.storage.tables import Conversation, Delivery, DeliveryState, Message, Person
from bot.storage.transitions import FORGOTTEN, IllegalTransition, check_delivery


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """A reply that nobody has confirmed; `parent_id` is the message that it answers."""

    message_id: int
    parent_id: int | None
    key: ConversationKey
    kind: MessageKind
    text: str
    attempts: int


class Deliveries:
    """One delivery for each reply: PENDING until it is confirmed or given up. A forgotten one takes any news."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def confirm(self, message_id: int) -> None:
        """The platform has shown the reply."""
        await self._attempted(message_id, DeliveryState.SENT, None)

    async def try_later(self, message_id: int, reason: str) -> None:
        """An attempt went wrong; the reply stays pending."""
        await self._attempted(message_id, DeliveryState.PENDING, reason)

    async def give_up(self, message_id: int, reason: str) -> None:
        """The reply cannot be shown."""
        await self._attempted(message_id, DeliveryState.FAILED, reason)

    async def pending(self, platforms: Collection[Platform]) -> Sequence[PendingDelivery]:
        """The unconfirmed replies of those platforms, oldest first."""
        rows = (
            select(Message, Conversation, Person.platform_user_id, Delivery.attempts)
            .join(Delivery, Delivery.message_id == Message.id)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .join(Person, Person.id == Conversation.person_id)
            .where(Delivery.state == DeliveryState.PENDING, Conversation.platform.in_(platforms))
            .order_by(Message.id)
        )
        async with self._database.read() as session:
            found = (await session.execute(rows)).all()
        return [self._pending(message, place, user, attempts) for message, place, user, attempts in found]

    def _pending(self, message: Message, place: Conversation, user_id: str, attempts: int) -> PendingDelivery:
        key = ConversationKey(place.platform, place.chat_id, place.thread_id, user_id)
        text = self._database.cipher.unseal(message.text, MESSAGE_TEXT)
        return PendingDelivery(message.id, message.parent_id, key, message.kind, text, attempts)

    async def _attempted(self, message_id: int, state: DeliveryState, reason: str | None) -> None:
        async with self._database.write() as session:
            row = select(Delivery).where(Delivery.message_id == message_id).with_for_update()
            delivery = await session.scalar(row)
            if delivery is None:
                raise IllegalTransition(f"message {message_id} has no delivery")
            if delivery.reason == FORGOTTEN:
                return  # it was on its way while its person asked to be forgotten
            check_delivery(message_id, delivery.state, state)
            delivery.state, delivery.reason = state, reason
            delivery.attempts += 1
