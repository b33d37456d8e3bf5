"""The sections of a card on where a model comes from: its data, its training, the recipe; opens no run folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_pipeline.publishing.facts import Facts
from model_pipeline.publishing.markdown import code, table
from model_pipeline.recipe import FineTune, Method, Prefer, Recipe, Source, recipe_names


def data_section(facts: Facts) -> str:
    """The sources with their licences, and how many rows were kept of them."""
    found = {str(each.get("name")): each for each in facts.figures("prepare").get("sources", [])}
    sources = facts.recipe.data.sources
    listed = "\n".join(f"- {_source(source, found.get(source.name, {}))}" for source in sources)
    rows = ", ".join(f"{count:,} {split}" for split, count in facts.rows.items())
    counted = f"\n\nRows after curation: {rows}." if rows else ""
    dataset = facts.recipe.publish.dataset
    return f"{listed}{counted}" + (
        f"\n\nThe prepared rows are published as the dataset `{dataset}`." if dataset else ""
    )


def _source(source: Source, found: Mapping[str, Any]) -> str:
    name = f"`{source.hub or Path(source.path).name}`"
    split = f", {source.split} split, revision {found.get('revision') or source.revision}" if source.hub else ""
    unstated = "licence: see its page" if source.hub else "own data"
    licence = f"licence: {found['license']}" if found.get("license") else unstated
    return f"{name}{split} ({licence})"


def training_section(facts: Facts) -> str:
    """The recipe's settings, and what the training ended with."""
    recipe = facts.recipe
    text = recipe.served.card.training.strip()
    said = "" if text in ("", "Not stated.") else f"{text}\n\n"
    parts = [_pretraining(recipe)]
    if recipe.fine_tune:
        parts.append([*_settings(recipe.fine_tune, recipe), *_outcome(facts.figures("fine-tune"))])
    if recipe.prefer:
        parts.append([*_preferences(recipe.prefer), *_outcome(facts.figures("prefer"))])
    return f"{said}{table(('', ''), [row for part in parts for row in part])}"


def _pretraining(recipe: Recipe) -> list[tuple[str, str]]:
    if recipe.pretrain is None:
        return []
    made = recipe.pretrain
    size = f"{made.layers} layers, {made.hidden_size} wide, vocabulary {made.vocabulary:,}"
    return [("pretrained", f"{size}, {made.tokens:,} tokens, learning rate {made.learning_rate:g}")]


def _settings(settings: FineTune, recipe: Recipe) -> list[tuple[str, str]]:
    length = f"{settings.max_steps} steps" if settings.max_steps else f"{settings.epochs:g} epochs"
    lora = f"r {settings.r}, alpha {settings.alpha:g}, dropout {settings.dropout:g}, on {', '.join(settings.targets)}"
    rows = [
        ("method", settings.method),
        ("LoRA", lora),
        ("learning rate", f"{settings.learning_rate:g}, {settings.scheduler}, warm-up {settings.warmup:g}"),
        ("batch", f"{settings.batch_size} rows x {settings.accumulate}, at most {recipe.data.max_tokens} tokens each"),
        ("length", f"at most {length}; stops after {settings.patience} evaluations that are no better"),
        ("optimizer", f"{settings.optimizer}, weight decay {settings.weight_decay:g}"),
        *_share_kept(settings),
        ("seed", str(settings.seed)),
    ]
    return [row for row in rows if row[0] != "LoRA" or settings.method is not Method.FULL]


def _preferences(settings: Prefer) -> list[tuple[str, str]]:
    rates = ", ".join(f"{settings.learning_rate(method):g} for {method}" for method in settings.methods)
    length = f"{settings.max_steps} steps" if settings.max_steps else f"{settings.epochs:g} epochs"
    return [
        (
            "preferences",
            f"{', then '.join(settings.methods)}; {settings.how}, r {settings.r}, alpha {settings.alpha:g}",
        ),
        ("learning rates", f"{rates}; beta {settings.beta:g}"),
        ("length of each", f"at most {length} of {settings.batch_size} rows x {settings.accumulate}"),
        ("rehearsal", f"{settings.rehearsal:.0%} written rows beside the votes"),
        *_share_kept(settings),
    ]


def _share_kept(settings: FineTune | Prefer) -> list[tuple[str, str]]:
    if settings.interpolation == 1:
        return []
    from_base = isinstance(settings, Prefer) and settings.interpolation_from == "base"
    what = "fine-tuning and that" if from_base else "that"
    return [("kept", f"{settings.interpolation:.0%} of what {what} changed in the weights")]


def _outcome(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = {
        "trained parameters": ("trained_parameters", "{:,}"),
        "of all parameters": ("total_parameters", "{:,}"),
        "steps": ("steps", "{:,}"),
        "training loss": ("train_loss", "{:.3f}"),
        "validation loss": ("best_validation_loss", "{:.3f}"),
        "validation loss of what was kept": ("mixed_validation_loss", "{:.3f}"),
        "temperature that the logits were divided by": ("calibration_temperature", "{:.2f}"),
        "precision": ("precision", "{}"),
        "device": ("device", "{}"),
    }
    return [(title, text.format(figures[key])) for title, (key, text) in shown.items() if figures.get(key) is not None]


def making_section(facts: Facts) -> str:
    """The recipe, the command and the versions that make the same again."""
    recipe, manifests = facts.recipe, list(facts.manifests.values())
    command = f"\n\n{code(f'quotesmith-pipeline run {recipe.name}')}" if recipe.name in recipe_names() else ""
    times = sorted(str(manifest["began"]) for manifest in manifests)
    began = f", begun on {times[0][:10]}" if times else ""
    versions = {name: version for manifest in manifests for name, version in manifest.get("packages", {}).items()}
    listed = (
        f"\n\nPackages: {', '.join(f'{name} {version}' for name, version in versions.items())}." if versions else ""
    )
    return f"By the recipe `{recipe.name}` of Quotesmith's training pipeline{began}.{command}{listed}"
