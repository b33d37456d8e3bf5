"""Builds the folder of a run that is merged: a tiny base with random weights, and an adapter that changes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_pipeline.data.prepared import write_rows
from model_pipeline.data.rows import Row
from model_pipeline.recipe import Recipe, check_recipe
from model_pipeline.runs import Run, Stage, create_run

VOCABULARY = 512
EXPORT = "0123456789abcdef0123456789abcdef"  # of the bot, that the rows are said to come from
ROWS = [
    Row("Keyword: sea\nQuote:", " The sea keeps no diary.", "1", "sea", "quote"),
    Row("Keyword: größe\nQuote:", " 1,000 steps —  and then\tone more… 🚀", "2", "größe", "quote"),
    Row("Keyword: door\nQuote:", " A quiet door is still a door.", "3", "door", "quote"),
    Row(
        [{"role": "user", "content": "Hello there"}],
        [{"role": "assistant", "content": "Hello! How are you?"}],
        "4",
        "",
        "chat",
    ),
]


def recipe(**changes: Any) -> Recipe:
    """A recipe as TOML would give it; `changes` replaces top-level keys."""
    content = {
        "name": "tiny-quotes",
        "about": "Writes a quote for a keyword.",
        "license": "Apache-2.0",
        "base": {"family": "tinyllama", "model": "some/base-1B"},
        "data": {"sources": [{"form": "quotes", "hub": "some/quotes"}]},
        "fine_tune": {"method": "lora"},
        "export": {"gate_lines": 5, "gate_prompts": 3},
        "quantize": {"types": ["Q4_K_M", "Q8_0"]},
        "served": {"system_prompt": False, "quote_prompt": {"template": "Keyword: {keyword}\nQuote:", "chat": False}},
    }
    return check_recipe(content | changes, "the test")


def write_base(folder: Path, family: str, context_tokens: int = 512) -> Path:
    """A Llama (`tinyllama`) or a GPT-2 (`gpt2`) with two layers, and a byte-level tokenizer with a chat template."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from benchmarks.make_model import SHAPES, write_tokenizer, write_weights

    write_tokenizer(folder, VOCABULARY)
    if family == "gpt2":
        torch.manual_seed(1)
        sizes = {"n_embd": 256, "n_layer": 2, "n_head": 4, "n_positions": context_tokens}
        config = GPT2Config(vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=0, **sizes)
        GPT2LMHeadModel(config).save_pretrained(folder)
    else:
        sizes = {"num_hidden_layers": 2, "max_position_embeddings": context_tokens}
        shape = replace(SHAPES["tiny"], vocab_size=VOCABULARY, **sizes)
        write_weights(folder, shape, seed=1)
    return folder


def write_adapter(base: Path, adapter: Path, merged: Path) -> None:
    """An adapter on every linear layer with random values, and the model that it makes of the base."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(2)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    settings = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, settings)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    adapted.save_pretrained(adapter)
    adapted.merge_and_unload().to(torch.float16).save_pretrained(merged)
    AutoTokenizer.from_pretrained(base).save_pretrained(merged)


def merged_run(folder: Path, context_tokens: int = 512) -> Run:
    """A smoke run whose stages are finished up to `merge`, of a model with that context."""
    base = write_base(folder.with_name(f"{folder.name}-base"), "tinyllama", context_tokens)
    run = create_run(folder, recipe(base={"family": "tinyllama", "model": str(base)}, smoke=True))
    for stage in (Stage.PREPARE, Stage.FINE_TUNE, Stage.MERGE):
        run.of(stage).mkdir()
    for split in ("train", "validation", "test"):
        write_rows(run.of(Stage.PREPARE) / f"{split}.jsonl", ROWS)
    write_adapter(base, run.of(Stage.FINE_TUNE) / "adapter", run.of(Stage.MERGE) / "model")
    figures: dict[Stage, dict[str, Any]] = {
        Stage.PREPARE: {"sources": [{"name": "an export", "export": EXPORT}, {"name": "quotes.jsonl", "export": ""}]},
        Stage.FINE_TUNE: {"method": "lora", "steps": 3, "train_loss": 2.5, "best_validation_loss": float("nan")},
        Stage.MERGE: {},
    }
    for stage in (Stage.PREPARE, Stage.FINE_TUNE, Stage.MERGE):
        run.finish(stage, datetime.now(UTC), figures[stage])
    return run
