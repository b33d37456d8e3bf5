"""Which of the processes this is that `accelerate launch` started to train together; starts none."""

from __future__ import annotations

import os


def local_rank() -> int:
    """Its number on this machine; 0 without accelerate."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def is_main_process() -> bool:
    """Of all, the one that writes and reports."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0
