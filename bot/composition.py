"""Builds every part of the bot, joins them and closes them again; the only module that knows them all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.chat.model import Model
from bot.errors import DataKeyError, QuotesmithError
from bot.inference.wire import WorkerOptions
from bot.inference.worker_client import ClientLimits, WorkerClient
from bot.models.folder import model_header
from bot.models.memory import available_memory, fitting_cells
from bot.models.store import ModelStore
from bot.settings import InferenceSettings, Settings

if TYPE_CHECKING:
    from bot.chat.service import ChatService
    from bot.storage.database import Database

log = logging.getLogger(__name__)

STARTER = Path(__file__).parent / "starter"
_LOOK_AGAIN_S = 5.0  # between two looks at what could be written ahead


@dataclass(frozen=True, slots=True)
class Bot:
    """Everything that serves people, open."""

    settings: Settings
    model: Model
    worker: WorkerClient
    database: Database
    service: ChatService


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
    worker = WorkerClient(worker_options(settings, model), client_limits(settings.inference))
    worker.start()
    try:
        # SQLAlchemy takes half a second to import: the worker loads its model meanwhile.
        database = await open_database(settings)
        try:
            yield Bot(settings, model, worker, database, _service(settings, model, worker, database))
        finally:
            await database.close()
    finally:
        await worker.close()


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
    from bot.chat.prompts import shared_prefixes

    inference = settings.inference
    header = model_header(model.path)
    cells = fitting_cells(model.name, header, inference.context_tokens, inference.batch_tokens, available_memory())
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
async def writing_ahead(service: ChatService) -> AsyncIterator[None]:
    """While the block runs, write quotes for the keywords that people ask for whenever nobody waits."""
    task = asyncio.create_task(_write_ahead(service), name="writing ahead")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _write_ahead(service: ChatService) -> None:
    while True:
        try:
            wrote = await service.write_ahead()
        except QuotesmithError as error:
            log.warning("no quote was written ahead: %s", error)
            wrote = False
        if not wrote:
            await asyncio.sleep(_LOOK_AGAIN_S)


def _service(settings: Settings, model: Model, worker: WorkerClient, database: Database) -> ChatService:
    from bot.chat.service import ChatService, ChatStores
    from bot.storage.conversations import SqlConversations
    from bot.storage.feedback import SqlFeedback
    from bot.storage.jobs import SqlJobLedger
    from bot.storage.quote_pool import SqlQuotePool

    stores = ChatStores(
        jobs=SqlJobLedger(database),
        conversations=SqlConversations(database),
        feedback=SqlFeedback(database),
        pool=SqlQuotePool(database),
    )
    return ChatService(model, worker, stores, settings.chat, settings.quote, settings.inference.deadline_s)
