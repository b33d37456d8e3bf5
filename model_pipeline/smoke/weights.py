"""Pretrains small Llamas and GPT-2s for a short while on plain text; knows neither their shapes nor fine-tuning.

The number of steps is fixed and never a time, so that a seed always gives the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast as Tokenizer

from model_pipeline.recipe import Family
from model_pipeline.smoke.architectures import end_ids, generation_config, new_model

STEPS, BATCH, WINDOW_TOKENS = 150, 8, 256
LEARNING_RATE, WARMUP_STEPS, WEIGHT_DECAY = 2e-3, 15, 0.1


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What the short training reached; losses in nats a token, means over the first and last ten steps."""

    parameters: int
    steps: int
    first_loss: float
    last_loss: float


def write_weights(family: Family, folder: Path, documents: Sequence[str], seed: int) -> Pretrained:
    """Pretrain on `documents` and write config, weights and generation config beside the tokenizer in `folder`."""
    # The file as it stands: transformers' own class for Llama splits text otherwise.
    tokenizer: Any = Tokenizer.from_pretrained(folder, local_files_only=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = new_model(family, tokenizer)
        losses = _pretrain(model, _windows(tokenizer, documents, end_ids(family, tokenizer)), seed)
    if family is not Family.GPT2:
        model.to(torch.bfloat16)  # as the real ones are stored
    model.generation_config = generation_config(family, tokenizer)
    model.save_pretrained(folder)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Pretrained(parameters, STEPS, _mean(losses[:10]), _mean(losses[-10:]))


def _windows(tokenizer: Any, documents: Sequence[str], ends: Sequence[int]) -> torch.Tensor:
    """All documents, one after the other, cut into [windows, WINDOW_TOKENS + 1]; the ends take turns."""
    ids: list[int] = []
    for number, encoded in enumerate(tokenizer(list(documents)).input_ids):
        ids += [*encoded, ends[number % len(ends)]]
    width = WINDOW_TOKENS + 1
    return torch.tensor(ids[: len(ids) // width * width]).view(-1, width)


def _pretrain(model: Any, windows: torch.Tensor, seed: int) -> list[float]:
    """The loss at each step."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=WEIGHT_DECAY, eps=1e-8
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _share_of_rate)
    losses = []
    model.eval()  # no dropout: so short a training needs none, and GPT-2 takes half as long without
    for batch in _batches(windows, seed):
        logits = model(batch[:, :-1], use_cache=False).logits
        loss = cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def _share_of_rate(step: int) -> float:
    """Linear warm-up, then half a cosine to nothing."""
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP_STEPS) / (STEPS - WARMUP_STEPS)))


def _batches(windows: torch.Tensor, seed: int) -> Iterator[torch.Tensor]:
    """STEPS batches [BATCH, WINDOW_TOKENS + 1]; every window is seen once before any is seen again."""
    generator = torch.Generator().manual_seed(seed)
    passes = math.ceil(STEPS * BATCH / len(windows))
    order = torch.cat([torch.randperm(len(windows), generator=generator) for _ in range(passes)])
    return (windows[part] for part in order[: STEPS * BATCH].split(BATCH))


def _mean(losses: Sequence[float]) -> float:
    return round(sum(losses) / len(losses), 4)
