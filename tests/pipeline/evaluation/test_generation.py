"""Answers and likelihoods of small random models: padding, batches and seeds must not show in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from model_pipeline.data.rows import Row
from model_pipeline.data.tokens import encode
from model_pipeline.evaluation.answers import Answer
from model_pipeline.evaluation.generation import (
    OwnNoise,
    end_ids,
    generate_answers,
    reply_nats,
    reply_states,
    row_seed,
)
from model_pipeline.gguf.description import Sampling
from model_pipeline.recipe import Evaluate
from tests.pipeline.data.small_tokenizer import LLAMA3, make_tokenizer

VOCABULARY, END = 320, 1
ROWS = [
    Row("Keyword: sea\nQuote:", " The sea keeps no diary.", "1", "sea", "quote"),
    Row("Q:", " Yes.", "2", "q", "quote"),
    Row(
        [{"role": "user", "content": "Hello there, how was the long walk along the shore?"}],
        [{"role": "assistant", "content": "Windy, and well worth the wet shoes that I got."}],
        "3",
        "",
        "chat",
    ),
]


def nothing(done: int, how: str = "") -> None:
    """Where progress goes that nobody watches."""


def llama() -> Any:
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=256, eos_token_id=END, **sizes))


def gpt2() -> Any:
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 256}
    return GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=END, **sizes))


@pytest.fixture(params=[llama, gpt2])
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    make: Callable[[], Any] = request.param
    made = make().eval()
    with torch.no_grad():
        for weight in made.parameters():  # the library's own are so small that every position would look alike
            weight.mul_(4)
    return made


@pytest.fixture
def tokenizer(tmp_path: Path) -> Any:
    return make_tokenizer(tmp_path, LLAMA3)


def answered(model: Any, tokenizer: Any, prompts: list[list[int]], **settings: Any) -> list[Answer]:
    chosen = {"max_new_tokens": 12, "batch_size": 2, "temperature": 1.0, "top_p": 0.9} | settings
    return generate_answers(model, tokenizer, prompts, Evaluate(**chosen), nothing)


def test_what_the_bot_would_not_draw_is_not_drawn(model: Any, tokenizer: Any) -> None:
    prompts = [row.prompt for row in encode(ROWS, tokenizer)] * 6
    settings = Evaluate(max_new_tokens=12, batch_size=8, temperature=1.0, top_p=1.0)

    def drawn(**sampling: float) -> list[Answer]:
        served = Sampling(**{"temperature": 5.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, **sampling})
        return generate_answers(model, tokenizer, prompts, settings, nothing, served)

    likeliest = answered(model, tokenizer, prompts, temperature=0.0)
    assert drawn() != likeliest
    assert drawn(top_k=1) == drawn(min_p=1.0) == drawn(top_p=1e-6) == likeliest


def test_padding_does_not_change_likelihoods(model: Any, tokenizer: Any) -> None:
    rows = encode(ROWS, tokenizer)
    together = reply_nats(model, rows, len(rows), tokenizer.pad_token_id, nothing)
    for row, (nats, tokens) in zip(rows, together, strict=True):
        ids = torch.tensor([row.whole])
        with torch.inference_mode():
            chances = model(ids).logits[0].double().log_softmax(-1)
        expected = [-float(chances[place - 1, row.whole[place]]) for place in range(len(row.prompt), len(row.whole))]
        assert tokens == len(expected) > 1
        assert nats == pytest.approx(sum(expected), rel=1e-5)


def test_what_a_model_knows_of_a_reply_is_what_its_tokens_are_foretold_from(model: Any, tokenizer: Any) -> None:
    rows = encode(ROWS, tokenizer)
    known = reply_states(model, rows, 2, tokenizer.pad_token_id, nothing)
    likelihoods = reply_nats(model, rows, 2, tokenizer.pad_token_id, nothing)
    for row, found, (nats, tokens) in zip(rows, known, likelihoods, strict=True):
        with torch.inference_mode():
            states = model(torch.tensor([row.whole]), output_hidden_states=True).hidden_states[-1][0]
        expected = states[len(row.prompt) - 1 : -1].mean(0)
        assert found[:-2] == pytest.approx(expected.numpy(), abs=1e-4)
        assert found[-2] == pytest.approx(nats, rel=1e-4) and found[-1] == tokens


def test_likelihoods_are_the_same_where_memory_allows_one_row_at_a_time(
    model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = encode(ROWS, tokenizer)
    together = reply_nats(model, rows, 8, tokenizer.pad_token_id, nothing)
    monkeypatch.setattr("model_pipeline.evaluation.generation.MOST_LOGITS", 1)
    alone = reply_nats(model, rows, 8, tokenizer.pad_token_id, nothing)
    assert [nats for nats, _ in alone] == pytest.approx([nats for nats, _ in together], rel=1e-5)


def test_a_text_begins_with_its_token_once(tokenizer: Any) -> None:
    for row in encode(ROWS, tokenizer):
        assert row.prompt[0] == tokenizer.bos_token_id
        assert row.whole.count(tokenizer.bos_token_id) == 1
        assert row.prompt_is_prefix and row.whole[-1] == END


def test_the_same_seed_gives_the_same_answers_whatever_the_batch(model: Any, tokenizer: Any) -> None:
    prompts = [row.prompt for row in encode(ROWS, tokenizer)]
    first = answered(model, tokenizer, prompts, seed=3)
    assert answered(model, tokenizer, prompts, seed=3) == first
    assert answered(model, tokenizer, prompts, seed=3, batch_size=1) == first
    assert answered(model, tokenizer, prompts, seed=4) != first


def test_equal_prompts_are_answered_differently_unless_greedily(model: Any, tokenizer: Any) -> None:
    prompts = [encode(ROWS, tokenizer)[0].prompt] * 4
    assert len({answer.text for answer in answered(model, tokenizer, prompts)}) > 1
    assert len({answer.text for answer in answered(model, tokenizer, prompts, temperature=0)}) == 1


def test_a_low_top_p_leaves_the_likeliest_token_alone(model: Any, tokenizer: Any) -> None:
    prompts = [row.prompt for row in encode(ROWS, tokenizer)]
    greedy = answered(model, tokenizer, prompts, temperature=0)
    assert answered(model, tokenizer, prompts, top_p=1e-6) == greedy


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    scores = torch.tensor([[2.0, 0.0, -1.0, float("-inf"), 1.0]])
    draws = 4000
    noise = OwnNoise(0.5, [row_seed(1, row) for row in range(draws)], scores.device)
    drawn = noise(torch.empty(draws, 0), scores.expand(draws, -1)).argmax(-1)
    shares = torch.bincount(drawn, minlength=5) / draws
    assert shares.tolist() == pytest.approx((scores[0] / 0.5).softmax(-1).tolist(), abs=0.03)
    assert shares[3] == 0


def test_closed_and_cut_answers_are_told_apart(model: Any, tokenizer: Any) -> None:
    prompts = [encode(ROWS, tokenizer)[0].prompt]
    (cut,) = answered(model, tokenizer, prompts, temperature=0, max_new_tokens=8)
    assert (cut.closed, cut.tokens) == (False, 8)
    with torch.inference_mode():
        likeliest = int(model(torch.tensor(prompts)).logits[0, -1].argmax())
    model.generation_config.eos_token_id = [END, likeliest]
    (closed,) = answered(model, tokenizer, prompts, temperature=0, max_new_tokens=8)
    assert closed == Answer("", True, 0)


def test_the_folder_s_own_sampling_has_no_say(model: Any, tokenizer: Any) -> None:
    prompts = [row.prompt for row in encode(ROWS, tokenizer)]
    expected = answered(model, tokenizer, prompts, temperature=0)
    model.generation_config.update(do_sample=True, temperature=5.0, repetition_penalty=9.0, max_length=3)
    assert answered(model, tokenizer, prompts, temperature=0) == expected


def test_every_end_token_counts(model: Any, tokenizer: Any) -> None:
    model.generation_config.eos_token_id = [7, 9]
    assert end_ids(model, tokenizer) == [END, 7, 9]


def test_neighbouring_seeds_and_rows_share_nothing() -> None:
    assert len({row_seed(seed, row) for seed in range(20) for row in range(20)}) == 400
