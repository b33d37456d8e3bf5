"""A language of few words, and a model so small that it learns it in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from model_pipeline.recipe import Corpus, Pretrain
from model_pipeline.training.hardware import Hardware
from model_pipeline.training.packing import Facts, Packed
from model_pipeline.training.pretraining import Pretraining
from model_pipeline.training.scratch_model import new_model

VOCABULARY, END = 64, 0
CPU = Hardware("CPU", cuda=False, bf16=False, flash=False, liger=False)
SMALL: dict[str, Any] = {
    "vocabulary": 512,
    "hidden_size": 256,
    "layers": 1,
    "heads": 2,
    "key_value_heads": 1,
    "feed_forward": 256,
    "context_tokens": 64,
    "tokens": 40 * 128,
    "batch_tokens": 128,
    "micro_batch": 1,
    "warmup": 0.1,
    "evaluate_every": 20,
}


class Stop:
    """Never asks for an end, or asks for it when a step is shown."""

    def __init__(self) -> None:
        self.stopped = False


def small_settings(**changes: Any) -> Pretrain:
    corpora = (Corpus(path="counts"), Corpus(path="late", weight=2.0, starts_at=0.5))
    return Pretrain(corpora=corpora, **(SMALL | changes))


def packed(seed: int = 0) -> list[Packed]:
    """Numbers that count upwards from anywhere, and, in the second corpus, downwards."""
    return [_packed("counts", 1, seed), _packed("late", -1, seed + 1)]


def _packed(name: str, direction: int, seed: int) -> Packed:
    first = np.random.default_rng(seed).integers(1, VOCABULARY, 60)
    rows = (first[:, None] + direction * np.arange(40)) % (VOCABULARY - 1) + 1
    streams = np.pad(rows, ((0, 0), (0, 1)), constant_values=END).astype(np.uint16)
    return Packed(Facts(name, 60, 4, 4 * 80, 0), streams[:-4].ravel(), streams[-4:].ravel())


def small_pretraining(checkpoints: Path, **changes: Any) -> Pretraining:
    settings = small_settings(**changes)
    return Pretraining(new_model(settings, VOCABULARY, END), settings, packed(), CPU, checkpoints)


def silent(done: int, how: str = "") -> None:
    """Shows no progress."""
