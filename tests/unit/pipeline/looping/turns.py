"""Turns of the loop as they lie on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_pipeline.looping.record import Done, Ending, Step, Turn

CURATED = {
    "train": {"sft": 0, "kto": 120, "dpo": 40},
    "held_out": {"sft": 0, "kto": 30, "dpo": 9},
    "dropped": {"near duplicate": 3},
}
FIGURES: dict[Step, dict[str, Any]] = {
    Step.EXPORT: {"rows": 200, "pairs": 60, "people": 41, "refused": {"no consent": 7}},
    Step.CURATE: CURATED,
    Step.PREFER: {
        "methods": {"kto": {"train_rows": 120, "steps": 16, "train_loss": 0.4321, "best_validation_loss": None}}
    },
    Step.GATE: {
        "figures": {
            "adherence": {
                "title": "Adherence",
                "old": 0.9,
                "new": 0.91,
                "difference": 0.01,
                "interval": [-0.02, 0.04],
                "outcome": "passed",
            }
        }
    },
}


def turn(
    folder: Path, last: Step | None = None, ending: Ending = Ending.OPEN, said: str = "", began: str = "2026-10-01"
) -> Turn:
    """A saved turn whose steps are done up to that one."""
    made = Turn(folder, f"{began}T03:00:00+00:00", "starter", "ab" * 32, "/models/starter", ending=ending, said=said)
    for step in Step if last else ():
        made.steps.append(Done(step, f"What {step} came to.", 12.0, dict(FIGURES.get(step, {}))))
        if step is last:
            break
    made.save()
    return made
