"""Builds TRL's trainers for corrections, votes and pairs, around a model that is loaded; starts none of them.

The reference, which KTO and DPO hold the model to, is the model as it comes in: its likelihoods are taken once, before
the first step, so that no second model is kept in memory and no copy of an adapter in checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import EarlyStoppingCallback, PrinterCallback
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig

from model_pipeline.data.preferences import Judged, balancing_weights
from model_pipeline.recipe import Method, Precision, Prefer, Preference
from model_pipeline.training.adapters import REFERENCE, lora_config, train_in_fp32
from model_pipeline.training.hardware import Hardware
from model_pipeline.training.length_grouped import LengthGroupedTrainer
from model_pipeline.training.optimizer import check_optimizer, schedule_options, told_of_settings
from model_pipeline.training.rendering import prompt_text, reply_text


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one method learns from, in the order in which KTO sees it; without `validation` nothing is evaluated."""

    method: Preference
    train: Sequence[Judged]
    validation: Sequence[Judged]


class VoteTrainer(KTOTrainer):  # type: ignore[misc, unused-ignore]
    """KTO that also logs `rewards/accuracies`, as TRL's DPO does: how often a liked reply has the greater reward.

    It compares every liked reply of a batch with every other one; ties count half.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._log_probs: torch.Tensor | None = None
        super().__init__(*arguments, **options)
        self.model.register_forward_hook(self._remember)

    def _remember(self, module: Any, inputs: Any, outputs: Any) -> None:
        found = getattr(outputs, "log_probs", None)  # TRL's own forward passes have them
        self._log_probs = None if found is None else found.detach()

    def compute_loss(self, model: Any, inputs: Any, *arguments: Any, **options: Any) -> Any:
        """TRL's, whose last forward pass is that of the replies."""
        loss = super().compute_loss(model, inputs, *arguments, **options)
        if self._log_probs is not None and "ref_logps" in inputs:
            rewards = self._log_probs.sum(-1) - inputs["ref_logps"].to(self._log_probs.device)
            mode = "train" if self.model.training else "eval"
            if (share := _greater(rewards, inputs["label"])) is not None:
                self._metrics[mode]["rewards/accuracies"].append(share)
        return loss


def build_trainer(
    lesson: Lesson, model: Any, tokenizer: Any, settings: Prefer, folder: Path, hardware: Hardware, max_tokens: int
) -> Any:
    """The trainer of a lesson. A `PeftModel` goes on with its adapter; any other gets a new one, unless all is trained.

    Checkpoints lie in `folder`/checkpoints.
    """
    make = {Preference.SFT: _sft, Preference.KTO: _kto, Preference.DPO: _dpo}[lesson.method]
    is_new = settings.how is not Method.FULL and not isinstance(model, PeftModel)
    with told_of_settings("prefer"):
        kind, arguments = make(lesson, settings, _arguments(lesson, settings, folder, hardware, max_tokens))
        check_optimizer(arguments, model)
    trainer = kind(
        args=arguments,
        model=model,
        train_dataset=_dataset(lesson.method, lesson.train, tokenizer),
        eval_dataset=_dataset(lesson.method, lesson.validation, tokenizer) if lesson.validation else None,
        processing_class=tokenizer,
        peft_config=lora_config(settings, model) if is_new else None,
        callbacks=[EarlyStoppingCallback(settings.patience)] if settings.patience and lesson.validation else [],
    )
    if isinstance(trainer.model, PeftModel) and REFERENCE in trainer.model.peft_config:
        trainer.model.delete_adapter(REFERENCE)  # its likelihoods are taken; a checkpoint with it could not be resumed
    trainer.remove_callback(PrinterCallback)
    train_in_fp32(trainer.model)
    return trainer


def _sft(lesson: Lesson, settings: Prefer, common: dict[str, Any]) -> tuple[type[Any], Any]:
    """The class of the trainer, and its arguments; as for the other two methods."""
    return LengthGroupedTrainer, SFTConfig(
        **common, completion_only_loss=True, train_sampling_strategy="group_by_length"
    )


def _kto(lesson: Lesson, settings: Prefer, common: dict[str, Any]) -> tuple[type[Any], Any]:
    liked, disliked = balancing_weights(lesson.train)
    return VoteTrainer, KTOConfig(
        **common,
        beta=settings.beta,
        desirable_weight=settings.desirable_weight or liked,
        undesirable_weight=settings.undesirable_weight or disliked,
        precompute_ref_log_probs=True,
        train_sampling_strategy="sequential",  # each row is compared with its neighbours; the rows come shuffled
    )


def _dpo(lesson: Lesson, settings: Prefer, common: dict[str, Any]) -> tuple[type[Any], Any]:
    return DPOTrainer, DPOConfig(**common, beta=settings.beta, precompute_ref_log_probs=True)


def _arguments(lesson: Lesson, settings: Prefer, folder: Path, hardware: Hardware, max_tokens: int) -> dict[str, Any]:
    """What all three are told alike."""
    precision = hardware.precision(settings.precision)
    evaluated = bool(lesson.validation)
    return {
        "output_dir": str(folder / "checkpoints"),
        "report_to": "none",
        "max_length": max_tokens,
        "per_device_train_batch_size": settings.batch_size,
        "per_device_eval_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulate,
        "num_train_epochs": settings.epochs,
        "max_steps": settings.max_steps or -1,
        "learning_rate": settings.learning_rate(lesson.method),
        "lr_scheduler_type": settings.scheduler,
        "lr_scheduler_kwargs": schedule_options(settings.scheduler),
        "warmup_steps": settings.warmup,
        "optim": settings.optimizer,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "bf16": precision is Precision.BF16,
        "fp16": precision is Precision.FP16,
        "use_cpu": not hardware.cuda,
        "dataloader_pin_memory": hardware.cuda,
        "activation_checkpointing": settings.activation_checkpointing,
        "eval_strategy": "steps" if evaluated else "no",
        "eval_steps": settings.evaluate_every,
        "save_strategy": "steps",
        "save_steps": settings.evaluate_every,
        "save_total_limit": 2,
        "load_best_model_at_end": evaluated,
        "metric_for_best_model": "eval_loss" if evaluated else None,
        "greater_is_better": False if evaluated else None,
        "restore_callback_states_from_checkpoint": True,
        "include_num_input_tokens_seen": "non_padding",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # it would hide what LossGuard looks for
        "disable_tqdm": True,
        "seed": settings.seed,
    }


def _dataset(method: Preference, judged: Sequence[Judged], tokenizer: Any) -> Dataset:
    """Prompts and replies as text, as fine-tuning has them."""
    names = ("chosen", "rejected") if method is Preference.DPO else ("completion",)
    return Dataset.from_list(
        [
            {
                "prompt": prompt_text(tokenizer, each.rows[0]),
                **{name: reply_text(tokenizer, row) for name, row in zip(names, each.rows, strict=True)},
                **({"label": each.liked} if method is Preference.KTO else {}),
            }
            for each in judged
        ]
    )


def _greater(rewards: torch.Tensor, liked: torch.Tensor) -> float | None:
    """The share of pairs of a liked and a disliked reply in which the liked one has more; None without any."""
    liked = liked.to(rewards.device).bool()
    difference = rewards[liked][:, None] - rewards[~liked][None, :]
    return float(((difference > 0).float() + 0.5 * (difference == 0).float()).mean()) if difference.numel() else None
