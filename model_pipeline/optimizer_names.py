"""The optimizers and schedules of transformers that a recipe may name, known without importing it.

A test holds the names to transformers' own. Left out is what needs more than a recipe says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import AfterValidator

OPTIMIZERS = (
    "adamw_8bit", "adamw_torch", "adamw_torch_fused", "paged_adamw_8bit", "adafactor", "sgd", "adagrad",
    "adamw_anyprecision", "adamw_bnb_8bit", "adamw_torch_4bit", "adamw_torch_8bit", "adamw_torch_npu_fused",
    "adamw_torch_xla", "ademamix", "ademamix_8bit", "adalomo", "grokadamw", "lion_32bit", "lion_8bit", "lomo",
    "paged_adamw_32bit", "paged_ademamix_32bit", "paged_ademamix_8bit", "paged_lion_32bit", "paged_lion_8bit",
    "rmsprop", "rmsprop_bnb", "rmsprop_bnb_32bit", "rmsprop_bnb_8bit", "schedule_free_adamw", "schedule_free_radam",
    "schedule_free_sgd", "stable_adamw",
)  # fmt: skip
SCHEDULES = (
    "cosine", "cosine_with_min_lr", "linear", "constant", "constant_with_warmup", "cosine_with_restarts",
    "inverse_sqrt", "polynomial",
)  # fmt: skip
SCHEDULES_BY_LOSS = ("reduce_lr_on_plateau",)  # for training that is evaluated
_SHOWN, _LONGEST_SHOWN = 8, 60  # names, and characters of one


def _one_of(names: Sequence[str], what: str) -> Callable[[str], str]:
    def check(name: str) -> str:
        if name not in names:
            more = " and others of transformers" if len(names) > _SHOWN + 1 else ""
            shown = ", ".join(names[:_SHOWN] if more else names)
            given = repr(name[:_LONGEST_SHOWN])
            raise ValueError(f"is {given}, which is no {what} that a recipe can have; there are {shown}{more}")
        return name

    return check


Optimizer = Annotated[str, AfterValidator(_one_of(OPTIMIZERS, "optimizer"))]
Schedule = Annotated[str, AfterValidator(_one_of(SCHEDULES, "schedule"))]
ScheduleOfTrainer = Annotated[str, AfterValidator(_one_of((*SCHEDULES, *SCHEDULES_BY_LOSS), "schedule"))]
