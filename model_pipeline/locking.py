"""Keeps a folder for one process at a time; knows nothing of what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from model_pipeline.errors import InputInvalid

LOCK_FILE = ".lock"


@contextmanager
def only_process_in(folder: Path) -> Iterator[None]:
    """Make the folder if it is not there. Raises `InputInvalid` where another process is in it, or it is read-only."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK_FILE, timeout=0):
            yield
    except Timeout as error:
        raise InputInvalid(f"Another process works on {folder}; wait, or choose another.") from error
    except OSError as error:
        raise InputInvalid(f"The folder {folder} cannot be written: {error.strerror or error}.") from error
