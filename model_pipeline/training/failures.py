"""Turns what goes wrong while a machine works (memory, disk) into one sentence; knows no stage."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from model_pipeline.errors import TrainingFailed
from model_pipeline.training.checkpoints import find_checkpoint


@contextmanager
def told_in_a_sentence(checkpoints: Path, section: str = "fine_tune") -> Iterator[None]:
    """Raise `TrainingFailed` for what the machine lacked; the sentence names the checkpoint that is kept.

    `section` is the one of the recipe whose settings would take less.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingFailed(f"The memory was not enough: {_smaller(section)} {kept(checkpoints)}") from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TrainingFailed(f"The disk is full: make room, and run it again. {kept(checkpoints)}") from error
    except RuntimeError as error:
        # Allocators of torch say it in words only, and so does its writer of files.
        text = str(error)
        if "allocate memory" in text or "out of memory" in text:
            raise TrainingFailed(f"The memory was not enough: {_smaller(section)} {kept(checkpoints)}") from error
        if "No space left" in text or "file write failed" in text or "PytorchStreamWriter" in text:
            raise TrainingFailed(f"The disk is full: make room, and run it again. {kept(checkpoints)}") from error
        raise


def kept(checkpoints: Path) -> str:
    """Which checkpoint training goes on from."""
    found = find_checkpoint(checkpoints)
    return f"The last good checkpoint is {found}." if found else "There is no checkpoint yet."


def _smaller(section: str) -> str:
    return f"set a smaller {section}.batch_size (and a larger {section}.accumulate) or data.max_tokens."
