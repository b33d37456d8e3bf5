"""The gate between an adapter and its GGUF: what both change in the model that they were merged into.

Both are taken away from the merged model, on either side of the export, and the logits of what is left are compared.
That is the base that the adapter was trained on, dequantized where it was quantized, so that every method can be
compared without exporting a base that nobody serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from peft import PeftModel

from model_pipeline.gguf.gguf_model import GgufModel
from model_pipeline.gguf.parity import Gate, logit_bound, logit_gate
from model_pipeline.gguf.reference import HuggingFaceModel


def adapter_gate(
    merged: Path, adapter: Path, merged_gguf: Path, adapter_gguf: Path, prompts: Sequence[str], type_name: str
) -> Gate:
    """The gate `adapter`; its `effect_relative_rms` is what the adapter changes, beside which the difference is small.

    `merged` and `adapter` are folders of transformers and PEFT; `type_name` is the type of `merged_gguf`.
    """
    without = _take_away(HuggingFaceModel(merged), adapter)
    bound = logit_bound(type_name)
    with GgufModel(merged_gguf, lora=adapter_gguf, lora_scale=-1.0) as found:
        gate = logit_gate(without, found, prompts, bound)
    with GgufModel(merged_gguf) as whole:
        effect = logit_gate(without, whole, prompts, bound).figures.get("relative_rms", 0.0)
    failure = f"Of the adapter as a GGUF: {gate.failure}" if gate.failure else ""
    return replace(gate, name="adapter", figures=gate.figures | {"effect_relative_rms": effect}, failure=failure)


def _take_away(merged: HuggingFaceModel, adapter: Path) -> HuggingFaceModel:
    """The same model with the adapter's negative: PEFT puts its layers into the model itself."""
    model = PeftModel.from_pretrained(merged.model, str(adapter))
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            parameter.data.neg_()
    return merged
