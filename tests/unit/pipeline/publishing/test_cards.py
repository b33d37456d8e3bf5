"""Cards as a whole: their title, the text that they are written around, and what they never tell."""

from __future__ import annotations

import pytest
from huggingface_hub import RepoCard

from model_pipeline.publishing.cards import dataset_card, model_card
from model_pipeline.publishing.facts import Facts, Kind
from tests.unit.pipeline.publishing.run_facts import FILES, recipe, section

MODELS = [Kind.ADAPTER, Kind.MERGED, Kind.GGUF]


@pytest.mark.parametrize("kind", MODELS)
def test_only_a_smoke_run_is_called_one(kind: Kind) -> None:
    assert "smoke" not in model_card(kind, Facts(recipe()), FILES).lower()
    lines = [line for line in RepoCard(model_card(kind, Facts(recipe(smoke=True)), FILES)).text.splitlines() if line]
    assert lines[0] == "# tiny-quotes (smoke run)"
    assert lines[1].startswith("> **A smoke run.**")


def test_limits_are_the_recipe_s() -> None:
    prompt = {"template": "{keyword}", "chat": False}
    limited = recipe(served={"system_prompt": False, "quote_prompt": prompt, "card": {"limits": "It knows little."}})

    assert "It knows little." in section(model_card(Kind.GGUF, Facts(limited), FILES), "Limits and intended use")


@pytest.mark.parametrize("prepared", ["# Rows\n\nCounts.\n", "---\nlicense: mit\n---\n\n# Rows\n\nCounts.\n"])
def test_the_prepared_card_is_the_text(prepared: str) -> None:
    card = dataset_card(Facts(recipe(publish={"dataset": "me/d"}, smoke=True)), prepared)

    lines = [line for line in RepoCard(card).text.splitlines() if line]
    assert lines[0] == "# Rows (smoke run)"
    assert lines[1].startswith("> **A smoke run.**")
    assert lines[2] == "Counts."
    assert card.count("license:") == 1


@pytest.mark.parametrize("written", ["/home/an_other/my_rows.jsonl", r"/home/an\_other/my\_rows.jsonl"])
def test_folders_of_this_disk_are_not_published(written: str) -> None:
    data = {"sources": [{"form": "messages", "path": "/home/an_other/my_rows.jsonl"}]}
    card = dataset_card(Facts(recipe(publish={"dataset": "me/d"}, data=data)), f"# Rows\n\nOf {written}, 9 rows.\n")

    assert "Of my_rows.jsonl, 9 rows." in card
    assert "other" not in card
