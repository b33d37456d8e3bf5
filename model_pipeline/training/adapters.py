"""Makes LoRA adapters as a recipe describes them, keeps them trainable, and saves what was trained; trains nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel

from model_pipeline.recipe import FineTune, Method, Prefer

REFERENCE = "ref"  # TRL's name for the copy that an adapter is compared with while it is trained


def lora_config(settings: FineTune | Prefer) -> LoraConfig:
    """A new adapter's."""
    targets = settings.targets
    return LoraConfig(
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets[0] if targets == ("all-linear",) else list(targets),
        task_type="CAUSAL_LM",
    )


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
