"""Optimizers and schedules as the recipe names them, and what transformers refuses of them; takes no step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import Trainer, get_scheduler

from model_pipeline.errors import InputInvalid
from model_pipeline.library_errors import first_line
from model_pipeline.recipe import Pretrain

BETAS = (0.9, 0.95)  # https://arxiv.org/abs/2005.14165, appendix B
_SCHEDULER_OPTIONS = {"cosine_with_min_lr": {"min_lr_rate": 0.1}}


def make_optimizer(model: Any, settings: Pretrain, *, fused: bool) -> torch.optim.AdamW:
    """AdamW, whose decay leaves the gains of the norms alone."""
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    gains = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": gains, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=BETAS, fused=fused)


def make_schedule(optimizer: torch.optim.AdamW, settings: Pretrain, steps: int) -> Any:
    """The recipe's learning rate over the steps, as transformers has it by name."""
    warmup = settings.warmup if settings.warmup >= 1 else settings.warmup * steps
    options = schedule_options(settings.scheduler)
    return get_scheduler(settings.scheduler, optimizer, math.ceil(warmup), steps, scheduler_specific_kwargs=options)


def schedule_options(name: str) -> dict[str, float] | None:
    """What transformers asks for a schedule beside warm-up and steps; None where that is nothing."""
    return _SCHEDULER_OPTIONS.get(name)


@contextmanager
def told_of_settings(section: str) -> Iterator[None]:
    """Raise `InputInvalid` where transformers refuses settings of the recipe's section, as it reads them here."""
    try:
        yield
    except (ValueError, ImportError) as error:
        raise InputInvalid(f"The section [{section}] cannot be trained by: {first_line(error)}.") from error


def check_optimizer(arguments: Any, model: Any) -> None:
    """Raise, as `Trainer` would when it begins, where what the optimizer needs is not installed."""
    Trainer.get_optimizer_cls_and_kwargs(arguments, model)
