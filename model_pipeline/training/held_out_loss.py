"""Measures a model on held-out streams, in nats a token and bits a character; changes no weight.

Corpora count as they are drawn at the end of training: what a model is for weighs more than what there is most of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model_pipeline.training.draw_order import Floats
from model_pipeline.training.mask import MASKED
from model_pipeline.training.packing import Packed, Tokens

MOST_TOKENS = 131_072  # in one evaluation, of all corpora together
SummedLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # inputs and targets, [sequences, tokens]


@dataclass(frozen=True, slots=True)
class HeldOutLoss:
    """Losses as means over the corpora, and each one's own by its number."""

    nats_a_token: float
    bits_a_character: float
    by_corpus: dict[int, float]


@dataclass(frozen=True, slots=True)
class _Part:
    """Sequences of one corpus [sequences, context + 1], short ones filled up with MASKED."""

    sequences: NDArray[np.int32]
    share: float
    tokens_a_character: float


class HeldOut:
    """Evenly spaced sequences of every corpus that has held-out documents, always the same."""

    def __init__(self, packed: Sequence[Packed], shares: Floats, context_tokens: int, at_a_time: int) -> None:
        there = {number: float(shares[number]) for number, each in enumerate(packed) if len(each.validation) > 1}
        whole = sum(there.values())
        self._at_a_time = at_a_time
        self._parts = {
            number: _Part(
                _spaced(
                    packed[number].validation,
                    max(1, int(share / whole * MOST_TOKENS) // context_tokens),
                    context_tokens,
                ),
                share / whole,
                len(packed[number].validation) / max(1, packed[number].facts.held_out_characters),
            )
            for number, share in there.items()
            if share
        }

    def measure(self, summed_loss: SummedLoss, device: str) -> HeldOutLoss:
        """One pass, without gradients."""
        losses = {number: self._mean(part, summed_loss, device) for number, part in self._parts.items()}
        nats = sum(part.share * losses[number] for number, part in self._parts.items())
        bits = sum(part.share * losses[number] * part.tokens_a_character for number, part in self._parts.items())
        return HeldOutLoss(nats, bits / math.log(2), losses)

    def _mean(self, part: _Part, summed_loss: SummedLoss, device: str) -> float:
        sums = []
        with torch.no_grad():
            for begin in range(0, len(part.sequences), self._at_a_time):
                batch = torch.from_numpy(self._filled(part.sequences[begin : begin + self._at_a_time])).to(device)
                sums.append(summed_loss(batch[:, :-1].clamp(min=0), batch[:, 1:]))
        return float(torch.stack(sums).double().sum()) / int(np.count_nonzero(part.sequences[:, 1:] != MASKED))

    def _filled(self, batch: NDArray[np.int32]) -> NDArray[np.int32]:
        """Always as many sequences, for a compiled model is compiled for a shape."""
        missing = self._at_a_time - len(batch)
        return np.pad(batch, ((0, missing), (0, 0)), constant_values=MASKED)


def _spaced(tokens: Tokens, most: int, context_tokens: int) -> NDArray[np.int32]:
    there = max(1, math.ceil((len(tokens) - 1) / context_tokens))
    places = np.unique(np.linspace(0, there - 1, min(most, there)).astype(int)) * context_tokens
    sequences = np.full((len(places), context_tokens + 1), MASKED, np.int32)
    for row, place in zip(sequences, places, strict=True):
        part = tokens[place : place + context_tokens + 1]
        row[: len(part)] = part
    return sequences
