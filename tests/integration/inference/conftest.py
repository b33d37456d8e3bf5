"""The real worker process on the embedded model, and a stand-in whose starts a test decides."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from bot.composition import STARTER, client_limits, worker_options
from bot.inference import worker_client
from bot.inference.wire import WorkerFacts, WorkerOptions
from bot.inference.worker_client import WorkerClient
from bot.models.folder import read_folder
from bot.settings import InferenceSettings, Settings

StartWorker = Callable[..., Awaitable[WorkerClient]]


def options(**inference: Any) -> tuple[WorkerOptions, InferenceSettings]:
    """Options for the embedded model; one fixed thread number spares each test the trial at start."""
    settings = Settings(inference=InferenceSettings(**{"threads": 1, "context_tokens": 2048} | inference))
    return worker_options(settings, read_folder(STARTER)), settings.inference


@pytest.fixture
async def start_worker() -> AsyncIterator[StartWorker]:
    """Start workers that end with the test."""
    async with AsyncExitStack() as stack:

        async def start(
            model_path: Path | None = None,
            *,
            wait: bool = True,
            history_messages: int | None = None,
            hang_timeout_s: float | None = None,  # also a shorter one than the settings allow
            **inference: Any,
        ) -> WorkerClient:
            given, limits = options(**inference)
            if model_path is not None:
                given = replace(given, model_path=str(model_path))
            if history_messages is not None:
                given = replace(given, history_messages=history_messages)
            allowed = client_limits(limits)
            client = WorkerClient(given, replace(allowed, hang_timeout_s=hang_timeout_s or allowed.hang_timeout_s))
            client.start()
            stack.push_async_callback(client.close)
            if wait:
                await client.ready()
            return client

        yield start


STAND_IN = """#!{python} -SE
import json, pathlib, sys

starts = pathlib.Path({starts!r})
first, *later = json.loads(starts.read_text())
if later:
    starts.write_text(json.dumps(later))

def say(op, **fields):
    print(json.dumps(dict(op=op, **fields)), flush=True)

sys.stdin.readline()
if first == "dies":
    sys.exit(3)
if first == "knows why it dies":
    say("defect", text="OSError: no room")
    sys.exit(1)
if first == "refuses":
    say("refused", error="ModelTooLarge", text="There is too little memory for the model.")
    sys.exit(1)
if first == "of another version":
    say("ready", speed=1)
say("ready", facts=dict.fromkeys({facts!r}, 1))
for line in sys.stdin:
    asked = json.loads(line)
    if asked["op"] != "submit":
        continue
    if first == "babbles":
        print("Once upon a time", flush=True)
    elif first == "knows no end":
        print("x" * (1 << 21), flush=True)
    counts = dict.fromkeys(["prompt_tokens", "cached_tokens", "completion_tokens", "queued_s", "dropped_turns"], 0)
    more = dict(reason="end", prompt_sha256="", seed=1, nats=None, drawn=0, state=None)
    say("finished", id=asked["id"], text="The sea is wide.", **counts, **more)
"""


class StandIn:
    """What every worker that is started from now on does; the last of them again and again."""

    def __init__(self, starts: Path) -> None:
        self._starts = starts

    def starts(self, *behaviours: str) -> None:
        """Say what the next ones do."""
        self._starts.write_text(json.dumps(behaviours))


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Workers that load nothing and whose starts go as the test says, with hardly a pause between them."""
    script, starts = tmp_path / "worker", tmp_path / "starts.json"
    facts = [field.name for field in fields(WorkerFacts)]
    script.write_text(STAND_IN.format(python=sys.executable, starts=str(starts), facts=facts))
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(worker_client, "_RESTART_PAUSE_S", 0.01)
    return StandIn(starts)
