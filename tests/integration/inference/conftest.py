"""The real worker process on the embedded model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.composition import STARTER, client_limits, worker_options
from bot.inference.wire import WorkerOptions
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

        async def start(model_path: Path | None = None, *, wait: bool = True, **inference: Any) -> WorkerClient:
            given, limits = options(**inference)
            if model_path is not None:
                given = replace(given, model_path=str(model_path))
            client = WorkerClient(given, client_limits(limits))
            client.start()
            stack.push_async_callback(client.close)
            if wait:
                await client.ready()
            return client

        yield start
