"""Finds the checkpoint that training goes on from; training removes those that were cut off while they were written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

STATE_FILE = "trainer_state.json"  # the last file that the trainer writes into a checkpoint


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in `folder`, or None; newer ones, which were cut off, are removed."""
    for checkpoint in _newest_first(folder):
        if _is_complete(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint, ignore_errors=True)
    return None


def find_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in `folder`, or None. Removes nothing."""
    return next(filter(_is_complete, _newest_first(folder)), None)


def step_of(checkpoint: Path) -> int:
    """The optimizer steps that lie behind a checkpoint."""
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True)


def _is_complete(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
