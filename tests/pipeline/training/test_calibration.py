"""The temperature that a model's logits are divided by, on tiny models that are surer than they should be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from transformers import GemmaConfig, GemmaForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from model_pipeline.data.tokens import Encoded
from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.generation import reply_nats
from model_pipeline.training.calibration import calibrate

VOCABULARY = 32
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}


def llama(*, tied: bool) -> Any:
    torch.manual_seed(1)
    return LlamaForCausalLM(LlamaConfig(tie_word_embeddings=tied, initializer_range=0.3, **SIZES))


def gpt2() -> Any:
    torch.manual_seed(1)
    return GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=1, n_head=2, initializer_range=0.3))


def drawn(model: Any, temperature: float, count: int = 60, length: int = 20) -> list[Encoded]:
    """Texts of the model itself at a temperature: what it would be right to be as sure of as that."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(VOCABULARY, (count, 1), generator=generator)
    with torch.inference_mode():
        for _ in range(length):
            scores = model.eval()(ids).logits[:, -1] / temperature
            ids = torch.cat([ids, torch.multinomial(scores.softmax(-1), 1, generator=generator)], 1)
    return [Encoded(row[:1], row) for row in ids.tolist()]


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(torch.arange(10)[None]).logits
    return found


@pytest.mark.parametrize("made", [partial(llama, tied=True), partial(llama, tied=False), gpt2])
@pytest.mark.parametrize("temperature", [0.7, 1.5])
def test_the_temperature_at_which_texts_were_drawn_is_found(made: Callable[[], Any], temperature: float) -> None:
    model = made()
    rows, before = drawn(model, temperature), logits(model)
    found = calibrate(model, rows, 16, 0)
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    torch.testing.assert_close(logits(model), before / found.temperature, rtol=1e-3, atol=1e-3)
    nats = reply_nats(model, rows, 16, 0, lambda done, how="": None)
    assert found.nats_after == pytest.approx(sum(each for each, _ in nats) / sum(n for _, n in nats), abs=1e-4)
    assert found.nats_after < found.nats_before


def test_a_model_that_is_right_stays_as_sure() -> None:
    model = llama(tied=True)
    assert calibrate(model, drawn(model, 1.0, count=200), 16, 0).temperature == pytest.approx(1.0, abs=0.05)


def test_a_norm_that_adds_one_to_its_weights_is_refused_and_left_as_it_was() -> None:
    model: Any = GemmaForCausalLM(GemmaConfig(head_dim=16, **SIZES))
    before = logits(model)
    with pytest.raises(InputInvalid, match="knows no weights of a model of the kind gemma that scale its logits"):
        calibrate(model, [Encoded([1], [1, 2])], 16, 0)
    assert torch.equal(logits(model), before)
