"""The hidden states that the worker tells of a text: those that the model drew its tokens from."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from benchmarks.choice_weights import known_quotes
from bot.chat.generation import Finished, FinishReason, GenerationRequest
from bot.composition import STARTER
from bot.inference.batch_engine import BatchEngine, Piece
from bot.inference.gguf_model import GgufModel, initialise
from bot.inference.worker_client import WorkerClient
from bot.models.folder import read_folder
from tests.integration.inference.conftest import StartWorker

ASKED = GenerationRequest(
    person="a", prompt="Keyword: rain\nQuote:", max_tokens=40, seed=3, likelihood=True, states=True
)


async def ended(client: WorkerClient, request: GenerationRequest) -> Finished:
    async with aclosing(client.generate(request)) as events:
        found = [event async for event in events if isinstance(event, Finished)]
    return found[0]


@pytest.fixture(scope="module")
def model() -> GgufModel:
    initialise()
    return GgufModel(STARTER / "model.gguf", lambda fraction: None)


def test_states_change_no_logits_however_long_the_prompts_are(model: GgufModel) -> None:
    """llama.cpp ends the process where a batch has more outputs than there is room for."""
    prompts = [model.tokenize(f"Keyword: {'rain and ' * times}rain\nQuote:") for times in (1, 60, 120, 3)]
    other, found = model.tokenize("All is well. " * 20), []
    for states in (False, True):
        engine = BatchEngine(model, slots=4, context_tokens=2048, batch_tokens=512)
        pieces = [Piece(engine.open(prompt, None, len(prompt)).id, prompt, draws=True) for prompt in prompts]
        waiting = engine.open(other, None, len(other)).id
        rows = engine.decode([*pieces, Piece(waiting, other, draws=False)], states=states)
        found.append([model.surprise(engine.context, row, 100) for row in rows[:4]])
    assert found[1] == pytest.approx(found[0], abs=0.1)


async def test_the_worker_tells_what_a_judge_learns(start_worker: StartWorker) -> None:
    """The mean state, the nats and the tokens of a text are those that another code finds when it reads the text."""
    client = await start_worker()
    (written,) = await client.generate_candidates(ASKED, 1)
    told = written.finished
    assert told.reason is FinishReason.END and told.state is not None and told.nats is not None
    (known,) = known_quotes(read_folder(STARTER), [("rain", written.text.strip())])
    assert known.state is not None and told.drawn == known.drawn
    assert told.nats == pytest.approx(known.nats, abs=0.3)
    assert told.state == pytest.approx(known.state, abs=0.1)


async def test_the_worker_tells_the_mean_of_a_text(start_worker: StartWorker, model: GgufModel) -> None:
    client = await start_worker()
    told = await ended(client, ASKED)
    assert told.state is not None and len(told.state) == model.state_size
    assert (await ended(client, ASKED)).state == pytest.approx(told.state, abs=0.05)
    assert (await ended(client, replace(ASKED, seed=4))).state != pytest.approx(told.state, abs=0.05)
    assert (await ended(client, replace(ASKED, likelihood=False, states=False))).state is None


async def test_a_judge_of_words_needs_no_states(start_worker: StartWorker) -> None:
    client = await start_worker()
    told = await ended(client, replace(ASKED, states=False))
    assert told.nats is not None and told.drawn > 3 and told.state is None


async def test_long_messages_are_answered_beside_candidates(start_worker: StartWorker) -> None:
    client = await start_worker()
    long = replace(ASKED, prompt=f"{'All that the rain does. ' * 30}\nQuote:", likelihood=False, states=False)
    ends = await asyncio.gather(
        ended(client, long), *(ended(client, replace(ASKED, person=f"p{seed}", seed=seed)) for seed in range(7))
    )
    assert all(end.resumed == 0 and end.completion_tokens for end in ends)
