"""What operators do to the running bot: look at its counts, and change the model without a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from bot.chat.messages import JobState
from bot.chat.model import Model
from bot.chat.ports import Judge
from bot.chat.service import ChatService
from bot.inference.worker_client import WorkerClient
from bot.models.store import ModelStore

if TYPE_CHECKING:
    from bot.storage.database import Database


class LiveOperations:
    """The running bot's model and counts; owns its workers. `start_worker` begins to load a model."""

    def __init__(
        self,
        store: ModelStore,
        database: Database,
        service: ChatService,
        worker: WorkerClient,
        start_worker: Callable[[Model], WorkerClient],
        open_judge: Callable[[Model], Judge | None] = lambda model: None,
    ) -> None:
        self._store = store
        self._database = database
        self._service = service
        self._worker = worker
        self._start_worker = start_worker
        self._open_judge = open_judge
        self._changing = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()

    async def statistics(self) -> Mapping[str, int | str]:
        """The counts that the sentence `stats` names."""
        from bot.storage.statistics import collect

        found = await collect(self._database)
        jobs = found.jobs
        return {
            "model": self.model_in_use(),
            "people": found.people,
            "conversations": found.conversations,
            "quotes": found.quotes,
            "replies": found.replies,
            "votes_up": found.votes_up,
            "votes_down": found.votes_down,
            "done": jobs[JobState.DONE],
            "failed": jobs[JobState.FAILED],
            "cancelled": jobs[JobState.CANCELLED],
            "running": jobs[JobState.ACCEPTED] + jobs[JobState.RUNNING],
            "pooled_quotes": found.pooled_quotes,
            "tokens_written": found.tokens_written,
        }

    def models(self) -> Sequence[str]:
        """The names of the models that can be used."""
        return [model.name for model in self._store.list() if not model.problem]

    def model_in_use(self) -> str:
        """The name of the model that answers."""
        return self._service.model.name

    async def use_model(self, name: str) -> None:
        """Load a model beside the one that answers, then let it answer, now and after a restart.

        What the old one is writing it writes to the end. Raises ModelError, and nothing has changed then.
        """
        async with self._changing:
            model = self._store.get(name)
            if model.sha256 != self._service.model.sha256:
                judge = self._open_judge(model)
                worker = self._start_worker(model)
                try:
                    await worker.ready()
                except BaseException:
                    await worker.close()
                    raise
                old, self._worker = self._worker, worker
                self._service.serve(model, worker, judge)
                self._retire(old)
            self._store.use(name)

    async def close(self) -> None:
        """End all workers."""
        for task in list(self._retiring):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._worker.close()

    def _retire(self, worker: WorkerClient) -> None:
        task = asyncio.create_task(_retired(worker), name="retiring a worker")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


async def _retired(worker: WorkerClient) -> None:
    try:
        await worker.drained()
    finally:
        await worker.close()
