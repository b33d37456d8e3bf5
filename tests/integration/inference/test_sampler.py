"""The sampler on the embedded model's logits: what it leaves out for speed changes no text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.chat.generation import Sampling
from bot.chat.quotes import quote_grammar
from bot.composition import STARTER
from bot.inference.batch_engine import BatchEngine, Piece
from bot.inference.gguf_model import GgufModel, initialise
from bot.inference.sampler import Sampler

ANYTHING = "root ::= [^\\x00]*"  # with a grammar the sampler sorts out tokens itself, without one llama.cpp does
SAMPLING = Sampling(temperature=0.8, top_k=40, top_p=1.0, min_p=0.1, repeat_penalty=1.1)


@pytest.fixture(scope="module")
def model() -> GgufModel:
    initialise()
    return GgufModel(STARTER / "model.gguf", lambda fraction: None)


def text(model: GgufModel, sampling: Sampling, seed: int, grammar: str | None, tokens: int = 40) -> list[int]:
    engine = BatchEngine(model, slots=1, context_tokens=512, batch_tokens=64)
    prompt = model.tokenize("Keyword: rain\nQuote:")
    sequence = engine.open(prompt, None, len(prompt) + tokens).id
    sampler, drawn, piece = Sampler(model, sampling, seed, grammar), [], prompt
    for _ in range(tokens):
        token = sampler.draw(engine.context, engine.decode([Piece(sequence, piece, draws=True)])[0])
        drawn.append(token)
        if model.ends_text(token):
            break
        piece = [token]
    sampler.close()
    return drawn


@pytest.mark.parametrize(
    "sampling",
    [
        SAMPLING,
        replace(SAMPLING, min_p=0.0),
        replace(SAMPLING, top_p=0.9),
        replace(SAMPLING, repeat_penalty=1.0, top_k=0),
        replace(SAMPLING, repeat_penalty=2.0, temperature=1.5),
        replace(SAMPLING, repeat_penalty=0.8),
    ],
)
def test_a_grammar_that_allows_everything_changes_no_text(model: GgufModel, sampling: Sampling) -> None:
    texts = [text(model, sampling, seed, None) for seed in range(6)]
    assert [text(model, sampling, seed, ANYTHING) for seed in range(6)] == texts
    assert len({tuple(one) for one in texts}) > 1


@pytest.mark.parametrize("seed", [2**32 - 2, 2**32 - 1, 2**32, -1])
def test_every_seed_gives_the_same_text_again(model: GgufModel, seed: int) -> None:
    assert text(model, SAMPLING, seed, None) == text(model, SAMPLING, seed, None)


def test_a_grammar_holds_where_nothing_likely_is_allowed(model: GgufModel) -> None:
    found = text(model, SAMPLING, 3, "root ::= [0-9]{5,30}")
    assert b"".join(model.piece(token) for token in found).strip().isdigit()
    assert text(model, SAMPLING, 3, quote_grammar())
