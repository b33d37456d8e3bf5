"""The stage merge: adapter and base become one Hugging Face folder, `model/`, with every file that its GGUF needs.

A quantized base is dequantized first, for the adapter was trained on what the quantization left of the weights: into
the 4-bit base the error was 8.8%, onto the original weights 7.5%, and this way 0.24% (NF4, measured on a small Llama).
"""

from __future__ import annotations

import gc
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from peft import PeftModel

from model_pipeline.data.prepared import read_rows
from model_pipeline.data.rows import Row
from model_pipeline.errors import ParityFailed
from model_pipeline.lineage import exports_of, write_exports
from model_pipeline.recipe import Method
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage, adapted_folder, base_folder
from model_pipeline.training.base_model import base_file, keep_4bit_weights, load_base, with_conv1d
from model_pipeline.training.failures import MORE_MEMORY, told_in_a_sentence
from model_pipeline.training.rendering import prompt_text, reply_text
from model_pipeline.training.tokenizer import load_tokenizer

DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}
PARITY_ROWS = 8
PARITY_TOKENS = 64
# Of the logits against those of the adapter on its base: above it, something else than rounding is at work.
LARGEST_ERROR = {Method.QLORA: 0.02, Method.LORA_8BIT: 0.1, Method.LORA: 0.005}


def merge(run: Run, report: Report) -> None:
    """Write the merged model. Raises `ParityFailed` when it does not answer as adapter and base do together."""
    began = datetime.now(UTC)
    transformers.utils.logging.disable_progress_bar()
    folder, method = run.begin(Stage.MERGE, run.trained_last) / "model", run.recipe.method
    with told_in_a_sentence(None, MORE_MEMORY):
        if method is Method.FULL:
            _save(run, load_base(str(run.of(run.trained_last) / "model"), "", method, torch.float32), folder)
            figures: dict[str, Any] = {"way": "nothing to merge"}
        else:
            figures = _merge_into(run, folder)
            report.say(f"Merged: relative error of the logits {figures['relative_error']:.2%}.")
    run.finish(Stage.MERGE, began, {"method": method, **figures})


def _merge_into(run: Run, folder: Path) -> dict[str, Any]:
    """Write the merged model, and say how far the logits of what was written lie from what was trained."""
    method, adapter, texts = run.recipe.method, run.of(run.trained_last) / "adapter", _parity_ids(run)
    model = PeftModel.from_pretrained(_base(run), adapter).eval()
    keep_4bit_weights(model)
    expected = _logits(model, texts)
    quantized = method is not Method.LORA
    if quantized:
        del model
        gc.collect()
        model = PeftModel.from_pretrained(with_conv1d(_base(run).dequantize()), adapter)
    _save(run, model.merge_and_unload(), folder)
    del model
    gc.collect()
    found = _logits(load_base(str(folder), "", Method.FULL, torch.float32).eval(), texts)
    figures = _difference(expected, found) | {"way": "dequantized, then merged" if quantized else "merged"}
    if not figures["relative_error"] <= LARGEST_ERROR[method]:
        shutil.rmtree(folder)
        raise ParityFailed(
            f"The merged model differs from adapter and base by {figures['relative_error']:.2%} of the logits, with "
            f"{LARGEST_ERROR[method]:.1%} allowed; nothing was exported."
        )
    return figures


def _base(run: Run) -> Any:
    """The base as it was trained on, computing in fp32, so that only the merging shows in the figure."""
    return load_base(adapted_folder(run), run.recipe.base.revision, run.recipe.method, torch.float32)


def _logits(model: Any, texts: list[list[int]]) -> list[NDArray[np.float32]]:
    with torch.inference_mode():
        return [model(torch.tensor([ids], device=model.device)).logits[0].float().cpu().numpy() for ids in texts]


def _difference(expected: list[NDArray[np.float32]], found: list[NDArray[np.float32]]) -> dict[str, Any]:
    same = [one.argmax(-1) == other.argmax(-1) for one, other in zip(expected, found, strict=True)]
    return {
        "relative_error": _relative_error(expected, found),
        "same_top_share": float(np.mean(np.concatenate(same))),
        "positions": sum(map(len, expected)),
    }


def _relative_error(expected: list[NDArray[np.float32]], found: list[NDArray[np.float32]]) -> float:
    """Root mean square of the difference over that of the expected logits, both about their mean."""
    difference = sum(float(np.square(other - one).sum()) for one, other in zip(expected, found, strict=True))
    spread = sum(float(np.square(one - one.mean(-1, keepdims=True)).sum()) for one in expected)
    return float(np.sqrt(difference / max(spread, 1e-12)))


def _parity_ids(run: Run) -> list[list[int]]:
    """Token ids of held-out rows: prompt and reply."""
    tokenizer = load_tokenizer(base_folder(run), run.recipe.base.revision)
    rows: list[Row] = read_rows(run.of(Stage.PREPARE) / "test.jsonl")[:PARITY_ROWS]
    texts = [prompt_text(tokenizer, row) + reply_text(tokenizer, row) for row in rows]
    return [list(tokenizer(text).input_ids)[:PARITY_TOKENS] for text in texts]


def _save(run: Run, model: Any, folder: Path) -> None:
    source, revision = base_folder(run), run.recipe.base.revision
    shutil.rmtree(folder, ignore_errors=True)
    model.to(DTYPES[run.recipe.export.outtype]).save_pretrained(folder)
    load_tokenizer(source, revision).save_pretrained(folder)
    write_exports(folder, exports_of(run))
    # transformers 5 leaves it out, and without its scores llama.cpp would cut text into other tokens.
    if found := base_file(source, revision, "tokenizer.model"):
        shutil.copyfile(found, folder / "tokenizer.model")
