"""The child process: a loop around the scheduler and the batch engine; knows no platform and no database.

Started as `python -m bot.inference.worker_process`. Speaks the lines of wire.py on standard input and output and ends
when its input ends. It never tries to survive an error of the engine: its parent starts another one.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from bot.chat.conversation import trim
from bot.chat.generation import FinishReason, GenerationRequest
from bot.chat.messages import Role, Turn
from bot.errors import ModelInvalid, QuotesmithError
from bot.inference import wire
from bot.inference.batch_engine import BatchEngine, Piece, thread_counts
from bot.inference.estimate import WaitEstimate
from bot.inference.gguf_model import GgufModel, initialise
from bot.inference.prompt_tokens import Prompt, prepare, prompt_budget
from bot.inference.sampler import Sampler
from bot.inference.scheduler import Job, Limits, Scheduler, Share
from bot.inference.text_stream import TextStream
from bot.inference.thread_tuner import ThreadTuner
from bot.inference.windows import Windows
from bot.inference.worker_channel import BEAT_S, Channel, leave

STEP_S = 4.0  # the longest step, as far as the first trials can tell; cancelling and deadlines wait for its end


@dataclass(slots=True, eq=False)
class Writing:
    """One request from submission to its end."""

    id: str
    request: GenerationRequest
    prompt: Prompt
    seed: int
    submitted: float
    given: list[int]  # tokens that a worker before this one gave
    stream: TextStream
    tokens: list[int] = field(default_factory=list)  # drawn here, in order; the last one is not decoded yet
    sampler: Sampler | None = None
    sequence: int = -1
    cached: int = 0
    cells: int = 0  # of the cache that it may come to fill
    followers: list[Writing] = field(default_factory=list)  # they have the same prompt and wait until it is decoded
    followed: bool = False  # it was one of those: its conversation's part of the cache is another one's
    started: float | None = None
    sent_position: int = 0
    text: str = ""
    nats: float = 0.0  # of the tokens drawn here, and of the end, where the request asks for the likelihood
    drawn: int = 0  # these are so many
    states: NDArray[np.float32] | None = None  # the sum of the hidden states that they were drawn from
    to_decode: list[int] = field(default_factory=list)  # of the prompt and the given tokens, behind the cached part

    @property
    def written(self) -> int:
        """Tokens of the reply so far, whoever drew them."""
        return len(self.given) + len(self.tokens)


class Worker:
    """Owns the model, the cache and everything that is being written."""

    def __init__(self, channel: Channel, options: wire.WorkerOptions) -> None:
        start = time.monotonic()
        self._channel = channel
        initialise()
        path = Path(options.model_path)
        self._model = GgufModel(path, self._loading)
        self._history_messages = options.history_messages
        self._context = min(self._model.trained_context, options.conversation_tokens, options.context_tokens // 2)
        self._engine = BatchEngine(
            self._model,
            slots=options.slots,
            context_tokens=options.context_tokens,
            batch_tokens=options.batch_tokens,
        )
        self._loading(1.0)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        counts = [options.threads] if options.threads else thread_counts(cores)
        for _ in self._engine.thread_trials(counts):
            self._loading(1.0)
        self._tuner = ThreadTuner(self._engine, counts)
        pinned = sum(self._pin(prefix) for prefix in options.shared_prefixes)
        self._scheduler = Scheduler(
            Limits(
                slots=options.slots,
                cells=self._engine.cells - pinned,
                batch_tokens=self._step_tokens(options),
                prefill_chunk_tokens=options.prefill_chunk_tokens,
            )
        )
        self._estimate = WaitEstimate(self._engine.threads.batch_rate, options.slots)
        self._writing: dict[str, Writing] = {}
        self._windows = Windows()
        self._ahead: dict[str, list[int]] = {}
        channel.send("ready", facts=self._facts(time.monotonic() - start))
        channel.flush()

    def _step_tokens(self, options: wire.WorkerOptions) -> int:
        """As many tokens in a step as take STEP_S: a large model's long prompt must not look like a hang."""
        in_time = int(STEP_S * self._engine.threads.batch_rate)
        return min(options.batch_tokens, max(in_time, options.prefill_chunk_tokens, options.slots))

    def _loading(self, fraction: float) -> None:
        self._channel.send("loading", fraction=round(fraction, 3))
        self._channel.flush()

    def run(self) -> NoReturn:
        """Serve until the input ends."""
        while True:
            busy = self._scheduler.has_work or self._ahead
            for line in self._channel.receive(0 if busy or self._tuner.trying else BEAT_S):
                self._obey(line)
            self._expire()
            self._admit()
            shares = self._scheduler.plan()
            if shares:
                self._step(shares)
            elif self._ahead:
                self._decode_ahead()
            if self._tuner.between_steps(bool(busy)):
                self._channel.send("rates", rates=self._rates())
            self._channel.flush()

    def _pin(self, prefix: tuple[Turn, ...] | str) -> int:
        """Keep the beginning that every prompt of a kind shares; returns its length in tokens."""
        tokens = self._model.tokenize(prefix) if isinstance(prefix, str) else self._shared_beginning(prefix)
        tokens = tokens[: self._context // 4]
        if len(tokens) > 1:
            self._engine.pin(tokens)
        return len(tokens)

    def _shared_beginning(self, turns: Sequence[Turn]) -> list[int]:
        """What the renderings of two different conversations with this beginning have in common."""
        *head, last = turns
        first, second = (self._model.render([*head, Turn(last.role, last.content + end)]) for end in ("a", "?"))
        common = 0
        while common < min(len(first), len(second)) and first[common] == second[common]:
            common += 1
        return first[:common]

    def _facts(self, load_s: float) -> dict[str, object]:
        return {
            "description": self._model.description,
            "context_tokens": self._context,
            "cache_tokens": self._engine.cells,
            "vocabulary": self._model.vocabulary_size,
            "has_chat_template": self._model.template.own,
            "load_s": load_s,
            **self._rates(),
        }

    def _rates(self) -> dict[str, object]:
        """What of the facts each trial finds anew."""
        threads = self._engine.threads
        return {
            "threads": threads.single,
            "batch_threads": threads.batch,
            "stream_rate": threads.single_rate,
            "batch_rate": threads.batch_rate,
        }

    def _obey(self, line: wire.Line) -> None:
        if line["op"] == "several":
            for one in line["lines"]:
                self._obey(one)
        elif line["op"] == "submit":
            try:
                self._submit(line)
            except QuotesmithError as error:
                self._channel.send("failed", id=line["id"], error=type(error).__name__, text=str(error))
        elif line["op"] == "cancel" and line["id"] in self._writing:
            self._finish(self._writing[line["id"]], FinishReason.CANCELLED)

    def _submit(self, line: wire.Line) -> None:
        request = wire.request_from(line)
        submitted = time.monotonic() - line["age_s"]
        keep_from = self._windows.start(request.conversation, request.turns)
        prompt = prepare(request, self._model, self._context, keep_from)
        self._windows.remember(request.conversation, request.turns, prompt.dropped_turns)
        self._ahead.pop(request.conversation or "", None)
        seed = request.seed if request.seed is not None else secrets.randbits(32)
        stops = request.stop if request.prompt is not None else (*request.stop, *self._model.template.stops)
        writing = Writing(line["id"], request, prompt, seed, submitted, list(line["resume"]), TextStream(stops))
        writing.sampler = Sampler(self._model, request.sampling, seed + len(writing.given), request.grammar)
        self._writing[writing.id] = writing
        if writing.given and (ended := self._replay(writing)) is not None:
            self._finish(writing, ended)
            return
        deadline = submitted + request.deadline_s if request.deadline_s is not None else None
        # What was given already is decoded again like a part of the prompt.
        length = len(prompt.tokens) + len(writing.given)
        job = Job(writing.id, request.person, length, prompt.max_tokens - len(writing.given), deadline)
        if not self._scheduler.submit(job):
            self._finish(writing, FinishReason.LENGTH)

    def _replay(self, writing: Writing) -> FinishReason | None:
        """Bring stream and sampler to where the worker before this one left them; that text was shown already."""
        assert writing.sampler is not None
        for token in writing.given:
            writing.sampler.accept(token)
            writing.text += writing.stream.feed(self._model.piece(token))
        if writing.stream.stopped:
            return FinishReason.STOP
        return FinishReason.LENGTH if len(writing.given) >= writing.prompt.max_tokens else None

    def _expire(self) -> None:
        for job_id in self._scheduler.expired(time.monotonic()):
            self._finish(self._writing[job_id], FinishReason.DEADLINE)

    def _admit(self) -> None:
        while (job := self._scheduler.admit()) is not None:
            writing = self._writing[job.id]
            writing.cells, writing.started = job.cells, time.monotonic()
            self._place(writing)
        self._tell_positions()

    def _place(self, writing: Writing) -> None:
        """Lay out the cache for it, or let it wait for another text that decodes the same prompt."""
        leader = next((other for other in self._writing.values() if _decodes_prompt_of(other, writing)), None)
        if leader is not None:
            leader.followers.append(writing)
            self._scheduler.hold(writing.id)
            return
        prompt = [*writing.prompt.tokens, *writing.given]
        opening = self._engine.open(prompt, writing.request.conversation, writing.cells)
        writing.sequence, writing.cached = opening.id, opening.cached
        writing.to_decode = prompt[opening.cached :]
        self._scheduler.cached(writing.id, opening.cached)

    def _follow(self, leader: Writing) -> list[Writing]:
        """The prompt is decoded: each follower gets a copy of it. Returns the followers."""
        followers, leader.followers = leader.followers, []
        for writing in followers:
            opening = self._engine.fork(leader.sequence, writing.cells)
            writing.sequence, writing.cached, writing.followed = opening.id, opening.cached, True
            self._scheduler.take_over(writing.id)
        return followers

    def _tell_positions(self) -> None:
        for position, job_id in enumerate(self._scheduler.waiting(), start=1):
            writing = self._writing[job_id]
            if writing.sent_position != position:
                writing.sent_position = position
                eta = self._estimate.wait_s(position, writing.prompt.max_tokens)
                self._channel.send("queued", id=job_id, position=position, eta_s=round(eta, 2))

    def _step(self, shares: list[Share]) -> None:
        pieces = [self._piece(share) for share in shares]
        start = time.monotonic()
        states = any(_tells_state(self._writing[share.id]) for share in shares)
        rows = self._engine.decode(pieces, states=states)
        seconds = time.monotonic() - start
        for share, piece, row in zip(shares, pieces, rows, strict=True):
            self._scheduler.decoded(share)
            if piece.draws:
                writing = self._writing[share.id]
                for drawing in (*self._follow(writing), writing):
                    self._draw(drawing, row)
        decoding = sum(share.decoding for share in shares)
        prefilled = sum(share.tokens for share in shares if not share.decoding)
        self._estimate.step(decoding, prefilled, seconds, len(self._scheduler.running))
        self._tuner.step_took(decoding, prefilled, seconds)

    def _piece(self, share: Share) -> Piece:
        writing = self._writing[share.id]
        if share.decoding:
            return Piece(writing.sequence, writing.tokens[-1:], draws=True)
        tokens, writing.to_decode = writing.to_decode[: share.tokens], writing.to_decode[share.tokens :]
        return Piece(writing.sequence, tokens, draws=not writing.to_decode)

    def _draw(self, writing: Writing, row: int) -> None:
        assert writing.sampler is not None
        token = writing.sampler.draw(self._engine.context, row)
        if _is_weighed(writing):
            writing.nats += self._model.surprise(self._engine.context, row, token)
            writing.drawn += 1
            if _tells_state(writing):
                state = self._engine.state(row)
                writing.states = state if writing.states is None else writing.states + state
        if self._model.ends_text(token):
            self._finish(writing, FinishReason.END)
            return
        writing.tokens.append(token)
        text = writing.stream.feed(self._model.piece(token))
        writing.text += text
        if not writing.request.whole:
            self._channel.send("delta", id=writing.id, text=text, tokens=[token])
        if writing.stream.stopped:
            self._finish(writing, FinishReason.STOP)
        elif writing.written >= writing.prompt.max_tokens:
            self._finish(writing, FinishReason.LENGTH)

    def _finish(self, writing: Writing, reason: FinishReason) -> None:
        if self._scheduler.remove(writing.id) and writing.sequence >= 0:
            self._engine.close(writing.sequence)
        if writing.sampler is not None:
            writing.sampler.close()
        del self._writing[writing.id]
        for other in self._writing.values():
            if writing in other.followers:
                other.followers.remove(writing)
        for follower in writing.followers:  # it was given up before its prompt was decoded
            self._place(follower)
        rest = writing.stream.finish()
        writing.text += rest
        if reason in (FinishReason.END, FinishReason.STOP, FinishReason.LENGTH):
            self._plan_ahead(writing)
            if self._ahead and not self._scheduler.has_work:
                # Before the end is told: a next message that comes at once then need not wait for this.
                self._channel.flush()
                self._decode_ahead()
        prefilled = len(writing.prompt.tokens) - writing.cached
        if reason in (FinishReason.END, FinishReason.STOP, FinishReason.LENGTH) and writing.started is not None:
            self._estimate.finished(prefilled, writing.written)
        queued = (writing.started or time.monotonic()) - writing.submitted
        self._channel.send(
            "finished",
            id=writing.id,
            reason=reason,
            text=writing.text if writing.request.whole else rest,
            prompt_tokens=len(writing.prompt.tokens),
            cached_tokens=min(writing.cached, len(writing.prompt.tokens)),
            completion_tokens=writing.written,
            queued_s=queued,
            dropped_turns=writing.prompt.dropped_turns,
            prompt_sha256=writing.prompt.sha256,
            seed=writing.seed,
            nats=writing.nats if writing.drawn else None,
            drawn=writing.drawn,
            state=None if writing.states is None else _rounded(writing.states / np.float32(writing.drawn)),
        )

    def _plan_ahead(self, writing: Writing) -> None:
        """Where the next turn would have to trim the conversation, trim it now, while nobody waits for it."""
        conversation, said = writing.request.conversation, writing.text.strip()
        if conversation is None or not said or writing.followed or not self._engine.can_move:
            return
        try:
            self._trim_ahead(writing.request, conversation, said, writing.prompt.dropped_turns)
        except ModelInvalid:  # nobody asked for this: a template that refuses it may take what comes
            return

    def _trim_ahead(self, request: GenerationRequest, conversation: str, said: str, dropped_turns: int) -> None:
        shown = sum(turn.role is not Role.SYSTEM for turn in request.turns) - dropped_turns
        if shown + 2 > self._history_messages:  # the next request begins with a later message anyway
            return
        budget = prompt_budget(request, self._context)
        next_message = budget // 4
        turns = (*request.turns, Turn(Role.ASSISTANT, said), Turn(Role.USER, ""))
        keep_from = self._windows.start(conversation, turns)
        trimmed = trim(turns, budget - next_message, lambda part: len(self._model.render(part)), keep_from)
        if trimmed.dropped == keep_from:
            return
        beginning = self._shared_beginning(trimmed.turns)
        self._windows.remember(conversation, turns[:-2], trimmed.dropped)
        self._ahead[conversation] = beginning

    def _decode_ahead(self) -> None:
        """Move a trimmed conversation's cache together; the next decoded token pays for it, so decode some."""
        conversation, tokens = self._ahead.popitem()
        opening = self._engine.open(tokens, conversation, len(tokens))
        rest = tokens[opening.cached :][: self._scheduler.limits.prefill_chunk_tokens]
        self._engine.decode([Piece(opening.id, rest, draws=False)])
        self._engine.close(opening.id)


def _decodes_prompt_of(other: Writing, writing: Writing) -> bool:
    """Whether the other text is about to decode the very prompt; another conversation has its own part of the cache."""
    if writing.given or other.given or not other.to_decode or _tells_state(writing) != _tells_state(other):
        return False
    same = writing.request.conversation == other.request.conversation
    return same and other.prompt.tokens == writing.prompt.tokens


def _is_weighed(writing: Writing) -> bool:
    """Whether it is told how likely the text is: never of one that another worker began, whose tokens it drew."""
    return writing.request.likelihood and not writing.given


def _tells_state(writing: Writing) -> bool:
    return writing.request.states and _is_weighed(writing)


def _rounded(state: NDArray[np.float32]) -> list[float]:
    """As many digits as a line of text needs: what is read from it does not hang on the fifth."""
    return [round(float(value), 4) for value in state]


def main() -> NoReturn:
    """Load the model of the first line, then serve; what goes wrong is the parent's to tell, in a line of its log."""
    for number in (signal.SIGINT, signal.SIGHUP):  # Ctrl-C and a closed terminal are the parent's to handle
        signal.signal(number, signal.SIG_IGN)
    channel = Channel()
    try:
        _load(channel).run()
    except Exception as error:  # noqa: BLE001 a traceback would end up on the terminal where the bot runs
        channel.send("defect", text=_in_one_line(error))
        channel.flush()
        leave(1)


def _load(channel: Channel) -> Worker:
    options = wire.options_from(channel.receive(None)[0])
    try:
        return Worker(channel, options)
    except QuotesmithError as error:
        channel.send("refused", error=type(error).__name__, text=str(error))
        channel.flush()
        leave(1)


def _in_one_line(error: Exception) -> str:
    """What went wrong, and where it did."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"


if __name__ == "__main__":
    main()
