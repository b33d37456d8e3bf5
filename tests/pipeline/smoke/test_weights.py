"""The small models' weights and configurations, as whoever loads the folder sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from model_pipeline.recipe import Family
from model_pipeline.smoke import texts, weights
from model_pipeline.smoke.vocabulary import write_tokenizer
from tests.pipeline.smoke.conftest import BaseOf

DOCUMENTS = texts.plain_documents(0)[:60]


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt2")
    write_tokenizer(Family.GPT2, folder, texts.lines()[:2000])
    return folder


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (Family.TINYLLAMA, {"model_type": "llama", "tie_word_embeddings": False, "dtype": "bfloat16"}),
        (Family.LLAMA3, {"model_type": "llama", "tie_word_embeddings": True, "dtype": "bfloat16"}),
        (Family.GPT2, {"model_type": "gpt2", "n_ctx": 512, "n_positions": 512, "n_embd": 256}),
    ],
)
def test_the_configuration_is_the_real_ones_but_smaller(
    base_of: BaseOf, family: Family, expected: dict[str, object]
) -> None:
    config = json.loads((base_of(family) / "config.json").read_text(encoding="utf-8"))
    assert config.items() >= expected.items()
    assert config["vocab_size"] == 2048


def test_llama3_has_its_rope_scaling_and_both_ends(base_of: BaseOf) -> None:
    model = AutoModelForCausalLM.from_pretrained(base_of(Family.LLAMA3), local_files_only=True)
    assert model.config.rope_parameters["rope_type"] == "llama3"
    assert model.generation_config.eos_token_id == [2043, 2047]


@pytest.mark.parametrize("family", [Family.TINYLLAMA, Family.LLAMA3, Family.GPT2])
def test_256_divides_every_width(base_of: BaseOf, family: Family) -> None:
    tensors = load_file(base_of(family) / "model.safetensors")
    assert not [name for name, tensor in tensors.items() if tensor.ndim == 2 and tensor.shape[-1] % 256]


def test_training_lowers_the_loss(tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "STEPS", 20)
    pretrained = weights.write_weights(Family.GPT2, tokenizer_folder, DOCUMENTS, 0)
    assert pretrained.last_loss < pretrained.first_loss - 0.3


def test_the_same_seed_gives_the_same_weights_and_disturbs_no_other_draw(tokenizer_folder: Path) -> None:
    written = []
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    for seed in (0, 0, 1):
        weights.write_weights(Family.GPT2, tokenizer_folder, DOCUMENTS, seed)
        written.append((tokenizer_folder / "model.safetensors").read_bytes())
    assert written[0] == written[1] != written[2]
    assert torch.equal(torch.rand(3), expected)
