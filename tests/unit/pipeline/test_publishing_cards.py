"""The cards of published repositories: metadata that the library reads back, and text that tells what was measured."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import RepoCard
from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.publishing_cards import Facts, Kind, base_on_hub, dataset_card, front_matter, model_card
from model_pipeline.recipe import Recipe, check_recipe

BASE = "some/base-1B"
MODELS = [Kind.ADAPTER, Kind.MERGED, Kind.GGUF]
FILES = [("model.gguf", 1_234_567), ("evaluation/report.md", 9)]
ESTIMATE = {"value": 0.5, "low": 0.4, "high": 0.6, "rows": 200}


def recipe(**changes: Any) -> Recipe:
    content = {
        "name": "tiny-quotes",
        "about": "Writes a quote for a keyword.",
        "license": "Apache-2.0",
        "base": {"family": "tinyllama", "model": BASE},
        "data": {"sources": [{"form": "quotes", "hub": "some/quotes", "revision": "abc"}]},
        "fine_tune": {"method": "lora"},
        "served": {"system_prompt": False, "quote_prompt": {"template": "Keyword: {keyword}\nQuote:", "chat": False}},
        "publish": {"adapter": "me/a", "gguf": "me/g"},
    }
    return check_recipe(content | changes, "the test")


def manifest(began: str = "2026-03-01T10:00:00+00:00", **figures: Any) -> dict[str, Any]:
    """A finished stage's, as far as cards read it."""
    return {"began": began, "packages": {}, "figures": figures}


def metadata(card: str) -> dict[str, Any]:
    """As the library reads it."""
    found: dict[str, Any] = RepoCard(card).data.to_dict()  # type: ignore[no-untyped-call]
    return found


def section(card: str, title: str) -> str:
    """The text under a heading."""
    found = re.search(rf"^## {title}\n\n(.*?)(?=^## |\Z)", card, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


# -- models -----------------------------------------------------------------------------------------------------------


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


def test_a_model_without_a_base_tells_how_it_was_pretrained() -> None:
    pretrained = recipe(
        base={"family": "starter"}, pretrain={"corpora": [{"path": "texts"}]}, fine_tune={"method": "full"}
    )
    card = model_card(Kind.MERGED, Facts(pretrained), FILES)

    assert "pretrained for it" in card
    assert "| pretrained | 6 layers, 256 wide" in section(card, "Training")
    assert "LoRA" not in card
    assert "lora" not in metadata(card)["tags"]


@pytest.mark.parametrize("kind", MODELS)
def test_only_a_smoke_run_is_called_one(kind: Kind) -> None:
    assert "smoke" not in model_card(kind, Facts(recipe()), FILES).lower()
    lines = [line for line in RepoCard(model_card(kind, Facts(recipe(smoke=True)), FILES)).text.splitlines() if line]
    assert lines[0] == "# tiny-quotes (smoke run)"
    assert lines[1].startswith("> **A smoke run.**")


def test_figures_stand_with_their_intervals_and_differences_with_their_verdict() -> None:
    difference = {"estimate": 0.1, "low": 0.0, "high": 0.2, "p_value": None}
    results = {
        "rows": 200,
        "confidence": 0.95,
        "models": [
            {"name": "base", "figures": {"adherence": ESTIMATE}},
            {"name": "tuned", "figures": {"adherence": ESTIMATE, "bleu": ESTIMATE}},
        ],
        "changes": [
            {
                "before": "base",
                "after": "tuned",
                "differences": {
                    "adherence": difference | {"shown": True},
                    "words": difference | {"shown": False},
                },
            }
        ],
        "latency": None,
    }
    text = section(model_card(Kind.MERGED, Facts(recipe(), results=results), FILES), "Figures")

    assert "| Adherence | 0.50 (0.40 to 0.60) | 0.50 (0.40 to 0.60) |" in text
    assert "| BLEU | - | 0.500 (0.400 to 0.600) |" in text
    assert "a difference is shown in Adherence; none is shown in Words in an answer." in text
    assert "`evaluation/report.md`" in text


def test_gates_are_told_by_the_type_of_the_file() -> None:
    manifests = {"export-gguf": manifest(outtype="f16", gates={"tokens": {"lines": 500}})}
    served = {"file": "x.gguf", "lineage": {"parity": {"Q4_K_M": {"logits": {"relative_rms": 0.05}}}}}
    text = section(model_card(Kind.GGUF, Facts(recipe(), manifests, served=served), FILES), "Figures")

    assert "| F16 | tokens | lines 500 |" in text
    assert "| Q4_K_M | logits | relative_rms 0.05 |" in text
    assert "This run was not evaluated." in text


def test_a_run_that_was_not_evaluated_says_so() -> None:
    assert section(model_card(Kind.GGUF, Facts(recipe()), FILES), "Figures").strip() == "This run was not evaluated."


def test_the_card_tells_settings_results_data_and_versions() -> None:
    trained = manifest("2026-03-02T10:00:00+00:00", trained_parameters=2_250_000, train_loss=1.23)
    manifests = {
        "prepare": manifest() | {"packages": {"datasets": "5.2.0"}},
        "fine-tune": trained | {"packages": {"trl": "1.16.0"}},
    }
    card = model_card(Kind.ADAPTER, Facts(recipe(), manifests, {"train": 1_900, "test": 100}), FILES)

    training, data, making = (section(card, title) for title in ("Training", "Data", "How it was made"))
    assert "| LoRA | r 8, alpha 16, dropout 0, on all-linear |" in training
    assert "| trained parameters | 2,250,000 |" in training
    assert "| training loss | 1.230 |" in training
    assert "`some/quotes`, train split, revision abc (licence: see its page)" in data
    assert "1,900 train, 100 test" in data
    assert "recipe `tiny-quotes`" in making
    assert "begun on 2026-03-01" in making
    assert "datasets 5.2.0, trl 1.16.0" in making


def test_limits_are_the_recipe_s() -> None:
    prompt = {"template": "{keyword}", "chat": False}
    limited = recipe(served={"system_prompt": False, "quote_prompt": prompt, "card": {"limits": "It knows little."}})

    assert "It knows little." in section(model_card(Kind.GGUF, Facts(limited), FILES), "Limits and intended use")


def test_the_bot_is_given_the_type_that_is_served() -> None:
    served = {"quantization": "Q8_0", "file": "tiny-quotes-Q8_0.gguf", "lineage": {}}
    usage = section(model_card(Kind.GGUF, Facts(recipe(), served=served), FILES), "How to use it")

    assert "quotesmith model pull me/g:Q8_0" in usage
    assert "hf download me/g manifest.json tiny-quotes-Q8_0.gguf" in usage


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="`{}")), st.booleans(), st.text(max_size=9))
def test_the_code_of_a_card_is_python_whatever_the_prompt(template: str, chat: bool, system: str) -> None:
    prompt = {"template": template + "{keyword}", "chat": chat, "system": system.replace("`", "")}
    made = recipe(served={"system_prompt": True, "quote_prompt": prompt}, publish={"adapter": "me/a", "merged": "me/m"})

    for kind in (Kind.ADAPTER, Kind.MERGED):
        found = re.search(r"```python\n(.*?)```", model_card(kind, Facts(made), []), re.DOTALL)
        assert found is not None
        strings = [node.value for node in ast.walk(ast.parse(found[1])) if isinstance(node, ast.Constant)]
        assert template + "courage" in strings


# -- the dataset ------------------------------------------------------------------------------------------------------


def test_the_dataset_s_splits_are_found_by_their_files() -> None:
    card = dataset_card(Facts(recipe(publish={"dataset": "me/d"}), rows={"train": 10}), "# Rows\n\nCounts.\n")
    found = metadata(card)

    files = found["configs"][0]["data_files"]
    assert files == [{"split": name, "path": f"{name}.jsonl"} for name in ("train", "validation", "test")]
    assert found["source_datasets"] == ["some/quotes"]
    assert 'load_dataset("me/d")' in card


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


def test_a_source_is_told_with_the_commit_and_the_licence_that_were_found() -> None:
    sources = [{"name": "some/quotes", "revision": "c0ffee", "license": "cc-by-4.0"}]
    card = model_card(Kind.GGUF, Facts(recipe(), {"prepare": manifest(sources=sources)}), FILES)

    assert "- `some/quotes`, train split, revision c0ffee (licence: cc-by-4.0)" in section(card, "Data")


OWN = {"sources": [{"form": "messages", "path": "mine.jsonl"}]}


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
