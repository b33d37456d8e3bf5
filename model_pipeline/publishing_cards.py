"""Writes the README.md of a published repository: front matter for the hub, text for people; sends nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCardData, ModelCardData

from model_pipeline.evaluation.figures import BY_NAME
from model_pipeline.recipe import FineTune, Method, Recipe, Source, recipe_names

LANGUAGE = "en"
TAG = "quotesmith"
SPLITS = ("train", "validation", "test")
ADAPTER_GGUF = "adapter.gguf"
REPORT = "evaluation/report.md"
SMOKE = (
    "> **A smoke run.** A small model trained on a little data for a moment, to see that every stage works: "
    "its figures mean nothing, and nobody should use it."
)
INTENDED = (
    "Meant for a chat bot that writes quotes and small talk. Its quotes are made up, even where they sound familiar; "
    "nothing that it writes is checked, and no answer is advice."
)


class Kind(StrEnum):
    """What a repository holds; the keys of a recipe's `publish`."""

    DATASET = "dataset"
    ADAPTER = "adapter"
    MERGED = "merged"
    GGUF = "gguf"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run tells of itself: manifests by stage, rows by split, the evaluation's results, the served model.

    What is not finished is empty. `results` is evaluate/results.json, `served` the manifest of the model folder.
    """

    recipe: Recipe
    manifests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    served: Mapping[str, Any] = field(default_factory=dict)

    def figures(self, stage: str) -> Mapping[str, Any]:
        """The figures of a stage; empty before it is finished."""
        return dict(self.manifests.get(stage, {}).get("figures", {}))


def base_on_hub(recipe: Recipe) -> str:
    """The Hub id of the base model; "" if it was pretrained or lies on a disk."""
    model = recipe.base.model
    is_id = re.fullmatch(r"[\w.-]+/[\w.-]+", model, re.ASCII) is not None
    return model if is_id and not Path(model).exists() else ""


def model_card(kind: Kind, facts: Facts, files: Sequence[tuple[str, int]]) -> str:
    """The card of the repository for `kind`; `files` are its paths and their sizes in bytes."""
    recipe, paths = facts.recipe, [path for path, _ in files]
    sections = {
        "How to use it": _usage(kind, facts, paths),
        "Files": _files(files) if kind is Kind.GGUF else "",
        "Figures": _figures(facts, paths),
        "Data": _data(facts),
        "Training": _training(facts),
        "Limits and intended use": f"{recipe.served.card.limits.strip()}\n\n{INTENDED}",
        "How it was made": _making(facts),
    }
    about = [_what(kind, recipe), recipe.about.strip(), recipe.served.card.summary.strip()]
    return _card(_model_data(kind, recipe).to_yaml(), recipe, _heading(recipe), about, sections)


def dataset_card(facts: Facts, prepared: str) -> str:
    """The card of the dataset, around the one that the stage prepare wrote."""
    recipe = facts.recipe
    text = _without_folders(re.sub(r"\A---\n.*?\n---\n+", "", prepared, flags=re.DOTALL).strip(), recipe)
    heading, _, rest = text.partition("\n") if text.startswith("# ") else (f"# {recipe.name}", "", text)
    if recipe.smoke:
        heading += " (smoke run)"
    load = f'from datasets import load_dataset\n\nrows = load_dataset("{recipe.publish.dataset}")'
    sections = {"How to load it": _code(load, "python"), "How it was made": _making(facts)}
    return _card(_dataset_data(facts).to_yaml(), recipe, heading, [rest.strip()], sections)


def _without_folders(text: str, recipe: Recipe) -> str:
    """Sources by their names alone: where they lie on a disk is nobody's business, escaped for Markdown or not."""
    paths = (Path(source.path) for source in recipe.data.sources if source.path)
    for path in sorted((path for path in paths if path.is_absolute()), reverse=True):
        written = "".join(rf"\\?{re.escape(letter)}" for letter in str(path))
        text = re.sub(written, path.name.replace("\\", r"\\"), text)
    return text


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


def _model_data(kind: Kind, recipe: Recipe) -> ModelCardData:
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
    method = [] if recipe.fine_tune.method is Method.FULL else ["lora"]
    return [TAG, *(["gguf"] if kind is Kind.GGUF else []), *method, *(["smoke-run"] if recipe.smoke else [])]


def _dataset_data(facts: Facts) -> DatasetCardData:
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


def _usage(kind: Kind, facts: Facts, paths: Sequence[str]) -> str:
    if kind is Kind.GGUF:
        return _gguf_usage(facts)
    return _merged_usage(facts.recipe) if kind is Kind.MERGED else _adapter_usage(facts.recipe, paths)


def _gguf_usage(facts: Facts) -> str:
    recipe, prompt = facts.recipe, facts.recipe.served.quote_prompt
    repo, quantization = recipe.publish.gguf, facts.served.get("quantization", recipe.quantize.types[0])
    folder = recipe.name
    served = facts.served.get("file", "")
    pull = f"quotesmith model pull {repo}:{quantization}"
    add = f"hf download {repo} manifest.json {served} --local-dir {folder}\nquotesmith model add {folder}"
    turn = "as a user turn of the chat template" if prompt.chat else "as plain text that the model completes"
    case = ", the keyword in lower case" if prompt.lower_case else ""
    return (
        f"With the bot, the GGUF alone:\n\n{_code(pull)}\n\n"
        f"With the prompt and the sampling that it was trained and measured with:\n\n{_code(add)}\n\n"
        f"With llama.cpp:\n\n{_code(f'llama-cli -hf {repo}:{quantization}')}\n\n"
        f"It is asked for a quote {turn}{case}:\n\n{_code(prompt.template)}"
    )


def _merged_usage(recipe: Recipe) -> str:
    code = (
        "from transformers import pipeline\n\n"
        f'generate = pipeline("text-generation", model="{recipe.publish.merged}")\n'
        f"print(generate({_asked(recipe)}, max_new_tokens=60, return_full_text=False)[0])"
    )
    return _code(code, "python")


def _adapter_usage(recipe: Recipe, paths: Sequence[str]) -> str:
    repo = recipe.publish.adapter
    code = (
        "from peft import AutoPeftModelForCausalLM\nfrom transformers import AutoTokenizer, pipeline\n\n"
        f'model = AutoPeftModelForCausalLM.from_pretrained("{repo}")\n'
        f'tokenizer = AutoTokenizer.from_pretrained("{repo}")\n'
        'generate = pipeline("text-generation", model=model, tokenizer=tokenizer)\n'
        f"print(generate({_asked(recipe)}, max_new_tokens=60, return_full_text=False)[0])"
    )
    alone = "" if base_on_hub(recipe) else "The base model is not on the hub, and the adapter needs it.\n\n"
    lora = f"llama-cli -m BASE.gguf --lora {ADAPTER_GGUF}"
    return f"{alone}{_code(code, 'python')}" + (
        f"\n\nWith llama.cpp, on a GGUF of the base model:\n\n{_code(lora)}" if ADAPTER_GGUF in paths else ""
    )


def _asked(recipe: Recipe) -> str:
    """A prompt as Python source."""
    prompt = recipe.served.quote_prompt
    text = prompt.template.replace("{keyword}", "courage")
    if not prompt.chat:
        return repr(text)
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return repr([*system, {"role": "user", "content": text}])


def _files(files: Sequence[tuple[str, int]]) -> str:
    return _table(("file", "bytes"), [(f"`{path}`", f"{size:,}") for path, size in files if path.endswith(".gguf")])


def _figures(facts: Facts, paths: Sequence[str]) -> str:
    report = f"What each figure means, and answers to read: `{REPORT}`." if facts.results and REPORT in paths else ""
    parts = [_measured(facts.results), _latency(facts.results.get("latency")), report, _gates(facts)]
    return "\n\n".join(part for part in parts if part)


def _measured(results: Mapping[str, Any]) -> str:
    models = results.get("models", [])
    names = [name for name in BY_NAME if any(name in model["figures"] for model in models)]
    if not names:
        return "This run was not evaluated."
    rows = [(BY_NAME[name].title, *(_estimate(name, model["figures"].get(name)) for model in models)) for name in names]
    head = f"On {results['rows']} held-out rows, with {results['confidence']:.0%} intervals over the rows:"
    table = _table(("", *(model["name"] for model in models)), rows)
    changes = "\n".join(f"- {_change(change)}" for change in results.get("changes", []))
    return f"{head}\n\n{table}\n\n{changes}".strip()


def _estimate(name: str, estimate: Mapping[str, float] | None) -> str:
    if estimate is None:
        return "-"
    value, low, high = (f"{estimate[key]:.{BY_NAME[name].decimals}f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _change(change: Mapping[str, Any]) -> str:
    """Which figures differ between two models, and which do not as far as these rows tell."""
    names = [name for name in BY_NAME if name in change["differences"]]
    shown = [BY_NAME[name].title for name in names if change["differences"][name]["shown"]]
    others = [BY_NAME[name].title for name in names if not change["differences"][name]["shown"]]
    texts = [f"a difference is shown in {', '.join(shown)}"] if shown else []
    texts += [f"none is shown in {', '.join(others)}"] if others else []
    return f"{change['after']} against {change['before']}: {'; '.join(texts)}."


def _latency(latency: Mapping[str, Any] | None) -> str:
    if not latency:
        return ""
    return (
        f"Latency of {latency['name']} on {latency['machine']}: half of {latency['requests']} answers within "
        f"{latency['p50_ms']:,.0f} ms, 95% within {latency['p95_ms']:,.0f} ms, "
        f"{latency['tokens_per_second']:.1f} tokens a second."
    )


def _gates(facts: Facts) -> str:
    """What the exported files were compared on with the trained weights, by file type."""
    exported = facts.figures("export-gguf")
    first = {exported["outtype"].upper(): exported["gates"]} if exported.get("gates") else {}
    by_type = first | dict(facts.served.get("lineage", {}).get("parity", {}))
    rows = [
        (type_name, gate, ", ".join(f"{key} {value:g}" for key, value in figures.items()))
        for type_name, gates in by_type.items()
        for gate, figures in gates.items()
    ]
    return f"Against the trained weights:\n\n{_table(('file', 'compared', 'figures'), rows)}" if rows else ""


def _data(facts: Facts) -> str:
    found = {str(each.get("name")): each for each in facts.figures("prepare").get("sources", [])}
    sources = facts.recipe.data.sources
    listed = "\n".join(f"- {_source(source, found.get(source.hub or source.path, {}))}" for source in sources)
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


def _training(facts: Facts) -> str:
    recipe, figures = facts.recipe, facts.figures("fine-tune")
    text = recipe.served.card.training.strip()
    said = "" if text in ("", "Not stated.") else f"{text}\n\n"
    table = _table(("", ""), [*_pretraining(recipe), *_settings(recipe.fine_tune, recipe), *_outcome(figures)])
    return f"{said}{table}"


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
        ("seed", str(settings.seed)),
    ]
    return [row for row in rows if row[0] != "LoRA" or settings.method is not Method.FULL]


def _outcome(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = {
        "trained parameters": ("trained_parameters", "{:,}"),
        "of all parameters": ("total_parameters", "{:,}"),
        "steps": ("steps", "{:,}"),
        "training loss": ("train_loss", "{:.3f}"),
        "validation loss": ("best_validation_loss", "{:.3f}"),
        "precision": ("precision", "{}"),
        "device": ("device", "{}"),
    }
    return [(title, text.format(figures[key])) for title, (key, text) in shown.items() if figures.get(key) is not None]


def _making(facts: Facts) -> str:
    recipe, manifests = facts.recipe, list(facts.manifests.values())
    command = f"\n\n{_code(f'quotesmith-pipeline run {recipe.name}')}" if recipe.name in recipe_names() else ""
    times = sorted(str(manifest["began"]) for manifest in manifests)
    began = f", begun on {times[0][:10]}" if times else ""
    versions = {name: version for manifest in manifests for name, version in manifest.get("packages", {}).items()}
    listed = (
        f"\n\nPackages: {', '.join(f'{name} {version}' for name, version in versions.items())}." if versions else ""
    )
    return f"By the recipe `{recipe.name}` of Quotesmith's training pipeline{began}.{command}{listed}"


def _code(text: str, language: str = "") -> str:
    return f"```{language}\n{text}\n```"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
