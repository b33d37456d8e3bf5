"""Asks the bot with a model folder, as a person would, and measures the wait: one bot, started by its command.

The bot runs in a folder of its own, with its default settings, an empty database and no quotes written ahead. Its
terminal chat reads lines from a pipe: replies go to its output, and what it says about a command to its error output,
so that `/new` behind each request tells when its reply was there. Starting and loading are not counted.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import IO

import numpy as np

from model_pipeline.bot_python import python_path
from model_pipeline.evaluation.answers import QUOTE, Asked, Latency
from model_pipeline.report import Advance

LEAST_REPLIES = 2
LONGEST_LINE = 2000  # characters of a message
START_LIMIT_S, REQUEST_LIMIT_S = 600, 300
NAME = "evaluated"  # of the model in the bot's folder: a name of its own could be the embedded model's
OWN_VARIABLES = ("DISCORD_TOKEN", "TELEGRAM_TOKEN", "HF_TOKEN")


class BotUnavailable(Exception):
    """The bot gave too few replies; the text is the reason, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One reply and the seconds that a person waited for it."""

    text: str
    seconds: float


def time_bot(model_folder: Path, asked: Sequence[Asked], requests: int) -> list[Timed]:
    """The replies to the first `requests` rows, again from the first where there are fewer; those that failed are not.

    Raises `BotUnavailable` where the bot cannot be run or hardly answers.
    """
    replies = [one for one in _ask(model_folder, [line_of(row) for row in islice(cycle(asked), requests)]) if one.text]
    if len(replies) < LEAST_REPLIES:
        raise BotUnavailable(f"it answered {len(replies)} of {requests} requests")
    return replies


def bot_quotes(model_folder: Path, keywords: Sequence[str], advance: Advance) -> list[Timed]:
    """The bot's quote for each keyword, asked for one after another by one person; no text where it gave none.

    Raises `BotUnavailable` where the bot cannot be run.
    """
    return _ask(model_folder, [f"/quote {' '.join(keyword.split())}" for keyword in keywords], advance)


@contextmanager
def open_bot(model_folder: Path, requests: int) -> Iterator[Console]:
    """A bot that serves the folder and waits for lines, of which there are at most `requests`.

    Raises `BotUnavailable` where it cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="quotesmith-latency-") as name:
        folder = Path(name)
        (folder / "config.toml").touch()  # in the place of one that is found elsewhere
        (folder / "models").mkdir()
        (folder / "models" / NAME).symlink_to(model_folder.resolve(), target_is_directory=True)
        _choose_model(folder)
        with _console(folder, START_LIMIT_S + REQUEST_LIMIT_S * requests) as console:
            yield console


def _ask(model_folder: Path, lines: Sequence[str], advance: Advance | None = None) -> list[Timed]:
    with open_bot(model_folder, len(lines)) as console:
        timed = []
        for line in lines:
            timed.append(console.ask(line))
            if advance:
                advance(len(timed))
    if not any(one.text for one in timed):
        raise BotUnavailable(f"it answered 0 of {len(lines)} requests ({console.complaint})")
    return timed


def latency_of(name: str, replies: Sequence[Timed], count_tokens: Callable[[str], int]) -> Latency:
    """What these replies come to."""
    seconds = [reply.seconds for reply in replies]
    p50, p95 = (float(value) * 1000 for value in np.percentile(seconds, [50, 95]))
    tokens = sum(count_tokens(reply.text) for reply in replies)
    return Latency(name, len(replies), p50, p95, tokens / sum(seconds), machine())


class Console:
    """A running terminal chat."""

    def __init__(self, process: subprocess.Popen[str], replies: IO[str]) -> None:
        self._process, self._replies = process, replies
        self.complaint = "it said nothing"
        self._marker = self._learn_marker()

    def ask(self, line: str) -> Timed:
        """Send a line and wait for what it brings; no text where the bot complained instead."""
        began = time.monotonic()
        self._send(f"{line}\n/new\n")
        while (said := self._said()) != self._marker:
            self.complaint = said
        return Timed(self._replies.read().strip(), time.monotonic() - began)

    def _learn_marker(self) -> str:
        """What it says to `/new`: the line that it says twice running. It waits until the model is loaded."""
        self._send("/new\n/new\n")
        before, said = "", self._said()
        while said != before:
            self.complaint = said
            before, said = said, self._said()
        return said

    def _send(self, text: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text)
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None

    def _said(self) -> str:
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        if not line:
            raise self._ended()
        return line.strip()

    def _ended(self) -> BotUnavailable:
        return BotUnavailable(f"its command ended ({self.complaint})")


@contextmanager
def _console(folder: Path, limit_s: float) -> Iterator[Console]:
    replies = folder / "replies.txt"
    with replies.open("w", encoding="utf-8") as out, replies.open(encoding="utf-8") as back:
        process = subprocess.Popen(
            [*_command(), "run", "--platform", "console"],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            cwd=folder,
            env=_environment(folder),
        )
        watch = threading.Timer(limit_s, process.kill)
        watch.start()
        try:
            yield Console(process, back)
        finally:
            watch.cancel()
            process.kill()
            process.communicate()


def _choose_model(folder: Path) -> None:
    done = subprocess.run(
        [*_command(), "model", "use", NAME],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise BotUnavailable(f"its command ended with {done.returncode} ({last.rstrip('.')})")


def _command() -> list[str]:
    return [sys.executable, "-m", "bot"]


def _environment(folder: Path) -> dict[str, str]:
    """This process's, without anybody's settings and tokens; the bot is looked for beside this package too."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("QUOTESMITH_") and name not in OWN_VARIABLES
    }
    return inherited | {
        "PYTHONPATH": python_path(),
        "QUOTESMITH_MODEL__FOLDER": str(folder / "models"),
        "QUOTESMITH_DATABASE__URL": f"sqlite+aiosqlite:///{folder / 'quotesmith.db'}",
        "QUOTESMITH_QUOTE__POOL_DEPTH": "0",
    }


def line_of(row: Asked) -> str:
    """What a person would type; a message is one line and no command."""
    if row.kind == QUOTE and row.keyword:
        return f"/quote {' '.join(row.keyword.split())}"
    return " ".join(row.prompt.split())[:LONGEST_LINE].lstrip("/") or "?"


def machine() -> str:
    """The processor as its maker calls it, where the system tells that."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(named, '') or platform.processor() or platform.machine()}, {os.cpu_count()} logical processors"
