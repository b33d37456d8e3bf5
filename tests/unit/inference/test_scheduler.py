"""The scheduler against a naive model of a queue, whatever people do; then its promises one by one."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.inference.scheduler import Job, Limits, Scheduler, Share

PEOPLE = st.sampled_from(["ann", "bob", "cat", "dan"])
SMALL = st.integers(1, 12)


@dataclass(slots=True)
class Text:
    """What the model knows of a running job: how much is left, and how long nothing was done for it."""

    job: Job
    to_prefill: int
    to_write: int
    behind: str | None = None  # the job that decodes the same prompt for it
    idle_steps: int = 0
    patience: int = 0  # steps that the prompts ahead of it may take


class QueueMachine(RuleBasedStateMachine):
    """Random people submit, give up and are written for; the queue is compared with lists."""

    @initialize(slots=st.integers(1, 4), cells=st.integers(10, 60), room=st.integers(0, 8), chunk=st.integers(1, 6))
    def begin(self, slots: int, cells: int, room: int, chunk: int) -> None:
        self.limits = Limits(slots, cells, slots + room, min(chunk, slots + room))
        self.scheduler = Scheduler(self.limits)
        self.ring: list[str] = []
        self.queues: dict[str, deque[Job]] = {}
        self.running: dict[str, Text] = {}
        # For each waiting person: the admissions of others since the person's own last one, or since joining.
        self.passed_by: dict[str, Counter[str]] = {}
        self.numbers = 0

    # What people do

    @rule(person=PEOPLE, prompt=SMALL, most=SMALL, deadline=st.none() | st.integers(0, 20))
    def submit(self, person: str, prompt: int, most: int, deadline: int | None) -> None:
        self.numbers += 1
        job = Job(f"{person}{self.numbers}", person, prompt, most, deadline)
        assert self.scheduler.submit(job) == (prompt + most <= self.limits.cells)
        if prompt + most > self.limits.cells:
            return
        if person not in self.queues:
            self.ring.append(person)
            self.queues[person] = deque()
            self.passed_by[person] = Counter()
        self.queues[person].append(job)

    @precondition(lambda self: self.queues or self.running)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        waiting = [job.id for queue in self.queues.values() for job in queue]
        job_id = data.draw(st.sampled_from([*waiting, *self.running]))
        assert self.scheduler.remove(job_id) == (job_id in self.running)
        self.forget(job_id)

    @rule()
    def give_up_somebody_unknown(self) -> None:
        assert not self.scheduler.remove("nobody")

    @rule(now=st.integers(0, 20))
    def expire(self, now: int) -> None:
        everybody = [*(job for queue in self.queues.values() for job in queue)]
        everybody += [text.job for text in self.running.values()]
        due = {job.id for job in everybody if job.deadline is not None and job.deadline <= now}
        expired = self.scheduler.expired(now)
        assert sorted(expired) == sorted(due)
        for job_id in expired:
            self.scheduler.remove(job_id)
            self.forget(job_id)

    # What the worker does

    @rule(cached=st.integers(0, 15), part=st.floats(0, 1))
    def admit(self, cached: int, part: float) -> None:
        expected = self.next_admitted()
        job = self.scheduler.admit()
        assert job == expected
        if job is None:
            return
        self.take_from_queue(job)
        self.scheduler.cached(job.id, cached)
        ahead = sum(text.to_prefill for text in self.running.values())
        left = max(1, job.prompt_tokens - cached)
        self.running[job.id] = Text(job, left, 1 + int((job.max_tokens - 1) * part), patience=ahead)

    @precondition(lambda self: any(text.to_prefill and not text.behind for text in self.running.values()))
    @rule(data=st.data())
    def admit_behind_the_same_prompt(self, data: st.DataObject) -> None:
        leaders = [job_id for job_id, text in self.running.items() if text.to_prefill and not text.behind]
        job = self.scheduler.admit()
        assert job == self.next_admitted()
        if job is not None:
            self.take_from_queue(job)
            self.scheduler.hold(job.id)
            leader = data.draw(st.sampled_from(leaders))
            self.running[job.id] = Text(job, job.prompt_tokens, job.max_tokens, leader)

    @rule()
    def step(self) -> None:
        shares = self.scheduler.plan()
        self.check_plan(shares)
        served = {share.id for share in shares} | {job_id for job_id, text in self.running.items() if text.behind}
        for share in shares:
            self.decode(share)
        for job_id, text in self.running.items():
            text.idle_steps = 0 if job_id in served else text.idle_steps + 1
            assert text.idle_steps <= text.patience, f"{job_id} is left to starve"

    def decode(self, share: Share) -> None:
        text = self.running[share.id]
        if not share.decoding:
            text.to_prefill -= share.tokens
        may_draw = text.to_prefill == 0
        assert self.scheduler.decoded(share) == may_draw
        if not may_draw:
            return
        drawing = [share.id]
        for job_id in self.followers(share.id):
            self.scheduler.take_over(job_id)
            self.running[job_id].to_prefill, self.running[job_id].behind = 0, None
            drawing.append(job_id)
        for job_id in drawing:
            self.running[job_id].to_write -= 1
            if self.running[job_id].to_write == 0:
                assert self.scheduler.remove(job_id)
                del self.running[job_id]

    def check_plan(self, shares: list[Share]) -> None:
        decoding = {job_id for job_id, text in self.running.items() if text.to_prefill == 0}
        assert not any(self.running[share.id].behind for share in shares)
        prompts = [share for share in shares if not share.decoding]
        assert len({share.id for share in shares}) == len(shares)
        assert {share.id for share in shares if share.decoding} == decoding
        assert all(share.tokens == 1 for share in shares if share.decoding)
        assert all(0 < share.tokens <= self.running[share.id].to_prefill for share in prompts)
        assert sum(share.tokens for share in shares) <= self.limits.batch_tokens
        if decoding:
            assert sum(share.tokens for share in prompts) <= self.limits.prefill_chunk_tokens
        if len(decoding) < len(self.running):
            assert prompts, "somebody's prompt waits and there is room"

    # The model

    def next_admitted(self) -> Job | None:
        if not self.ring or len(self.running) == self.limits.slots:
            return None
        job = self.queues[self.ring[0]][0]
        promised = sum(text.job.cells for text in self.running.values())
        return job if promised + job.cells <= self.limits.cells else None

    def take_from_queue(self, job: Job) -> None:
        person = self.ring.pop(0)
        self.queues[person].popleft()
        for other, seen in self.passed_by.items():
            seen[person] += other != person
            assert seen[person] <= 1, f"{person} was admitted twice while {other} waited"
        self.leave_or_queue_again(person)

    def leave_or_queue_again(self, person: str) -> None:
        self.passed_by[person] = Counter()
        if self.queues[person]:
            self.ring.append(person)
        else:
            del self.queues[person], self.passed_by[person]

    def forget(self, job_id: str) -> None:
        if self.running.pop(job_id, None):
            for follower in self.followers(job_id):  # each decodes the prompt itself then
                self.scheduler.cached(follower, 0)
                text = self.running[follower]
                text.patience = sum(other.to_prefill for other in self.running.values())
                text.behind = None
            return
        for person, queue in list(self.queues.items()):
            self.queues[person] = deque(job for job in queue if job.id != job_id)
            if not self.queues[person]:
                self.ring.remove(person)
                del self.queues[person], self.passed_by[person]

    def followers(self, job_id: str) -> list[str]:
        return [follower for follower, text in self.running.items() if text.behind == job_id]

    def expected_order(self) -> list[str]:
        ring, queues = deque(self.ring), {person: deque(queue) for person, queue in self.queues.items()}
        order = []
        while ring:
            person = ring.popleft()
            order.append(queues[person].popleft().id)
            if queues[person]:
                ring.append(person)
        return order

    @invariant()
    def nobody_is_lost_or_doubled(self) -> None:
        assert list(self.scheduler.running) == list(self.running)
        assert self.scheduler.waiting() == self.expected_order()
        assert self.scheduler.has_work == bool(self.running or self.ring)

    @invariant()
    def the_limits_hold(self) -> None:
        assert len(self.running) <= self.limits.slots
        assert self.scheduler.reserved_cells == sum(text.job.cells for text in self.running.values())
        assert self.scheduler.reserved_cells <= self.limits.cells

    def teardown(self) -> None:
        """Everybody who was accepted is finished, in no more steps than there are tokens."""
        if not hasattr(self, "scheduler"):
            return
        everybody = [*(job for queue in self.queues.values() for job in queue)]
        everybody += [text.job for text in self.running.values()]
        for _ in range(sum(job.cells for job in everybody)):
            while self.next_admitted():
                self.admit(0, 1.0)
            self.step()
        assert not self.scheduler.has_work


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)

LIMITS = Limits(slots=2, cells=100, batch_tokens=8, prefill_chunk_tokens=3)


def admit(scheduler: Scheduler) -> str | None:
    job = scheduler.admit()
    return job.id if job else None


def admitted(scheduler: Scheduler) -> list[str]:
    jobs = []
    while (job := scheduler.admit()) is not None:
        jobs.append(job.id)
        scheduler.remove(job.id)
    return jobs


def test_a_flood_of_one_person_delays_another_by_one_request() -> None:
    scheduler = Scheduler(LIMITS)
    for number in range(50):
        scheduler.submit(Job(f"flood{number}", "flooder", 10, 10))
    scheduler.submit(Job("late", "newcomer", 10, 10))
    order = scheduler.waiting()
    assert order.index("late") == 1
    assert admitted(scheduler) == order


def test_a_long_request_at_the_head_is_not_overtaken_by_short_ones() -> None:
    scheduler = Scheduler(LIMITS)
    for job in (Job("running", "a", 30, 30), Job("long", "b", 50, 50), Job("short", "c", 1, 1)):
        scheduler.submit(job)
    assert admit(scheduler) == "running"
    assert admit(scheduler) is None
    scheduler.remove("running")
    assert admit(scheduler) == "long"


def test_a_request_larger_than_the_cache_is_refused_at_once() -> None:
    scheduler = Scheduler(LIMITS)
    assert not scheduler.submit(Job("huge", "a", 60, 41))
    assert not scheduler.has_work
    assert scheduler.submit(Job("exact", "a", 60, 40))


def test_a_long_prompt_does_not_stall_a_text_that_is_being_written() -> None:
    scheduler = Scheduler(LIMITS)
    scheduler.submit(Job("writing", "a", 1, 40))
    scheduler.submit(Job("prompt", "b", 50, 1))
    assert (admit(scheduler), admit(scheduler)) == ("writing", "prompt")
    assert scheduler.plan() == [Share("writing", 1, False), Share("prompt", 7, False)]
    for share in scheduler.plan():
        scheduler.decoded(share)
    assert scheduler.plan() == [Share("writing", 1, True), Share("prompt", 3, False)]


@pytest.mark.parametrize(("cached", "left"), [(0, 6), (4, 2), (5, 1), (6, 1), (60, 1)])
def test_the_last_token_of_a_cached_prompt_is_always_decoded(cached: int, left: int) -> None:
    scheduler = Scheduler(LIMITS)
    scheduler.submit(Job("a", "a", 6, 5))
    scheduler.admit()
    scheduler.cached("a", cached)
    assert scheduler.plan() == [Share("a", left, False)]


def test_texts_with_the_same_prompt_have_it_decoded_once() -> None:
    scheduler = Scheduler(Limits(slots=3, cells=100, batch_tokens=8, prefill_chunk_tokens=3))
    for job_id in ("first", "second", "third"):
        scheduler.submit(Job(job_id, "a", 5, 5))
        scheduler.admit()
    scheduler.hold("second")
    scheduler.hold("third")
    assert scheduler.plan() == [Share("first", 5, False)]
    assert scheduler.decoded(Share("first", 5, False))
    scheduler.take_over("second")
    assert scheduler.plan() == [Share("first", 1, True), Share("second", 1, True)]
    scheduler.cached("third", 0)
    assert scheduler.plan() == [Share("first", 1, True), Share("second", 1, True), Share("third", 3, False)]


def test_deadlines_count_for_those_who_wait_too() -> None:
    scheduler = Scheduler(replace(LIMITS, slots=1))
    scheduler.submit(Job("running", "a", 1, 1, deadline=5.0))
    scheduler.submit(Job("waiting", "b", 1, 1, deadline=4.0))
    scheduler.submit(Job("patient", "c", 1, 1))
    scheduler.admit()
    assert scheduler.expired(3.9) == []
    assert scheduler.expired(4.0) == ["waiting"]
    assert set(scheduler.expired(1e9)) == {"running", "waiting"}
