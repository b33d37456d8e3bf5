"""The loop that trains a language model from random weights on packed sequences; knows no files of text.

What a step sees follows from the seed and its number alone, so training that was cut off and gone on with gives the
weights that it would have given. On a GPU the loop only waits for the device where something is written or shown.
"""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from model_pipeline.errors import TrainingFailed
from model_pipeline.library_errors import first_line
from model_pipeline.recipe import Precision, Pretrain
from model_pipeline.report import Advance
from model_pipeline.training.checkpoints import last_checkpoint
from model_pipeline.training.draw_order import DrawOrder, Stream, shares_at
from model_pipeline.training.failures import kept
from model_pipeline.training.hardware import Hardware, dtype_of, peak_memory_bytes
from model_pipeline.training.held_out_loss import HeldOut, HeldOutLoss
from model_pipeline.training.optimizer import make_optimizer, make_schedule
from model_pipeline.training.packing import Packed, Tokens
from model_pipeline.training.scratch_model import summed_loss
from model_pipeline.training.training_state import TrainingState, load_checkpoint, load_weights, save_checkpoint

LOG_EVERY = 10  # steps
MAX_GRADIENT_NORM = 1.0

Say = Callable[[str], None]


class Stop(Protocol):
    """Says whether a person asked for an end."""

    stopped: bool


class Pretraining:
    """A model, its optimizer, and the texts; `state` says how far it is. Raises `InputInvalid`."""

    def __init__(
        self,
        model: Any,
        settings: Pretrain,
        packed: Sequence[Packed],
        hardware: Hardware,
        checkpoints: Path,
    ) -> None:
        self.settings, self.packed, self.checkpoints = settings, packed, checkpoints
        self.device = "cuda" if hardware.cuda else "cpu"
        self.precision = hardware.precision(settings.precision)
        self.model = model.to(self.device)
        self.state = TrainingState()
        self.micro_batch, self.accumulate = settings.batches
        self.step_tokens = self.micro_batch * self.accumulate * settings.context_tokens
        self.steps = max(1, round(settings.tokens / self.step_tokens))
        self.compiled = False
        streams = [
            Stream(len(each.train), corpus.weight, corpus.starts_at)
            for each, corpus in zip(packed, settings.corpora, strict=True)
        ]
        total = self.steps * self.micro_batch * self.accumulate
        self.order = DrawOrder(streams, total, settings.context_tokens, settings.seed)
        self.held_out = HeldOut(packed, shares_at(1.0, streams), settings.context_tokens, self.micro_batch)
        self._optimizer = make_optimizer(self.model, settings, fused=hardware.cuda)
        self._schedule = make_schedule(self._optimizer, settings, self.steps)
        self._scaler = torch.amp.GradScaler(self.device, enabled=self.precision is Precision.FP16)
        self._summed_loss: Any = summed_loss
        self._unlogged = torch.zeros((), device=self.device)
        self._unlogged_steps, self._clock, self._saved_at = 0, 0.0, -1

    @property
    def tokens(self) -> int:
        """Seen in training so far."""
        return self.state.step * self.step_tokens

    @property
    def tokens_per_second(self) -> float:
        """Of all steps, without evaluations."""
        return self.tokens / self.state.seconds if self.state.seconds else 0.0

    def resume(self) -> None:
        """Go to the last checkpoint, if there is one."""
        if found := last_checkpoint(self.checkpoints):
            self.state = load_checkpoint(found, self.model, self._parts, self.device)
            self._saved_at = self.state.step

    def compile(self, say: Say) -> None:
        """Compile the loss for the GPU, and try it; where no compiler works, say so and go on without."""
        compiled = torch.compile(summed_loss, dynamic=False)
        # Of the same strides as in a step: for others it would be compiled once more.
        tried = torch.zeros(self.micro_batch, self.settings.context_tokens + 1, dtype=torch.int32, device=self.device)
        try:
            with self._autocast():
                compiled(self.model, tried[:, :-1], tried[:, 1:], self._residual).backward()
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, OSError, ImportError, subprocess.SubprocessError) as error:
            say(f"The model is not compiled, and so slower: {first_line(error)}.")
        else:
            self._summed_loss, self.compiled = compiled, True
        self._optimizer.zero_grad()

    def run(self, stop: Stop, advance: Advance, say: Say) -> None:
        """Train to the end, or to where `stop` says so. Raises `TrainingFailed` at a loss that is no number."""
        self._clock = time.monotonic()
        stopped = False
        while self.state.step < self.steps and not stopped:
            self._step()
            stopped = stop.stopped
            evaluate = self.state.step == self.steps or self.state.step % self.settings.evaluate_every == 0
            if evaluate or stopped or self.state.step % LOG_EVERY == 0:
                self._log(advance)
            if evaluate:
                self._evaluate(say)
            if evaluate or stopped:
                self._save()
                self._clock = time.monotonic()  # training is timed, and nothing else

    def load_best(self) -> None:
        """The weights that did best on the held-out texts."""
        load_weights(self.checkpoints / f"checkpoint-{self.state.best_step}", self.model, self.device)

    def _step(self) -> None:
        batch = self._batch(self.state.step)
        for part in batch.split(self.micro_batch):
            loss = self._loss(part[:, :-1], part[:, 1:]) / self.step_tokens
            self._scaler.scale(loss).backward()
            self._unlogged += loss.detach()
        self._scaler.unscale_(self._optimizer)
        self._norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()
        self._optimizer.zero_grad()
        self.state.step += 1
        self._unlogged_steps += 1

    def _batch(self, step: int) -> torch.Tensor:
        """[sequences, context + 1] on the device; copied while it computes."""
        count, width = self.micro_batch * self.accumulate, self.settings.context_tokens + 1
        rows = [
            _window(self.packed[corpus].train, place, width) for corpus, place in self.order.draws(step * count, count)
        ]
        batch = torch.from_numpy(np.stack(rows).astype(np.int32))
        return batch.pin_memory().to(self.device, non_blocking=True) if self.device == "cuda" else batch

    def _loss(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        with self._autocast():
            return torch.as_tensor(self._summed_loss(self.model, inputs, targets, self._residual))

    def _autocast(self) -> AbstractContextManager[Any]:
        enabled = self.precision in (Precision.BF16, Precision.FP16)
        context: AbstractContextManager[Any] = torch.autocast(self.device, dtype_of(self.precision), enabled=enabled)
        return context

    @property
    def _residual(self) -> torch.dtype:
        return torch.bfloat16 if self.precision is Precision.BF16 else torch.float32

    @property
    def _parts(self) -> dict[str, Any]:
        return {"optimizer": self._optimizer, "schedule": self._schedule, "scaler": self._scaler}

    def _log(self, advance: Advance) -> None:
        loss, norm = self._unlogged.item() / self._unlogged_steps, float(self._norm)  # waits for the device
        self.state.seconds += time.monotonic() - self._clock
        self._clock = time.monotonic()
        self._unlogged.zero_()
        self._unlogged_steps = 0
        self._require_number(loss)
        rate = self._schedule.get_last_lr()[0]
        self.state.log.append({"step": self.state.step, "loss": loss, "learning_rate": rate, "grad_norm": norm})
        memory = peak_memory_bytes() / 2**30
        advance(self.state.step, f"loss {loss:.3f}, {self.tokens_per_second:,.0f} tokens/s, {memory:.1f} GiB")

    def _evaluate(self, say: Say) -> None:
        found = self.held_out.measure(self._loss, self.device)
        self._require_number(found.nats_a_token)
        self.state.log.append({"step": self.state.step, "eval_loss": found.nats_a_token})
        if not self.state.best or found.nats_a_token < self.state.best["nats_a_token"]:
            self.state.best_step, self.state.best = self.state.step, _as_dict(found)
        say(
            f"Step {self.state.step:,} of {self.steps:,}: held-out loss {found.nats_a_token:.3f} nats a token, "
            f"{found.bits_a_character:.3f} bits a character; {self.tokens_per_second:,.0f} tokens/s."
        )

    def _save(self) -> None:
        if self._saved_at != self.state.step:
            save_checkpoint(self.checkpoints, self.state, self.model, self._parts)
            self._saved_at = self.state.step

    def _require_number(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingFailed(
                f"The loss is no number any more at step {self.state.step}: set a smaller pretrain.learning_rate, or "
                f"another pretrain.precision (run --again pretrain). {kept(self.checkpoints)}"
            )


def _window(tokens: Tokens, place: int, width: int) -> Tokens:
    """`width` tokens from `place`; behind the last one comes the first."""
    if place + width <= len(tokens):
        return tokens[place : place + width]
    return np.take(tokens, np.arange(place, place + width), mode="wrap")


def _as_dict(found: HeldOutLoss) -> dict[str, Any]:
    by_corpus = {str(number): loss for number, loss in found.by_corpus.items()}
    return {"nats_a_token": found.nats_a_token, "bits_a_character": found.bits_a_character, "by_corpus": by_corpus}
