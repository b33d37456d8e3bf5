"""Decides who is written for next and what goes into the next batch; has no clock, no thread and no model.

The queue is a ring of people: each turn of the ring admits one request of one person, so a person with a hundred
requests delays nobody's first by more than one. A request is admitted when a slot and its worst case of cache cells
(prompt and all new tokens) are free; the head of the ring is never overtaken, so a long request cannot starve.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one step and the whole cache can hold; all in tokens, but for `slots` (sequences at once)."""

    slots: int
    cells: int
    batch_tokens: int
    prefill_chunk_tokens: int


@dataclass(frozen=True, slots=True)
class Job:
    """A request as the scheduler sees it; `deadline` is in the worker's own seconds."""

    id: str
    person: str
    prompt_tokens: int
    max_tokens: int
    deadline: float | None = None

    @property
    def cells(self) -> int:
        """The cache cells that it may come to fill."""
        return self.prompt_tokens + self.max_tokens


@dataclass(slots=True)
class _Running:
    job: Job
    left_to_prefill: int
    held: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """A job's part of the next batch: `tokens` of its prompt, or the one it drew last when `decoding`."""

    id: str
    tokens: int
    decoding: bool


class Scheduler:
    """Queue order and batch choice over plain state."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._ring: deque[str] = deque()
        self._waiting: dict[str, deque[Job]] = {}
        self._running: dict[str, _Running] = {}

    @property
    def running(self) -> tuple[str, ...]:
        """The admitted jobs, oldest first."""
        return tuple(self._running)

    @property
    def reserved_cells(self) -> int:
        """Cells that the running jobs may come to fill."""
        return sum(entry.job.cells for entry in self._running.values())

    @property
    def has_work(self) -> bool:
        """A job runs or waits."""
        return bool(self._running or self._ring)

    def submit(self, job: Job) -> bool:
        """Queue a job; False when it is larger than the whole cache and could never run."""
        if job.cells > self.limits.cells:
            return False
        if job.person not in self._waiting:
            self._waiting[job.person] = deque()
            self._ring.append(job.person)
        self._waiting[job.person].append(job)
        return True

    def waiting(self) -> list[str]:
        """The waiting jobs in the order in which they will be admitted."""
        rounds = max((len(jobs) for jobs in self._waiting.values()), default=0)
        return [self._waiting[p][turn].id for turn in range(rounds) for p in self._ring if turn < len(self._waiting[p])]

    def admit(self) -> Job | None:
        """Take the next job into the running set, or None when there is none or it does not fit yet."""
        if not self._ring or len(self._running) >= self.limits.slots:
            return None
        person = self._ring[0]
        job = self._waiting[person][0]
        if self.reserved_cells + job.cells > self.limits.cells:
            return None
        self._ring.popleft()
        self._take_waiting(person, job)
        if person in self._waiting:
            self._ring.append(person)
        self._running[job.id] = _Running(job, job.prompt_tokens)
        return job

    def cached(self, job_id: str, tokens: int) -> None:
        """So many tokens of the job's prompt need no decoding; the last one always does, for its logits."""
        entry = self._running[job_id]
        entry.left_to_prefill, entry.held = max(1, entry.job.prompt_tokens - tokens), False

    def hold(self, job_id: str) -> None:
        """Another job decodes the same prompt: this one gets no share until `take_over`, or `cached` if that ends."""
        self._running[job_id].held = True

    def take_over(self, job_id: str) -> None:
        """The other job's prompt is decoded, and this one may draw its first token from the same logits."""
        entry = self._running[job_id]
        entry.left_to_prefill, entry.held = 0, False

    def plan(self) -> list[Share]:
        """The next batch: one token for each job that is being written, then prompts, oldest first, in chunks."""
        decoding = [Share(i, 1, True) for i, entry in self._running.items() if entry.left_to_prefill == 0]
        decoding = decoding[: self.limits.batch_tokens]
        room = self.limits.batch_tokens - len(decoding)
        if decoding:
            room = min(room, self.limits.prefill_chunk_tokens)
        shares = decoding
        for job_id, entry in self._running.items():
            tokens = 0 if entry.held else min(entry.left_to_prefill, room)
            if tokens > 0:
                shares.append(Share(job_id, tokens, False))
                room -= tokens
        return shares

    def decoded(self, share: Share) -> bool:
        """The share was decoded; True when the job may draw its next token."""
        entry = self._running[share.id]
        if not share.decoding:
            entry.left_to_prefill -= share.tokens
        return entry.left_to_prefill == 0

    def expired(self, now: float) -> list[str]:
        """The jobs, waiting or running, whose deadline has passed."""
        queued = [job for jobs in self._waiting.values() for job in jobs]
        everyone = [*queued, *(entry.job for entry in self._running.values())]
        return [job.id for job in everyone if job.deadline is not None and job.deadline <= now]

    def remove(self, job_id: str) -> bool:
        """Forget a job wherever it is; True if it was running."""
        if self._running.pop(job_id, None) is not None:
            return True
        for person, jobs in list(self._waiting.items()):
            for job in jobs:
                if job.id == job_id:
                    self._take_waiting(person, job)
                    if person not in self._waiting:
                        self._ring.remove(person)
                    return False
        return False

    def _take_waiting(self, person: str, job: Job) -> None:
        self._waiting[person].remove(job)
        if not self._waiting[person]:
            del self._waiting[person]
