"""The installed command, in a folder and with a database of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal

COMMAND = (sys.executable, "-m", "bot")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Nothing of the developer's own settings, tokens or caches."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV", "PYTHONPATH") if name in os.environ}
    (tmp_path / "config.toml").write_text("")
    return {**kept, "HOME": str(tmp_path), "QUOTESMITH_INFERENCE__THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run `quotesmith ARGUMENTS`, with text on its standard input."""

    def run(*arguments: str, typed: str | bytes = "", **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=typed if isinstance(typed, bytes) else typed.encode(),
            capture_output=True,
            cwd=tmp_path,
            env={**environment, **more},
            timeout=120,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def terminal(tmp_path: Path, environment: dict[str, str]) -> Iterator[Terminal]:
    """`quotesmith run` on a terminal."""
    with Terminal([*COMMAND, "run"], environment, str(tmp_path)) as opened:
        yield opened
