"""The stage quantize: every type of the recipe, compared with the merged model and measured; the first is served.

A file gets its name only when its gates are passed, and what was found is written beside it, so that a run that was
cut off goes on with the next type. The model folder for the bot is the last thing that is written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import transformers
from rich.filesize import decimal

from model_pipeline.gguf.description import Description
from model_pipeline.gguf.gguf_model import CONTEXT_TOKENS, GgufModel
from model_pipeline.gguf.held_out import card_of, probes_of, replies_of
from model_pipeline.gguf.measured import Measured, kept, measure
from model_pipeline.gguf.model_folder import JUDGE_FILE, MANIFEST_FILE, record_judge
from model_pipeline.gguf.parity import Gate, Probes, check_parity, require
from model_pipeline.gguf.quantize import quantize as write_quantized
from model_pipeline.gguf.reference import HuggingFaceModel
from model_pipeline.gguf.served_model import Origin, context_of, write_served_model
from model_pipeline.judging.judge_of_states import reads_states
from model_pipeline.judging.judge_of_words import save_filters
from model_pipeline.judging.learned_filters import save_with_filters
from model_pipeline.learned_texts import filters_of
from model_pipeline.lineage import exports_of
from model_pipeline.recipe import Family
from model_pipeline.report import Report
from model_pipeline.runs import RECIPE_FILE, Run, Stage, sha256, versions
from model_pipeline.training.failures import MORE_MEMORY, told_in_a_sentence

SPLITS = ("train.jsonl", "validation.jsonl", "test.jsonl")
TRAINING_FIGURES = (
    "method",
    "steps",
    "train_loss",
    "best_validation_loss",
    "mixed_validation_loss",
    "calibration_temperature",
)


@dataclass(frozen=True, slots=True)
class _Source:
    """The GGUF that is not quantized, and what its quantized forms are held against."""

    path: Path
    sha256: str
    outtype: str
    gates: dict[str, dict[str, float]]
    trained: HuggingFaceModel
    probes: Probes
    replies: Sequence[tuple[str, str]]


def quantize(run: Run, report: Report) -> None:
    """Quantize, compare, measure, and write the model folder. Raises `QuantizationFailed` or `ParityFailed`."""
    began = datetime.now(UTC)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    folder = run.begin(Stage.QUANTIZE, Stage.EXPORT_GGUF)
    # A model of an earlier try must not outlive a gate that fails now.
    (run.model_folder / MANIFEST_FILE).unlink(missing_ok=True)
    with told_in_a_sentence(None, MORE_MEMORY):
        source, description = _source(run), _description(run)
        _check_context(source.path, description)
        report.say(f"{source.outtype}: measuring the file that is not quantized.")
        unquantized = kept(folder / "unquantized.json", source.sha256, lambda: _unquantized(source))
        found = {name: _type(folder, run.recipe.name, name, source, report) for name in run.recipe.quantize.type_names}
        _show(report, source.outtype, unquantized, found)
        _serve(run, description, source, unquantized, found, report)
    figures = {
        "served": next(iter(found)),
        "outtype": source.outtype,
        "unquantized": _figures(unquantized, unquantized),
        "types": {name: _figures(each, unquantized) for name, each in found.items()},
    }
    run.finish(Stage.QUANTIZE, began, figures)


def _source(run: Run) -> _Source:
    manifest, trained = run.manifest(Stage.EXPORT_GGUF), HuggingFaceModel(run.of(Stage.MERGE) / "model")
    figures = manifest["figures"]
    return _Source(
        path=run.of(Stage.EXPORT_GGUF) / "model.gguf",
        sha256=manifest["files"]["model.gguf"],
        outtype=figures["outtype"].upper(),
        gates=figures["gates"],
        trained=trained,
        probes=probes_of(run, trained.tokenizer),
        replies=replies_of(run, trained.tokenizer, CONTEXT_TOKENS),
    )


def _check_context(gguf: Path, description: Description) -> None:
    """Before the long work: a context that the model was not made for would be refused after it."""
    with GgufModel(gguf) as model:
        context_of(model, description)


def _unquantized(source: _Source) -> Measured:
    return measure(source.path, source.sha256, source.gates, source.replies)


def _type(folder: Path, name: str, type_name: str, source: _Source, report: Report) -> Measured:
    """One type: what is known of its file, or the file made, compared and measured first."""
    out = _file(folder, name, type_name)
    if not out.is_file():
        out.with_suffix(".json").unlink(missing_ok=True)

    def make() -> Measured:
        report.say(f"{type_name}: quantizing, comparing and measuring.")
        unchecked = out.with_name(f".{out.name}.unchecked")
        try:
            written = write_quantized(source.path, unchecked, type_name)
            gates = _passed(source, unchecked, type_name)
            measured = measure(unchecked, source.sha256, gates, source.replies, written.fallback_tensors)
            unchecked.replace(out)
        finally:
            unchecked.unlink(missing_ok=True)
        return measured

    return kept(out.with_suffix(".json"), source.sha256, make)


def _file(folder: Path, name: str, type_name: str) -> Path:
    return folder / f"{name}-{type_name}.gguf"


def _passed(source: _Source, gguf: Path, type_name: str) -> dict[str, dict[str, float]]:
    """The figures of all gates. Raises `ParityFailed`."""
    with GgufModel(gguf) as candidate:
        gates = check_parity(source.trained, candidate, source.probes, type_name)
    require(*gates)
    return {gate.name: gate.figures for gate in gates}


def _figures(measured: Measured, unquantized: Measured) -> dict[str, Any]:
    figures = asdict(measured)
    del figures["source_sha256"]
    return figures | {"perplexity_ratio": measured.ratio_to(unquantized)}


def _show(report: Report, outtype: str, unquantized: Measured, found: dict[str, Measured]) -> None:
    head = ("type", "size", f"perplexity ({unquantized.rows} rows)", "of unquantized", "prompt tok/s", "reply tok/s")
    named = {f"{outtype} (not quantized)": unquantized, **found}
    report.table(head, [(name, *_cells(each, each.ratio_to(unquantized))) for name, each in named.items()])
    report.say(f"Speeds are of this machine; threads: {unquantized.threads}.")


def _cells(measured: Measured, ratio: float | None) -> tuple[str, ...]:
    known = measured.perplexity is not None and ratio is not None
    return (
        decimal(measured.size_bytes),
        f"{measured.perplexity:.3f}" if known else "-",
        f"{ratio:.4f}" if known else "-",
        f"{measured.prompt_tokens_per_second:.1f}",
        f"{measured.generation_tokens_per_second:.1f}",
    )


def _serve(
    run: Run,
    description: Description,
    source: _Source,
    unquantized: Measured,
    found: dict[str, Measured],
    report: Report,
) -> None:
    """The model folder of the first type; its lineage holds the gates of every file."""
    type_name, served = next(iter(found.items()))
    exported = run.figures(Stage.EXPORT_GGUF)
    origin = Origin(exported["converter"], exported["outtype"], exported["sources_sha256"])
    measured = {
        "perplexity": served.perplexity,
        "perplexity_unquantized": unquantized.perplexity,
        "held_out_rows": served.rows,
    }
    write_served_model(
        run.model_folder,
        _file(run.of(Stage.QUANTIZE), run.recipe.name, type_name),
        type_name,
        description.model_copy(update={"evaluation": measured}),
        origin,
        {source.outtype: _gates(unquantized)} | {name: _gates(each) for name, each in found.items()},
        served.fallback_tensors,
    )
    if run.recipe.judge is None and (run.of(Stage.DEQUANTIZE) / JUDGE_FILE).is_file():
        _carry_judge(run, report)


def _carry_judge(run: Run, report: Report) -> None:
    """The base's, for the quotes are still of its kind, with what was learned since; or of one of states that alone."""
    base, carried = run.of(Stage.DEQUANTIZE) / JUDGE_FILE, run.of(Stage.QUANTIZE) / JUDGE_FILE
    filters = filters_of(run)
    if reads_states(base):
        report.say(
            "The base's judge goes by states, which have changed with the weights: what it knows of copies and of "
            "made-up words is kept, and nothing else of it. A section [judge] with marks trains another."
        )
        save_filters(filters, carried)
    else:
        save_with_filters(base, filters, carried)
    record_judge(run.model_folder, carried)


def _gates(measured: Measured) -> list[Gate]:
    return [Gate(name, figures) for name, figures in measured.gates.items()]


def _description(run: Run) -> Description:
    recipe = run.recipe
    return Description(
        name=recipe.name,
        base=_base(run),
        license=recipe.license,
        context_tokens=recipe.served.context_tokens,
        system_prompt=recipe.served.system_prompt,
        history_messages=recipe.served.history_messages,
        quote_prompt=recipe.served.quote_prompt,
        sampling=recipe.served.sampling,
        lineage=_lineage(run),
        card=card_of(run),
    )


def _base(run: Run) -> str:
    """What the card says that it was made from; never a path of this disk."""
    recipe = run.recipe
    if recipe.base.family is Family.SERVED:
        return str(run.figures(Stage.DEQUANTIZE)["base"]["name"])
    if recipe.base.family is Family.STARTER:
        return "trained from scratch"
    if recipe.smoke:
        return f"small stand-in for {recipe.base.family}"
    return Path(recipe.base.model).name if Path(recipe.base.model).exists() else recipe.base.model


def _lineage(run: Run) -> dict[str, object]:
    prepared, trained = run.manifest(Stage.PREPARE)["files"], run.figures(run.trained_last)
    known = {key: trained[key] for key in TRAINING_FIGURES if trained.get(key) is not None}
    served = run.figures(Stage.DEQUANTIZE) if run.recipe.base.family is Family.SERVED else {}
    preferred = run.figures(Stage.PREFER) if run.recipe.prefer else {}
    exports = exports_of(run)
    return {
        **({"exports": exports} if exports else {}),  # the bot finds what a forgotten person is part of by them
        **({"base": {key: served["base"][key] for key in ("name", "sha256")}} if served else {}),
        **({"curated_sha256": preferred["curated_sha256"]} if preferred else {}),
        "recipe": run.recipe.name,
        "recipe_sha256": sha256(run.folder / RECIPE_FILE),
        "smoke": run.recipe.smoke,
        "splits_sha256": {name: prepared[name] for name in SPLITS},
        "training": {key: value for key, value in known.items() if not _is_nan(value)},
        "packages": versions(),
    }


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
