"""The stage dequantize: the GGUF of a served base as a Hugging Face folder, `model/`, proven to be the same model.

It passes the gates that exports pass, the other way round: equal tokens, equal chat templates, and logits that differ
from those of the GGUF by no more than its type may.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import transformers

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.dequantize import check_dequantizable
from model_pipeline.gguf.dequantize import dequantize as write_dequantized
from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.hf_folder import source_hashes
from model_pipeline.gguf.model_folder import JUDGE_FILE
from model_pipeline.gguf.parity import Gate, check_parity, require
from model_pipeline.gguf.probe_lines import DEFAULT_LINES, read_probes
from model_pipeline.gguf.reference import HuggingFaceModel
from model_pipeline.gguf.served_base import ServedBase, read_served_base
from model_pipeline.recipe import Recipe
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage
from model_pipeline.training.failures import MORE_MEMORY, told_in_a_sentence


def dequantize(run: Run, report: Report) -> None:
    """Write the folder, and compare. Raises `InputInvalid` or `ParityFailed`."""
    began = datetime.now(UTC)
    transformers.utils.logging.set_verbosity_error()
    base = read_served_base(run.recipe.base.model)
    _check_prompt(run.recipe, base)
    stage = run.begin(Stage.DEQUANTIZE)
    folder, unchecked = stage / "model", stage / ".unchecked"
    with told_in_a_sentence(None, MORE_MEMORY):
        for left in (folder, unchecked):
            shutil.rmtree(left, ignore_errors=True)
        write_dequantized(base.gguf, unchecked)
        gates = _compare(unchecked, base)
        require(*gates)
        unchecked.replace(folder)
        if base.judge:
            shutil.copyfile(base.judge, stage / JUDGE_FILE)  # goes into the model folder of this run, if it makes none
    figures: dict[str, Any] = {
        "base": {"name": base.name, "sha256": base.sha256, "quantization": base.manifest["quantization"]},
        "exports": base.exports,
        "sources_sha256": source_hashes(folder),
        "gates": {gate.name: gate.figures for gate in gates},
    }
    error = figures["gates"]["logits"]["relative_rms"]
    report.say(f"Dequantized {base.name}: equal tokens, and logits within {error:.1%} of those of its GGUF.")
    run.finish(Stage.DEQUANTIZE, began, figures)


def _compare(folder: Path, base: ServedBase) -> list[Gate]:
    probes = read_probes(DEFAULT_LINES, base.manifest["quote_prompt"]["template"])
    with GgufModel(base.gguf) as served:
        return check_parity(HuggingFaceModel(folder), served, probes, str(base.manifest["quantization"]))


def check_served(recipe: Recipe) -> None:
    """Raise `InputInvalid` where the served model can't be trained on by the recipe, before anything else is done."""
    base = read_served_base(recipe.base.model)
    _check_prompt(recipe, base)
    check_dequantizable(base.gguf)


def _check_prompt(recipe: Recipe, base: ServedBase) -> None:
    """Votes are on what was answered to this prompt; only fine-tuning could teach another."""
    asked, known = recipe.served.quote_prompt.model_dump(), base.manifest["quote_prompt"]
    different = [key for key, value in known.items() if key in asked and asked[key] != value]
    if different and recipe.fine_tune is None:
        key = different[0]
        raise InputInvalid(
            f"served.quote_prompt.{key} is {asked[key]!r}, and {base.name} is asked with {known[key]!r}; without a "
            "section [fine_tune] it stays as it is."
        )
