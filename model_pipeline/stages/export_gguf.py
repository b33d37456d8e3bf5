"""The stage export-gguf: the merged model as a GGUF that is not quantized, and the gates that it must pass.

Token ids, the rendered chat template, logits and greedy text are compared on held-out rows; a gate that fails ends the
export, and says on which line. The adapter is exported too, for whoever serves several of them on one base.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_pipeline.data.prepared import read_rows
from model_pipeline.data.rows import Row
from model_pipeline.gguf.converter import PACKAGE, Converter, find_converter
from model_pipeline.gguf.export import export_gguf as convert
from model_pipeline.gguf.export import export_lora
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.parity import Conversation, Gate, Probes, check_parity, require
from model_pipeline.gguf.probe_lines import DEFAULT_LINES, read_probes
from model_pipeline.gguf.reference import HuggingFaceModel
from model_pipeline.recipe import Method
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage, base_folder
from model_pipeline.training.base_model import base_config_folder
from model_pipeline.training.failures import told_in_a_sentence
from model_pipeline.training.rendering import prompt_text, reference

GGUF_FILE = "model.gguf"
ADAPTER_FILE = "adapter.gguf"


def export_gguf(run: Run, report: Report) -> None:
    """Convert, and compare. Raises `ConverterUnavailable`, `ExportFailed` or `ParityFailed`."""
    began = datetime.now(UTC)
    folder, merged = run.begin(Stage.EXPORT_GGUF, Stage.MERGE), run.of(Stage.MERGE) / "model"
    outtype = run.recipe.export.outtype
    converter = find_converter()
    with told_in_a_sentence(run.of(Stage.FINE_TUNE) / "checkpoints"):
        exported = convert(
            merged, folder / GGUF_FILE, outtype, name=run.recipe.name, license=run.recipe.license, converter=converter
        )
        trained = HuggingFaceModel(merged)
        probes = probes_of(run, trained.tokenizer)
        with GgufModel(exported.path) as written:
            gates = check_parity(trained, written, probes, outtype.upper())
        _show(report, gates)
        require(*gates)
        adapter = _export_adapter(run, converter, folder / ADAPTER_FILE)
    figures = {
        "outtype": outtype,
        "converter": {"package": PACKAGE, "version": converter.version, "sdist_sha256": converter.sdist_sha256},
        "sources_sha256": exported.sources,
        "gates": {gate.name: gate.figures for gate in gates},
        "adapter": adapter,
    }
    run.finish(Stage.EXPORT_GGUF, began, figures)


def probes_of(run: Run, tokenizer: Any) -> Probes:
    """Held-out texts, conversations and prompts, filled up with the lines of this package."""
    settings = run.recipe.export
    rows = read_rows(run.of(Stage.PREPARE) / "test.jsonl")
    known = read_probes(DEFAULT_LINES, run.recipe.served.quote_prompt.template)
    lines = [*(reference(row) for row in rows), *known.lines][: settings.gate_lines]
    prompts = [*dict.fromkeys(prompt_text(tokenizer, row) for row in rows), *known.prompts]
    conversations = [*_conversations(rows), *known.conversations]
    return Probes(lines, conversations[: settings.gate_lines], prompts[: settings.gate_prompts])


def _conversations(rows: Sequence[Row]) -> list[Conversation]:
    return [row.prompt for row in rows if not isinstance(row.prompt, str)]


def _export_adapter(run: Run, converter: Converter, out: Path) -> dict[str, object]:
    """The adapter as a GGUF of its own; what it needs of the base is its configuration alone."""
    if run.recipe.fine_tune.method is Method.FULL:
        return {}
    base = base_config_folder(base_folder(run), run.recipe.base.revision)
    export_lora(run.of(Stage.FINE_TUNE) / "adapter", base, out, converter)
    return {"file": out.name, "base": run.recipe.base.model, "size_bytes": out.stat().st_size}


def _show(report: Report, gates: Sequence[Gate]) -> None:
    rows = [
        (gate.name, "passed" if gate.passed else "FAILED", ", ".join(f"{key} {value:g}" for key, value in gate.figures.items()))
        for gate in gates
    ]
    report.table(("gate", "", "figures"), rows)
