"""Turns what goes wrong while a machine works (memory, disk) into one sentence; knows no stage."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from model_pipeline.errors import TrainingFailed
from model_pipeline.training.checkpoints import find_checkpoint

MORE_MEMORY = "end other programs, or do it on a machine with more of it."  # where the whole model must be held
_SHORT_IN_WORDS = ("allocate memory", "out of memory")  # of torch's allocators, for processors and for GPUs
_OF_TORCH = "OutOfMemoryError"  # by name, without importing torch; some of its allocators say it in other words
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_IN_WORDS = (  # of errors that carry no number: shutil's, safetensors', and those of torch's writer of files
    *map(os.strerror, _FULL),
    "file write failed",
    "PytorchStreamWriter",
    "unexpected pos",
)


@contextmanager
def told_in_a_sentence(checkpoints: Path | None, smaller: str) -> Iterator[None]:
    """Raise `TrainingFailed` for what the machine lacked; the sentence names the checkpoint that is kept.

    `checkpoints` is None for work that begins anew. `smaller` says what to do where memory is short, such as the
    setting of the recipe that would take less.
    """
    try:
        yield
    except (MemoryError, OSError, RuntimeError, SafetensorError) as error:
        if is_of_memory(error):
            lacked = f"The memory was not enough: {smaller}"
        elif _is_of_the_disk(error):
            lacked = "The disk is full: make room, and run it again."
        else:
            raise
        raise TrainingFailed(f"{lacked} {kept(checkpoints)}" if checkpoints else lacked) from error


def kept(checkpoints: Path) -> str:
    """Which checkpoint training goes on from."""
    found = find_checkpoint(checkpoints)
    return f"The last good checkpoint is {found}." if found else "There is no checkpoint yet."


def is_of_memory(error: Exception) -> bool:
    """Whether the memory was short; what translates a library's other errors lets this one through."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM
    # Of these kinds alone, which are told: a library that finds no static TLS block cannot be imported, and says so.
    in_words = isinstance(error, OSError | RuntimeError | SafetensorError)
    is_said = in_words and any(words in str(error) for words in _SHORT_IN_WORDS)
    return is_said or isinstance(error, MemoryError) or type(error).__name__ == _OF_TORCH


def _is_of_the_disk(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    return any(words in str(error) for words in _FULL_IN_WORDS)
