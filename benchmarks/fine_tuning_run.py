"""Makes what a fine-tuning is measured on: random weights of a real shape, a tokenizer, rows; measures nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from model_pipeline.data.prepared import write_rows
from model_pipeline.data.rows import Row
from model_pipeline.recipe import check_recipe
from model_pipeline.runs import Run, Stage, create_run

WORD = 4  # letters; every token is one word
REPLY_SHARE = 0.6  # of a row's tokens


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama and the rows it is trained on; `median` and `sigma` are those of a lognormal, in tokens.

    `rows` are enough for a packed measurement; a padded one needs a quarter of them.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    feed_forward: int
    max_tokens: int
    rows: int
    median: int
    sigma: float


LLAMA32_1B = Shape(128_256, 2_048, 16, 32, 8, 8_192, max_tokens=2_048, rows=800, median=400, sigma=0.75)
TINY = Shape(512, 64, 2, 4, 2, 128, max_tokens=64, rows=48, median=20, sigma=0.5)


def make_base(folder: Path, shape: Shape, layers: int, device: str) -> Path:
    """Random weights in bf16 and a tokenizer in the new `folder`; returns it."""
    tokenizer = _tokenizer(shape.vocabulary)
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        max_position_embeddings=131_072,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        dtype="bfloat16",
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500_000.0,
            "factor": 32.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8_192,
        },
    )
    torch.manual_seed(0)
    with torch.device(device):
        LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def random_lengths(shape: Shape, count: int, seed: int) -> list[int]:
    """Tokens of each row, the one that ends it counted."""
    draw = random.Random(seed)
    return [
        min(max(round(shape.median * draw.lognormvariate(0, shape.sigma)), 8), shape.max_tokens) for _ in range(count)
    ]


def make_run(
    folder: Path, base: Path, shape: Shape, lengths: Sequence[int], fine_tune: dict[str, Any], seed: int
) -> Run:
    """A run whose rows are prepared: random words, of those lengths, and four held-out ones."""
    recipe = {
        "name": "benchmark",
        "about": "Random weights and rows, to measure on.",
        "license": "MIT",
        "base": {"family": "llama3", "model": str(base)},
        "data": {"sources": [{"form": "messages", "path": "none"}], "max_tokens": shape.max_tokens},
        "fine_tune": fine_tune,
        "served": {"system_prompt": False, "quote_prompt": {"template": "{keyword}", "chat": False}},
    }
    run = create_run(folder, check_recipe(recipe, "benchmark"))
    began, prepared, draw = datetime.now(UTC), run.begin(Stage.PREPARE), random.Random(seed)
    words = _words(shape.vocabulary)
    write_rows(prepared / "train.jsonl", [_row(words, length, draw) for length in lengths])
    held_out = [_row(words, shape.median, draw) for _ in range(4)]
    write_rows(prepared / "validation.jsonl", held_out)
    run.finish(Stage.PREPARE, began, {"rows": len(lengths)})
    return run


def _row(words: Sequence[str], length: int, draw: random.Random) -> Row:
    reply = round(length * REPLY_SHARE)
    text = draw.choices(words, k=length - 1)
    return Row("".join(text[:-reply]), "".join(text[-reply:]), "none", "", "quote")


def _words(vocabulary: int) -> list[str]:
    """One for each id but the last two, which end a text and pad."""
    letters = product(ascii_lowercase, repeat=WORD)
    return ["".join(next(letters)) for _ in range(vocabulary - 2)]


def _tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    words = [*_words(vocabulary), "<|end|>", "<|pad|>"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<|pad|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(f".{{{WORD}}}"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|pad|>")
