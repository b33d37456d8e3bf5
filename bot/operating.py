"""What operators do to the running bot: look at its counts, change the model without a stop, and try one out.

The store's state is what they decide on, here or in another process; the running bot follows it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.chat.canary import Canary, CanaryReport, CanaryState, weigh
from bot.chat.messages import JobState
from bot.chat.model import Model
from bot.chat.ports import Judge
from bot.chat.preference_evidence import Verdict
from bot.chat.service import ChatService
from bot.errors import GenerationError, ModelError, QuotesmithError
from bot.inference.worker_client import WorkerClient
from bot.models.store import ModelStore

if TYPE_CHECKING:
    from bot.storage.database import Database

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 1.0  # between two looks at what was decided elsewhere, and at the votes of a canary
_RETRY_S, _LONGEST_RETRY_S = 10.0, 600.0  # until a choice that could not be loaded is tried again; doubled each time
_NOT_LOADED = (ModelError, GenerationError)  # the model is refused, or its worker cannot be started
ChangeTold = Callable[[str], Awaitable[None]]  # takes the name of the model that answers from now on


@dataclass(frozen=True, slots=True)
class _InVain:
    """What the store says and could not be done, and when that is tried again; seconds."""

    decided: tuple[Canary | None, str]
    error: QuotesmithError
    pause_s: float
    again_at: float


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
        self._canary: Canary | None = None  # the one that this process serves
        self._canary_worker: WorkerClient | None = None
        self._weighed = (0, 0)  # the newest vote and preference that were
        self._in_vain: _InVain | None = None
        self._retiring: dict[asyncio.Task[None], WorkerClient] = {}

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

    async def canary_figures(self) -> Mapping[str, int | str] | None:
        """What the sentence `stats-canary` names, of the running canary or the last one."""
        if (found := await self.canary()) is None:
            return None
        canary, report = found
        return {
            "model": canary.name,
            "against": canary.against,
            "share": round(canary.share * 100),
            "state": canary.state.name.lower(),
            "new_up": report.new_up,
            "new_down": report.new_down,
            "old_up": report.old_up,
            "old_down": report.old_down,
            "new_wins": report.new_wins,
            "old_wins": report.old_wins,
        }

    def models(self) -> Sequence[str]:
        """The names of the models that can be used."""
        return [model.name for model in self._store.list() if not model.problem]

    def model_in_use(self) -> str:
        """The name of the model that answers."""
        return self._service.model.name

    async def use_model(self, name: str) -> bool:
        """Load a model beside the one that answers, then let it answer, now and after a restart; is it another one?

        What the old one is writing it writes to the end; a running canary ends. A model that is being tried out is
        loaded already, and goes on with what it writes. The model that answers is loaded anew only where its worker
        could not be started lately. Raises ModelError, and WorkerCrashed where the new worker cannot be started, and
        nothing has changed then.
        """
        async with self._changing:
            before = self.model_in_use()
            await self._answer_with(self._store.get(name))
            self._store.use(name)
            self._in_vain = None
            return self.model_in_use() != before

    async def follow(self, tell: ChangeTold) -> None:
        """Do what the store says, again and again: another process may have chosen a model, or begun a canary."""
        told = ""
        while True:
            try:
                if changed_to := await self.catch_up():
                    await _told(tell, changed_to)
                told = ""
            except QuotesmithError as error:
                if str(error) != told:  # a sentence that stays true is said once
                    log.warning("what the store says cannot be done: %s", error)
                told = str(error)
            except Exception as error:  # a defect, or something that passes: what is decided later is done
                if repr(error) != told:
                    log.exception("what the store says cannot be done")
                told = repr(error)
            await asyncio.sleep(LOOK_AGAIN_S)

    async def catch_up(self) -> str:
        """Do what the store says now; returns the name of the model that answers from now on, "" for the same.

        Promotes the model of a canary, or takes it back, when the votes show enough. Raises QuotesmithError: for a
        model that could not be loaded the same again, and does not try anew until a pause is over or the store says
        something else.
        """
        async with self._changing:
            before = self.model_in_use()
            decided = await asyncio.to_thread(self._store.decided)  # a slow disk holds nobody up
            tried = self._in_vain if self._in_vain is not None and self._in_vain.decided == decided else None
            if tried is not None and time.monotonic() < tried.again_at:
                raise tried.error.with_traceback(None)
            try:
                await self._do(*decided)
            except _NOT_LOADED as error:
                pause_s = _RETRY_S if tried is None else min(_LONGEST_RETRY_S, 2 * tried.pause_s)
                self._in_vain = _InVain(decided, error, pause_s, time.monotonic() + pause_s)
                raise
            self._in_vain = None
            now = self.model_in_use()
            return now if now != before else ""

    async def canary(self) -> tuple[Canary, CanaryReport] | None:
        """The running canary or the last one, and what people said; None where there never was one."""
        from bot.storage.canary_votes import said_of

        canary = self._store.canary()
        if canary is None:
            return None
        return canary, await asyncio.to_thread(weigh, canary, await said_of(self._database, canary))

    async def close(self) -> None:
        """End all workers."""
        for task, worker in list(self._retiring.items()):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await worker.close()  # the task does not, where it had no time to begin
        if self._canary_worker is not None:
            await self._canary_worker.close()
        await self._worker.close()

    async def _do(self, canary: Canary | None, active: str) -> None:
        if canary is not None and canary.running:
            await self._begin(canary)
            await self._judge_canary(canary)
        else:
            await self._answer_as_chosen(active)

    async def _answer_as_chosen(self, active: str) -> None:
        """End the canary that is served, and answer everybody with the active model, which may have been tried out."""
        if self._canary is not None and self._canary.name != active:
            self._end_canary()
        try:
            if active != self.model_in_use():
                await self._answer_with(self._store.active())
        finally:
            self._end_canary()

    async def _answer_with(self, model: Model) -> None:
        now = self._service.model
        if (model.sha256, model.name) != (now.sha256, now.name) or self._worker.broken is not None:
            if (tried := self._worker_that_tries_out(model)) is not None:
                await tried.ready()  # it may just be started again
                self._promote(tried)
                return
            judge = self._open_judge(model)
            old, self._worker = self._worker, await self._loaded(model)
            self._service.serve(model, self._worker, judge)
            self._retire(old)
        self._end_canary()

    def _worker_that_tries_out(self, model: Model) -> WorkerClient | None:
        """The canary's, where it has that model: there may be no memory to load it once more."""
        canary, worker = self._canary, self._canary_worker
        if canary is None or worker is None or worker.broken is not None:
            return None
        return worker if (canary.sha256, canary.name) == (model.sha256, model.name) else None

    def _promote(self, worker: WorkerClient) -> None:
        """Answer everybody with the canary's model, by the canary's worker."""
        old, self._worker = self._worker, worker
        self._canary, self._canary_worker = None, None
        self._service.end_canary(promoted=True)
        self._retire(old)

    async def _loaded(self, model: Model) -> WorkerClient:
        worker = self._start_worker(model)
        try:
            await worker.ready()
        except BaseException:
            await worker.close()
            raise
        return worker

    async def _begin(self, canary: Canary) -> None:
        """Let the canary's model answer those who take part, unless it does."""
        if self._canary == canary:
            return
        await self._answer_as_chosen(self._store.active_name())
        try:
            model = self._store.get(canary.name)
            judge = self._open_judge(model)
            self._canary_worker = await self._loaded(model)
        except _NOT_LOADED as error:
            self._store.end_canary(canary, CanaryState.FAILED, str(error))
            raise
        self._service.try_out(canary, model, self._canary_worker, judge)
        self._canary = canary

    async def _judge_canary(self, canary: Canary) -> None:
        from bot.storage.canary_votes import newest_words, said_of

        assert self._canary_worker is not None
        if (broken := self._canary_worker.broken) is not None:
            self._store.end_canary(canary, CanaryState.FAILED, str(broken))
            self._end_canary()
            return
        newest = await newest_words(self._database)
        if newest == self._weighed:
            return
        said = await said_of(self._database, canary)
        verdict = (await asyncio.to_thread(weigh, canary, said)).verdict  # thousands of votes take a while
        self._weighed = newest
        if verdict is Verdict.WORSE:
            self._store.end_canary(canary, CanaryState.ROLLED_BACK, "people like it less")
            self._end_canary()
        elif verdict is Verdict.BETTER and self._store.end_canary(
            canary, CanaryState.PROMOTED, "people like it better"
        ):
            self._promote(self._canary_worker)

    def _end_canary(self) -> None:
        """Answer everybody with the usual model again."""
        if self._canary_worker is not None:
            self._service.end_canary()
            self._retire(self._canary_worker)
        self._canary, self._canary_worker = None, None

    def _retire(self, worker: WorkerClient) -> None:
        task = asyncio.create_task(_retired(worker), name="retiring a worker")
        self._retiring[task] = worker
        task.add_done_callback(self._retiring.pop)


async def _told(tell: ChangeTold, model: str) -> None:
    try:
        await tell(model)
    except QuotesmithError as error:
        log.warning("not everybody is told that the model %s answers: %s", model, error)
    except Exception:
        log.exception("not everybody is told that the model %s answers", model)


async def _retired(worker: WorkerClient) -> None:
    try:
        await worker.drained()
    finally:
        await worker.close()
