"""Makes LoRA adapters as a recipe describes them, keeps them trainable, and saves what was trained; trains nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel
from torch import nn
from transformers.pytorch_utils import Conv1D

from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import FineTune, Method, Prefer

ALL_LINEAR = ("all-linear",)
REFERENCE = "ref"  # TRL's name for the copy that an adapter is compared with while it is trained


def lora_config(settings: FineTune | Prefer, model: Any) -> LoraConfig:
    """A new adapter's. Raises `InputInvalid` where the model has no such layers."""
    targets = settings.targets
    if targets != ALL_LINEAR:
        _check_targets(settings, model)
    return LoraConfig(
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets[0] if targets == ALL_LINEAR else list(targets),
        task_type="CAUSAL_LM",
    )


def _check_targets(settings: FineTune | Prefer, model: Any) -> None:
    """peft takes the end of a layer's name too; of several targets it says nothing of those that it does not find."""
    layers = {name for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Embedding | Conv1D)}
    for target in settings.targets:
        named = {name for name, _ in model.named_modules() if f".{name}".endswith(f".{target}")}
        if not named or not named <= layers:
            section, known = "prefer" if isinstance(settings, Prefer) else "fine_tune", _ends(layers)
            raise InputInvalid(
                f"{section}.targets names {target!r}, and the base model has no such layers for an adapter; it has "
                f'{", ".join(known)}, and "all-linear" stands for each linear one but the last.'
            )


def _ends(names: Iterable[str]) -> list[str]:
    """The last parts, each once, in their order in the alphabet."""
    return sorted({name.rpartition(".")[2] for name in names})


def train_in_fp32(model: Any) -> None:
    """TRL makes adapters bf16, in which fp16's gradient scaling does not work."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def save_trained(trainer: Any, folder: Path, method: Method) -> None:
    """The best weights, for the trainer has loaded them, and the tokenizer: `adapter/`, or `model/` if all was trained.

    The adapter that TRL compared with stays out: it is what training started from.
    """
    target = folder / ("model" if method is Method.FULL else "adapter")
    model = trainer.accelerator.unwrap_model(trainer.model)
    options = {"selected_adapters": ["default"]} if isinstance(model, PeftModel) else {}
    model.save_pretrained(target, **options)
    trainer.processing_class.save_pretrained(target)
