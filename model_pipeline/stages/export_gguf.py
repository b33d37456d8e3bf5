"""The stage export-gguf: the merged model as a GGUF that is not quantized, and the gates that it must pass.

Token ids, the rendered chat template, logits and greedy text are compared on held-out rows; a gate that fails ends the
export, and says on which line. The adapter is exported too, for whoever serves several of them on one base.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import transformers

from model_pipeline.gguf.adapter_parity import adapter_gate
from model_pipeline.gguf.converter import Converter, find_converter
from model_pipeline.gguf.export import export_gguf as convert
from model_pipeline.gguf.export import export_lora
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.held_out import probes_of
from model_pipeline.gguf.parity import Gate, check_parity, require
from model_pipeline.gguf.reference import HuggingFaceModel
from model_pipeline.gguf.served_model import converter_facts
from model_pipeline.recipe import Method
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage, adapted_folder
from model_pipeline.training.base_model import base_config_folder
from model_pipeline.training.failures import MORE_MEMORY, told_in_a_sentence

GGUF_FILE = "model.gguf"
ADAPTER_FILE = "adapter.gguf"


def export_gguf(run: Run, report: Report) -> None:
    """Convert, and compare. Raises `ConverterUnavailable`, `ExportFailed` or `ParityFailed`."""
    began = datetime.now(UTC)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    folder, merged = run.begin(Stage.EXPORT_GGUF, Stage.MERGE), run.of(Stage.MERGE) / "model"
    outtype = run.recipe.export.outtype
    converter = find_converter()
    with told_in_a_sentence(None, MORE_MEMORY):
        exported = convert(
            merged, folder / GGUF_FILE, outtype, name=run.recipe.name, license=run.recipe.license, converter=converter
        )
        gates, prompts = _compare(run, merged, exported.path)
        _show(report, gates)
        require(*gates)
        adapter = _export_adapter(run, converter, prompts, report)
    figures = {
        "outtype": outtype,
        "converter": converter_facts(converter),
        "sources_sha256": exported.sources,
        "gates": {gate.name: gate.figures for gate in gates},
        "adapter": adapter,
    }
    run.finish(Stage.EXPORT_GGUF, began, figures)


def _compare(run: Run, merged: Path, exported: Path) -> tuple[list[Gate], Sequence[str]]:
    """The gates of the exported file, and the prompts that they were compared on."""
    trained = HuggingFaceModel(merged)
    probes = probes_of(run, trained.tokenizer)
    with GgufModel(exported) as written:
        return check_parity(trained, written, probes, run.recipe.export.outtype.upper()), probes.prompts


def _export_adapter(run: Run, converter: Converter, prompts: Sequence[str], report: Report) -> dict[str, object]:
    """The adapter as a GGUF of its own, and its gate; what it needs of the base is its configuration alone."""
    if run.recipe.method is Method.FULL:
        return {}
    folder, adapter = run.of(Stage.EXPORT_GGUF), run.of(run.trained_last) / "adapter"
    out, merged = folder / ADAPTER_FILE, run.of(Stage.MERGE) / "model"
    export_lora(adapter, base_config_folder(adapted_folder(run), run.recipe.base.revision), out, converter)
    gate = adapter_gate(merged, adapter, folder / GGUF_FILE, out, prompts, run.recipe.export.outtype.upper())
    _show(report, [gate])
    require(gate)
    described = {"file": out.name, "base": run.recipe.base.model, "size_bytes": out.stat().st_size}
    return described | {"compared": "taken away from the merged model", "gates": {gate.name: gate.figures}}


def _show(report: Report, gates: Sequence[Gate]) -> None:
    rows = [(gate.name, "passed" if gate.passed else "FAILED", _figures(gate)) for gate in gates]
    report.table(("gate", "", "figures"), rows)


def _figures(gate: Gate) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in gate.figures.items())
