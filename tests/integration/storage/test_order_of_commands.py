"""A command counts for what its person says next, also where both come at once; and what breaks off comes again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
from sqlalchemy import select
from telegram import Update

from bot.chat.messages import ConversationKey, Platform, Role, Vote, VoteSource
from bot.chat.service import ChatService, ChatStores
from bot.errors import DatabaseUnavailable, PlatformUnreachable
from bot.platforms.access import AccessLists
from bot.platforms.commands import Action, Command
from bot.platforms.discord_bot import DiscordBot
from bot.platforms.front_desk import DeskSettings, FrontDesk, Records
from bot.platforms.rights import PrivacyFacts
from bot.platforms.telegram_bot import TelegramBot
from bot.settings import ChatSettings, LimitSettings, QuoteSettings
from bot.storage.conversations import SqlConversations
from bot.storage.feedback import SqlFeedback
from bot.storage.platform_records import SqlPlatformRecords
from bot.storage.tables import Message
from bot.storage.tables import Vote as VoteRow
from tests.fakes import MODEL, FakeGenerator, fixed_words, says
from tests.integration.storage.conftest import Stores
from tests.unit.platforms.fakes import FakeOutlet

BOT, ADA = 1, 7
REPLIES = ("Tea helps whoever waits for it.", "A kettle sings of leaving.", "Rain taps on every window alike.")


@dataclass(slots=True)
class Outlet(FakeOutlet):
    """Both platforms' chats, as far as their bots look at them."""

    client: Any = field(default_factory=lambda: SimpleNamespace(user=SimpleNamespace(id=BOT)))


class BusyFeedback(SqlFeedback):
    """The votes, which cannot be stored the first time."""

    busy = True

    async def add_vote(self, key: ConversationKey, message_id: int, vote: Vote, source: VoteSource) -> None:
        if self.busy:
            self.busy = False
            raise DatabaseUnavailable("The database is locked.")
        await super().add_vote(key, message_id, vote, source)


class BusyConversations(SqlConversations):
    """The conversations, of which none can be begun while a test says so."""

    busy = False

    async def start_over(self, key: ConversationKey) -> None:
        if self.busy:
            raise DatabaseUnavailable("The database is locked.")
        await super().start_over(key)


class Announcer:
    """There is nothing to announce."""

    async def announce(self, sentence: str, **values: str) -> None:
        raise AssertionError(sentence)


def desk_over(stores: Stores, platform: Platform, outlet: Outlet) -> FrontDesk:
    """The real desk, service and database; the model says `REPLIES`."""
    conversations, feedback = BusyConversations(stores.database), BusyFeedback(stores.database)
    service = ChatService(
        MODEL,
        FakeGenerator(*map(says, REPLIES)),
        ChatStores(stores.jobs, conversations, feedback, stores.pool),
        ChatSettings(candidates=1),
        QuoteSettings(candidates=1),
        60.0,
        fixed_words=fixed_words,
    )
    records = Records(stores.outbox, stores.jobs, stores.people, stores.records)
    settings = DeskSettings(AccessLists(), LimitSettings(), PrivacyFacts(False, ""))
    return FrontDesk(platform, outlet, service, records, settings, cast(Any, None), Announcer())


async def quiet(desk: FrontDesk) -> None:
    """Nothing is under way any more."""
    while desk.answering.busy:
        await asyncio.sleep(0)


async def asked(stores: Stores) -> list[Any]:
    """What people said: the text, its conversation and whether it may be trained on."""
    columns = select(Message.text, Message.conversation_id, Message.train_eligible)
    async with stores.database.read() as session:
        return list(await session.execute(columns.where(Message.role == Role.USER).order_by(Message.id)))


# -- Telegram ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Town:
    """A Telegram that gives each poll what is unconfirmed, and the bot there."""

    desk: FrontDesk
    outlet: Outlet
    bot: TelegramBot = field(init=False)
    updates: list[Update] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bot = TelegramBot(cast(Any, self), cast(Any, self.outlet), self.desk, print)

    async def get_updates(self, offset: int | None, timeout: int, allowed_updates: Sequence[str]) -> Sequence[Update]:
        return [update for update in self.updates if update.update_id >= (offset or 0)]

    def say(self, *texts: str) -> None:
        for text in texts:
            number = len(self.updates) + 1
            self._add({"message": {"message_id": 100 + number, "date": 1, "text": text, "from": _user(), **_chat()}})

    def react(self, post_id: int, sign: str) -> None:
        after = [{"type": "emoji", "emoji": sign}]
        reaction = {"message_id": post_id, "user": _user(), "date": 1, "old_reaction": [], "new_reaction": after}
        self._add({"message_reaction": {**reaction, **_chat()}})

    async def poll(self) -> None:
        """The bot takes all that is new at once; wait until it has dealt with it."""
        await self.bot._poll()
        await quiet(self.desk)

    def _add(self, update: Mapping[str, Any]) -> None:
        self.updates.append(Update.de_json({"update_id": len(self.updates) + 1, **update}, None))


def _user() -> dict[str, Any]:
    return {"id": ADA, "is_bot": False, "first_name": "Ada"}


def _chat() -> dict[str, Any]:
    return {"chat": {"id": ADA, "type": "private", "first_name": "Ada"}}


@pytest.fixture
async def town(stores: Stores) -> Town:
    outlet = Outlet(limit=4_096)
    return Town(desk_over(stores, Platform.TELEGRAM, outlet), outlet)


async def test_what_is_said_after_consent_was_taken_back_is_not_trained_on(stores: Stores, town: Town) -> None:
    town.say("/consent on", "the sea is wide", "/consent off", "my secret is blue")
    await town.poll()
    assert [(text, trained) for text, _, trained in await asked(stores)] == [
        ("the sea is wide", True),
        ("my secret is blue", False),
    ]


async def test_what_is_said_after_a_new_beginning_belongs_to_it(stores: Stores, town: Town) -> None:
    town.say("the sea is wide", "/new", "hello")
    await town.poll()
    (_, before, _), (_, after, _) = await asked(stores)
    assert before != after


async def test_what_is_said_after_all_was_erased_is_kept_and_answered(stores: Stores, town: Town) -> None:
    town.say("the sea is wide")
    await town.poll()
    town.say("/forget me", "hello")
    await town.poll()
    assert [text for text, *_ in await asked(stores)] == ["", "hello"]
    assert any(text.startswith(REPLIES[1]) for text in town.outlet.texts(str(ADA)))


async def test_a_reaction_that_cannot_be_stored_is_counted_once_when_it_comes_again(stores: Stores, town: Town) -> None:
    town.say("hello")
    await town.poll()
    (post_id,) = town.outlet.chats[str(ADA)]
    town.react(int(post_id), "👎")
    with pytest.raises(PlatformUnreachable):
        await town.poll()
    for _ in range(2):
        town.bot._offset = None  # a new process, which asks for all that was never confirmed
        await town.poll()
    async with stores.database.read() as session:
        votes = [(vote.value, vote.source) for vote in await session.scalars(select(VoteRow))]
    assert votes == [(Vote.DOWN, VoteSource.REACTION)]


# -- Discord ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def cord(stores: Stores) -> DiscordBot:
    outlet = Outlet(limit=2_000)
    return DiscordBot(
        "token", cast(Any, outlet), desk_over(stores, Platform.DISCORD, outlet), print, catch_up=timedelta(0)
    )


def said(number: int, text: str) -> discord.Message:
    """A message of Ada that mentions the bot."""
    return cast(
        discord.Message,
        SimpleNamespace(
            id=number,
            author=SimpleNamespace(id=ADA, bot=False),
            type=discord.MessageType.default,
            webhook_id=None,
            channel=SimpleNamespace(id=20),
            guild=None,
            mentions=[SimpleNamespace(id=BOT)],
            content=f"<@{BOT}> {text}",
            attachments=[],
        ),
    )


class SlowInteraction(SimpleNamespace):
    """A slash command of Ada, which Discord acknowledges when the test says so; `shown` is the answer."""

    def __init__(self, number: int) -> None:
        self.acknowledged = asyncio.Event()
        self.shown = ""
        super().__init__(
            id=number,
            user=SimpleNamespace(id=ADA),
            locale=discord.Locale.american_english,
            channel=SimpleNamespace(id=20),
            channel_id=20,
            guild_id=None,
            context=discord.app_commands.AppCommandContext(dm_channel=True),
            token="token",
            created_at=datetime.now(UTC),
            response=self,
        )

    async def defer(self, *, ephemeral: bool, thinking: bool) -> None:
        await self.acknowledged.wait()

    async def edit_original_response(self, *, content: str, attachments: Sequence[discord.File]) -> None:
        assert self.acknowledged.is_set()
        self.shown = content


async def test_on_discord_a_command_that_is_typed_counts_for_the_message_that_comes_with_it(
    stores: Stores, cord: DiscordBot
) -> None:
    await cord.message(said(1, "the sea is wide"))
    await asyncio.gather(cord.message(said(2, "/new")), cord.message(said(3, "hello")))
    await quiet(cord._desk)
    (_, before, _), (_, after, _) = await asked(stores)
    assert before != after


async def test_on_discord_a_command_that_its_person_heard_has_failed_is_not_carried_out_later(
    stores: Stores, cord: DiscordBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cord.message(said(1, "the sea is wide"))
    with monkeypatch.context() as patched:
        patched.setattr(BusyConversations, "busy", True)
        await cord.message(said(2, "/new"))
    assert any("The database is locked." in text for text in cast(Any, cord._outlet).texts("20"))
    await cord.message(said(2, "/new"))  # which is found when the bot looks for what it missed
    await cord.message(said(3, "hello"))
    await quiet(cord._desk)
    (_, before, _), (_, after, _) = await asked(stores)
    assert before == after


async def test_on_discord_a_command_that_is_carried_out_is_said_to_be_though_that_cannot_be_stored_at_once(
    stores: Stores, cord: DiscordBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking = SqlPlatformRecords.take_events
    busy = [True]

    async def busy_once(self: SqlPlatformRecords, platform: Platform, event_ids: Sequence[str]) -> bool:
        if busy and busy.pop():
            raise DatabaseUnavailable("The database is locked.")
        return await taking(self, platform, event_ids)

    await cord.message(said(1, "the sea is wide"))
    await quiet(cord._desk)
    monkeypatch.setattr(SqlPlatformRecords, "take_events", busy_once)
    for _ in range(2):  # the second time when the bot looks for what it missed
        await cord.message(said(2, "/new"))
        await quiet(cord._desk)
    told = cast(Any, cord._outlet).texts("20")[1:]
    assert len(told) == 1 and told[0].startswith("A new conversation")
    await cord.message(said(3, "hello"))
    await quiet(cord._desk)
    (_, before, _), (_, after, _) = await asked(stores)
    assert before != after and cord._desk._carried_out == {}


@pytest.mark.parametrize("by_command", [True, False])
async def test_a_slash_command_counts_for_what_is_said_while_discord_takes_its_time(
    stores: Stores, cord: DiscordBot, by_command: bool
) -> None:
    await cord.message(said(1, "the sea is wide"))
    interaction = SlowInteraction(2)
    errand = asyncio.create_task(cord.errand(cast(Any, interaction), Command(Action.NEW)))
    chat = SlowInteraction(3)
    chat.acknowledged.set()
    if by_command:
        await asyncio.create_task(cord.request(cast(Any, chat), Command(Action.CHAT, "hello"), private=False))
    else:
        await asyncio.create_task(cord.message(said(3, "hello")))
    (_, before, _), (_, after, _) = await asked(stores)
    assert before != after and not interaction.shown
    interaction.acknowledged.set()
    await errand
    assert interaction.shown.startswith("A new conversation")
    await quiet(cord._desk)
