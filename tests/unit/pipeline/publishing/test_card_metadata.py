"""The metadata of cards as the library reads it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_pipeline.publishing.cards import dataset_card, front_matter, model_card
from model_pipeline.publishing.facts import Facts, Kind, base_on_hub
from tests.unit.pipeline.publishing.run_facts import BASE, FILES, manifest, metadata, recipe

OWN = {"sources": [{"form": "messages", "path": "mine.jsonl"}]}


@pytest.mark.parametrize(
    ("kind", "library", "relation"),
    [
        (Kind.ADAPTER, "peft", "adapter"),
        (Kind.MERGED, "transformers", "finetune"),
        (Kind.GGUF, "llama-cpp-python", "finetune"),
    ],
)
def test_the_hub_is_told_what_it_is(kind: Kind, library: str, relation: str) -> None:
    found = metadata(model_card(kind, Facts(recipe()), FILES))

    assert (found["library_name"], found["base_model_relation"]) == (library, relation)
    assert (found["license"], found["base_model"], found["language"]) == ("apache-2.0", BASE, "en")
    assert (found["pipeline_tag"], found["datasets"]) == ("text-generation", ["some/quotes"])
    assert ("gguf" in found["tags"]) == (kind is Kind.GGUF)


def test_the_gguf_derives_from_the_merged_model_where_that_is_published() -> None:
    found = metadata(model_card(Kind.GGUF, Facts(recipe(publish={"gguf": "me/g", "merged": "me/m"})), FILES))

    assert (found["base_model"], found["base_model_relation"]) == ("me/m", "quantized")


def test_a_base_on_a_disk_is_not_told_to_the_hub(tmp_path: Path) -> None:
    local = recipe(base={"family": "gpt2", "model": str(tmp_path)})

    card = model_card(Kind.ADAPTER, Facts(local), FILES)
    assert "base_model" not in metadata(card)
    assert str(tmp_path) not in card
    assert base_on_hub(recipe()) == BASE


def test_the_dataset_s_splits_are_found_by_their_files() -> None:
    card = dataset_card(Facts(recipe(publish={"dataset": "me/d"}), rows={"train": 10}), "# Rows\n\nCounts.\n")
    found = metadata(card)

    files = found["configs"][0]["data_files"]
    assert files == [{"split": name, "path": f"{name}.jsonl"} for name in ("train", "validation", "test")]
    assert found["source_datasets"] == ["some/quotes"]
    assert 'load_dataset("me/d")' in card


@pytest.mark.parametrize(
    ("data", "found", "license"),
    [
        (None, [{"name": "some/quotes", "license": "CC-BY-4.0"}], "cc-by-4.0"),
        (None, [{"name": "some/quotes", "license": ""}], "unknown"),
        (None, [], "unknown"),
        (None, [{"name": "a", "license": "mit"}, {"name": "b", "license": "cc-by-4.0"}], ["cc-by-4.0", "mit"]),
        (OWN, [{"name": "a", "license": "mit"}, {"name": "mine.jsonl", "license": ""}], "unknown"),
        (OWN, [], "apache-2.0"),
        (OWN, [{"name": "mine.jsonl", "license": ""}], "apache-2.0"),
    ],
)
def test_a_dataset_has_no_licence_that_nobody_gave(
    data: dict[str, Any] | None, found: list[dict[str, str]], license: str | list[str]
) -> None:
    changes = {"data": data} if data else {}
    facts = Facts(recipe(publish={"dataset": "me/d"}, **changes), {"prepare": manifest(sources=found)})

    assert metadata(dataset_card(facts, ""))["license"] == license


@pytest.mark.parametrize(
    ("rows", "category"),
    [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (99_999, "10K<n<100K"), (5_000_000, "1M<n<10M")],
)
def test_the_size_is_one_of_the_hub_s(rows: int, category: str) -> None:
    facts = Facts(recipe(publish={"dataset": "me/d"}), rows={"train": rows})

    assert f"size_categories: {category}" in front_matter(dataset_card(facts, ""))
