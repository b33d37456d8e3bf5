"""Builds every part of the bot, joins them and closes them again; the only module that knows them all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bot.chat.messages import Platform
from bot.chat.model import Model
from bot.errors import DataKeyError, QuotesmithError, SettingsError
from bot.inference.wire import WorkerOptions
from bot.inference.worker_client import ClientLimits, WorkerClient
from bot.models.folder import model_header
from bot.models.memory import available_memory, fitting_cells
from bot.models.store import ModelStore
from bot.operating import ChangeTold, LiveOperations
from bot.settings import DiscordSettings, InferenceSettings, RetentionSettings, Settings, TelegramSettings

if TYPE_CHECKING:
    from bot.chat.ports import Judge
    from bot.chat.safety import Finding
    from bot.chat.service import ChatService
    from bot.platforms.console import Console
    from bot.platforms.front_desk import FrontDesk
    from bot.platforms.outlet import Outlet
    from bot.platforms.rights import PrivacyFacts
    from bot.platforms.serving import PlatformClient
    from bot.storage.database import Database
    from bot.storage.jobs import TrainingRule

log = logging.getLogger(__name__)

STARTER = Path(__file__).parent / "starter"
_LOOK_AGAIN_S = 5.0  # between two looks at what could be written ahead
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Bot:
    """Everything that serves people, open."""

    settings: Settings
    model: Model
    worker: WorkerClient
    database: Database
    service: ChatService
    operations: LiveOperations


def open_store(settings: Settings) -> ModelStore:
    """The models that can be chosen."""
    return ModelStore(settings.model.folder, STARTER)


@asynccontextmanager
async def open_bot(settings: Settings, model_name: str | None = None) -> AsyncIterator[Bot]:
    """The bot with the model of that name, by default the active one; closed at the end of the block.

    The model loads while the block begins: `worker.ready()` waits for it. Raises ModelError and StorageError.
    """
    store = open_store(settings)
    model = store.get(model_name) if model_name is not None else store.active()
    worker = start_worker(settings, model)
    try:
        # SQLAlchemy takes half a second to import: the worker loads its model meanwhile.
        database = await open_database(settings)
        try:
            service = _service(settings, model, worker, database)
            operations = LiveOperations(store, database, service, worker, partial(start_worker, settings), open_judge)
            try:
                yield Bot(settings, model, worker, database, service, operations)
            finally:
                await operations.close()
        finally:
            await database.close()
    finally:
        await worker.close()


def start_worker(settings: Settings, model: Model) -> WorkerClient:
    """A worker that has begun to load the model. Raises ModelInvalid and ModelTooLarge."""
    worker = WorkerClient(worker_options(settings, model), client_limits(settings.inference))
    worker.start()
    return worker


async def open_database(settings: Settings) -> Database:
    """The database of the settings, at the newest revision. Raises StorageError."""
    from bot.storage.database import Database

    return await Database.open(
        settings.database.url, data_key=data_key(settings), busy_timeout_ms=settings.database.busy_timeout_ms
    )


def data_key(settings: Settings) -> bytes | None:
    """The key for stored texts, None when none is set. Raises DataKeyError for a malformed one."""
    from bot.storage.encryption import parse_data_key

    secret = settings.secrets.data_key
    if secret is None:
        return None
    try:
        return parse_data_key(secret.get_secret_value())
    except DataKeyError as error:
        raise DataKeyError(f"QUOTESMITH_DATA_KEY cannot be used. {error}") from error


def worker_options(settings: Settings, model: Model) -> WorkerOptions:
    """What the worker is started with: as many cells of cache as the settings ask for and the memory allows.

    Raises ModelInvalid for a file that is not a model, and ModelTooLarge for one that does not fit at all.
    """
    from bot.chat.prompts import most_shown, shared_prefixes

    inference = settings.inference
    header = model_header(model.path)
    cells = fitting_cells(
        model.name, header, inference.context_tokens, inference.batch_tokens, available_memory(), inference.slots
    )
    if cells < inference.context_tokens:
        log.warning(
            "memory is short: the model %s is served with a cache of %d tokens and not of %d",
            model.name,
            cells,
            inference.context_tokens,
        )
    own_limit = model.context_tokens or inference.conversation_tokens
    return WorkerOptions(
        model_path=str(model.path),
        slots=inference.slots,
        context_tokens=cells,
        conversation_tokens=min(inference.conversation_tokens, own_limit),
        batch_tokens=min(inference.batch_tokens, cells),
        prefill_chunk_tokens=inference.prefill_chunk_tokens,
        threads=inference.threads,
        history_messages=most_shown(model, settings.chat.history_messages),
        shared_prefixes=shared_prefixes(model, settings.chat.system_prompt),
    )


def client_limits(inference: InferenceSettings) -> ClientLimits:
    """What the bot's side of the worker allows."""
    return ClientLimits(
        max_waiting=inference.max_waiting,
        max_waiting_per_person=inference.max_waiting_per_person,
        hang_timeout_s=inference.hang_timeout_s,
        load_timeout_s=inference.load_timeout_s,
        max_resumes=inference.max_resumes,
        spin_count=inference.spin_count,
    )


@asynccontextmanager
async def chores(bot: Bot, tell: ChangeTold) -> AsyncIterator[None]:
    """While the block runs, do what nobody asks for.

    Quotes are written ahead when nobody waits, old content is erased, what was stored before there was a key is
    encrypted, and the models change as other processes and the votes of a canary decide; `tell` is told of that.
    Each goes on whatever goes wrong in it, a defect too: until the bot stops, nobody would begin it again.
    """
    work = {
        "writing ahead": _write_ahead(bot.service),
        "erasing": _erase_expired(bot.database, bot.settings.retention, bot.settings.console.history_file),
        "encrypting": _seal_stored(bot.database),
        "following the store": bot.operations.follow(tell),
    }
    tasks = [asyncio.create_task(chore, name=name) for name, chore in work.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("a chore of the bot failed", exc_info=ended)


async def _write_ahead(service: ChatService) -> None:
    told = ""
    while True:
        wrote = False
        try:
            wrote, told = await service.write_ahead(), ""
        except QuotesmithError as error:
            if str(error) != told:  # a sentence that stays true is said once
                log.warning("no quote was written ahead: %s", error)
            told = str(error)
        except Exception as error:
            if repr(error) != told:
                log.exception("no quote was written ahead")
            told = repr(error)
        if not wrote:
            await asyncio.sleep(_LOOK_AGAIN_S)


async def _erase_expired(database: Database, kept: RetentionSettings, typed: Path) -> None:
    """At once, and then every day; `typed` is what was typed at the terminal."""
    from bot.storage.retention import erase_expired

    while True:
        try:
            expired = await erase_expired(database, kept)
        except QuotesmithError as error:
            log.warning("what was kept for long enough is not erased today: %s", error)
        except Exception:
            log.exception("what was kept for long enough is not erased today")
        else:
            log.info("kept for long enough, and erased: %d messages, %d events", expired.messages, expired.events)
        await asyncio.to_thread(_drop_typed, typed, kept.conversation_days)  # a slow disk holds nobody up
        await asyncio.sleep(_DAY_S)


async def _seal_stored(database: Database) -> None:
    """At once, and then every day."""
    from bot.storage.sealing import seal_stored

    while True:
        try:
            if sealed := await seal_stored(database):
                log.info("stored before there was a data key, and encrypted now: %d texts", sealed)
        except QuotesmithError as error:
            log.warning("what was stored before there was a data key is not encrypted today: %s", error)
        except Exception:
            log.exception("what was stored before there was a data key is not encrypted today")
        await asyncio.sleep(_DAY_S)


def _drop_typed(file: Path, days: int) -> None:
    from bot.platforms.line_history import drop_before

    if not days:
        return
    try:
        drop_before(file, datetime.now(UTC) - timedelta(days=days))
    except OSError as error:
        log.warning("what was typed at the terminal is not erased today: %s (%s)", file, error.strerror)
    except Exception:
        log.exception("what was typed at the terminal is not erased today: %s", file)


def training_rule(settings: Settings) -> TrainingRule:
    """What may be trained on at all, where its person agrees."""
    from bot.chat.eligibility import may_be_trained_on

    return partial(may_be_trained_on, permitted_on_discord=bool(settings.discord.training_permission))


def _service(settings: Settings, model: Model, worker: WorkerClient, database: Database) -> ChatService:
    from bot.chat.service import ChatService, ChatStores
    from bot.storage.conversations import SqlConversations
    from bot.storage.feedback import SqlFeedback
    from bot.storage.jobs import SqlJobLedger
    from bot.storage.quote_pool import SqlQuotePool

    may_train = training_rule(settings)
    stores = ChatStores(
        jobs=SqlJobLedger(database, may_train),
        conversations=SqlConversations(database),
        feedback=SqlFeedback(database, may_train),
        pool=SqlQuotePool(database),
    )
    return ChatService(
        model,
        worker,
        stores,
        settings.chat,
        settings.quote,
        settings.inference.deadline_s,
        fixed_words=_fixed_words,
        judge=open_judge(model),
    )


def open_judge(model: Model) -> Judge | None:
    """What chooses among several quotes of the model, if its folder has one. Raises ModelInvalid."""
    if model.judge_path is None:
        return None
    from bot.models.judge import load_judge

    return load_judge(model.judge_path, model_header(model.path).embedding_width)


def _fixed_words(finding: Finding) -> str:
    """In the language of the message, whatever the platform speaks otherwise."""
    from bot.platforms.catalogue import Texts

    return Texts(finding.language)(f"concern-{finding.concern}")


# -- the terminal -----------------------------------------------------------------------------------------------------


def open_console(bot: Bot, banner: str) -> Console:
    """The terminal chat, which begins with that line. Raises InputError when there is no input or no output."""
    from bot.platforms.console import Console
    from bot.platforms.first_use import FirstUse
    from bot.platforms.rights import Rights
    from bot.storage.people import People

    people, facts = People(bot.database), _privacy_facts(bot)
    rights = Rights(Platform.CONSOLE, people, facts)
    first_use = FirstUse(Platform.CONSOLE, people, facts, small_print=str)
    keep_typed = not facts.encrypted  # the file would hold it in plain text
    return Console(bot.service, bot.settings.console, rights, first_use, banner=banner, keep_typed=keep_typed)


def _privacy_facts(bot: Bot) -> PrivacyFacts:
    from bot.platforms.rights import PrivacyFacts

    settings = bot.settings
    days = settings.retention.conversation_days
    return PrivacyFacts(bot.database.cipher.has_key, settings.discord.training_permission, days)


# -- Discord and Telegram ---------------------------------------------------------------------------------------------


class Announcers:
    """Announces on every platform that is served."""

    def __init__(self) -> None:
        self.desks: list[FrontDesk] = []

    async def announce(self, sentence: str, **values: str) -> None:
        """Say the sentence of that name in every chat that wants to be told."""
        for desk in self.desks:
            await desk.announce(sentence, **values)


def platform_clients(
    bot: Bot, platforms: Sequence[Platform], report: Callable[[str], None]
) -> tuple[list[PlatformClient], list[FrontDesk]]:
    """What serves those platforms: their connections, not yet begun, and their desks.

    Raises SettingsError for a platform whose token is not set.
    """
    announcers = Announcers()
    make = {Platform.DISCORD: _discord, Platform.TELEGRAM: _telegram}
    made = [make[platform](bot, announcers, report) for platform in platforms]
    announcers.desks = [desk for _, desk in made]
    return [client for client, _ in made], announcers.desks


def _discord(bot: Bot, announcers: Announcers, report: Callable[[str], None]) -> tuple[PlatformClient, FrontDesk]:
    from bot.platforms.discord_bot import DiscordBot, use_endpoints
    from bot.platforms.discord_outlet import DiscordOutlet

    settings, token = bot.settings, token_of(bot.settings, Platform.DISCORD)
    use_endpoints(settings.discord.api_base, settings.discord.gateway_url)
    outlet = DiscordOutlet()
    desk = _desk(bot, Platform.DISCORD, outlet, settings.discord, announcers)
    catch_up = timedelta(minutes=settings.platforms.catch_up_minutes)
    return DiscordBot(token, outlet, desk, report, catch_up), desk


def _telegram(bot: Bot, announcers: Announcers, report: Callable[[str], None]) -> tuple[PlatformClient, FrontDesk]:
    from bot.platforms.telegram_bot import TelegramBot, make_bot
    from bot.platforms.telegram_outlet import TelegramOutlet

    settings, token = bot.settings, token_of(bot.settings, Platform.TELEGRAM)
    library = make_bot(token, settings.telegram.base_url)
    outlet = TelegramOutlet(library)
    desk = _desk(bot, Platform.TELEGRAM, outlet, settings.telegram, announcers)
    return TelegramBot(library, outlet, desk, report), desk


def _desk(
    bot: Bot,
    platform: Platform,
    outlet: Outlet,
    own: DiscordSettings | TelegramSettings,
    announcers: Announcers,
) -> FrontDesk:
    from bot.platforms.access import AccessLists
    from bot.platforms.front_desk import DeskSettings, FrontDesk, Records
    from bot.storage.deliveries import Deliveries
    from bot.storage.jobs import SqlJobLedger
    from bot.storage.people import People
    from bot.storage.platform_records import SqlPlatformRecords

    database, settings = bot.database, bot.settings
    records = Records(Deliveries(database), SqlJobLedger(database), People(database), SqlPlatformRecords(database))
    chosen = DeskSettings(
        AccessLists(own.allow, own.deny, own.quiet, own.operators),
        settings.limits,
        _privacy_facts(bot),
        settings.platforms.language,
    )
    return FrontDesk(platform, outlet, bot.service, records, chosen, bot.operations, announcers)


def token_of(settings: Settings, platform: Platform) -> str:
    """The token that the platform knows the bot by. Raises SettingsError when it is not set."""
    secret: SecretStr | None = getattr(settings.secrets, f"{platform}_token")
    if secret is None:
        raise SettingsError(f"{platform.upper()}_TOKEN is not set: put it into .env or the environment.")
    return secret.get_secret_value()
