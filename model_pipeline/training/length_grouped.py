"""Rows of like length together, in an order of the seed and the epoch alone; knows no recipe."""

from __future__ import annotations

from typing import Any

import torch
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl import SFTTrainer


class LengthGroupedOrder(LengthGroupedSampler):  # type: ignore[misc, unused-ignore]
    """The library's order, drawn by a generator of its own.

    The library draws from torch's global generator, whose state in the middle of a later epoch is not that of the
    epoch's beginning: training that goes on there would see some rows twice and others not at all.
    """

    def __init__(self, batch_size: int, lengths: list[int], seed: int) -> None:
        super().__init__(batch_size, lengths=lengths, generator=torch.Generator())
        self._seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader before each epoch, also the one that training goes on in."""
        self.generator.manual_seed(self._seed + epoch)


class LengthGroupedTrainer(SFTTrainer):  # type: ignore[misc, unused-ignore]
    """Its order, where it would group by length, is `LengthGroupedOrder`."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(train_dataset)
        if not isinstance(sampler, LengthGroupedSampler):
            return sampler
        return LengthGroupedOrder(sampler.batch_size, sampler.lengths, self.args.seed)
