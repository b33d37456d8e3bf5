"""Keeps what libraries say to each other out of a person's sight, in a log file; knows no trainer."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import datasets
import transformers


def keep_libraries_quiet() -> None:
    """No bars of theirs, and nothing below an error."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # TRL asks it before it draws a bar of its own
    datasets.disable_progress_bars()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


@contextmanager
def warnings_in(log: TextIO) -> Iterator[None]:
    """Libraries warn of each other's old names, which nobody who trains can change."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            yield
        finally:
            log.writelines(f"{each.category.__name__}: {each.message}\n" for each in caught)
