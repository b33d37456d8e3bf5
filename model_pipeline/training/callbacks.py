"""What happens beside training: progress for a person, a stop on Ctrl-C or on a loss that is no number."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Mapping
from types import FrameType, TracebackType
from typing import Any, Self

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from model_pipeline.report import Advance
from model_pipeline.training.hardware import peak_memory_bytes


class Progress(TrainerCallback):  # type: ignore[misc]
    """Steps, loss, tokens a second, memory; `advance` draws them. Counts what this process did, not what it resumed."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._began = time.monotonic()
        self._tokens_before = -1.0
        self._loss = ""
        self.tokens = 0.0
        self.seconds = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The clock starts when the first step does."""
        self._began = time.monotonic()
        self._tokens_before = float(state.num_input_tokens_seen)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Draw where it stands."""
        self.tokens = float(state.num_input_tokens_seen) - self._tokens_before
        self.seconds = time.monotonic() - self._began
        rate = self.tokens / self.seconds if self.seconds else 0.0
        memory = peak_memory_bytes() / 2**30
        self._advance(state.global_step, f"{self._loss}{rate:,.0f} tokens/s, {memory:.1f} GiB")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Remember the loss."""
        if logs and "loss" in logs:
            self._loss = f"loss {logs['loss']:.3f}, "


class LossGuard(TrainerCallback):  # type: ignore[misc]
    """Ends training at a loss that is no number, before a checkpoint of it is written."""

    def __init__(self) -> None:
        self.failed_at = 0  # the step; 0 is never

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Look at every loss, and at the gradients' norm unless they are scaled for fp16.

        Their scale is raised until they overflow; a step in which they do is left out, and nothing is broken.
        """
        names = ("loss", "eval_loss") if args.fp16 else ("loss", "eval_loss", "grad_norm")
        watched = [value for key, value in (logs or {}).items() if key in names]
        if not all(math.isfinite(float(value)) for value in watched):
            self.failed_at = state.global_step
            control.should_training_stop, control.should_save, control.should_evaluate = True, False, False


class StopOnSignal(TrainerCallback):  # type: ignore[misc]
    """Inside its block, the first Ctrl-C or SIGTERM saves a checkpoint after the step under way, and ends training.

    The second one ends the process at once, as it does elsewhere.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._restore()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """After a step, everything is consistent."""
        if self.stopped:
            control.should_save = control.should_training_stop = True

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
