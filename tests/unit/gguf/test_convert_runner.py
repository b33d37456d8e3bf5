from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_pipeline.gguf import convert_runner
from model_pipeline.gguf.convert_runner import GPT2_PATTERN, LLAMA3_PATTERN, Unknown, pre_tokenizer_name

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
BYTES_ONLY = BYTE_LEVEL | {"use_regex": False}
SPLIT = {"type": "Split", "pattern": {"Regex": GPT2_PATTERN}, "behavior": "Isolated", "invert": False}
LLAMA3_SPLIT = SPLIT | {"pattern": {"Regex": LLAMA3_PATTERN}}
LLAMA3_MODEL = {"type": "BPE", "ignore_merges": True}


def tokenizer(pre: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {"normalizer": None, "model": {"type": "BPE"}, "pre_tokenizer": pre or BYTE_LEVEL} | changes


def sequence(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(steps)}


def llama3(**changes: Any) -> dict[str, Any]:
    return tokenizer(sequence(LLAMA3_SPLIT, BYTES_ONLY), model=LLAMA3_MODEL | changes)


@pytest.mark.parametrize(
    "pre",
    [
        BYTE_LEVEL,
        {"type": "ByteLevel", "add_prefix_space": False},
        sequence(BYTE_LEVEL),
        sequence(SPLIT, BYTES_ONLY),
    ],
)
def test_what_splits_as_gpt2_does_may_be_called_gpt2(pre: dict[str, Any]) -> None:
    assert pre_tokenizer_name(tokenizer(pre)) == "gpt-2"


def test_what_splits_and_merges_as_llama3_does_may_be_called_llama_bpe() -> None:
    assert pre_tokenizer_name(llama3()) == "llama-bpe"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (tokenizer(BYTE_LEVEL | {"add_prefix_space": True}), "its pre-tokenizer does not split text as GPT-2's does"),
        (tokenizer({"type": "Whitespace"}), "its pre-tokenizer does not split text as GPT-2's does"),
        (
            tokenizer(sequence(SPLIT | {"pattern": {"Regex": r"\d"}}, BYTE_LEVEL)),
            "its pre-tokenizer does not split text as GPT-2's does",
        ),
        (tokenizer(sequence()), "its pre-tokenizer does not split text as GPT-2's does"),
        (tokenizer(normalizer={"type": "Lowercase"}), "it normalizes text before it splits it"),
        (tokenizer(model={"type": "Unigram"}), "its model is not a byte-level BPE"),
        (tokenizer(model={"type": "BPE", "byte_fallback": True}), "its model is not a byte-level BPE"),
        (tokenizer(model={"type": "BPE", "ignore_merges": True}), "its merges do not work as GPT-2's do"),
        # llama.cpp's llama-bpe takes a whole word that is a token without merging it.
        (llama3(ignore_merges=False), "its merges do not work as Llama 3's do"),
        (llama3(dropout=0.1), "its merges do not work as Llama 3's do"),
        (llama3() | {"normalizer": {"type": "NFC"}}, "it normalizes text before it splits it"),
        (tokenizer(sequence(LLAMA3_SPLIT, BYTE_LEVEL)), "its pre-tokenizer does not split text as GPT-2's does"),
        (
            tokenizer(sequence(LLAMA3_SPLIT | {"behavior": "Removed"}, BYTES_ONLY)),
            "its pre-tokenizer does not split text as GPT-2's does",
        ),
        (
            # The pattern of Qwen 2, which takes digits one by one.
            tokenizer(
                sequence(
                    SPLIT | {"pattern": {"Regex": LLAMA3_PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")}},
                    BYTES_ONLY,
                )
            ),
            "its pre-tokenizer does not split text as GPT-2's does",
        ),
        ({}, "its model is not a byte-level BPE"),
    ],
)
def test_everything_else_is_refused_with_the_reason(other: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unknown) as refused:
        pre_tokenizer_name(other)
    assert str(refused.value) == reason


class TextModel:
    """The part of the converter's class that is changed: it knows one tokenizer by its hash."""

    def __init__(self, folder: Path) -> None:
        self.dir_model = folder

    def get_vocab_base_pre(self, tokenizer: str) -> str:
        if tokenizer != "known":
            raise NotImplementedError("BPE pre-tokenizer was not recognized")
        return "qwen2"


@pytest.fixture
def text_model(tmp_path: Path) -> TextModel:
    changed = type("Changed", (TextModel,), {})
    convert_runner._register_local_tokenizers(changed)
    model = changed(tmp_path)
    assert isinstance(model, TextModel)
    return model


def test_a_known_tokenizer_keeps_its_name(text_model: TextModel) -> None:
    assert text_model.get_vocab_base_pre("known") == "qwen2"


@pytest.mark.parametrize(("content", "name"), [(tokenizer(), "gpt-2"), (llama3(), "llama-bpe")])
def test_a_local_one_is_named_by_its_file(text_model: TextModel, content: dict[str, Any], name: str) -> None:
    (text_model.dir_model / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    assert text_model.get_vocab_base_pre("local") == name


def test_a_local_one_that_nothing_is_like_stops_with_a_reason(text_model: TextModel) -> None:
    content = json.dumps(tokenizer({"type": "Whitespace"}))
    (text_model.dir_model / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(
        SystemExit, match=r"the tokenizer is unknown to llama\.cpp, and its pre-tokenizer does not split"
    ):
        text_model.get_vocab_base_pre("local")
