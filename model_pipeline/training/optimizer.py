"""The optimizer and the schedule of pretraining, as the recipe names them; takes no step."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from transformers import get_scheduler

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
    """The recipe's learning rate over the steps, as transformers has it by name. Raises `InputInvalid`."""
    warmup = settings.warmup if settings.warmup >= 1 else settings.warmup * steps
    options = _SCHEDULER_OPTIONS.get(settings.scheduler)
    make = partial(get_scheduler, settings.scheduler, optimizer, math.ceil(warmup), steps)
    try:
        return make(scheduler_specific_kwargs=options)
    except (TypeError, ValueError) as error:
        raise InputInvalid(
            f"pretrain.scheduler cannot be {settings.scheduler!r} ({first_line(error)}); use one of transformers that "
            "needs nothing but warm-up and steps, such as cosine_with_min_lr, cosine, linear or constant_with_warmup."
        ) from error
