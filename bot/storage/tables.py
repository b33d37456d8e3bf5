"""The tables, their constraints and the indexes that the queries use; knows no query and no connection."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, CheckConstraint, Float, ForeignKey, Index, MetaData, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bot.chat.generation import FinishReason
from bot.chat.messages import (
    Complaint,
    JobState,
    MessageKind,
    Platform,
    Preferred,
    QuoteSource,
    Role,
    Style,
    VoteSource,
)
from bot.storage.column_types import StorableText, UtcDateTime, one_of, utc_now


class DeliveryState(StrEnum):
    """The life of a reply on its way to the person: PENDING -> SENT | FAILED."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class Table(DeclarativeBase):
    """The base of all tables: named constraints, so that a migration can change any of them on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: StorableText,
        float: Float(),
        datetime: UtcDateTime,
        Platform: one_of(Platform, "platform"),
        Role: one_of(Role, "role"),
        MessageKind: one_of(MessageKind, "kind"),
        QuoteSource: one_of(QuoteSource, "source"),
        VoteSource: one_of(VoteSource, "source"),
        FinishReason: one_of(FinishReason, "finish_reason"),
        JobState: one_of(JobState, "state"),
        DeliveryState: one_of(DeliveryState, "state"),
        Complaint: one_of(Complaint, "complaint"),
        Preferred: one_of(Preferred, "preferred"),
        Style: one_of(Style, "style"),
    }


class Meta(Table):
    """Facts about the database itself, such as the proof of its data key."""

    __tablename__ = "meta"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Person(Table):
    """Somebody who talks to the bot; with `forgotten_at` a tombstone: none of their words are left."""

    __tablename__ = "people"
    __table_args__ = (UniqueConstraint("platform", "platform_user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    platform: Mapped[Platform]
    platform_user_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    forgotten_at: Mapped[datetime | None]


class Conversation(Table):
    """What one person says in one thread of one chat, from one start_over to the next."""

    __tablename__ = "conversations"
    __table_args__ = (
        Index(
            "uq_conversations_active",
            *("platform", "chat_id", "thread_id", "person_id"),
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index(None, "person_id", "chat_id", "thread_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    platform: Mapped[Platform]
    chat_id: Mapped[str]
    thread_id: Mapped[str]
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    closed_at: Mapped[datetime | None]


class Message(Table):
    """What a person or the bot said; an empty text is one that was erased."""

    __tablename__ = "messages"
    __table_args__ = (
        Index(None, "conversation_id", "id"),
        Index(None, "parent_id"),
        Index(None, "repeats_id"),
        Index(None, "keyword_digest", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("messages.id"))
    repeats_id: Mapped[int | None] = mapped_column(ForeignKey("messages.id"))  # in whose words somebody else asks
    role: Mapped[Role]
    kind: Mapped[MessageKind]
    text: Mapped[str]  # as TextCipher.seal gave it
    keyword_digest: Mapped[str | None]  # of a request for a quote: the keyword, as the quote pool compares it
    as_option: Mapped[bool] = mapped_column(default=False)  # typed as the option of a command
    train_eligible: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Generation(Table):
    """How a reply came about: one for each reply."""

    __tablename__ = "generations"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), unique=True)
    model_name: Mapped[str]
    model_sha256: Mapped[str]
    prompt_sha256: Mapped[str]
    sampling: Mapped[dict[str, Any]] = mapped_column(JSON)
    source: Mapped[QuoteSource]
    attempts: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    prompt_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    queued_s: Mapped[float]
    first_token_s: Mapped[float | None]
    elapsed_s: Mapped[float]
    finish_reason: Mapped[FinishReason]
    resumed: Mapped[int]
    dropped_turns: Mapped[int]


class Vote(Table):
    """A verdict on a reply; rows are only ever added, and the newest of a person and message counts."""

    __tablename__ = "feedback"
    __table_args__ = (
        CheckConstraint("value IN (-1, 0, 1)", name="value"),
        Index(None, "message_id", "person_id", "id"),
        Index(None, "person_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"))
    source: Mapped[VoteSource]
    value: Mapped[int]
    complaint: Mapped[Complaint | None]  # of a bad vote, if its person said what was wrong
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class ComparedPair(Table):
    """The two replies that a message shows side by side; empty texts are those that were erased."""

    __tablename__ = "compared_pairs"

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    about: Mapped[MessageKind]
    left_text: Mapped[str]  # as TextCipher.seal gave it
    right_text: Mapped[str]
    left_model: Mapped[str]
    right_model: Mapped[str]
    left_sha256: Mapped[str]
    right_sha256: Mapped[str]


class Preference(Table):
    """Which of two replies a person likes better; rows are only ever added, and the newest counts."""

    __tablename__ = "preferences"
    __table_args__ = (Index(None, "message_id", "person_id", "id"), Index(None, "person_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    message_id: Mapped[int] = mapped_column(ForeignKey("compared_pairs.message_id"))
    preferred: Mapped[Preferred]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Correction(Table):
    """What a person would rather have read than a reply; rows are only ever added, and the newest counts."""

    __tablename__ = "corrections"
    __table_args__ = (Index(None, "message_id", "person_id", "id"), Index(None, "person_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"))
    text: Mapped[str]  # as TextCipher.seal gave it
    as_option: Mapped[bool] = mapped_column(default=False)
    train_eligible: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Export(Table):
    """An export folder that was written, and where to."""

    __tablename__ = "exports"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)  # what the manifests of the export, of runs and of models say
    folder: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class ExportedRow(Table):
    """Somebody's part in a row of an export: their words and what they were told, or their vote."""

    __tablename__ = "exported_rows"
    __table_args__ = (Index(None, "person_id", "export_id"),)

    export_id: Mapped[int] = mapped_column(ForeignKey("exports.id"), primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    forgotten_at: Mapped[datetime | None]  # when the person erased it; who comes back later has erased it all the same


class Consent(Table):
    """A yes or no to one version of the training terms; rows are only ever added, and the newest counts."""

    __tablename__ = "consents"
    __table_args__ = (Index(None, "person_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    version: Mapped[str]
    granted: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class ToldTerms(Table):
    """A person was told what one version of the terms says, beneath that reply."""

    __tablename__ = "told_terms"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Job(Table):
    """A request for a reply, and what came of it."""

    __tablename__ = "jobs"
    __table_args__ = (Index(None, "state"), Index(None, "conversation_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[MessageKind]
    state: Mapped[JobState] = mapped_column(default=JobState.ACCEPTED)
    reason: Mapped[str | None]
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"))
    reply_message_id: Mapped[int | None] = mapped_column(ForeignKey("messages.id"))
    style: Mapped[Style | None]
    about: Mapped[MessageKind | None] = mapped_column(one_of(MessageKind, "about"))  # what a comparison is of
    address: Mapped[str] = mapped_column(default="")  # where the answer goes; as TextCipher.seal gave it
    accepted_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Delivery(Table):
    """The way of one reply to the platform."""

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), unique=True)
    state: Mapped[DeliveryState] = mapped_column(default=DeliveryState.PENDING)
    reason: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class Post(Table):
    """One message of the bot on a platform: a part of what answers a job, from the waiting notice to the reply."""

    __tablename__ = "posts"
    __table_args__ = (UniqueConstraint("job_id", "part"), Index(None, "platform", "chat_id", "platform_message_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    part: Mapped[int]  # 0 is the first
    platform: Mapped[Platform]
    chat_id: Mapped[str]
    platform_message_id: Mapped[str]


class TakenEvent(Table):
    """Something that a person did on a platform, and that was dealt with: it is not taken again."""

    __tablename__ = "taken_events"
    __table_args__ = (Index(None, "taken_at"),)

    platform: Mapped[Platform] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(default=utc_now)


class AnnouncedChat(Table):
    """A chat that wants to be told what changes about the bot."""

    __tablename__ = "announced_chats"

    platform: Mapped[Platform] = mapped_column(primary_key=True)
    chat_id: Mapped[str] = mapped_column(primary_key=True)
    thread_id: Mapped[str] = mapped_column(primary_key=True)


class WrittenQuote(Table):
    """A quote written ahead of time; once served, only its digest is left, so that it is never served again."""

    __tablename__ = "quote_pool"
    __table_args__ = (UniqueConstraint("keyword_digest", "model_sha256", "text_digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    keyword_digest: Mapped[str]  # as TextCipher.digest gave it, so that no table holds keywords in plain text
    model_sha256: Mapped[str]
    text: Mapped[str]  # as TextCipher.seal gave it
    text_digest: Mapped[str]
    tokens: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    served_at: Mapped[datetime | None]
