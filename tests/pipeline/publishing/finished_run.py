"""Builds the folder of a run that went through every stage, with small files in the places of the large ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_pipeline.recipe import check_recipe
from model_pipeline.runs import Run, Stage, create_run
from tests.unit.models.folders import manifest_for
from tests.unit.models.gguf_builder import CHAT_TEMPLATE, build

OWNER = "maker"
NAMES = {
    "adapter": f"{OWNER}/tiny-adapter",
    "merged": f"{OWNER}/tiny",
    "gguf": f"{OWNER}/tiny-GGUF",
    "dataset": f"{OWNER}/tiny-rows",
}
BASE = "some/base-1B"
GGUF = build({"tokenizer.chat_template": CHAT_TEMPLATE}, rows=2_000)
OTHER_GGUF = build(rows=9)
LOCAL_BASE = "/disk/of/mine/base"
SECRETS = {  # what a training leaves beside the adapter, and what must stay where it is
    "fine-tune/adapter/ref/adapter_model.safetensors": b"reference",
    "fine-tune/adapter/optimizer.pt": b"optimizer",
    "fine-tune/adapter/training_args.bin": b"arguments",
    "fine-tune/adapter/README.md": b"written by peft",
    "fine-tune/checkpoints/checkpoint-9/optimizer.pt": b"optimizer",
    "merge/model/.cache": b"hidden",
    "prepare/dropped.jsonl": b"{}\n",
}


def recipe_content(**changes: Any) -> dict[str, Any]:
    """A recipe as TOML or JSON would give it; `changes` replaces top-level keys."""
    return {
        "name": "tiny-quotes",
        "about": "Writes a quote for a keyword.",
        "license": "Apache-2.0",
        "base": {"family": "tinyllama", "model": BASE},
        "data": {"sources": [{"form": "quotes", "hub": "some/quotes"}]},
        "fine_tune": {"method": "qlora", "r": 8, "alpha": 16, "targets": ["q_proj", "v_proj"], "max_steps": 120},
        "quantize": {"types": ["Q4_K_M", "Q8_0"]},
        "served": {
            "system_prompt": False,
            "quote_prompt": {"template": "Keyword: {keyword}\nQuote:", "chat": False},
            "card": {"limits": "It knows little.", "training": "On one short list."},
        },
        "publish": dict(NAMES),
    } | changes


def finished_run(folder: Path, **changes: Any) -> Run:
    """A run that is finished, with `changes` of its recipe."""
    run = create_run(folder, check_recipe(recipe_content(**changes), "the test"))
    _write_all(run.folder, SECRETS)
    _write_all(run.folder, _files())
    served = manifest_for(run.model_folder / "model.gguf", name="tiny-quotes", quantization="Q4_K_M", lineage=_LINEAGE)
    (run.model_folder / "manifest.json").write_text(json.dumps(served))
    for stage in run.stages:
        run.of(stage).mkdir(exist_ok=True)
        run.finish(stage, datetime(2026, 3, 1, tzinfo=UTC), _FIGURES.get(stage, {}))
    return run


def _write_all(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _files() -> dict[str, bytes]:
    rows = {"train": 6, "validation": 2, "test": 3}
    return {
        "fine-tune/adapter/adapter_config.json": json.dumps(
            {"peft_type": "LORA", "base_model_name_or_path": LOCAL_BASE}
        ).encode(),
        "fine-tune/adapter/adapter_model.safetensors": b"\0adapter" * 9_000,
        "fine-tune/adapter/tokenizer.json": b'{"version": "1.0"}',
        "fine-tune/adapter/tokenizer_config.json": b'{"model_max_length": 512}',
        "fine-tune/adapter/chat_template.jinja": b"{{ messages }}",
        "merge/model/config.json": b'{"model_type": "llama"}',
        "merge/model/generation_config.json": b"{}",
        "merge/model/model.safetensors": b"\0merged" * 9_000,
        "merge/model/tokenizer.json": b'{"version": "1.0"}',
        "merge/model/tokenizer.model": b"\0pieces",
        "export-gguf/model.gguf": b"not quantized",
        "export-gguf/adapter.gguf": b"GGUF adapter",
        "quantize/tiny-quotes-Q4_K_M.gguf": GGUF,
        "quantize/tiny-quotes-Q8_0.gguf": OTHER_GGUF,
        "model/model.gguf": GGUF,
        "model/MODEL_CARD.md": b"# tiny-quotes\n",
        "prepare/DATASET_CARD.md": b"# The rows of tiny-quotes\n\nCounts and lengths.\n",
        "evaluate/report.md": b"# Report\n",
        "evaluate/report.html": b"<h1>Report</h1>",
        "evaluate/eval_results.csv": b"figure,model\n",
        "evaluate/results.json": json.dumps(RESULTS).encode(),
        "evaluate/plots/figures.png": b"\x89PNG",
        **{f"prepare/{split}.jsonl": _rows(split, count) for split, count in rows.items()},
    }


def _rows(split: str, count: int) -> bytes:
    row = {
        "completion": " Be brave.",
        "group": "courage",
        "keyword": "courage",
        "kind": "quote",
        "origin": "quotes.jsonl:1",
    }
    lines = [json.dumps({"prompt": f"Keyword: {split} {number}\nQuote:", **row}) for number in range(count)]
    return "".join(f"{line}\n" for line in lines).encode()


def _estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05, "rows": 200}


def _difference(estimate: float, *, shown: bool) -> dict[str, object]:
    return {"estimate": estimate, "low": estimate - 0.1, "high": estimate + 0.1, "shown": shown, "p_value": None}


RESULTS: dict[str, Any] = {
    "title": "tiny-quotes",
    "notes": [],
    "rows": 200,
    "quotes": 200,
    "training_texts": 900,
    "confidence": 0.95,
    "seed": 0,
    "models": [
        {"name": "base", "figures": {"adherence": _estimate(0.1), "rouge_l": _estimate(0.2)}, "reasons": {}},
        {"name": "tuned", "figures": {"adherence": _estimate(0.93), "rouge_l": _estimate(0.21)}, "reasons": {}},
    ],
    "changes": [
        {
            "before": "base",
            "after": "tuned",
            "differences": {
                "adherence": _difference(0.83, shown=True),
                "rouge_l": _difference(0.01, shown=False),
            },
        }
    ],
    "latency": {
        "name": "Q4_K_M",
        "requests": 20,
        "p50_ms": 812.4,
        "p95_ms": 1204.0,
        "tokens_per_second": 31.25,
        "machine": "2 cores",
    },
}
_GATES = {"tokens": {"lines": 500, "equal_lines": 500}, "logits": {"relative_rms": 0.0004}}
_LINEAGE = {"source": "/disk/of/mine/runs/tiny", "parity": {"Q4_K_M": {"logits": {"relative_rms": 0.05}}}}
_FIGURES: dict[str, dict[str, Any]] = {
    Stage.PREPARE: {"sources": [{"name": "some/quotes", "license": "cc-by-4.0"}]},
    Stage.FINE_TUNE: {
        "trained_parameters": 2_250_000,
        "total_parameters": 1_100_000_000,
        "steps": 120,
        "train_loss": 1.25,
        "best_validation_loss": 1.3,
        "precision": "bf16",
        "device": "a GPU",
    },
    Stage.EXPORT_GGUF: {"outtype": "f16", "gates": _GATES},
}
