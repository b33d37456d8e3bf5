"""Where a benchmark writes: looked at before anything is measured, so that nothing is measured in vain."""

from __future__ import annotations

import argparse
from pathlib import Path


def writable_file(text: str) -> Path:
    """A file that can be written, for argparse; one that is there already stays as it is until then."""
    path = Path(text)
    try:
        was_there = path.exists()
        with path.open("a", encoding="utf-8"):
            pass
        if not was_there:
            path.unlink()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: {error.strerror}") from error
    return path
