"""The small tokenizers, as whoever loads the folder sees them."""

from __future__ import annotations

from typing import Any

import pytest
from sentencepiece import SentencePieceProcessor
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from model_pipeline.gguf.parity import PROBE_LINES
from model_pipeline.recipe import Family
from model_pipeline.smoke.texts import quotes
from tests.pipeline.smoke.conftest import BaseOf

FAMILIES = [Family.TINYLLAMA, Family.LLAMA3, Family.GPT2]
TURNS = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi."},
]


def loaded(base_of: BaseOf, family: Family) -> Any:
    return AutoTokenizer.from_pretrained(base_of(family), local_files_only=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_any_text_comes_back_from_its_tokens(base_of: BaseOf, family: Family) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base_of(family), local_files_only=True)
    assert len(tokenizer) == 2048
    for line in PROBE_LINES:
        assert tokenizer.decode(tokenizer(line, add_special_tokens=False).input_ids) == line


@pytest.mark.parametrize(
    ("family", "begin", "end"),
    [
        (Family.TINYLLAMA, ["<s>"], "</s>"),
        (Family.LLAMA3, ["<|begin_of_text|>"], "<|eot_id|>"),
        (Family.GPT2, [], "<|endoftext|>"),
    ],
)
def test_a_text_begins_and_ends_as_with_the_real_one(
    base_of: BaseOf, family: Family, begin: list[str], end: str
) -> None:
    tokenizer = loaded(base_of, family)
    with_special, without = (tokenizer("A day.", add_special_tokens=added).input_ids for added in (True, False))
    assert tokenizer.convert_ids_to_tokens(with_special[: len(with_special) - len(without)]) == begin
    assert with_special[len(begin) :] == without
    assert tokenizer.eos_token == end


def test_tinyllama_renders_zephyrs_turns_in_plain_text(base_of: BaseOf) -> None:
    tokenizer = loaded(base_of, Family.TINYLLAMA)
    text = tokenizer.apply_chat_template(TURNS, tokenize=False)
    assert text == "<|system|>\nBe kind.</s>\n<|user|>\nHello</s>\n<|assistant|>\nHi.</s>\n"
    assert tokenizer.apply_chat_template(TURNS[1:2], tokenize=False, add_generation_prompt=True).endswith(
        "</s>\n<|assistant|>\n"
    )
    assert len(tokenizer("<|assistant|>", add_special_tokens=False).input_ids) > 3


def test_llama3_renders_its_turns_in_tokens_of_their_own(base_of: BaseOf) -> None:
    tokenizer = loaded(base_of, Family.LLAMA3)
    text = tokenizer.apply_chat_template(TURNS[1:2], tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    for token in ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|finetune_right_pad_id|>"):
        assert len(tokenizer(token, add_special_tokens=False).input_ids) == 1


def test_llama3_takes_three_digits_at_most_together(base_of: BaseOf) -> None:
    splitter = loaded(base_of, Family.LLAMA3).backend_tokenizer.pre_tokenizer
    assert [part for part, _ in splitter.pre_tokenize_str("1234567 we'LL\n\n")] == [
        "123",
        "456",
        "7",
        "Ġwe",
        "'LL",
        "ĊĊ",
    ]


def test_gpt2_has_no_chat_template_and_one_special_token(base_of: BaseOf) -> None:
    tokenizer = loaded(base_of, Family.GPT2)
    assert tokenizer.chat_template is None
    assert tokenizer.all_special_tokens == ["<|endoftext|>"]
    assert tokenizer("A<|endoftext|>").input_ids[-1] == 2047


def test_tokenizer_model_and_tokenizer_json_cut_text_alike(base_of: BaseOf) -> None:
    folder = base_of(Family.TINYLLAMA)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    pieces = SentencePieceProcessor()
    pieces.LoadFromFile(str(folder / "tokenizer.model"))
    for line in [*PROBE_LINES, *(quote.text for quote in quotes()[:200])]:
        assert tokenizer(line, add_special_tokens=False).input_ids == pieces.EncodeAsIds(line)
