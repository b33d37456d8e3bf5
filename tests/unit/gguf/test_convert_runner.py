from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_pipeline.gguf import convert_runner
from model_pipeline.gguf.convert_runner import GPT2_PATTERN, why_not_gpt2

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
SPLIT = {"type": "Split", "pattern": {"Regex": GPT2_PATTERN}, "behavior": "Isolated", "invert": False}


def tokenizer(pre: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {"normalizer": None, "model": {"type": "BPE"}, "pre_tokenizer": pre or BYTE_LEVEL} | changes


@pytest.mark.parametrize(
    "pre",
    [
        BYTE_LEVEL,
        {"type": "ByteLevel", "add_prefix_space": False},
        {"type": "Sequence", "pretokenizers": [SPLIT, BYTE_LEVEL | {"use_regex": False}]},
    ],
)
def test_what_splits_as_gpt2_does_may_be_called_gpt2(pre: dict[str, Any]) -> None:
    assert why_not_gpt2(tokenizer(pre)) == ""


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (tokenizer(BYTE_LEVEL | {"add_prefix_space": True}), "its pre-tokenizer does not split text as GPT-2's does"),
        (tokenizer({"type": "Whitespace"}), "its pre-tokenizer does not split text as GPT-2's does"),
        (
            tokenizer({"type": "Sequence", "pretokenizers": [SPLIT | {"pattern": {"Regex": r"\d"}}, BYTE_LEVEL]}),
            "its pre-tokenizer does not split text as GPT-2's does",
        ),
        (tokenizer(normalizer={"type": "Lowercase"}), "it normalizes text before it splits it"),
        (tokenizer(model={"type": "Unigram"}), "its model is not a byte-level BPE"),
        (tokenizer(model={"type": "BPE", "byte_fallback": True}), "its model is not a byte-level BPE"),
        (tokenizer(model={"type": "BPE", "ignore_merges": True}), "its merges do not work as GPT-2's do"),
        ({}, "its model is not a byte-level BPE"),
    ],
)
def test_everything_else_is_refused_with_the_reason(other: dict[str, Any], reason: str) -> None:
    assert why_not_gpt2(other) == reason


class TextModel:
    """The part of the converter's class that is changed: it knows one tokenizer by its hash."""

    def __init__(self, folder: Path) -> None:
        self.dir_model = folder

    def get_vocab_base_pre(self, tokenizer: str) -> str:
        if tokenizer != "known":
            raise NotImplementedError("BPE pre-tokenizer was not recognized")
        return "llama-bpe"


@pytest.fixture
def text_model(tmp_path: Path) -> TextModel:
    changed = type("Changed", (TextModel,), {})
    convert_runner._register_gpt2_style(changed)
    model = changed(tmp_path)
    assert isinstance(model, TextModel)
    return model


def test_a_known_tokenizer_keeps_its_name(text_model: TextModel) -> None:
    assert text_model.get_vocab_base_pre("known") == "llama-bpe"


def test_a_local_one_is_named_gpt2_or_stops_with_a_reason(text_model: TextModel) -> None:
    path = text_model.dir_model / "tokenizer.json"
    path.write_text(json.dumps(tokenizer()), encoding="utf-8")
    assert text_model.get_vocab_base_pre("local") == "gpt-2"
    path.write_text(json.dumps(tokenizer({"type": "Whitespace"})), encoding="utf-8")
    with pytest.raises(
        SystemExit, match=r"the tokenizer is unknown to llama\.cpp, and its pre-tokenizer does not split"
    ):
        text_model.get_vocab_base_pre("local")
