"""A person at a terminal: a program behind a pseudo-terminal, what is typed into it and what it shows."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

PATIENCE_S = 60.0
READY = "\x1b[?2004h"  # the line editor turns bracketed paste on whenever it begins to read
CTRL_C, CTRL_D, ENTER, UP = "\x03", "\x04", "\r", "\x1b[A"


class Terminal:
    """Runs a command on a terminal of 80 columns; `screen` is all that it wrote, escape sequences included."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], cwd: str) -> None:
        self._leader, follower = pty.openpty()
        self._process = subprocess.Popen(
            command,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            cwd=cwd,
            env={**environment, "TERM": "xterm", "COLUMNS": "80", "LINES": "24", "PROMPT_TOOLKIT_NO_CPR": "1"},
            start_new_session=True,
            preexec_fn=_take_the_terminal,
        )
        os.close(follower)
        self.screen = ""
        self._prompts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._leader)

    def at_prompt(self, keys: str) -> None:
        """Press keys once the line editor reads: what is typed before may get lost with it."""
        self._prompts += 1
        self.wait_for(READY, times=self._prompts)
        self.press(keys)

    def press(self, keys: str) -> None:
        """Press keys now."""
        os.write(self._leader, keys.encode())

    def signal(self, number: int) -> None:
        """What the kernel sends to the program."""
        self._process.send_signal(number)

    def wait_for(self, text: str, *, times: int = 1) -> str:
        """Read until the text has been shown so often; returns what was shown since the last call."""
        before = len(self.screen)
        while self.screen.count(text) < times:
            if not self._read():
                raise AssertionError(f"{text!r} was not shown; the screen has {self.screen!r}")
        return self.screen[before:]

    def exit_code(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        return self._process.wait(PATIENCE_S)

    def _read(self) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        ready, _, _ = select.select([self._leader], [], [], deadline - time.monotonic())
        try:
            data = os.read(self._leader, 65_536) if ready else b""
        except OSError:  # the other side has closed
            return False
        self.screen += data.decode(errors="replace")
        return bool(data)


def _take_the_terminal() -> None:
    """In the new process: its terminal is the controlling one, which opening makes it, and may be closed under it."""
    os.close(os.open(os.ttyname(0), os.O_RDWR))
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored in what is started behind nohup, as the tests may be
