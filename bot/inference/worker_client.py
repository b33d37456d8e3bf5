"""The parent's side of the worker: starts, watches and restarts it, and streams each text to whoever asked.

Implements the TextGenerator port. Knows neither llama.cpp nor how the worker schedules. A request that a dying worker
cut off is given to the next one together with the tokens that were already shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import bot.errors
from bot.chat.generation import Candidate, Finished, FinishReason, GenerationEvent, GenerationRequest, Queued, TextDelta
from bot.errors import BusyError, GenerationError, QuotesmithError, WorkerCrashed
from bot.inference import wire

log = logging.getLogger(__name__)

_LINE_LIMIT = 1 << 20  # bytes; the longest line carries the state that a text was drawn from, or the facts
_FAILED_STARTS = 3  # in a row, before the worker counts as broken
_EXIT_PATIENCE_S = 2.0  # between the end of a worker's output and its own end
_RESTART_PAUSE_S = 0.5  # doubled for each failed start in a row, up to the longest
_LONGEST_PAUSE_S = 60.0
_DEADLINE_GRACE_S = 5.0  # the worker ends what is late itself, but between two of its steps and while it is alive
# What a broken pipe raises where it is read, and a line that is too long or of another version of the protocol.
_UNREADABLE = (OSError, ValueError, LookupError, TypeError)


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What the parent allows: counts of requests, and seconds."""

    max_waiting: int
    max_waiting_per_person: int
    hang_timeout_s: float
    load_timeout_s: float
    max_resumes: int
    spin_count: int


@dataclass(slots=True)
class _Call:
    """A request under way, with all that a next worker would need to go on with it."""

    id: str
    request: GenerationRequest
    submitted: float
    events: asyncio.Queue[GenerationEvent | QuotesmithError] = field(default_factory=asyncio.Queue)
    tokens: list[int] = field(default_factory=list)
    first_token_s: float | None = None
    deaths: int = 0
    counts: bool = True  # in the limits of the queue; of several candidates for one request, only the first does


class WorkerClient:
    """One worker process over one model, kept alive."""

    def __init__(self, options: wire.WorkerOptions, limits: ClientLimits) -> None:
        self._options = options
        self._limits = limits
        self._calls: dict[str, _Call] = {}
        self._holders = 0
        self._unused = asyncio.Event()  # no calls and no holders
        self._unused.set()
        self._numbers = itertools.count(1)
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._last_sign = time.monotonic()
        self._loaded = False  # the worker that runs now has its model
        self._broken: QuotesmithError | None = None
        self._settled = asyncio.Event()  # loaded or broken
        self._refusal: QuotesmithError | None = None  # of the worker that was started last
        self._defect = ""  # what that one said that it ends of
        self.facts: wire.WorkerFacts | None = None  # of the worker that loaded the model last

    @property
    def idle(self) -> bool:
        """The worker is loaded and nobody waits for it."""
        return self._loaded and not self._calls

    @property
    def pid(self) -> int | None:
        """The process number of the worker that runs now."""
        return self._process.pid if self._process is not None else None

    @property
    def silent_s(self) -> float:
        """Seconds since the worker's last sign of life."""
        return time.monotonic() - self._last_sign

    @property
    def broken(self) -> QuotesmithError | None:
        """Why nothing can be asked of it: no worker could be started, or it was closed; None otherwise.

        One that could not be started is tried again from time to time, unless the model was refused from the first.
        """
        return self._broken

    def start(self) -> None:
        """Begin to load the model; requests may be made at once and wait for it."""
        self._supervisor = asyncio.create_task(self._supervise(), name="worker supervisor")

    async def ready(self) -> wire.WorkerFacts:
        """Wait until the model is loaded; raises what kept it from loading."""
        await self._settled.wait()
        if self._broken is not None:
            raise self._broken
        assert self.facts is not None
        return self.facts

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """See TextGenerator.held."""
        self._holders += 1
        self._note_use()
        try:
            yield
        finally:
            self._holders -= 1
            self._note_use()

    async def drained(self) -> None:
        """Wait until nothing is waiting, nothing is being written, and nobody holds it to ask again."""
        await self._unused.wait()

    async def close(self) -> None:
        """End the worker; requests under way end with WorkerCrashed, and so does whatever is asked of it later."""
        self._loaded = False
        self._broken = WorkerCrashed("The model that was to answer is not loaded any more; ask again.")
        self._settled.set()
        try:
            if self._supervisor is not None:
                self._supervisor.cancel()
                await asyncio.wait([self._supervisor])
        finally:
            await self._reap()
        self._fail_all(WorkerCrashed("The bot is shutting down."))

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """See TextGenerator.generate."""
        self._refuse_early(request)
        async with aclosing(self._events(self._begin(self._seeded(request)))) as events:
            async for event in events:
                yield event

    async def generate_candidates(
        self, request: GenerationRequest, count: int, within_s: float | None = None
    ) -> Sequence[Candidate]:
        """See TextGenerator.generate_candidates. The seeds are those of the request and the numbers behind it."""
        self._refuse_early(request)
        first = self._seeded(request)
        assert first.seed is not None
        requests = [replace(first, seed=first.seed + number, whole=True) for number in range(count)]
        calls = [self._enter(request, number == 0) for number, request in enumerate(requests)]
        if self._loaded:
            self._send({"op": "several", "lines": [self._line_of(call) for call in calls]})
        writing = [asyncio.create_task(self._whole(call), name="writing a candidate") for call in calls]
        try:
            left_s = None if within_s is None else max(0.0, calls[0].submitted + within_s - time.monotonic())
            done, left = await asyncio.wait(writing, timeout=left_s, return_when=asyncio.FIRST_EXCEPTION)
            while left and 2 * len([task.result() for task in done]) < count:
                more, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                done |= more
            return [task.result() for task in writing if task in done]
        finally:
            for task in writing:
                task.cancel()
            for call in calls:  # also one that was never begun to be read
                self._give_up_on(call)

    def candidates_within(self, seconds: float, tokens: float) -> int:
        """See TextGenerator.candidates_within; by the rate that the worker measured last."""
        if self.facts is None or not self._loaded:
            return 1
        room = self._options.slots - len(self._calls)
        return max(1, min(room, int(self.facts.batch_rate * seconds / tokens)))

    async def _whole(self, call: _Call) -> Candidate:
        text = ""
        async with aclosing(self._events(call)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    text += event.text
                elif isinstance(event, Finished):
                    return Candidate(text, event)
        raise WorkerCrashed("The model worker stopped without an end.")

    def _begin(self, request: GenerationRequest) -> _Call:
        call = self._enter(request)
        if self._loaded:
            self._send(self._line_of(call))
        return call

    def _enter(self, request: GenerationRequest, counts: bool = True) -> _Call:
        call = _Call(f"{next(self._numbers)}", request, time.monotonic(), counts=counts)
        self._calls[call.id] = call
        self._note_use()
        return call

    async def _events(self, call: _Call) -> AsyncGenerator[GenerationEvent, None]:
        """What comes of a call, to its end; closed early, it is cancelled."""
        try:
            while True:
                event = await self._next(call)
                if isinstance(event, QuotesmithError):
                    raise event
                yield event
                if isinstance(event, Finished):
                    return
        finally:
            self._give_up_on(call)

    async def _next(self, call: _Call) -> GenerationEvent | QuotesmithError:
        """What comes next; the end, where a worker that hangs or is loading let the deadline pass."""
        deadline_s = call.request.deadline_s
        age_s = time.monotonic() - call.submitted
        try:
            async with asyncio.timeout(None if deadline_s is None else deadline_s + _DEADLINE_GRACE_S - age_s):
                return await call.events.get()
        except TimeoutError:
            return self._late(call)

    def _give_up_on(self, call: _Call) -> None:
        if self._drop(call):
            self._send({"op": "cancel", "id": call.id})

    def _refuse_early(self, request: GenerationRequest) -> None:
        if self._broken is not None:
            raise self._broken
        allowed = self._limits.max_waiting + self._options.slots
        waiting = sum(call.counts for call in self._calls.values())
        if waiting >= allowed:
            raise BusyError(
                f"The bot is busy: {waiting} requests are waiting already. Try again in a minute.",
                "queue-full",
                waiting=waiting,
            )
        mine = sum(call.counts and call.request.person == request.person for call in self._calls.values())
        if mine >= self._limits.max_waiting_per_person:
            raise BusyError(
                f"You already wait for {mine} replies, which is as many as allowed. Let one finish first.",
                "person-waits",
                waiting=mine,
            )

    @staticmethod
    def _seeded(request: GenerationRequest) -> GenerationRequest:
        # Chosen here and not in the worker, so that a next worker goes on with the same one.
        return request if request.seed is not None else replace(request, seed=secrets.randbits(32))

    # -- the process ------------------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Start a worker, read it to its end, and begin again, until a model is refused that was never loaded.

        After some failed starts in a row requests are refused, until a start succeeds again.
        """
        failed_starts, pause_s = 0, 0.0
        while True:
            if await self._serve_one_worker():
                failed_starts, pause_s = 0, 0.0
            else:
                failed_starts, pause_s = failed_starts + 1, min(_LONGEST_PAUSE_S, max(_RESTART_PAUSE_S, 2 * pause_s))
            if self._refused_for_good or failed_starts >= _FAILED_STARTS:
                self._give_up(
                    self._refusal or WorkerCrashed("The model worker could not be started; the log says why.")
                )
            if self._refused_for_good:
                return
            await asyncio.sleep(pause_s)

    async def _serve_one_worker(self) -> bool:
        """Run one worker until it ends; True if it had loaded its model."""
        self._refusal, self._defect = None, ""
        try:
            process = await self._spawn()
        except (OSError, RuntimeError) as error:  # no process, no pipe, or no thread that would wait for its end
            log.error("the machine cannot start a model worker now: %s", error)
            return False
        watchdog, patience_s = asyncio.create_task(self._watch(process), name="worker watchdog"), _EXIT_PATIENCE_S
        try:
            await self._read(process)
        except _UNREADABLE as error:
            log.error("a line of the model worker cannot be read, so it is killed: %s: %s", type(error).__name__, error)
            patience_s = 0.0
        finally:
            watchdog.cancel()
        loaded, self._loaded = self._loaded, False
        if self._broken is None:
            self._settled.clear()
        await self._reap(patience_s)
        if not self._refused_for_good:
            self._note_death(process.returncode, loaded)
        return loaded

    @property
    def _refused_for_good(self) -> bool:
        """What keeps a model from loading that was loaded before, such as too little memory, may pass."""
        return self._refusal is not None and self.facts is None

    async def _spawn(self) -> asyncio.subprocess.Process:
        # libgomp reads the variable when it is loaded. A short spin keeps most of the speed of a quiet machine, and
        # does not stall for whole time slices when a neighbour takes a processor.
        environment = {**os.environ, "GOMP_SPINCOUNT": str(self._limits.spin_count)}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot.inference.worker_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            limit=_LINE_LIMIT,
            start_new_session=True,
        )
        self._last_sign = time.monotonic()
        self._send(wire.options_line(self._options))
        return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for data in process.stdout:
            if not data.endswith(b"\n"):
                return  # a line that the worker did not live to finish
            self._last_sign = time.monotonic()
            self._take(wire.decode(data))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Kill a worker that gives no sign of life for too long."""
        while True:
            allowed = self._limits.hang_timeout_s if self._loaded else self._limits.load_timeout_s
            if self.silent_s > allowed:
                log.error("the model worker gave no sign of life for %.0f s and is killed", self.silent_s)
                _kill(process)
                return
            await asyncio.sleep(min(1.0, allowed / 4))

    async def _reap(self, patience_s: float = 0.0) -> None:
        """Wait for the process to end, and kill it when it does not end by itself in time."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), patience_s)
        if process.returncode is None:
            _kill(process)
        await process.wait()

    def _send(self, line: wire.Line) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return  # it has died: the supervisor hands everything to the next one
        process.stdin.write(wire.encode(line))

    # -- what the worker says ---------------------------------------------------------------------------------------

    def _take(self, line: wire.Line) -> None:
        op = line["op"]
        waiting = self._calls.get(line.get("id", ""))
        if op == "ready":
            self.facts = wire.WorkerFacts(**line["facts"])
            if self._broken is not None:
                log.warning("the model worker runs again")
            self._loaded, self._broken = True, None
            self._settled.set()
            for call in self._calls.values():
                self._send(self._line_of(call))
        elif op == "rates" and self.facts is not None:
            self.facts = replace(self.facts, **line["rates"])
        elif op == "refused":
            self._refusal = _error_of(line)
        elif op == "defect":
            self._defect = line["text"]
        elif waiting is not None:
            self._take_for(waiting, line)

    def _take_for(self, call: _Call, line: wire.Line) -> None:
        op = line["op"]
        if op == "queued":
            call.events.put_nowait(Queued(line["position"], line["eta_s"]))
        elif op == "delta":
            call.tokens.extend(line["tokens"])
            if call.first_token_s is None:
                call.first_token_s = time.monotonic() - call.submitted
            if line["text"]:
                call.events.put_nowait(TextDelta(line["text"]))
        elif op == "finished":
            if line["text"]:
                call.events.put_nowait(TextDelta(line["text"]))
            self._end(call, self._finished(call, line))
        elif op == "failed":
            self._end(call, _error_of(line))

    @staticmethod
    def _line_of(call: _Call) -> wire.Line:
        age = time.monotonic() - call.submitted
        return wire.submit_line(call.id, call.request, age_s=age, resume=call.tokens)

    def _end(self, call: _Call, event: GenerationEvent | QuotesmithError) -> None:
        self._drop(call)
        call.events.put_nowait(event)

    def _drop(self, call: _Call) -> bool:
        """Forget a call; False if it was forgotten before."""
        known = self._calls.pop(call.id, None) is not None
        self._note_use()
        return known

    def _note_use(self) -> None:
        if self._calls or self._holders:
            self._unused.clear()
        else:
            self._unused.set()

    def _finished(self, call: _Call, line: wire.Line) -> Finished:
        return Finished(
            reason=wire.finish_reason(line),
            prompt_tokens=line["prompt_tokens"],
            cached_tokens=line["cached_tokens"],
            completion_tokens=line["completion_tokens"],
            queued_s=line["queued_s"],
            first_token_s=call.first_token_s,
            elapsed_s=time.monotonic() - call.submitted,
            dropped_turns=line["dropped_turns"],
            resumed=call.deaths,
            prompt_sha256=line["prompt_sha256"],
            seed=line["seed"],
            nats=line["nats"],
            drawn=line["drawn"],
            state=tuple(line["state"]) if line["state"] is not None else None,
        )

    @staticmethod
    def _late(call: _Call) -> Finished:
        """The end of a text whose worker tells none; what only a worker knows is 0."""
        elapsed_s = time.monotonic() - call.submitted
        return Finished(
            reason=FinishReason.DEADLINE,
            prompt_tokens=0,
            cached_tokens=0,
            completion_tokens=len(call.tokens),
            queued_s=elapsed_s if call.first_token_s is None else 0.0,
            first_token_s=call.first_token_s,
            elapsed_s=elapsed_s,
            resumed=call.deaths,
            seed=call.request.seed or 0,
        )

    # -- when it dies -----------------------------------------------------------------------------------------------

    def _note_death(self, returncode: int | None, loaded: bool) -> None:
        """Every request under way survives, but for one that has seen too many workers die that had it to write."""
        for call in list(self._calls.values()):
            call.deaths += loaded
            if call.deaths > self._limits.max_resumes:
                self._end(call, WorkerCrashed("The model stopped several times over this request, so it was given up."))
        how = f"signal {-returncode}" if returncode is not None and returncode < 0 else f"exit code {returncode}"
        log.warning(
            "the model worker ended (%s) and is started again; replies that go on from where they were: %d",
            f"{how}: {cause}" if (cause := self._refusal or self._defect) else how,
            len(self._calls),
        )

    def _give_up(self, error: QuotesmithError) -> None:
        if self._broken is None:  # a start that fails later is told like any other end
            log.error("%s", error)
        self._broken = error
        self._settled.set()
        self._fail_all(error)

    def _fail_all(self, error: QuotesmithError) -> None:
        for call in list(self._calls.values()):
            self._end(call, error)


def _kill(process: asyncio.subprocess.Process) -> None:
    # Not process.kill(): that one polls first and takes the exit status away from the event loop's own watcher.
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


def _error_of(line: wire.Line) -> QuotesmithError:
    """The worker's error as one of our tree."""
    kind = getattr(bot.errors, line["error"], GenerationError)
    error = kind(line["text"])
    return error if isinstance(error, QuotesmithError) else GenerationError(line["text"])
