"""The ledger under anything that may happen in any order: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule, run_state_machine_as_test

from bot.chat.messages import JobState, MessageKind, Platform
from bot.storage.database import Database
from bot.storage.statistics import collect
from bot.storage.transitions import IllegalTransition
from tests.integration.storage.conftest import RECORD, Stores, key_of, stores_over, url_of

Result = TypeVar("Result")
USERS = st.sampled_from(["ada", "bob"])
ENDED = {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


@dataclass(slots=True)
class Expected:
    """What the test knows of a job."""

    user: str
    state: JobState
    said: list[str]
    visible: bool = True


class JobLife(RuleBasedStateMachine):
    """Random requests, ends and restarts beside a plain list of what should be stored."""

    template: ClassVar[Path]
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "quotesmith.db"
        shutil.copy(self.template, self.path)
        self.known: dict[int, Expected] = {}
        self.stores = self.opened()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(coroutine)

    def opened(self) -> Stores:
        return stores_over(self.run(Database.open(url_of(self.path))))

    def teardown(self) -> None:
        self.everything_is_there_once()
        self.run(self.stores.database.close())
        self.runner.close()
        self.folder.cleanup()

    @rule(target=jobs, user=USERS)
    def accept(self, user: str) -> int:
        text = f"question {len(self.known)}"
        job = self.run(self.stores.jobs.accept(key_of(user), MessageKind.CHAT, text))
        assert job.job_id not in self.known
        self.known[job.job_id] = Expected(user, JobState.ACCEPTED, [text])
        return job.job_id

    def attempt(self, allowed: bool, coroutine: Coroutine[Any, Any, object]) -> bool:
        if allowed:
            self.run(coroutine)
            return True
        with pytest.raises(IllegalTransition):
            self.run(coroutine)
        return False

    @rule(job_id=jobs)
    def start(self, job_id: int) -> None:
        job = self.known[job_id]
        if self.attempt(job.state is JobState.ACCEPTED, self.stores.jobs.start(job_id)):
            job.state = JobState.RUNNING

    @rule(job_id=jobs)
    def complete(self, job_id: int) -> None:
        job = self.known[job_id]
        reply = f"answer to {job_id}"
        if self.attempt(job.state is JobState.RUNNING, self.stores.jobs.complete(job_id, reply, RECORD)):
            job.state = JobState.DONE
            job.said.append(reply)

    @rule(job_id=jobs, state=st.sampled_from(JobState))
    def end(self, job_id: int, state: JobState) -> None:
        job = self.known[job_id]
        allowed = job.state not in ENDED and state in (JobState.FAILED, JobState.CANCELLED)
        if self.attempt(allowed, self.stores.jobs.end(job_id, state, "as it happens")):
            job.state = state

    @rule(user=USERS)
    def start_over(self, user: str) -> None:
        self.run(self.stores.conversations.start_over(key_of(user)))
        for job in self.known.values():
            job.visible = job.visible and job.user != user

    @rule()
    def restart(self) -> None:
        self.run(self.stores.database.close())
        self.stores = self.opened()
        left = self.run(self.stores.jobs.unfinished({Platform.DISCORD}))
        assert [job.job_id for job in left] == [i for i, job in self.known.items() if job.state not in ENDED]
        assert [job.text for job in left] == [self.known[job.job_id].said[0] for job in left]
        for job in left:
            self.known[job.job_id].state = JobState.ACCEPTED

    @rule()
    def everything_is_there_once(self) -> None:
        counted = self.run(collect(self.stores.database))
        states = [job.state for job in self.known.values()]
        assert counted.jobs == {state: states.count(state) for state in JobState}
        assert counted.messages == sum(len(job.said) for job in self.known.values())
        for user in ("ada", "bob"):
            said = [message.text for message in self.run(self.stores.conversations.history(key_of(user), 100))]
            here = [job for job in self.known.values() if job.user == user and job.visible]
            assert sorted(said) == sorted(text for job in here for text in job.said)


def test_no_request_is_lost_or_answered_twice(migrated: Path) -> None:
    JobLife.template = migrated
    run_state_machine_as_test(
        JobLife,
        settings=settings(
            max_examples=10, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
