"""The model that comes with the bot: that its files belong together, and that it reads text as its trainer did.

starter-tokens.jsonl was written by the tokenizer and the chat template that the starter was trained with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.models.manifest import read_manifest
from model_pipeline.gguf.description import history_sentence
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.samples import chat_samples, quote_samples
from model_pipeline.recipe import read_recipe
from tests.integration.gguf.conftest import STARTER

ROWS: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("starter-tokens.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
]
RECIPE = read_recipe("starter-mended", ["name=starter"])
SERVED = RECIPE.served


@pytest.fixture(scope="module")
def starter() -> Iterator[GgufModel]:
    with GgufModel(STARTER / "model.gguf") as model:
        yield model


def test_the_manifest_describes_the_file() -> None:
    manifest = read_manifest(STARTER)
    content = (STARTER / manifest.file).read_bytes()
    assert (manifest.sha256, manifest.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))


def test_the_manifest_and_the_card_say_what_the_recipe_does() -> None:
    manifest = json.loads((STARTER / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["name"], manifest["license"]) == (RECIPE.name, RECIPE.license)
    assert (manifest["context_tokens"], manifest["system_prompt"]) == (SERVED.context_tokens, SERVED.system_prompt)
    assert manifest["history_messages"] == SERVED.history_messages == 1
    assert manifest["lineage"]["recipe"] == RECIPE.name and manifest["quantization"] == RECIPE.quantize.types[0]
    assert manifest["quote_prompt"] == SERVED.quote_prompt.model_dump()
    assert manifest["sampling"] == SERVED.sampling.model_dump()
    card = (STARTER / "MODEL_CARD.md").read_text(encoding="utf-8")
    about = (SERVED.card.summary, SERVED.card.training, SERVED.card.limits)
    for part in (*about, history_sentence(SERVED.history_messages)):
        assert part.strip() in card
    assert f"{manifest['size_bytes']:,} bytes" in card


def test_the_folder_is_small_enough_for_a_repository() -> None:
    assert (STARTER / "model.gguf").stat().st_size < 25_000_000
    assert sum(path.stat().st_size for path in STARTER.iterdir()) < 30_000_000


def test_texts_become_the_tokens_of_training(starter: GgufModel) -> None:
    rows = [row for row in ROWS if "ids" in row]
    assert len(rows) == 64
    for row in rows:
        assert starter.token_ids(row["text"], add_special=False) == row["ids"], row["text"]
        assert starter.text(row["ids"]) == row["text"]


def test_conversations_become_the_prompts_of_training(starter: GgufModel) -> None:
    rows = [row for row in ROWS if "messages" in row]
    assert len(rows) == 8
    for row in rows:
        assert starter.render(row["messages"], generation_prompt=True) == row["text"]


def test_samples_are_the_same_every_time() -> None:
    first, again = (
        quote_samples(STARTER / "model.gguf", SERVED.quote_prompt, ["courage", "Courage"], SERVED.sampling.quote)
        for _ in range(2)
    )
    assert first == again
    assert all(sample.text for sample in first)


@pytest.mark.parametrize(("plain", "typed"), [("courage", "COURAGE"), ("moon", "the Moon!")])
def test_a_keyword_is_asked_for_in_lower_case_and_bare(plain: str, typed: str) -> None:
    one, other = (
        quote_samples(STARTER / "model.gguf", SERVED.quote_prompt, [keyword], SERVED.sampling.quote)[0]
        for keyword in (plain, typed)
    )
    assert one.text == other.text
    assert (one.asked, other.asked) == (plain, typed)


def test_a_chat_turn_is_answered() -> None:
    (reply,) = chat_samples(STARTER / "model.gguf", ["hey there"], SERVED.sampling.chat)
    assert reply.text
    assert "<|" not in reply.text


@pytest.mark.parametrize("name", ["starter-mended", "starter-continued", "starter-votes"])
def test_what_goes_on_from_it_is_drawn_as_it_is(name: str) -> None:
    """A gate or a canary would otherwise compare temperatures, or what the models were shown."""
    served, manifest = read_recipe(name, ["prefer.data=curated"]).served, read_manifest(STARTER)
    assert served.sampling.model_dump() == manifest.sampling.model_dump()
    assert served.history_messages == manifest.history_messages
