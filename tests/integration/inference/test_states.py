"""The hidden states that the worker tells of a text: those that the model drew its tokens from."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

import pytest

from bot.chat.generation import Finished, GenerationRequest
from bot.composition import STARTER
from bot.inference.batch_engine import BatchEngine, Piece
from bot.inference.gguf_model import GgufModel, initialise
from bot.inference.worker_client import WorkerClient
from tests.integration.inference.conftest import StartWorker

ASKED = GenerationRequest(person="a", prompt="Keyword: rain\nQuote:", max_tokens=40, seed=3, likelihood=True)


async def ended(client: WorkerClient, request: GenerationRequest) -> Finished:
    async with aclosing(client.generate(request)) as events:
        found = [event async for event in events if isinstance(event, Finished)]
    return found[0]


@pytest.fixture(scope="module")
def model() -> GgufModel:
    initialise()
    return GgufModel(STARTER / "model.gguf", lambda fraction: None)


def test_without_being_asked_there_is_none(model: GgufModel) -> None:
    engine = BatchEngine(model, slots=2, context_tokens=512, batch_tokens=64)
    prompt = model.tokenize("Keyword: rain\nQuote:")
    (row,) = engine.decode([Piece(engine.open(prompt, None, len(prompt)).id, prompt, draws=True)])
    assert engine.state(row) is None


async def test_the_worker_tells_the_mean_of_a_text(start_worker: StartWorker, model: GgufModel) -> None:
    client = await start_worker()
    told = await ended(client, ASKED)
    assert told.state is not None and len(told.state) == model.state_size
    assert (await ended(client, ASKED)).state == pytest.approx(told.state, abs=0.05)
    assert (await ended(client, replace(ASKED, seed=4))).state != pytest.approx(told.state, abs=0.05)
    assert (await ended(client, replace(ASKED, likelihood=False))).state is None
