"""Builds the folder of a run that is prepared: a tiny base with random weights, and rows for a few steps."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from model_pipeline.data.prepared import write_rows
from model_pipeline.data.rows import Row
from model_pipeline.report import Advance, Report
from model_pipeline.runs import Run, Stage, create_run
from tests.pipeline.merged_run import recipe, write_base

WORDS = ("sea", "door", "light", "bread", "road", "tree", "rain", "hand", "lamp", "song", "stone", "boat")
QUOTES = [Row(f"Keyword: {word}\nQuote:", f" A {word} is what you make of it.", word, word, "quote") for word in WORDS]
CHATS = [
    Row(
        [{"role": "user", "content": f"Tell me of the {word}"}],
        [{"role": "assistant", "content": f"The {word} is fine."}],
        word,
        "",
        "chat",
    )
    for word in WORDS
]


def prepared_run(folder: Path, family: str = "tinyllama", **fine_tune: Any) -> Run:
    """A run after prepare that fine-tunes; `fine_tune` are values of that section."""
    settings = {"method": "lora", "r": 4, "max_steps": 12, "evaluate_every": 4, "batch_size": 2, "warmup": 1}
    settings |= {"optimizer": "adamw_torch", "learning_rate": 1e-2, "patience": 0}
    return prepared(folder, family, fine_tune=settings | fine_tune)


def prepared(folder: Path, family: str = "tinyllama", **sections: Any) -> Run:
    """A run after prepare, with quotes as text and chats as turns; `sections` are of its recipe."""
    base = folder.with_name(f"base-{family}")
    if "base" not in sections and not base.is_dir():
        write_base(base, family)
    run = create_run(folder, recipe(**({"base": {"family": family, "model": str(base)}} | sections)))
    run.of(Stage.PREPARE).mkdir()
    for split, rows in (
        ("train", QUOTES[2:] + CHATS[2:]),
        ("validation", [QUOTES[0]]),
        ("test", [QUOTES[1], CHATS[1]]),
    ):
        write_rows(run.of(Stage.PREPARE) / f"{split}.jsonl", rows)
    run.finish(Stage.PREPARE, datetime.now(UTC), {})
    return run


class Quiet(Report):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.heard = io.StringIO()
        super().__init__(Console(file=self.heard, width=200))


class StoppedAt(Quiet):
    """A person who presses Ctrl-C after so many steps."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step

    @contextmanager
    def progress(self, title: str, total: int, begun_at: int = 0) -> Iterator[Advance]:
        """Sends the signal that a terminal sends."""

        def advance(done: int, how: str = "") -> None:
            if done == self._step:
                os.kill(os.getpid(), signal.SIGINT)

        yield advance
