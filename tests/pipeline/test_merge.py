"""The stage merge: what it writes is what was trained, for every method and both kinds of layers."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from model_pipeline.errors import ParityFailed, TrainingFailed
from model_pipeline.recipe import Method
from model_pipeline.runs import Stage
from model_pipeline.stages import merge as stage
from model_pipeline.stages.fine_tune import fine_tune
from model_pipeline.stages.merge import merge
from model_pipeline.training.base_model import keep_4bit_weights, load_base
from tests.pipeline.prepared_run import Quiet, prepared, prepared_run

pytestmark = pytest.mark.training


@pytest.mark.parametrize(
    ("family", "method", "most"),
    [("tinyllama", "lora", 0.002), ("tinyllama", "qlora", 0.005), ("gpt2", "lora-8bit", 0.1), ("gpt2", "lora", 0.002)],
)
def test_the_folder_answers_as_adapter_and_base_do(family: str, method: str, most: float, tmp_path: Path) -> None:
    run = prepared_run(tmp_path / "run", family, method=method)
    fine_tune(run, Quiet())
    merge(run, Quiet())
    figures = run.figures(Stage.MERGE)
    assert figures["relative_error"] < most and figures["same_top_share"] > 0.95
    base = AutoModelForCausalLM.from_pretrained(tmp_path / f"base-{family}")
    merged = AutoModelForCausalLM.from_pretrained(run.of(Stage.MERGE) / "model", dtype=torch.float32)
    shapes = [{name: each.shape for name, each in model.named_parameters()} for model in (base, merged)]
    assert shapes[0] == shapes[1]


def test_a_merge_that_differs_is_refused_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = prepared_run(tmp_path / "run")
    fine_tune(run, Quiet())
    monkeypatch.setitem(stage.LARGEST_ERROR, Method.LORA, 1e-9)
    with pytest.raises(ParityFailed, match=r"differs from adapter and base by .*% of the logits"):
        merge(run, Quiet())
    assert not (run.of(Stage.MERGE) / "model").exists() and not run.is_finished(Stage.MERGE)


def test_too_little_memory_is_told_without_a_section_that_the_recipe_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(tmp_path / "run", fine_tune=None, prefer={"data": "votes"})
    run.begin(Stage.PREFER)
    run.finish(Stage.PREFER, datetime.now(UTC), {})

    def broken(*given: Any, **options: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(stage, "load_base", broken)
    with pytest.raises(TrainingFailed) as failed:
        merge(run, Quiet())
    assert str(failed.value) == (
        "The memory was not enough: end other programs, or do it on a machine with more of it."
    )


def test_the_tokenizer_model_of_the_base_goes_along(tmp_path: Path) -> None:
    run = prepared_run(tmp_path / "run", method="full", max_steps=4)
    (tmp_path / "base-tinyllama" / "tokenizer.model").write_bytes(b"scores")
    fine_tune(run, Quiet())
    shutil.rmtree(run.of(Stage.FINE_TUNE) / "checkpoints")
    merge(run, Quiet())
    assert (run.of(Stage.MERGE) / "model" / "tokenizer.model").read_bytes() == b"scores"
    assert json.loads((run.of(Stage.MERGE) / "manifest.json").read_text())["figures"]["way"] == "nothing to merge"


def test_no_4bit_layer_may_be_repacked(tmp_path: Path) -> None:
    run = prepared_run(tmp_path / "run", method="qlora")
    model = load_base(run.recipe.base.model, "main", Method.QLORA, torch.float32)
    layers = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    assert len(layers) == keep_4bit_weights(model) == 14  # seven in each of two layers
    assert not any(layer.support_avx512bf16_for_cpu for layer in layers)
