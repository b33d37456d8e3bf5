"""The optimizers and schedules that a recipe may name are transformers', and need nothing that a recipe lacks."""

from __future__ import annotations

import pytest
import torch
from transformers import get_scheduler
from transformers.training_args import OptimizerNames

from model_pipeline.optimizer_names import OPTIMIZERS, SCHEDULES, SCHEDULES_BY_LOSS
from model_pipeline.training.optimizer import schedule_options

pytestmark = pytest.mark.training


def test_optimizers_are_those_of_transformers_that_need_no_list_of_layers() -> None:
    every = {str(name.value) for name in OptimizerNames}
    assert set(OPTIMIZERS) == {name for name in every if not name.startswith(("galore", "apollo"))}


@pytest.mark.parametrize("name", [*SCHEDULES, *SCHEDULES_BY_LOSS])
def test_each_schedule_gives_a_rate_at_every_step(name: str) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = get_scheduler(name, optimizer, 2, 10, scheduler_specific_kwargs=schedule_options(name))
    rates = []
    for _ in range(10):
        optimizer.step()
        schedule.step(*([1.0] if name in SCHEDULES_BY_LOSS else []))
        rates.append(schedule.get_last_lr()[0])
    assert max(rates) == pytest.approx(0.1) and all(rate >= 0 for rate in rates)
