"""Mixes the weights before and after a training: what lies between keeps more of what the former could do.

M. Wortsman et al., Robust fine-tuning of zero-shot models (2021), https://arxiv.org/abs/2109.01903.
"""

from __future__ import annotations

from typing import Any

import torch


def interpolate(model: Any, former: Any, share: float) -> None:
    """Move every weight of `model` to `share` of the way from the same one of `former`, which has the same shape."""
    with torch.no_grad():
        for own, before in zip(model.parameters(), former.parameters(), strict=True):
            own.lerp_(before.to(own), 1 - share)
