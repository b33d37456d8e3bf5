"""Writes and reads the checkpoints of pretraining, whole or not at all; knows no loop.

The folders are those that `checkpoints.last_checkpoint` finds: `checkpoint-<step>`, with trainer_state.json in each.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from model_pipeline.training.checkpoints import STATE_FILE, step_of

WEIGHTS_FILE, REST_FILE = "weights.pt", "optimizer.pt"
KEPT = 2  # and the best


@dataclass(slots=True)
class TrainingState:
    """Where training stands: steps done, seconds they took, and what was logged; losses in nats a token."""

    step: int = 0
    seconds: float = 0.0
    best_step: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    log: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(folder: Path, state: TrainingState, model: Any, parts: Mapping[str, Any]) -> None:
    """Write `folder/checkpoint-<step>`, which appears when it is complete, and remove older ones. Raises `OSError`.

    `parts` are what has a state beside the model: optimizer, schedule, scaler.
    """
    target = folder / f"checkpoint-{state.step}"
    partial = folder / f".{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    torch.save(model.state_dict(), partial / WEIGHTS_FILE)
    states = {name: part.state_dict() for name, part in parts.items()}
    torch.save({"states": states, "generators": _generators()}, partial / REST_FILE)
    (partial / STATE_FILE).write_text(json.dumps(asdict(state)), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)
    _remove_old(folder, state.best_step)


def load_checkpoint(checkpoint: Path, model: Any, parts: Mapping[str, Any], device: str) -> TrainingState:
    """Put everything back as it was saved; returns where training stands."""
    load_weights(checkpoint, model, device)
    rest = torch.load(checkpoint / REST_FILE, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(rest["states"][name])
    torch.set_rng_state(rest["generators"]["cpu"])
    if torch.cuda.is_available() and len(rest["generators"]["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(rest["generators"]["cuda"])
    return TrainingState(**json.loads((checkpoint / STATE_FILE).read_text(encoding="utf-8")))


def load_weights(checkpoint: Path, model: Any, device: str) -> None:
    """The weights of a checkpoint into `model`."""
    model.load_state_dict(torch.load(checkpoint / WEIGHTS_FILE, map_location=device, weights_only=True))


def _generators() -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _remove_old(folder: Path, best_step: int) -> None:
    there = sorted(folder.glob("checkpoint-*"), key=step_of)
    for checkpoint in there[:-KEPT]:
        if step_of(checkpoint) != best_step:
            shutil.rmtree(checkpoint, ignore_errors=True)
