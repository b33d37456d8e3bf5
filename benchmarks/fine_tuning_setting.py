"""The settings that `fine_tuning` compares, and one training of the product with one of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import torch
from transformers.models.llama import modeling_llama

import model_pipeline.stages.fine_tune as stage
from model_pipeline.recipe import Method
from model_pipeline.report import Advance, Report
from model_pipeline.runs import Run, Stage
from model_pipeline.training.base_model import load_base
from model_pipeline.training.checkpoints import last_checkpoint
from model_pipeline.training.hardware import Hardware
from model_pipeline.training.varlen_attention import NAME, register


@dataclass(frozen=True, slots=True)
class Setting:
    """How a run is trained, where the recipe leaves it open."""

    method: str = "qlora"
    packing: bool = False
    attention: str = "sdpa"
    liger: bool = False
    activation_checkpointing: bool = True
    batch_size: int = 4
    accumulate: int = 2

    @property
    def name(self) -> str:
        """Such as qlora-packed-varlen-liger-4x2."""
        parts = [self.method, "packed" if self.packing else "padded", self.attention]
        parts += ["liger"] * self.liger + ["keep"] * (not self.activation_checkpointing)
        return "-".join([*parts, f"{self.batch_size}x{self.accumulate}"])

    def recipe(self, steps: int) -> dict[str, Any]:
        """The section `fine_tune`, as the recipe llama32-1b-finetome-r16 has it where this setting says nothing."""
        return {
            "method": self.method,
            "r": 16,
            "alpha": 16,
            "dropout": 0.05,
            "learning_rate": 3e-4,
            "scheduler": "cosine",
            "warmup": 0.01,
            "optimizer": "adamw_8bit",
            "max_steps": steps,
            "evaluate_every": steps,
            "patience": 0,
            "batch_size": self.batch_size,
            "accumulate": self.accumulate,
            "packing": self.packing,
            "liger": self.liger,
            "activation_checkpointing": self.activation_checkpointing,
        }


_PLAIN = Setting()
_PACKED = Setting(packing=True, attention=NAME)
# The most telling first, for time may run out; of each method the plain one comes first, the others' reference.
SETTINGS = (
    _PLAIN,
    replace(_PLAIN, liger=True),
    _PACKED,
    replace(_PACKED, liger=True),
    replace(_PLAIN, method="lora"),
    replace(_PACKED, method="lora", liger=True),
    replace(_PACKED, method="lora", liger=True, activation_checkpointing=False),
    replace(_PACKED, liger=True, activation_checkpointing=False),
    replace(_PACKED, method="lora", liger=True, activation_checkpointing=False, batch_size=8, accumulate=1),
    replace(_PACKED, packing=False, liger=True),
    replace(_PACKED, attention="sdpa", liger=True),
    replace(_PACKED, method="lora", activation_checkpointing=False),
    replace(_PLAIN, method="lora", liger=True, activation_checkpointing=False),
    replace(_PACKED, liger=True, activation_checkpointing=False, batch_size=8, accumulate=1),
    replace(_PLAIN, batch_size=8, accumulate=1, liger=True),
    replace(_PACKED, attention="flex_attention", liger=True),
)
TINY_SETTINGS = tuple(
    Setting(method="lora", packing=packing, attention=attention, batch_size=2)
    for packing, attention in ((False, "sdpa"), (True, "sdpa"), (True, NAME))
)


@dataclass(frozen=True, slots=True)
class Trained:
    """When each step ended, in seconds; what the trainer logged of each; the stage's figures."""

    ended: list[float]
    log: list[dict[str, float]]
    figures: dict[str, Any]


def trained(run: Run, setting: Setting) -> Trained:
    """Train `run` with the stage fine-tune, attention and kernels as `setting` says. Raises `PipelineError`."""
    clock = _Clock()
    with _product_set_to(setting):
        stage.fine_tune(run, clock)
    checkpoint = last_checkpoint(run.of(Stage.FINE_TUNE) / "checkpoints")
    assert checkpoint  # the stage saves one after its last step
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    log = [entry for entry in state["log_history"] if "loss" in entry]
    return Trained(clock.ended, log, run.figures(Stage.FINE_TUNE))


class _Clock(Report):
    """Says nothing, and notes when steps end, once the GPU has done them."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[float] = []

    def say(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def progress(self, title: str, total: int, begun_at: int = 0) -> Iterator[Advance]:
        """No bar."""

        def advance(done: int, how: str = "") -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.ended.append(time.perf_counter())

        yield advance


@contextmanager
def _product_set_to(setting: Setting) -> Iterator[None]:
    """The stage with any attention, packed or not; afterwards Llama's classes are as Liger found them."""
    register()

    def load(
        model: str, revision: str, method: Method, dtype: torch.dtype, attention: str = "", *, train: bool = False
    ) -> Any:
        return load_base(model, revision, method, dtype, setting.attention, train=train)

    with (
        patch.object(stage, "load_base", load),
        patch.object(Hardware, "attention", lambda self, precision, *, flash: NAME),
        patch.dict(vars(modeling_llama)),
    ):
        yield
