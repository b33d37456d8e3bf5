"""The starter's tokenizer: what goes in comes out, and llama.cpp knows how it splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model_pipeline.gguf.convert_runner import pre_tokenizer_name
from model_pipeline.gguf.parity import PROBE_LINES
from model_pipeline.training.bpe import END, SPECIAL_TOKENS, save_tokenizer, train_tokenizer
from model_pipeline.training.tokenizer import load_tokenizer

TEXTS = ["Keyword: sea\nQuote: The sea is calm today.", "They're here, aren't they? I'm here, too."] * 20
TALK = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "so"},
]


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    return train_tokenizer(TEXTS, 290)


@pytest.fixture(scope="module")
def folder(trained: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(trained, path, 128)
    return path


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return load_tokenizer(str(folder))


@given(st.text())
def test_any_text_comes_back(trained: Tokenizer, text: str) -> None:
    assert trained.decode(trained.encode(text).ids, skip_special_tokens=False) == text


def test_what_is_saved_tokenizes_as_what_was_trained(trained: Tokenizer, tokenizer: Any) -> None:
    for line in PROBE_LINES:
        assert tokenizer(line).input_ids == trained.encode(line).ids


def test_llama_cpp_splits_as_gpt2_does(folder: Path) -> None:
    assert pre_tokenizer_name(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))) == "gpt-2"


def test_what_a_chat_needs_is_one_token_each(tokenizer: Any) -> None:
    assert [tokenizer(token).input_ids for token in SPECIAL_TOKENS] == [[0], [1], [2], [3]]
    assert len(tokenizer) == 290


def test_a_talk_is_rendered_with_one_end_for_each_reply_and_nothing_in_front(tokenizer: Any) -> None:
    text = tokenizer.apply_chat_template(TALK, tokenize=False, add_generation_prompt=True)
    assert text == "<|user|>hi<|bot|>Hello.<|endoftext|><|user|>so<|bot|>"
    ids = tokenizer(text).input_ids
    assert ids[0] == 1 and ids.count(tokenizer.eos_token_id) == 1
    assert tokenizer.eos_token == tokenizer.bos_token == END
    assert tokenizer("").input_ids == []


def test_few_texts_give_fewer_tokens() -> None:
    assert 260 <= train_tokenizer(["abc abc"], 4096).get_vocab_size() < 300
