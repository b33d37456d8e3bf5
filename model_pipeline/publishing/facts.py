"""What a run tells of itself, as plain data that its cards are written from; opens no run folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from model_pipeline.recipe import Recipe

SPLITS = ("train", "validation", "test")
ADAPTER_GGUF = "adapter.gguf"


class Kind(StrEnum):
    """What a repository holds; the keys of a recipe's `publish`."""

    DATASET = "dataset"
    ADAPTER = "adapter"
    MERGED = "merged"
    GGUF = "gguf"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run tells of itself: manifests by stage, rows by split, the evaluation's results, the served model.

    What is not finished is empty. `results` is evaluate/results.json, `served` the manifest of the model folder.
    """

    recipe: Recipe
    manifests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    served: Mapping[str, Any] = field(default_factory=dict)

    def figures(self, stage: str) -> Mapping[str, Any]:
        """The figures of a stage; empty before it is finished."""
        return dict(self.manifests.get(stage, {}).get("figures", {}))


def base_on_hub(recipe: Recipe) -> str:
    """The Hub id of the base model; "" if it was pretrained or lies on a disk."""
    model = recipe.base.model
    is_id = re.fullmatch(r"[\w.-]+/[\w.-]+", model, re.ASCII) is not None
    return model if is_id and not Path(model).exists() else ""
