"""Writes the README.md of a published repository: front matter for the hub, text for people; sends nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from model_pipeline.publishing.card_figures import figures_section
from model_pipeline.publishing.card_metadata import dataset_metadata, model_metadata
from model_pipeline.publishing.card_origin import data_section, making_section, training_section
from model_pipeline.publishing.card_usage import loading_section, usage_section
from model_pipeline.publishing.facts import Facts, Kind, base_on_hub
from model_pipeline.publishing.markdown import table
from model_pipeline.recipe import Recipe

SMOKE = (
    "> **A smoke run.** A small model trained on a little data for a moment, to see that every stage works: "
    "its figures mean nothing, and nobody should use it."
)
INTENDED = (
    "Meant for a chat bot that writes quotes and small talk. Its quotes are made up, even where they sound familiar; "
    "nothing that it writes is checked, and no answer is advice."
)


def model_card(kind: Kind, facts: Facts, files: Sequence[tuple[str, int]]) -> str:
    """The card of the repository for `kind`; `files` are its paths and their sizes in bytes."""
    recipe, paths = facts.recipe, [path for path, _ in files]
    sections = {
        "How to use it": usage_section(kind, facts, paths),
        "Files": _files(files) if kind is Kind.GGUF else "",
        "Figures": figures_section(facts, paths),
        "Data": data_section(facts),
        "Training": training_section(facts),
        "Limits and intended use": f"{recipe.served.card.limits.strip()}\n\n{INTENDED}",
        "How it was made": making_section(facts),
    }
    about = [_what(kind, recipe), recipe.about.strip(), recipe.served.card.summary.strip()]
    return _card(model_metadata(kind, recipe).to_yaml(), recipe, _heading(recipe), about, sections)


def dataset_card(facts: Facts, prepared: str) -> str:
    """The card of the dataset, around the one that the stage prepare wrote."""
    recipe = facts.recipe
    text = _without_folders(re.sub(r"\A---\n.*?\n---\n+", "", prepared, flags=re.DOTALL).strip(), recipe)
    heading, _, rest = text.partition("\n") if text.startswith("# ") else (f"# {recipe.name}", "", text)
    if recipe.smoke:
        heading += " (smoke run)"
    sections = {"How to load it": loading_section(recipe), "How it was made": making_section(facts)}
    return _card(dataset_metadata(facts).to_yaml(), recipe, heading, [rest.strip()], sections)


def front_matter(card: str) -> str:
    """The metadata at the head of a card, as YAML."""
    return card.split("---\n", 2)[1].strip()


def _card(metadata: str, recipe: Recipe, heading: str, about: Iterable[str], sections: Mapping[str, str]) -> str:
    notes = [SMOKE] if recipe.smoke else []
    bodies = [f"## {title}\n\n{body.strip()}" for title, body in sections.items() if body.strip()]
    parts = [f"---\n{metadata}\n---", heading, *notes, *(text for text in about if text), *bodies]
    return "\n\n".join(parts) + "\n"


def _heading(recipe: Recipe) -> str:
    return f"# {recipe.name}{' (smoke run)' if recipe.smoke else ''}"


def _what(kind: Kind, recipe: Recipe) -> str:
    base = f"`{base_on_hub(recipe)}`" if base_on_hub(recipe) else "a base model that is not on the hub"
    if recipe.pretrain is not None:
        base = "a small Llama that was pretrained for it"
    made = {
        Kind.ADAPTER: f"A LoRA adapter for {base}",
        Kind.MERGED: f"A fine-tuned model, made of {base}, in Hugging Face format",
        Kind.GGUF: f"A fine-tuned model, made of {base}, as GGUF files for llama.cpp",
    }
    return f"{made[kind]}."


def _files(files: Sequence[tuple[str, int]]) -> str:
    return table(("file", "bytes"), [(f"`{path}`", f"{size:,}") for path, size in files if path.endswith(".gguf")])


def _without_folders(text: str, recipe: Recipe) -> str:
    """Sources by their names alone: where they lie on a disk is nobody's business, escaped for Markdown or not."""
    paths = (Path(source.path) for source in recipe.data.sources if source.path)
    for path in sorted((path for path in paths if path.is_absolute()), reverse=True):
        written = "".join(rf"\\?{re.escape(letter)}" for letter in str(path))
        text = re.sub(written, path.name.replace("\\", r"\\"), text)
    return text
