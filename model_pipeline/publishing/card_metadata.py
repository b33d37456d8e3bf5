"""The metadata at the head of a card, which a model hub searches by; writes no text for people."""

from __future__ import annotations

from huggingface_hub import DatasetCardData, ModelCardData

from model_pipeline.publishing.facts import SPLITS, Facts, Kind, base_on_hub
from model_pipeline.recipe import Method, Recipe

LANGUAGE = "en"
TAG = "quotesmith"


def model_metadata(kind: Kind, recipe: Recipe) -> ModelCardData:
    """What the hub is told of a model, and what it was derived from."""
    base, relation = _derived_from(kind, recipe)
    datasets = [recipe.publish.dataset, *(source.hub for source in recipe.data.sources)]
    data = ModelCardData(
        license=recipe.license.lower(),
        language=LANGUAGE,
        library_name={Kind.ADAPTER: "peft", Kind.MERGED: "transformers", Kind.GGUF: "llama-cpp-python"}[kind],
        pipeline_tag="text-generation",
        base_model=base or None,
        datasets=list(dict.fromkeys(name for name in datasets if name)) or None,
        tags=_tags(kind, recipe),
    )
    if base:
        data["base_model_relation"] = relation
    return data


def _derived_from(kind: Kind, recipe: Recipe) -> tuple[str, str]:
    if kind is Kind.GGUF and recipe.publish.merged:
        return recipe.publish.merged, "quantized"
    return base_on_hub(recipe), "adapter" if kind is Kind.ADAPTER else "finetune"


def _tags(kind: Kind, recipe: Recipe) -> list[str]:
    method = [] if recipe.method is Method.FULL else ["lora"]
    return [TAG, *(["gguf"] if kind is Kind.GGUF else []), *method, *(["smoke-run"] if recipe.smoke else [])]


def dataset_metadata(facts: Facts) -> DatasetCardData:
    """What the hub is told of the rows, and which file holds which split."""
    recipe = facts.recipe
    files = [{"split": split, "path": f"{split}.jsonl"} for split in SPLITS]
    return DatasetCardData(
        license=_data_license(facts),
        language=LANGUAGE,
        task_categories=["text-generation"],
        size_categories=_size_category(sum(facts.rows.values())),
        source_datasets=[source.hub for source in recipe.data.sources if source.hub] or None,
        pretty_name=recipe.name,
        tags=_tags(Kind.DATASET, recipe)[:1] + (["smoke-run"] if recipe.smoke else []),
        configs=[{"config_name": "default", "data_files": files}],
    )


def _data_license(facts: Facts) -> str | list[str]:
    """What the stage prepare found of every source; of own data the recipe's."""
    found = {str(source.get("license") or "").lower() for source in facts.figures("prepare").get("sources", [])}
    if found and "" not in found:
        return sorted(found) if len(found) > 1 else found.pop()
    on_hub = any(source.hub for source in facts.recipe.data.sources)
    return "unknown" if on_hub or len(found) > 1 else facts.recipe.license.lower()


def _size_category(rows: int) -> str:
    bounds = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for bound, name in bounds if rows < bound), "1M<n<10M")
