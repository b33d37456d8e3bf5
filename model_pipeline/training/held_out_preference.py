"""How much likelier a model finds what people liked than what they did not, on held-out rows; changes no weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_pipeline.data.preferences import Judged
from model_pipeline.data.tokens import encode
from model_pipeline.evaluation.generation import reply_nats

Floats = NDArray[np.float64]


def held_out_preference(model: Any, tokenizer: Any, judged: Sequence[Judged], batch_size: int) -> dict[str, float]:
    """`accuracy`, in what share of pairs the liked reply is the likelier one (ties count half), and `margin` in nats.

    Pairs are those of the rows; single rows are all compared with those of the other label. Empty without any pair.
    """
    was_training = model.training
    model.eval()
    rows = [row for each in judged for row in each.rows]
    found = reply_nats(model, encode(rows, tokenizer), batch_size, tokenizer.pad_token_id, lambda done, how="": None)
    model.train(was_training)
    likelihoods = iter([-nats for nats, _ in found])
    liked: list[float] = []
    other: list[float] = []
    for each in judged:
        values = [next(likelihoods) for _ in each.rows]
        if len(values) > 1:
            liked.append(values[0])
            other.append(values[1])
        else:
            (liked if each.liked else other).append(values[0])
    if not liked or not other:
        return {}
    are_pairs = all(len(each.rows) > 1 for each in judged)
    return _compared(np.array(liked), np.array(other), paired=are_pairs)


def _compared(liked: Floats, other: Floats, *, paired: bool) -> dict[str, float]:
    difference = liked - other if paired else liked[:, None] - other[None, :]
    return {
        "accuracy": float(np.mean((difference > 0) + 0.5 * (difference == 0))),
        "margin": float(difference.mean()),
    }
