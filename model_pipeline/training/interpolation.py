"""Mixes the weights before and after a training: what lies between keeps more of what the former could do.

M. Wortsman et al., Robust fine-tuning of zero-shot models (2021), https://arxiv.org/abs/2109.01903.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.integrations import TrackioCallback


def interpolate(model: Any, former: Any, share: float) -> None:
    """Move every weight of `model` to `share` of the way from the same one of `former`, which has the same shape."""
    with torch.no_grad():
        for own, before in zip(model.parameters(), former.parameters(), strict=True):
            own.lerp_(before.to(own), 1 - share)


def loss_after_training(trainer: Any) -> float:
    """The validation loss of the weights as they are now; on every process, each with its rows."""
    trainer.remove_callback(TrackioCallback)  # it has ended its run, and would begin it again
    return float(trainer.evaluate()["eval_loss"])
